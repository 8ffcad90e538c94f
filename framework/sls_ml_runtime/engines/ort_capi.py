"""The ort_capi engine: ONNX Runtime's C library through ctypes, without numpy and the wheel's Python half.

The table of functions (struct OrtApi) only ever grows at its end, so that positions hold for every
version of the library; version 20 of the table is what libraries since 1.20 offer.
"""

# pathlib costs milliseconds of a cold start.
# ruff: noqa: PTH118, PTH208

from __future__ import annotations

import os
import sys

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # also in the process's own environment, which the library reads

import ctypes
from array import array
from ctypes import byref, c_char_p, c_int, c_int64, c_size_t, c_void_p

from sls_ml_runtime.engines.tensors import no_rows, pack
from sls_ml_runtime.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from sls_ml_runtime.answer import Array, Arrays
    from sls_ml_runtime.artifact import Artifact
    from sls_ml_runtime.signature import Columns

API_VERSION = 20
LOG_ERRORS_ONLY = 3
NO_OPTIMISATION = 0
ALL_OPTIMISATIONS = 99
ARENA_ALLOCATOR = 1
DEFAULT_MEMORY = 0

# ONNXTensorElementDataType: dtype, typecode
ELEMENTS = {
    1: ("float32", "f"),
    6: ("int32", "i"),
    7: ("int64", "q"),
    8: ("string", ""),
    9: ("bool", "b"),
    11: ("float64", "d"),
}
ELEMENT_OF = {dtype: element for element, (dtype, _) in ELEMENTS.items()}

# Position in struct OrtApi and argument types; those marked * return a status.
FUNCTIONS: dict[str, tuple[int, tuple[Any, ...]]] = {
    "GetErrorMessage": (2, (c_void_p,)),
    "CreateEnv*": (3, (c_int, c_char_p, c_void_p)),
    "CreateSession*": (7, (c_void_p, c_char_p, c_void_p, c_void_p)),
    "Run*": (9, (c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, c_void_p)),
    "CreateSessionOptions*": (10, (c_void_p,)),
    "SetSessionGraphOptimizationLevel*": (23, (c_void_p, c_int)),
    "SetIntraOpNumThreads*": (24, (c_void_p, c_int)),
    "SetInterOpNumThreads*": (25, (c_void_p, c_int)),
    "CreateTensorAsOrtValue*": (48, (c_void_p, c_void_p, c_size_t, c_int, c_void_p)),
    "CreateTensorWithDataAsOrtValue*": (
        49,
        (c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, c_int, c_void_p),
    ),
    "GetTensorMutableData*": (51, (c_void_p, c_void_p)),
    "FillStringTensor*": (52, (c_void_p, c_void_p, c_size_t)),
    "GetStringTensorDataLength*": (53, (c_void_p, c_void_p)),
    "GetStringTensorContent*": (54, (c_void_p, c_void_p, c_size_t, c_void_p, c_size_t)),
    "GetTensorElementType*": (60, (c_void_p, c_void_p)),
    "GetDimensionsCount*": (61, (c_void_p, c_void_p)),
    "GetDimensions*": (62, (c_void_p, c_void_p, c_size_t)),
    "GetTensorTypeAndShape*": (65, (c_void_p, c_void_p)),
    "CreateCpuMemoryInfo*": (69, (c_int, c_int, c_void_p)),
    "GetAllocatorWithDefaultOptions*": (78, (c_void_p,)),
    "ReleaseEnv": (92, (c_void_p,)),
    "ReleaseStatus": (93, (c_void_p,)),
    "ReleaseMemoryInfo": (94, (c_void_p,)),
    "ReleaseSession": (95, (c_void_p,)),
    "ReleaseValue": (96, (c_void_p,)),
    "ReleaseTensorTypeAndShapeInfo": (99, (c_void_p,)),
    "ReleaseSessionOptions": (100, (c_void_p,)),
    "AddSessionConfigEntry*": (130, (c_void_p, c_char_p, c_char_p)),
}


