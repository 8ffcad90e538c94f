"""Lowerings of look-ups: values at positions, either of which may depend on the row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sls_ml.artifact.lite.elementwise import dtype_of
from sls_ml.artifact.lite.node import Const, Extent, Lowering, Node, Value, arranged, positions_of
from sls_ml.artifact.lite.program import Live


def at(node: Node, table: Const, positions: Live, shape: tuple[int, ...], axis: int) -> Live:
    """The columns of a constant at positions that depend on the row.

    Args:
        node: The node that asks for it.
        table: A list, or a matrix of which columns are taken.
        positions: The positions.
        shape: The shape of the result.
        axis: Its row axis.
    """
    dtype = dtype_of(node, table)
    cost = 0.3 + 0.05 * int(np.prod(shape))
    if dtype == "string":
        if table.ndim > 1 and table.shape[0] != 1:
            raise node.refuse("it looks texts up in a matrix")
        texts = [str(text) for text in table.reshape(-1)]
        return node.program.step("tables.texts_at", [positions], dtype, shape, axis, texts, cost=cost)
    rows = 1 if table.ndim == 1 else table.shape[0]
    where = node.program.array(table)
    return node.program.step("tables.numbers_at", [positions], dtype, shape, axis, where, rows, cost=cost)


def _gather(node: Node) -> Sequence[Value]:
    value, positions = node.inputs
    axis = int(node.attributes.get("axis", 0))
    if isinstance(value, Extent):
        chosen = node.const(1)
        picked = [int(place) for place in chosen.reshape(-1)]
        sizes, rows = tuple(value.sizes[p] for p in picked), tuple(value.rows[p] for p in picked)
        return [Extent(sizes, rows) if any(rows) else np.array(sizes).reshape(chosen.shape)]
    if isinstance(value, np.ndarray):
        live = node.live(1)
        if value.ndim == 1:
            return [at(node, value, live, live.shape, live.axis)]
        return [_parts_at(node, value, live, axis)]
    if not isinstance(positions, np.ndarray):
        raise node.refuse("it looks up at positions that depend on the row")
    live = node.live()
    axis = node.inner(live, axis)
    places = np.take(positions_of(live), positions, axis)
    return [arranged(node.program, live, places, live.axis + (positions.ndim - 1 if axis < live.axis else 0))]


def _parts_at(node: Node, table: Const, positions: Live, axis: int) -> Live:
    """The parts of a constant at positions along its first dimension that depend on the row."""
    if axis != 0 or dtype_of(node, table) == "string":
        raise node.refuse("it looks texts up in a matrix, or columns")
    shape = (*positions.shape, *table.shape[1:])
    where, width = node.program.array(table), table[0].size
    cost = 0.3 + positions.size * (0.1 + 0.01 * width)
    return node.program.step(
        "tables.parts_at", [positions], dtype_of(node, table), shape, positions.axis, where, width, cost=cost
    )


def _gather_elements(node: Node) -> Sequence[Value]:
    value, positions = node.live(0), node.live(1)
    axis = node.axis(value, 0)
    if (
        axis != len(value.shape) - 1
        or value.shape[:-1] != positions.shape[:-1]
        or value.axis != positions.axis
    ):
        raise node.refuse("it takes along another than the last dimension")
    return [take(node, value, positions)]


def take(node: Node, value: Live, positions: Live) -> Live:
    """The values at positions along the last dimension, both depending on the row."""
    return node.program.step(
        "blocks.take",
        [value, positions],
        value.dtype,
        positions.shape,
        positions.axis,
        value.shape[-1],
        positions.shape[-1],
        cost=0.3 + 0.06 * positions.size,
    )


def _array_feature_extractor(node: Node) -> Sequence[Value]:
    value = node.inputs[0]
    if isinstance(value, np.ndarray):
        live = node.live(1)
        rows = 1 if value.ndim == 1 else value.shape[0]
        if value.ndim > 2 or np.prod(live.shape[: live.axis]) != 1:
            raise node.refuse("rows are not outermost")
        return [at(node, value, live, (rows, live.size), 1)]
    live = node.live()
    chosen = node.const(1).reshape(-1)
    node.inner(live, -1)
    return [arranged(node.program, live, positions_of(live)[..., chosen], live.axis)]


LOWERINGS: dict[tuple[str, str], Lowering] = {
    ("", "Gather"): _gather,
    ("", "GatherElements"): _gather_elements,
    ("ai.onnx.ml", "ArrayFeatureExtractor"): _array_feature_extractor,
}
