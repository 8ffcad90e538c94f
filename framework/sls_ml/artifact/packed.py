"""Writes a graph with its lists of numbers packed, which takes a byte less for each number.

ONNX declares the numbers of attributes in the old style of protobuf, which writes the field's tag before each
of them. Every reader of protobuf takes the packed style too: one tag, one length, then the numbers
("Packed Repeated Fields" in protobuf's description of its encoding).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_LENGTH_DELIMITED = 2
_MODEL_GRAPH, _GRAPH_NODE, _NODE_ATTRIBUTE = 7, 1, 5
_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS, _ATTRIBUTE_FLOATS, _ATTRIBUTE_INTS = 6, 11, 7, 8
"""Numbers of fields in onnx-ml.proto."""

_LISTS = {6: "int32_data", 7: "int64_data"}
"""The field of a TensorProto that holds its numbers as varints, by element type (INT32, INT64)."""

_PAYS = 3
"""The fewest numbers in a list that packing makes smaller."""

_BITS, _MORE = 7, 0x80


def serialized(model: Any) -> bytes:
    """Give an onnx.ModelProto's bytes: the same for the same model."""
    return _without(model, "graph") + _field(_MODEL_GRAPH, _graph(model.graph))


def size_of(node: Any) -> int:
    """Give the bytes that an onnx.NodeProto takes in the file."""
    return len(_field(_GRAPH_NODE, _node(node)))


def varints(values: npt.NDArray[np.int64]) -> bytes:
    """Give whole numbers in protobuf's form: seven bits a byte, the lowest first, two's complement."""
    left = values.astype(np.int64).view(np.uint64)
    sizes = np.ones(len(left), dtype=np.int64)
    for more in range(1, 10):
        sizes += left >= np.uint64(1 << _BITS * more)
    ends = np.cumsum(sizes)
    place = ends - sizes
    found = np.empty(int(ends[-1]) if len(ends) else 0, dtype=np.uint8)
    while len(place):
        goes_on = left >= np.uint64(_MORE)
        found[place] = (left & np.uint64(_MORE - 1)).astype(np.uint8) | (goes_on * np.uint8(_MORE))
        left, place = left[goes_on] >> np.uint64(_BITS), place[goes_on] + 1
    return found.tobytes()


def ints(name: str, values: npt.NDArray[np.generic]) -> bytes:
    """Give an AttributeProto that holds whole numbers, packed."""
    from onnx import AttributeProto

    head = AttributeProto(name=name, type=AttributeProto.INTS).SerializeToString(deterministic=True)
    return bytes(head) + _field(_ATTRIBUTE_INTS, varints(values.astype(np.int64)))


def pack_tensors(graph: Any) -> None:
    """Write whole numbers of constants as varints, in place, where that is smaller than a fixed width."""
    for tensor in graph.initializer:
        _pack_tensor(tensor)
    for node in graph.node:
        for attribute in node.attribute:
            for tensor in (attribute.t, *attribute.tensors):
                _pack_tensor(tensor)
            for inner in (attribute.g, *attribute.graphs):
                pack_tensors(inner)


def _pack_tensor(tensor: Any) -> None:
    field = _LISTS.get(tensor.data_type)
    if field is None or not tensor.raw_data:
        return
    values = np.frombuffer(tensor.raw_data, dtype="<i4" if field == "int32_data" else "<i8")
    if len(varints(values)) < len(tensor.raw_data):
        tensor.ClearField("raw_data")
        getattr(tensor, field).extend(values.tolist())


def _graph(graph: Any) -> bytes:
    nodes = b"".join(_field(_GRAPH_NODE, _node(node)) for node in graph.node)
    return nodes + _without(graph, "node")


def _node(node: Any) -> bytes:
    attributes = (_field(_NODE_ATTRIBUTE, _attribute(attribute)) for attribute in node.attribute)
    return _without(node, "attribute") + b"".join(attributes)


def _attribute(attribute: Any) -> bytes:
    parts: list[bytes] = []
    left_out = []
    if len(attribute.ints) >= _PAYS:
        left_out.append("ints")
        parts.append(_field(_ATTRIBUTE_INTS, varints(np.fromiter(attribute.ints, dtype=np.int64))))
    if len(attribute.floats) >= _PAYS:
        left_out.append("floats")
        parts.append(_field(_ATTRIBUTE_FLOATS, np.fromiter(attribute.floats, dtype="<f4").tobytes()))
    if attribute.HasField("g"):
        left_out.append("g")
        parts.append(_field(_ATTRIBUTE_GRAPH, _graph(attribute.g)))
    if attribute.graphs:
        left_out.append("graphs")
        parts += [_field(_ATTRIBUTE_GRAPHS, _graph(graph)) for graph in attribute.graphs]
    return _without(attribute, *left_out) + b"".join(parts)


def _without(message: Any, *names: str) -> bytes:
    """Give a message's bytes without some of its fields."""
    if not names:
        return bytes(message.SerializeToString(deterministic=True))
    rest = type(message)()
    for field, value in message.ListFields():
        if field.name in names:
            continue
        if isinstance(value, (str, bytes, int, float)):
            setattr(rest, field.name, value)
        elif hasattr(value, "MergeFrom") and not hasattr(value, "extend"):
            getattr(rest, field.name).CopyFrom(value)
        else:
            getattr(rest, field.name).extend(value)
    return bytes(rest.SerializeToString(deterministic=True))


def _field(number: int, content: bytes) -> bytes:
    return _number(number << 3 | _LENGTH_DELIMITED) + _number(len(content)) + content


def _number(value: int) -> bytes:
    return varints(np.asarray([value]))
