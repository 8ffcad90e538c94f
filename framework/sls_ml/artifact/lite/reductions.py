"""Lowerings of operators that work along dimensions: sums, extremes, orders, softmax, norms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sls_ml.artifact.lite.elementwise import combine
from sls_ml.artifact.lite.lookups import take
from sls_ml.artifact.lite.node import Lowering, Node, Value, arranged, positions_of
from sls_ml.artifact.lite.program import Live

_REDUCTIONS = {
    "ReduceL1": "l1",
    "ReduceL2": "l2",
    "ReduceLogSumExp": "log_sum_exp",
    "ReduceMax": "max",
    "ReduceMean": "mean",
    "ReduceMin": "min",
    "ReduceProd": "prod",
    "ReduceSum": "sum",
    "ReduceSumSquare": "sum_square",
}
_WHOLE = ("ReduceL1", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare")
"""Those that give whole numbers for whole numbers."""


def reduce_blocks(node: Node, value: Live, axes: Sequence[int], kind: str, dtype: str, keep: bool) -> Live:
    """One value for each block of values that lie along some dimensions.

    Args:
        node: The node that asks for it.
        value: The values.
        axes: The dimensions, counted from the front.
        kind: The reduction.
        dtype: Of the result.
        keep: Keep the dimensions, with size 1.
    """
    kept = [axis for axis in range(len(value.shape)) if axis not in axes]
    order = [*kept, *axes]
    width = int(np.prod([value.shape[axis] for axis in axes]))
    blocks = arranged(node.program, value, positions_of(value).transpose(order), order.index(value.axis))
    if keep:
        shape = tuple(1 if axis in axes else size for axis, size in enumerate(value.shape))
        axis = value.axis
    else:
        shape, axis = tuple(value.shape[axis] for axis in kept), kept.index(value.axis)
    single = dtype == "float32"
    return node.program.step(
        "blocks.reduce", [blocks], dtype, shape, axis, kind, width, single, cost=0.5 + 0.03 * value.size
    )


def _reduce(node: Node) -> Sequence[Value]:
    value = node.live()
    if value.dtype == "int64" and node.operator not in _WHOLE:
        raise node.refuse("it works on whole numbers")
    if node.given(1):
        axes = [int(axis) for axis in node.const(1).reshape(-1)]
    else:
        axes = list(node.attributes.get("axes", []))
    if not axes:
        if node.attributes.get("noop_with_empty_axes", 0):
            return [value]
        axes = list(range(len(value.shape)))
    inner = sorted({node.inner(value, axis) for axis in axes})
    keep = bool(node.attributes.get("keepdims", 1))
    return [reduce_blocks(node, value, inner, _REDUCTIONS[node.operator], value.dtype, keep)]


def _position(node: Node) -> Sequence[Value]:
    if node.attributes.get("select_last_index", 0):
        raise node.refuse("it takes the last of equal values")
    value = node.live()
    kind = "position_of_max" if node.operator == "ArgMax" else "position_of_min"
    keep = bool(node.attributes.get("keepdims", 1))
    return [reduce_blocks(node, value, [node.axis(value, 0)], kind, "int64", keep)]


def _along_last(node: Node, value: Live, axis: int, kind: str, width: int) -> Live:
    """A scoring of blocks of `width` values that ends in the dimension `axis`."""
    order = [*(a for a in range(len(value.shape)) if a != axis), axis]
    blocks = arranged(node.program, value, positions_of(value).transpose(order), order.index(value.axis))
    scored = node.program.step(
        "blocks.score",
        [blocks],
        value.dtype,
        blocks.shape,
        blocks.axis,
        kind,
        width,
        value.single,
        cost=0.6 + 0.1 * value.size,
    )
    return arranged(node.program, scored, positions_of(scored).transpose(np.argsort(order)), value.axis)


def _softmax(node: Node) -> Sequence[Value]:
    value = node.live()
    kind = "softmax" if node.operator == "Softmax" else "log_softmax"
    if node.version >= 13:
        axis = node.axis(value)
        return [_along_last(node, value, axis, kind, value.shape[axis])]
    axis = node.axis(value, 1)  # before opset 13 all dimensions from the axis on are one
    if value.axis > axis:
        raise node.refuse("it works across rows")
    last = len(value.shape) - 1
    return [_along_last(node, value, last, kind, int(np.prod(value.shape[axis:])))]


def _normalizer(node: Node) -> Sequence[Value]:
    value = node.live()
    norm = node.attributes.get("norm", "MAX")
    return [along_row(node, value, f"over_{norm.lower()}")]


def along_row(node: Node, value: Live, kind: str) -> Live:
    """A scoring of the last dimension, of which each row has one."""
    axis = node.inner(value, -1)
    return _along_last(node, value, axis, kind, value.shape[axis])


def _lp_normalization(node: Node) -> Sequence[Value]:
    value = node.live()
    axis = node.axis(value)
    return [_along_last(node, value, axis, f"over_l{node.attributes.get('p', 2)}", value.shape[axis])]


def _cumulative_sum(node: Node) -> Sequence[Value]:
    if node.attributes.get("exclusive", 0) or node.attributes.get("reverse", 0):
        raise node.refuse("it is exclusive or reversed")
    value = node.live()
    axis = node.inner(value, int(node.const(1).reshape(-1)[0]))
    return [_along_last(node, value, axis, "cumulative_sum", value.shape[axis])]


def _top(node: Node) -> Sequence[Value]:
    value = node.live()
    axis = node.axis(value)
    if axis != len(value.shape) - 1:
        raise node.refuse("it orders another than the last dimension")
    count = int(node.const(1).reshape(-1)[0])
    positions = node.program.step(
        "blocks.top",
        [value],
        "int64",
        (*value.shape[:-1], count),
        value.axis,
        value.shape[-1],
        count,
        bool(node.attributes.get("largest", 1)),
        cost=0.5 + 0.15 * value.size,
    )
    return [take(node, value, positions), positions]


def _mean(node: Node) -> Sequence[Value]:
    total: Value = node.live()
    for other in node.inputs[1:]:
        if other is None:
            raise node.refuse("it has no input")
        total = combine(node, "add", total, other)
    count = np.array(len(node.inputs), np.float32 if node.live().single else np.float64)
    return [combine(node, "div", total, count)]


LOWERINGS: dict[tuple[str, str], Lowering] = {
    **{("", operator): _reduce for operator in _REDUCTIONS},
    ("", "ArgMax"): _position,
    ("", "ArgMin"): _position,
    ("", "CumSum"): _cumulative_sum,
    ("", "LogSoftmax"): _softmax,
    ("", "LpNormalization"): _lp_normalization,
    ("", "Mean"): _mean,
    ("", "Softmax"): _softmax,
    ("", "TopK"): _top,
    ("ai.onnx.ml", "Normalizer"): _normalizer,
}
