"""Tensors of the Open Inference Protocol: JSON or little-endian bytes in, values out, and back.

Inputs are one tensor per column, named as the model's inputs, of shape [rows] or [rows, 1]; or a single
matrix of shape [rows, inputs], its columns in the model's order.
"""

from __future__ import annotations

import struct
from array import array

from sls_ml_runtime.errors import Refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from sls_ml_runtime.signature import Signature

    Values = Sequence[Any]

FORMATS = {
    "BOOL": "?",
    "UINT8": "B",
    "UINT16": "H",
    "UINT32": "I",
    "UINT64": "Q",
    "INT8": "b",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "FP16": "e",
    "FP32": "f",
    "FP64": "d",
}
"""The `struct` format of each datatype but BYTES."""

DATATYPES = {
    "float64": "FP64",
    "float32": "FP32",
    "int64": "INT64",
    "int32": "INT32",
    "bool": "BOOL",
    "string": "BYTES",
}
"""The datatype of each dtype of a manifest."""

_ARRAYS = {"FP64": "d", "FP32": "f", "INT64": "q"}
"""Typecodes of datatypes that an array holds as they travel: functions run on little-endian machines."""

_KINDS = {"np", "pd", "str"}
_NAN = float("nan")


class Tail:
    """The bytes behind the JSON of a request, taken in the order of the inputs."""

    __slots__ = ("_bytes", "_position")

    def __init__(self, data: bytes) -> None:
        self._bytes = data
        self._position = 0

    def take(self, size: int, name: str) -> bytes:
        """The next `size` bytes.

        Raises:
            Refusal: 400, there are not so many.
        """
        end = self._position + size
        if end > len(self._bytes):
            left = len(self._bytes) - self._position
            message = f"{_quoted(name)} has binary_data_size {size}, but {left} bytes are left in the body"
            raise Refusal(400, "wrong-size", message, name)
        taken = self._bytes[self._position : end]
        self._position = end
        return taken

    def close(self) -> None:
        """Raises a refusal when bytes are left that no input asks for."""
        if left := len(self._bytes) - self._position:
            raise Refusal(400, "wrong-size", f"{left} bytes of the body belong to no input")


def read_table(inputs: Any, tail: bytes, signature: Signature) -> dict[str, Values]:
    """Columns by name of the inputs of a request.

    Raises:
        Refusal: 400 or 422, with the input.
    """
    if type(inputs) is not list or not inputs:
        raise Refusal(400, "no-inputs", "inputs must be a list with at least one tensor")
    names = [field.name for field in signature.inputs]
    binary = Tail(tail)
    table: dict[str, Values] = {}
    for tensor in inputs:
        name, shape, values = _read(tensor, binary)
        width = shape[1] if len(shape) == 2 else 1
        if len(inputs) == 1 and len(shape) == 2 and width == len(names) and (width > 1 or name not in names):
            table = {column: values[position::width] for position, column in enumerate(names)}
        elif width != 1:
            alone = f"a single input of shape [rows, {len(names)}] holds all columns"
            message = f"{_quoted(name)} must have shape [rows] or [rows, 1]; {alone}"
            raise Refusal(422, "wrong-shape", message, name)
        elif name in table:
            raise Refusal(422, "duplicate-column", f"{_quoted(name)} is there more than once", name)
        else:
            table[name] = values
    binary.close()
    return table


def datatype_of(values: Values) -> str:
    """The datatype for values whose dtype no manifest tells: classes, or what a hook has made."""
    kinds = set(map(type, values))
    if kinds <= {bool}:
        return "BOOL"
    if kinds <= {int}:
        return "INT64"
    return "FP64" if kinds <= {int, float, type(None)} else "BYTES"


def to_bytes(datatype: str, values: Values) -> bytes:
    """Values as the bytes of a tensor; a number that is not there is NaN."""
    if datatype == "BYTES":
        encoded = [_text(value).encode("utf-8", "backslashreplace") for value in values]
        return b"".join(struct.pack("<I", len(text)) + text for text in encoded)
    if datatype in _ARRAYS:
        missing = datatype != "INT64" and None in values
        numbers = [_NAN if value is None else value for value in values] if missing else values
        return array(_ARRAYS[datatype], numbers).tobytes()
    return struct.pack(f"<{len(values)}{FORMATS[datatype]}", *values)


def to_json(datatype: str, values: Values) -> list[Any]:
    """Values as the ``data`` of a tensor."""
    return [_text(value) for value in values] if datatype == "BYTES" else list(values)


def _text(value: Any) -> str:
    return value if type(value) is str else str(value)


