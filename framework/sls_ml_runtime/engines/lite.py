"""The lite engine: runs model.lite, a straight-line program over the values of one row, in plain Python.

A model.lite file is laid out as follows, little-endian:

    0   8 bytes   b"sls-lite"
    8   uint32    format of the file: 1
    12  uint32    CRC-32 of all that follows
    16  uint64    length of the whole file
    24  uint32    length of the header
    28  uint32    0
    32  header    canonical JSON, padded with spaces to a multiple of 8
    ..  arrays    flat arrays of numbers, each at a multiple of 8

The header is ``{"inputs", "outputs", "registers", "steps", "arrays"}``:

- inputs: ``[register, name, dtype, columns]``, the graph inputs that the program reads.
- outputs: ``[register, name, dtype, shape, axis]``, the shape of one row's part, and the dimension along
  which the rows are stacked.
- registers: how many values the program holds.
- steps: ``[operation, register of the result, registers of the operands, parameters...]``, run in order
  for one row after the other. A value is a flat sequence of numbers or str, row-major. The operations
  and their parameters are the functions of `sls_ml_runtime.engines.lite_ops`.
- arrays: ``[typecode, offset from the first array, bytes]``; a parameter names an array by its position.
"""

from __future__ import annotations

import json
import os
from array import array
from zlib import crc32

from sls_ml_runtime.engines.tensors import pack
from sls_ml_runtime.errors import EngineError
from sls_ml_runtime.signature import TYPECODES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from mmap import mmap
    from typing import Any

    from sls_ml_runtime.answer import Arrays
    from sls_ml_runtime.artifact import Artifact
    from sls_ml_runtime.signature import Columns

    Read = Callable[[int], memoryview[Any]]
    Registers = list[Any]
    Step = Callable[[Registers], None]

MAGIC = b"sls-lite"
FORMAT = 1
FIXED = 32
"""Bytes before the header."""
MAPPED = 1 << 20
"""From so many bytes on a file is mapped into memory."""


class Engine:
    """The model.lite of an artifact, loaded.

    Args:
        artifact: An opened artifact.

    Raises:
        EngineError: There is no model.lite, or it is corrupt or of another format.
    """

    __slots__ = ("_inputs", "_outputs", "_registers", "_steps")

    name = "lite"

    def __init__(self, artifact: Artifact) -> None:
        path = f"{artifact.folder}/model.lite"
        try:
            content = _content(path)
        except OSError as error:
            raise EngineError(f"{path}: {error.strerror}") from error
        self._load(content, path)

    @classmethod
    def of(cls, content: bytes | mmap) -> Engine:
        """The engine of the bytes of a model.lite file.

        Raises:
            EngineError: The bytes are corrupt or of another format.
        """
        engine = cls.__new__(cls)
        engine._load(content, "model.lite")
        return engine

    def _load(self, content: bytes | mmap, path: str) -> None:
        program = Program(content, path)
        header = program.header
        try:
            self._inputs = [
                (register, name, {"dtype": dtype, "columns": columns})
                for register, name, dtype, columns in header["inputs"]
            ]
            self._outputs = header["outputs"]
            self._registers = [None] * header["registers"]
            self._steps = [
                _bind(operation, program.array, result, operands, parameters)
                for operation, result, operands, *parameters in header["steps"]
            ]
        except (ArithmeticError, AttributeError, LookupError, MemoryError, TypeError, ValueError) as error:
            raise EngineError(f"{path} is no program: {type(error).__name__}") from error

    def run(self, columns: Columns) -> Arrays:
        """Predict.

        Args:
            columns: One ``(dtype, values)`` per manifest input, in its order, all of one length.

        Returns:
            Output tensor name to ``(dtype, shape, flat values)``, for the manifest's outputs.

        Raises:
            EngineError: A value cannot be computed, such as a text that is not a number.
        """
        rows = len(columns[0][1])
        feeds = [
            (register, len(tensor["columns"]), list(pack(tensor, columns, rows)))
            for register, _, tensor in self._inputs
        ]
        results: list[list[Any]] = [[] for _ in self._outputs]
        registers: Registers = self._registers.copy()
        steps = self._steps
        wanted = [output[0] for output in self._outputs]
        row = 0
        try:
            for row in range(rows):
                for register, width, flat in feeds:
                    registers[register] = flat[row * width : row * width + width]
                for step in steps:
                    step(registers)
                for result, register in zip(results, wanted, strict=True):
                    result.extend(registers[register])
            return {
                name: (
                    dtype,
                    (*shape[:axis], rows * shape[axis], *shape[axis + 1 :]),
                    result if dtype == "string" else array(TYPECODES[dtype], result),
                )
                for result, (_, name, dtype, shape, axis) in zip(results, self._outputs, strict=True)
            }
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            # The message of the cause may hold a value of the request, which stays out of logs.
            raise EngineError(f"the lite engine failed at row {row}: {type(error).__name__}") from None


