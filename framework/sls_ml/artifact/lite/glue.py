"""Lowerings of operators that move values about: most of them cost nothing, since shapes are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from onnx import TensorProto

from sls_ml.artifact.lite.elementwise import constant
from sls_ml.artifact.lite.node import (
    Extent,
    Lowering,
    Node,
    Stack,
    Value,
    Words,
    arranged,
    broadcast,
    positions_of,
    spread,
)
from sls_ml.artifact.lite.program import Live

_CAST = {
    TensorProto.FLOAT: "float32",
    TensorProto.DOUBLE: "float64",
    TensorProto.INT64: "int64",
    TensorProto.INT32: "int64",
    TensorProto.BOOL: "bool",
    TensorProto.STRING: "string",
}


def cast(node: Node, value: Live, dtype: str) -> Live:
    """A value in another dtype."""
    if dtype == value.dtype:
        return value
    if value.dtype in ("float32", "float64", "bool") and dtype == "string":
        raise node.refuse(f"{value.dtype} becomes text")
    if value.dtype == "float32" and dtype == "float64":
        return replace(value, dtype=dtype)
    kind = "integers of texts" if (value.dtype, dtype) == ("string", "int64") else dtype
    return node.program.step(
        "values.cast", [value], dtype, value.shape, value.axis, kind, cost=0.2 + 0.04 * value.size
    )


def _identity(node: Node) -> Sequence[Value]:
    value = node.inputs[0]
    if value is None:
        raise node.refuse("it has no input")
    return [value]


def _cast(node: Node) -> Sequence[Value]:
    to = node.attributes["to"]
    if to not in _CAST:
        raise node.refuse(f"it makes type {TensorProto.DataType.Name(to)}")
    if isinstance(node.inputs[0], Extent):
        if _CAST[to] != "int64":
            raise node.refuse("it computes with the number of rows")
        return [node.inputs[0]]
    return [cast(node, node.live(), _CAST[to])]


def reshape(node: Node, value: Live, sizes: Sequence[int], rows: Sequence[bool]) -> Live:
    """A value in another shape.

    Args:
        node: The node that asks for it.
        value: The value.
        sizes: The shape for one row; one of them may be -1.
        rows: Which of the sizes grow with the number of rows.
    """
    if np.prod(value.shape[: value.axis]) != 1:
        raise node.refuse("rows are not outermost")
    growing = list(rows)
    if -1 in sizes:
        place = list(sizes).index(-1)
        rest = int(np.prod([size for size in sizes if size != -1]))
        if value.size % rest:
            raise node.refuse("rows do not fill its shape")
        sizes = [value.size // rest if size == -1 else size for size in sizes]
        growing[place] = not any(growing)
    if sum(growing) != 1 or np.prod(sizes) != value.size:
        raise node.refuse("it fixes the number of rows")
    axis = growing.index(True)
    if np.prod(sizes[:axis]) != 1:
        raise node.refuse("it mixes rows")
    return replace(value, shape=tuple(sizes), axis=axis)


def _reshape(node: Node) -> Sequence[Value]:
    if isinstance(node.inputs[0], Stack):
        return [_unstacked(node, node.inputs[0])]
    value = node.live()
    target = node.inputs[1]
    if isinstance(target, Extent):
        sizes, rows = list(target.sizes), list(target.rows)
    else:
        sizes = [int(size) for size in node.const(1)]
        rows = [False] * len(sizes)
    if not node.attributes.get("allowzero", 0):
        for place, size in enumerate(sizes):
            if size == 0:
                sizes[place], rows[place] = value.shape[place], place == value.axis
    return [reshape(node, value, sizes, rows)]


def _unstacked(node: Node, stack: Stack) -> Live:
    """Stacked values as ``[values, N]``."""
    if node.const(1).tolist() != [len(stack.parts), -1]:
        raise node.refuse("it mixes rows")
    joined = join(node, stack.parts)
    return replace(joined, shape=(len(stack.parts), stack.parts[0].size), axis=1)


def _flatten(node: Node) -> Sequence[Value]:
    if isinstance(node.inputs[0], Words):
        return [node.inputs[0]]
    value = node.live()
    axis = int(node.attributes.get("axis", 1))
    axis += len(value.shape) if axis < 0 else 0
    if value.axis >= axis:
        raise node.refuse("it mixes rows")
    return [reshape(node, value, [-1, int(np.prod(value.shape[axis:]))], [False, False])]


def _axes(node: Node) -> list[int] | None:
    """The axes of Squeeze and Unsqueeze, an attribute before opset 13."""
    if node.given(1):
        return [int(axis) for axis in node.const(1).reshape(-1)]
    axes = node.attributes.get("axes")
    return None if axes is None else [int(axis) for axis in axes]


def _squeeze(node: Node) -> Sequence[Value]:
    axes = _axes(node)
    value = node.inputs[0]
    if isinstance(value, Extent):
        return [value]
    value = node.live()
    rank = len(value.shape)
    if axes is None:
        gone = {axis for axis in range(rank) if axis != value.axis and value.shape[axis] == 1}
    else:
        gone = {axis % rank for axis in axes}
    if value.axis in gone:
        raise node.refuse("it fixes the number of rows")
    shape = tuple(size for axis, size in enumerate(value.shape) if axis not in gone)
    return [replace(value, shape=shape, axis=value.axis - sum(axis < value.axis for axis in gone))]


def _unsqueeze(node: Node) -> Sequence[Value]:
    axes = _axes(node) or []
    value = node.inputs[0]
    if isinstance(value, Extent):
        return [value]
    value = node.live()
    rank = len(value.shape) + len(axes)
    added = {axis % rank for axis in axes}
    kept = [axis for axis in range(rank) if axis not in added]
    shape = [1] * rank
    for axis, size in zip(kept, value.shape, strict=True):
        shape[axis] = size
    return [replace(value, shape=tuple(shape), axis=kept[value.axis])]


def _transpose(node: Node) -> Sequence[Value]:
    value = node.live()
    order = node.attributes.get("perm", list(range(len(value.shape)))[::-1])
    return [
        arranged(node.program, value, positions_of(value).transpose(order), list(order).index(value.axis))
    ]


def _concat(node: Node) -> Sequence[Value]:
    if any(isinstance(value, Extent) for value in node.inputs):
        return [_concat_extents(node)]
    lives = [value for value in node.inputs if isinstance(value, Live)]
    first = lives[0]
    if int(node.attributes["axis"]) % len(first.shape) == first.axis:
        if len(lives) < len(node.inputs) or any(_form(live) != (*_form(first)[:2], 0) for live in lives):
            raise node.refuse("it works across rows")
        return [Stack(tuple(lives))]
    if len(lives) < len(node.inputs) or {live.axis for live in lives} != {first.axis}:
        raise node.refuse("it lines rows up with other values")
    axis = node.axis(first, 0)
    joined = join(node, lives)
    ends = np.cumsum([live.size for live in lives])
    places = np.concatenate(
        [positions_of(live) + end - live.size for live, end in zip(lives, ends, strict=True)], axis
    )
    return [arranged(node.program, joined, places, first.axis)]


def _form(value: Live) -> tuple[str, tuple[int, ...], int]:
    return value.dtype, value.shape, value.axis


def join(node: Node, parts: Sequence[Live]) -> Live:
    """Values one after the other, as a flat value."""
    if len(parts) == 1:
        return parts[0]
    size = sum(part.size for part in parts)
    cost = 0.3 + 0.05 * len(parts) + 0.01 * size
    return node.program.step("values.join", parts, parts[0].dtype, (1, size), 0, cost=cost)


def _concat_extents(node: Node) -> Extent:
    sizes: list[int] = []
    rows: list[bool] = []
    for position, value in enumerate(node.inputs):
        if isinstance(value, Extent):
            sizes += value.sizes
            rows += value.rows
        else:
            numbers = node.const(position).tolist()
            sizes += numbers
            rows += [False] * len(numbers)
    return Extent(tuple(sizes), tuple(rows))


def _shape(node: Node) -> Sequence[Value]:
    value = node.live()
    part = slice(node.attributes.get("start", 0), node.attributes.get("end", len(value.shape)))
    rows = tuple(axis == value.axis for axis in range(len(value.shape)))[part]
    sizes = value.shape[part]
    return [Extent(sizes, rows) if any(rows) else np.array(sizes, np.int64)]


def _extent(node: Node, position: int) -> Extent:
    """The input at this position as an extent of which one size grows with the rows."""
    value = node.inputs[position]
    if not isinstance(value, Extent) or sum(value.rows) != 1:
        raise node.refuse("it fixes the number of rows")
    return value


def _constant_of_shape(node: Node) -> Sequence[Value]:
    extent = _extent(node, 0)
    fill = node.attributes.get("value", np.zeros(1, np.float32))
    return [constant(node, np.full(extent.sizes, fill.reshape(-1)[0]), extent.rows.index(True))]


def _expand(node: Node) -> Sequence[Value]:
    value, target = node.inputs
    if isinstance(target, np.ndarray):
        live = node.live()
        shape, axis = broadcast(node, [live, np.empty([int(size) for size in target])])
        return [spread(node.program, live, shape, axis)]
    extent = _extent(node, 1)
    axis = extent.rows.index(True)
    shape = extent.sizes
    if isinstance(value, np.ndarray):
        if value.ndim >= len(shape) - axis and value.shape[axis - len(shape)] != 1:
            raise node.refuse("it lines rows up with constants")
        return [constant(node, np.broadcast_to(value, shape), axis)]
    live = node.live()
    if live.axis - len(live.shape) != axis - len(shape):
        raise node.refuse("it lines rows up with other values")
    return [spread(node.program, live, np.broadcast_shapes(live.shape, shape), axis)]


def _tile(node: Node) -> Sequence[Value]:
    value = node.live()
    repeats = [int(count) for count in node.const(1)]
    if repeats[value.axis] != 1:
        raise node.refuse("it repeats rows")
    return [arranged(node.program, value, np.tile(positions_of(value), repeats), value.axis)]


def _slice(node: Node) -> Sequence[Value]:
    if node.version < 10:
        starts, ends = node.attributes["starts"], node.attributes["ends"]
        axes: Any = node.attributes.get("axes", range(len(starts)))
        steps: Any = [1] * len(starts)
    else:
        starts, ends = node.const(1), node.const(2)
        axes = node.const(3) if node.given(3) else range(len(starts))
        steps = node.const(4) if node.given(4) else [1] * len(starts)
    value = node.inputs[0]
    if isinstance(value, Extent):
        part = slice(int(starts[0]), int(ends[0]), int(steps[0]))
        return [Extent(value.sizes[part], value.rows[part])]
    value = node.live()
    window = [slice(None)] * len(value.shape)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        begin, stop = int(start), int(end)
        window[node.inner(value, int(axis))] = slice(
            begin, None if int(step) < 0 and stop < -(1 << 30) else stop, int(step)
        )
    return [arranged(node.program, value, positions_of(value)[tuple(window)], value.axis)]


def _split(node: Node) -> Sequence[Value]:
    value = node.live()
    axis = node.axis(value, 0)
    sizes = node.const(1) if node.given(1) else node.attributes.get("split")
    if sizes is None:
        parts_wanted = node.attributes.get("num_outputs")
        if not parts_wanted:
            raise node.refuse("its parts have no sizes")
        sizes = [-(-value.shape[axis] // parts_wanted)] * parts_wanted  # the last may be smaller
    parts = np.split(positions_of(value), np.cumsum(sizes)[:-1], axis)
    return [arranged(node.program, value, part, value.axis) for part in parts]


def _feature_vectorizer(node: Node) -> Sequence[Value]:
    parts = [
        cast(node, reshape(node, node.live(i), [-1, node.live(i).size], [False] * 2), "float32")
        for i in range(len(node.inputs))
    ]
    joined = join(node, parts)
    return [replace(joined, shape=(1, joined.size), axis=0)]


LOWERINGS: dict[tuple[str, str], Lowering] = {
    ("", "Cast"): _cast,
    ("", "Concat"): _concat,
    ("", "ConstantOfShape"): _constant_of_shape,
    ("", "Expand"): _expand,
    ("", "Flatten"): _flatten,
    ("", "Identity"): _identity,
    ("", "Reshape"): _reshape,
    ("", "Shape"): _shape,
    ("", "Slice"): _slice,
    ("", "Split"): _split,
    ("", "Squeeze"): _squeeze,
    ("", "Tile"): _tile,
    ("", "Transpose"): _transpose,
    ("", "Unsqueeze"): _unsqueeze,
    ("ai.onnx.ml", "FeatureVectorizer"): _feature_vectorizer,
}