def _read(tensor: Any, binary: Tail) -> tuple[str, list[int], Values]:
    """Name, shape and flat values of one input."""
    if type(tensor) is not dict or type(tensor.get("name")) is not str:
        raise Refusal(400, "wrong-input", "an input must be an object with name, shape, datatype and data")
    name: str = tensor["name"]
    datatype = tensor.get("datatype")
    if datatype != "BYTES" and (type(datatype) is not str or datatype not in FORMATS):
        message = f"the datatype of {_quoted(name)} must be one of {', '.join(FORMATS)}, BYTES"
        raise Refusal(400, "wrong-datatype", message, name)
    shape = _shape(tensor.get("shape"), name)
    parameters = tensor.get("parameters") or {}
    if type(parameters) is not dict:
        raise Refusal(400, "wrong-parameters", f"the parameters of {_quoted(name)} must be an object", name)
    kind = parameters.get("content_type", "np")
    if type(kind) is not str or kind not in _KINDS:
        message = f"the content_type of {_quoted(name)} may be {', '.join(sorted(_KINDS))}"
        raise Refusal(400, "wrong-content-type", message, name)
    count = shape[0] * (shape[1] if len(shape) == 2 else 1)
    if "binary_data_size" in parameters:
        size = parameters["binary_data_size"]
        if type(size) is not int or size < 0:
            message = f"the binary_data_size of {_quoted(name)} must be a number of bytes"
            raise Refusal(400, "wrong-size", message, name)
        if "data" in tensor:
            message = f"{_quoted(name)} has both data and binary_data_size"
            raise Refusal(400, "wrong-size", message, name)
        return name, shape, _from_bytes(datatype, binary.take(size, name), count, name)
    return name, shape, _from_json(datatype, tensor.get("data"), shape, count, name)


def _shape(shape: Any, name: str) -> list[int]:
    if type(shape) is not list or not all(type(size) is int and size >= 0 for size in shape):
        raise Refusal(400, "wrong-shape", f"the shape of {_quoted(name)} must be a list of sizes", name)
    if len(shape) not in {1, 2}:
        message = f"the shape of {_quoted(name)} has {len(shape)} dimensions, not 1 or 2"
        raise Refusal(422, "wrong-shape", message, name)
    return shape


def _from_bytes(datatype: str, data: bytes, count: int, name: str) -> Values:
    if datatype == "BYTES":
        return _texts(data, count, name)
    size = struct.calcsize(f"<{FORMATS[datatype]}")
    if len(data) != count * size:
        message = f"{_quoted(name)} has {len(data)} bytes; its shape and {datatype} need {count * size}"
        raise Refusal(400, "wrong-size", message, name)
    if datatype in _ARRAYS:
        return array(_ARRAYS[datatype], data)
    return struct.unpack(f"<{count}{FORMATS[datatype]}", data)


def _texts(data: bytes, count: int, name: str) -> list[str]:
    """The texts of a BYTES tensor: the length of each in four bytes, then its UTF-8."""
    texts: list[str] = []
    position = 0
    while position < len(data):
        start = position + 4
        size = int.from_bytes(data[position:start], "little")
        position = start + size
        if position > len(data):
            message = f"the bytes of {_quoted(name)} are cut off"
            raise Refusal(400, "wrong-size", message, name, len(texts))
        try:
            texts.append(data[start:position].decode())
        except UnicodeDecodeError as error:
            message = f"{_quoted(name)} is not text in UTF-8"
            raise Refusal(422, "not-utf8", message, name, len(texts)) from error
    if len(texts) != count:
        message = f"{_quoted(name)} has {len(texts)} elements, its shape says {_count(count)}"
        raise Refusal(400, "wrong-size", message, name)
    return texts


def _from_json(datatype: str, data: Any, shape: list[int], count: int, name: str) -> Values:
    if type(data) is not list:
        message = f"the data of {_quoted(name)} must be a list, flat or nested as its shape"
        raise Refusal(400, "no-data", message, name)
    if len(shape) == 2 and data and type(data[0]) is list:
        if not all(type(row) is list and len(row) == shape[1] for row in data) or len(data) != shape[0]:
            raise Refusal(400, "wrong-shape", f"the data of {_quoted(name)} is not of its shape", name)
        data = [value for row in data for value in row]
    if len(data) != count:
        message = f"{_quoted(name)} has {len(data)} elements, its shape says {_count(count)}"
        raise Refusal(400, "wrong-shape", message, name)
    width = shape[1] if len(shape) == 2 else 1
    types = _TYPES.get(datatype[:2], _INTEGERS)
    for position, value in enumerate(() if types.issuperset(map(type, data)) else data):
        if type(value) not in types:
            message = f"{_quoted(name)} holds an element that is not {datatype}"
            raise Refusal(422, "wrong-type", message, name, position // width)
    return _as_datatype(datatype, data, name, width)


_INTEGERS: set[type] = {int}
_TYPES: Mapping[str, set[type]] = {
    "BY": {str, type(None)},
    "FP": {int, float, type(None)},
    "BO": {bool, int},
}
"""Types that JSON may have for a datatype, by its first letters; null is a missing value."""


def _as_datatype(datatype: str, data: list[Any], name: str, width: int) -> Values:
    """Values as the datatype holds them: 0.1 as FP32 is the float nearest to it."""
    if datatype in {"BYTES", "FP64"}:
        return data
    one = f"<{FORMATS[datatype]}"
    if datatype == "FP32" and None not in data:
        try:
            return array("f", data)
        except OverflowError:
            pass  # told below, with its row
    for position, value in enumerate(data):
        if datatype == "BOOL":
            fits = value in {0, 1}
            data[position] = bool(value)
        elif value is None:
            fits = True
        else:
            try:
                data[position] = struct.unpack(one, struct.pack(one, value))[0]
                fits = True
            except (struct.error, OverflowError):
                fits = False
        if not fits:
            message = f"{_quoted(name)} holds a number that {datatype} cannot"
            raise Refusal(422, "out-of-range", message, name, position // width)
    return data


def _count(count: int) -> str:
    return str(count) if count < 1 << 62 else "more than can be"


def _quoted(name: str) -> str:
    return ascii(name[:80])