def find_library() -> str:
    """Path of libonnxruntime.so: ``SLS_ML_ORT_LIBRARY``, or in an onnxruntime folder on ``sys.path``.

    Raises:
        EngineError: There is none.
    """
    if named := os.environ.get("SLS_ML_ORT_LIBRARY"):
        return named
    for entry in sys.path:
        folder = os.path.join(entry or ".", "onnxruntime", "capi")
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in sorted(names):
            if name.startswith(("libonnxruntime.so", "libonnxruntime.1", "libonnxruntime.dylib")):
                return os.path.join(folder, name)
    raise EngineError("libonnxruntime.so is not in an onnxruntime/capi folder on sys.path")


class Library:
    """The loaded library and its one environment per process."""

    _loaded: Library | None = None

    def __init__(self, path: str) -> None:
        try:
            library = ctypes.CDLL(path)
        except OSError as error:
            raise EngineError(f"{path} does not load: {error}") from error
        base = library.OrtGetApiBase
        base.restype = ctypes.POINTER(c_void_p)
        get_api = ctypes.CFUNCTYPE(c_void_p, ctypes.c_uint32)(base()[0] or 0)
        table = get_api(API_VERSION)
        if not table:
            raise EngineError(f"{path} is older than 1.{API_VERSION}")
        addresses = ctypes.cast(table, ctypes.POINTER(c_void_p))
        self.functions: dict[str, Callable[..., Any]] = {}
        for name, (position, arguments) in FUNCTIONS.items():
            result = c_char_p if name == "GetErrorMessage" else c_void_p if name[-1] == "*" else None
            self.functions[name.rstrip("*")] = ctypes.CFUNCTYPE(result, *arguments)(addresses[position] or 0)
        self.environment = self.make("CreateEnv", LOG_ERRORS_ONLY, b"sls-ml")
        self.memory = self.make("CreateCpuMemoryInfo", ARENA_ALLOCATOR, DEFAULT_MEMORY)
        self.allocator = self.make("GetAllocatorWithDefaultOptions")

    @classmethod
    def shared(cls) -> Library:
        """The library, loaded at the first call; it stays loaded, as its threads and its environment do."""
        if cls._loaded is None:
            cls._loaded = cls(find_library())
        return cls._loaded

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function that returns a status.

        Raises:
            EngineError: The status is an error; carries ONNX Runtime's message.
        """
        if status := self.functions[name](*arguments):
            message = self.functions["GetErrorMessage"](status).decode(errors="replace")
            self.functions["ReleaseStatus"](status)
            raise EngineError(message)

    def make(self, name: str, *arguments: Any) -> int:
        """Call a function whose last argument receives a pointer, and return that pointer."""
        pointer = c_void_p()
        self.call(name, *arguments, byref(pointer))
        return pointer.value or 0


class Engine:
    """The model.onnx of an artifact in an ONNX Runtime session.

    Args:
        artifact: An opened artifact.
        threads: Threads for one prediction.

    Raises:
        EngineError: The library is not here, or refuses the model.
    """

    name = "ort_capi"

    def __init__(self, artifact: Artifact, threads: int = 1) -> None:
        self._session = 0
        self._library = library = Library.shared()
        manifest = artifact.manifest
        self._manifest = manifest
        self._tensors = manifest["tensors"]
        outputs = list(dict.fromkeys(output["tensor"] for output in manifest["outputs"]))
        self._outputs: list[str] = outputs
        self._input_names = _names([tensor["name"] for tensor in self._tensors])
        self._output_names = _names(outputs)
        options = library.make("CreateSessionOptions")
        try:
            library.call("SetIntraOpNumThreads", options, threads)
            library.call("SetInterOpNumThreads", options, 1)
            library.call("SetSessionGraphOptimizationLevel", options, _optimisation(manifest))
            library.call("AddSessionConfigEntry", options, b"session.intra_op.allow_spinning", b"0")
            path = os.fsencode(artifact.path("model.onnx"))
            self._session = library.make("CreateSession", library.environment, path, options)
        finally:
            library.functions["ReleaseSessionOptions"](options)

    def __del__(self) -> None:
        if self._session:
            self._library.functions["ReleaseSession"](self._session)
            self._session = 0

    def run(self, columns: Columns) -> Arrays:
        """As `InferenceEngine.run`."""
        rows = len(columns[0][1])
        if rows == 0:
            return no_rows(self._manifest)
        library = self._library
        inputs = (c_void_p * len(self._tensors))()
        outputs = (c_void_p * len(self._outputs))()
        data = []  # ONNX Runtime reads from these arrays, so that they must live until it has run
        try:
            for position, tensor in enumerate(self._tensors):
                flat = pack(tensor, columns, rows)
                data.append(flat)
                inputs[position] = self._value(tensor, flat, rows)
            library.call(
                "Run",
                self._session,
                None,
                self._input_names,
                inputs,
                len(inputs),
                self._output_names,
                len(outputs),
                outputs,
            )
            return {name: self._read(value or 0) for name, value in zip(self._outputs, outputs, strict=True)}
        finally:
            release = library.functions["ReleaseValue"]
            for value in (*inputs, *outputs):
                if value:
                    release(value)

    def _value(self, tensor: dict[str, Any], flat: array[Any] | list[str], rows: int) -> int:
        """A tensor over the flat values (a copy of them, if they are texts)."""
        rank: int = tensor["rank"]
        shape = (c_int64 * rank)(rows, len(tensor["columns"])) if rank == 2 else (c_int64 * 1)(rows)
        element = ELEMENT_OF[tensor["dtype"]]
        library = self._library
        if isinstance(flat, array):
            address, length = flat.buffer_info()
            size = length * flat.itemsize
            name = "CreateTensorWithDataAsOrtValue"
            return library.make(name, library.memory, address, size, shape, rank, element)
        value = library.make("CreateTensorAsOrtValue", library.allocator, shape, rank, element)
        try:
            library.call("FillStringTensor", value, _names(flat), len(flat))
        except BaseException:
            library.functions["ReleaseValue"](value)
            raise
        return value

    def _read(self, value: int) -> Array:
        """Copy an output tensor."""
        library = self._library
        info = library.make("GetTensorTypeAndShape", value)
        try:
            element, rank = c_int(), c_size_t()
            library.call("GetTensorElementType", info, byref(element))
            library.call("GetDimensionsCount", info, byref(rank))
            dimensions = (c_int64 * rank.value)()
            library.call("GetDimensions", info, dimensions, rank)
        finally:
            library.functions["ReleaseTensorTypeAndShapeInfo"](info)
        shape = tuple(dimensions)
        count = 1
        for dimension in shape:
            count *= dimension
        if element.value not in ELEMENTS:
            raise EngineError(f"an output has element type {element.value}, which no model answer holds")
        dtype, typecode = ELEMENTS[element.value]
        if dtype == "string":
            return dtype, shape, self._texts(value, count)
        numbers = array(typecode)
        if count:
            address = library.make("GetTensorMutableData", value)
            numbers.frombytes(ctypes.string_at(address, count * numbers.itemsize))
        return dtype, shape, numbers

    def _texts(self, value: int, count: int) -> list[str]:
        library = self._library
        length = c_size_t()
        library.call("GetStringTensorDataLength", value, byref(length))
        buffer = ctypes.create_string_buffer(length.value + 1)
        offsets = (c_size_t * count)()
        library.call("GetStringTensorContent", value, buffer, length, offsets, count)
        content = buffer.raw
        ends = [*offsets[1:], length.value]
        return [content[start:end].decode() for start, end in zip(offsets, ends, strict=True)]


def _names(texts: list[str]) -> ctypes.Array[c_char_p]:
    return (c_char_p * len(texts))(*[text.encode() for text in texts])


def _optimisation(manifest: dict[str, Any]) -> int:
    """Optimising costs start-up time and only pays where a network has operators to fuse."""
    library = manifest.get("source", {}).get("library")
    fusable = library not in {"scikit-learn", "xgboost", "lightgbm", "catboost"}
    return ALL_OPTIMISATIONS if fusable else NO_OPTIMISATION