def _content(path: str) -> bytes | mmap:
    """The bytes of a file; a large one is mapped, so that what a row does not touch is not copied."""
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs more to import than this engine
        if os.fstat(file.fileno()).st_size < MAPPED:
            return file.read()
        from mmap import ACCESS_READ, mmap

        return mmap(file.fileno(), 0, access=ACCESS_READ)


class Program:
    """The parts of a model.lite file.

    Attributes:
        header: The header, decoded.

    Raises:
        EngineError: The bytes are corrupt or of another format.
    """

    __slots__ = ("_body", "header")

    def __init__(self, content: bytes | mmap, path: str) -> None:
        number = int.from_bytes
        if content[:8] != MAGIC or len(content) < FIXED:
            raise EngineError(f"{path} is not a lite model")
        if number(content[8:12], "little") != FORMAT:
            raise EngineError(
                f"{path} has format {number(content[8:12], 'little')}; this version reads format {FORMAT}"
            )
        view = memoryview(content)
        if number(content[16:24], "little") != len(content) or number(content[12:16], "little") != crc32(
            view[16:]
        ):
            raise EngineError(f"{path} is corrupt or incomplete")
        end = FIXED + number(content[24:28], "little")
        try:
            self.header = json.loads(content[FIXED:end])
        except (ValueError, RecursionError) as error:
            raise EngineError(f"{path} has no readable header") from error
        self._body = view[end:]

    def array(self, position: int) -> memoryview[Any]:
        """The array at this position of the header's list, as it lies in the file."""
        typecode, offset, length = self.header["arrays"][position]
        return self._body[offset : offset + length].cast(typecode)


def _bind(
    operation: str,
    read: Read,
    result: int,
    operands: Sequence[int],
    parameters: Sequence[Any],
) -> Step:
    """The step of one operation, with its constants loaded."""
    family, _, _ = operation.partition(".")
    known = _operations(family)
    if operation not in known:
        raise EngineError(f"model.lite needs {operation!r}, which this version does not have")
    return known[operation](read, result, *operands, *parameters)


def _operations(family: str) -> dict[str, Callable[..., Step]]:  # noqa: PLR0911 - one for each family
    """The operations of a family, imported when a program first needs one."""
    match family:
        case "values":
            from sls_ml_runtime.engines.lite_ops import values

            return values.OPERATIONS
        case "blocks":
            from sls_ml_runtime.engines.lite_ops import blocks

            return blocks.OPERATIONS
        case "linear":
            from sls_ml_runtime.engines.lite_ops import linear

            return linear.OPERATIONS
        case "trees":
            from sls_ml_runtime.engines.lite_ops import trees

            return trees.OPERATIONS
        case "kernels":
            from sls_ml_runtime.engines.lite_ops import kernels

            return kernels.OPERATIONS
        case "tables":
            from sls_ml_runtime.engines.lite_ops import tables

            return tables.OPERATIONS
        case "texts":
            from sls_ml_runtime.engines.lite_ops import texts

            return texts.OPERATIONS
        case _:
            return {}
