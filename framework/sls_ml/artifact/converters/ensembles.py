"""Writes decision trees as ONNX tree ensembles, from flat arrays, a whole forest at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import onnx

from sls_ml.artifact import packed
from sls_ml.artifact.converters.graph import Graph, Tensor

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_DOMAIN = "ai.onnx.ml"
_LESS_OR_EQUAL, _MEMBER = 0, 6

_PART_NODES, _PART_TREES, _MOST_PARTS = 1 << 16, 128, 32
"""A forest of more nodes or trees is written as several `TreeEnsemble`, up to so many.

While ONNX Runtime loads one, it holds all its nodes in a hash map, and looks through all of them after each
tree: parts are ready in half the time and memory. Each part costs a row less than a microsecond.
Sums of float32 stay whole: libraries add tree after tree, and another order rounds otherwise.
"""


@dataclass(frozen=True)
class Trees:
    """Trees laid end to end; every array has one entry for each node.

    Attributes:
        left, right: Position of the children in these arrays; -1 for a leaf.
        feature: Column that an inner node looks at.
        split: An inner node goes left where ``x <= split``.
        missing_left: Whether an inner node sends NaN to the left.
        value: What a leaf adds, ``[nodes, values]``.
        target: Output column to which a leaf adds, where `value` has one column.
        roots: Position of each tree's root, which is the first of its nodes.
        members: Values that go left, by position of the inner nodes that test for membership instead.
    """

    left: Ints
    right: Ints
    feature: Ints
    split: Floats
    missing_left: Bools
    value: Floats
    target: Ints
    roots: Ints
    members: dict[int, Sequence[float]]

    @staticmethod
    def join(trees: Sequence[Trees]) -> Trees:
        """Lay trees end to end."""
        offsets = np.cumsum([0, *(len(tree.left) for tree in trees)])
        members = {
            at + int(offset): values
            for tree, offset in zip(trees, offsets, strict=False)
            for at, values in tree.members.items()
        }

        def children(side: str) -> Ints:
            arrays = (getattr(tree, side) for tree in trees)
            moved = (np.where(a < 0, -1, a + offset) for a, offset in zip(arrays, offsets, strict=False))
            return np.concatenate(list(moved))

        return Trees(
            left=children("left"),
            right=children("right"),
            feature=np.concatenate([t.feature for t in trees]),
            split=np.concatenate([t.split for t in trees]),
            missing_left=np.concatenate([t.missing_left for t in trees]),
            value=np.concatenate([t.value for t in trees]),
            target=np.concatenate([t.target for t in trees]),
            roots=np.concatenate([t.roots + o for t, o in zip(trees, offsets, strict=False)]),
            members=members,
        )

    @property
    def sizes(self) -> Ints:
        """The number of nodes of each tree."""
        return np.diff(np.append(self.roots, len(self.left)))

    def run(self, first: int, stop: int) -> Trees:
        """The trees from one up to, but not including, another."""
        bounds = np.append(self.roots, len(self.left))
        start, end = int(bounds[first]), int(bounds[stop])
        nodes = slice(start, end)
        return Trees(
            left=np.where(self.left[nodes] < 0, -1, self.left[nodes] - start),
            right=np.where(self.right[nodes] < 0, -1, self.right[nodes] - start),
            feature=self.feature[nodes],
            split=self.split[nodes],
            missing_left=self.missing_left[nodes],
            value=self.value[nodes],
            target=self.target[nodes],
            roots=self.roots[first:stop] - start,
            members={at - start: values for at, values in self.members.items() if start <= at < end},
        )


def summed(graph: Graph, x: Tensor, trees: Trees, targets: int) -> Tensor:
    """The sum of the leaves that each row reaches, ``[N, targets]``, in the precision of `x`.

    `TreeEnsemble` of ai.onnx.ml 5, the smallest form there is: one, or a sum of some.

    Args:
        graph: The graph to add to.
        x: Features, float64 or float32 ``[N, features]``.
        trees: Trees whose leaves have one value each.
        targets: Number of output columns.
    """
    parts = _parts(trees) if x.kind == "float64" else [trees]
    found = [_ensemble(graph, x, part, targets) for part in parts]
    return found[0] if len(found) == 1 else graph.op("Sum", *found)


def reached(graph: Graph, x: Tensor, trees: Trees) -> Tensor:
    """The value of the leaf that each row reaches in each tree, ``[N, trees]``, in the precision of `x`."""
    found = []
    for part in _parts(trees):
        own = np.repeat(np.arange(len(part.roots)), part.sizes)
        found.append(_ensemble(graph, x, replace(part, target=own), len(part.roots)))
    return graph.concat(found)


def _parts(trees: Trees) -> list[Trees]:
    """Trees in runs of about as many nodes."""
    before = trees.roots
    total = len(trees.left)
    parts = min(_MOST_PARTS, max(-(-total // _PART_NODES), -(-len(before) // _PART_TREES)))
    _, firsts = np.unique(before * parts // total, return_index=True)
    return [trees.run(int(a), int(b)) for a, b in pairwise([*firsts, len(before)])]


def _ensemble(graph: Graph, x: Tensor, trees: Trees, targets: int) -> Tensor:
    """One node with these trees."""
    trees = _with_inner_roots(trees)
    leaf = trees.left < 0
    inner = ~leaf
    first, own = _distinct_leaves(trees, leaf, x.kind)
    number = np.cumsum(inner) - 1
    number[leaf] = own
    left, right = trees.left[inner], trees.right[inner]
    y = Tensor(graph, graph.name("trees"), x.kind, targets)
    node = onnx.NodeProto(op_type="TreeEnsemble", domain=_DOMAIN, name=graph.name("TreeEnsemble"))
    node.input.append(x.name)
    node.output.append(y.name)
    _ints(node, "tree_roots", number[trees.roots])
    _ints(node, "nodes_featureids", trees.feature[inner])
    _tensor(node, "nodes_splits", trees.split[inner].astype(x.kind))
    _ints(node, "nodes_truenodeids", number[left])
    _ints(node, "nodes_falsenodeids", number[right])
    _ints(node, "nodes_trueleafs", leaf[left])
    _ints(node, "nodes_falseleafs", leaf[right])
    if trees.missing_left[inner].any():
        _ints(node, "nodes_missing_value_tracks_true", trees.missing_left[inner])
    _ints(node, "leaf_targetids", trees.target[leaf][first])
    _tensor(node, "leaf_weights", trees.value[leaf, 0][first].astype(x.kind))
    modes = np.full(len(leaf), _LESS_OR_EQUAL, dtype=np.uint8)
    modes[list(trees.members)] = _MEMBER
    _tensor(node, "nodes_modes", modes[inner])
    if trees.members:
        listed = [[*trees.members[at], np.nan] for at in sorted(trees.members)]
        _tensor(node, "membership_values", np.concatenate(listed).astype(x.kind))
    for name, number_ in (("n_targets", targets), ("aggregate_function", 1), ("post_transform", 0)):
        node.attribute.add(name=name, type=onnx.AttributeProto.INT, i=number_)
    graph.add(node, 5)
    return y


def _distinct_leaves(trees: Trees, leaf: Bools, kind: str) -> tuple[Ints, Ints]:
    """Find leaves that add the same number to the same target: they are written once.

    Returns:
        The first leaf of each kind, in their order, and for every leaf the number of its kind.
    """
    weight = trees.value[leaf, 0].astype(kind)
    bits = weight.view(f"u{weight.itemsize}").astype(np.uint64)  # -0.0 is another number than 0.0
    _, own = np.unique(bits, return_inverse=True)
    together = trees.target[leaf] * (own.max() + 1) + own
    _, first, own = np.unique(together, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return first[order], place[own]


def summed_rows(graph: Graph, x: Tensor, trees: Trees) -> Tensor:
    """The sum of the leaves' rows of values, float64 ``[N, values]``.

    A `TreeEnsemble` gives one value a leaf. So each tree has an output column of its own, where its leaf
    names a row in a table of the distinct rows of values, and the rows are added up outside. That is smaller
    than a copy of the forest for each value, and as exact.

    Args:
        graph: The graph to add to.
        x: Features, float32 ``[N, features]``.
        trees: Trees whose leaves have a row of values, at most 2**24 distinct ones.
    """
    leaf = trees.left < 0
    rows = np.ascontiguousarray(trees.value[leaf])
    # Rows are told apart by their bytes: far faster than number by number where there are many values.
    bytes_of_row = rows.view(np.dtype((np.void, rows.strides[0]))).ravel()
    _, first, row = np.unique(bytes_of_row, return_index=True, return_inverse=True)
    table = rows[first]
    value = np.zeros((len(leaf), 1))
    value[leaf, 0] = row
    found = reached(graph, x, replace(trees, value=value)).cast("int64")
    return graph.concat([graph.total(graph.pick(column, found)) for column in table.T])


def rounded_down(split: Floats) -> Floats:
    """The largest float32 values not above these, so that ``x <= split`` stays true for every float32 x."""
    down = split.astype(np.float32)
    return np.where(down > split, np.nextafter(down, np.float32(-np.inf)), down).astype(np.float64)


def _with_inner_roots(trees: Trees) -> Trees:
    """Put a test above every root that is a leaf: a `TreeEnsemble` has no trees without one.

    Both sides of the test lead to the leaf, which is how the operator spells a constant tree.
    """
    bare = trees.roots[trees.left[trees.roots] < 0]
    if not len(bare):
        return trees
    count, more = len(trees.left), len(bare)
    roots = trees.roots.copy()
    roots[trees.left[roots] < 0] = count + np.arange(more)
    zeros = np.zeros(more, dtype=np.int64)
    return replace(
        trees,
        left=np.append(trees.left, bare),
        right=np.append(trees.right, bare),
        feature=np.append(trees.feature, zeros),
        split=np.append(trees.split, zeros.astype(np.float64)),
        missing_left=np.append(trees.missing_left, zeros.astype(bool)),
        value=np.concatenate([trees.value, np.zeros((more, trees.value.shape[1]))]),
        target=np.append(trees.target, zeros),
        roots=roots,
    )


def _ints(node: onnx.NodeProto, name: str, values: npt.NDArray[np.generic]) -> None:
    node.attribute.add().ParseFromString(packed.ints(name, values))


def _tensor(node: onnx.NodeProto, name: str, values: npt.NDArray[np.generic]) -> None:
    attribute = node.attribute.add(name=name, type=onnx.AttributeProto.TENSOR)
    attribute.t.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(values)))
