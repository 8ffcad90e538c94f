"""The program of a model.lite file under construction, and its bytes."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sls_ml.artifact.lite.coverage import NotCovered
from sls_ml_runtime.engines.lite import FIXED, FORMAT, MAGIC

_TYPECODES = {"f8": "d", "f4": "f", "i8": "q", "i4": "i", "i2": "h", "i1": "b", "u1": "B"}


@dataclass(frozen=True)
class Live:
    """A value that depends on the row.

    Attributes:
        register: Where the program holds it.
        dtype: ``float64``, ``float32``, ``int64``, ``bool`` or ``string``.
        shape: The shape that it has for a batch of one row.
        axis: The dimension along which the rows of a batch are stacked; each row fills ``shape[axis]``.
    """

    register: int
    dtype: str
    shape: tuple[int, ...]
    axis: int

    @property
    def size(self) -> int:
        """How many values each row has."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def single(self) -> bool:
        """Whether the values are rounded to float32."""
        return self.dtype == "float32"


class Position(int):
    """The position of a constant array among the parameters of a step."""


@dataclass(frozen=True)
class _Step:
    operation: str
    result: int
    operands: tuple[int, ...]
    parameters: tuple[Any, ...]
    cost: float


class Program:
    """Steps over registers, with their constant arrays."""

    def __init__(self) -> None:
        self._registers = 0
        self._rounded: set[int] = set()
        self._steps: list[_Step] = []
        self._known: dict[str, Live] = {}
        self._arrays: list[npt.NDArray[Any]] = []
        self._positions: dict[tuple[str, bytes], int] = {}
        self._inputs: list[tuple[Live, str, list[int]]] = []

    def input(self, name: str, dtype: str, rank: int, columns: list[int]) -> Live:
        """The values of a graph input of shape ``[N, len(columns)]``, or ``[N]`` for rank 1."""
        live = Live(self._register(dtype), dtype, (1, len(columns)) if rank == 2 else (1,), 0)
        self._inputs.append((live, name, columns))
        return live

    def _register(self, dtype: str) -> int:
        self._registers += 1
        if dtype == "float32":
            self._rounded.add(self._registers - 1)
        return self._registers - 1

    def is_rounded(self, value: Live) -> bool:
        """Whether all values are float32 numbers, though they may be taken for float64."""
        return value.register in self._rounded

    def array(self, numbers: npt.ArrayLike) -> Position:
        """The position of a constant array; equal arrays are stored once.

        Args:
            numbers: Numbers of any shape, stored flat: bool as int8, otherwise in their dtype.
        """
        flat = np.ascontiguousarray(numbers).reshape(-1)
        if flat.dtype == np.bool_:
            flat = flat.astype(np.int8)
        kind = flat.dtype.str[1:]
        if kind not in _TYPECODES:
            raise NotCovered("constant", f"numbers of type {flat.dtype}")
        key = (kind, flat.tobytes())
        if key not in self._positions:
            self._positions[key] = len(self._arrays)
            self._arrays.append(flat)
        return Position(self._positions[key])

    def step(
        self,
        operation: str,
        operands: Sequence[Live],
        dtype: str,
        shape: tuple[int, ...],
        axis: int,
        *parameters: Any,
        cost: float,
    ) -> Live:
        """Add a step, or find the one that computes the same.

        Args:
            operation: Name of the operation in `sls_ml_runtime.engines.lite_ops`.
            operands: The values it reads.
            dtype: Of the result.
            shape: Of the result, for one row.
            axis: Of the result.
            parameters: What its function takes besides, JSON values.
            cost: An estimate of its time in microseconds.
        """
        registers = tuple(operand.register for operand in operands)
        key = json.dumps([operation, registers, dtype, shape, axis, parameters])
        if key not in self._known:
            live = Live(self._register(dtype), dtype, shape, axis)
            self._steps.append(_Step(operation, live.register, registers, parameters, cost))
            self._known[key] = live
        return self._known[key]

    def slowest(self) -> tuple[str, float]:
        """The operation that takes the most time, and its estimate in microseconds."""
        step = max(self._steps, key=lambda step: step.cost)
        return step.operation, step.cost

    def encode(self, outputs: Sequence[tuple[str, Live]]) -> tuple[bytes, float]:
        """The bytes of the file, and the estimated time of one row in microseconds.

        Args:
            outputs: The tensors to compute; what they do not need is left out.
        """
        needed = {live.register for _, live in outputs}
        steps = []
        for step in reversed(self._steps):
            if step.result in needed:
                needed.update(step.operands)
                steps.append(step)
        steps.reverse()
        number = {register: position for position, register in enumerate(sorted(needed))}
        arrays: dict[int, int] = {}
        header = {
            "inputs": [
                [number[live.register], name, live.dtype, columns]
                for live, name, columns in self._inputs
                if live.register in needed
            ],
            "outputs": [
                [number[live.register], name, live.dtype, live.shape, live.axis] for name, live in outputs
            ],
            "registers": len(number),
            "steps": [
                [
                    step.operation,
                    number[step.result],
                    [number[register] for register in step.operands],
                    *_renumbered(step.parameters, arrays),
                ]
                for step in steps
            ],
        }
        directory, body = [], bytearray()
        for position in arrays:
            numbers = self._arrays[position]
            directory.append([_TYPECODES[numbers.dtype.str[1:]], len(body), numbers.nbytes])
            body += numbers.astype(numbers.dtype.newbyteorder("<"), copy=False).tobytes()
            body += bytes(-len(body) % 8)
        return _file({**header, "arrays": directory}, bytes(body)), sum(step.cost for step in steps)


def _renumbered(parameter: Any, arrays: dict[int, int]) -> Any:
    """The parameter with positions among the arrays in use, which are collected on the way."""
    match parameter:
        case Position():
            return arrays.setdefault(int(parameter), len(arrays))
        case tuple() | list():
            return [_renumbered(part, arrays) for part in parameter]
        case _:
            return parameter


def _file(header: dict[str, Any], body: bytes) -> bytes:
    """The file with this header and these arrays."""
    text = json.dumps(
        header, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()
    text += b" " * (-len(text) % 8)
    length = FIXED + len(text) + len(body)
    checked = length.to_bytes(8, "little") + len(text).to_bytes(4, "little") + bytes(4) + text + body
    return MAGIC + FORMAT.to_bytes(4, "little") + zlib.crc32(checked).to_bytes(4, "little") + checked
