"""Lowerings of tree ensembles: all their forms become nodes that ask "less or equal", and leaves.

- ``x < t`` is ``x <= t'`` with the number t' before t; ``>=`` and ``>`` swap the children.
- ``x == t`` becomes two nodes, ``x <= t`` and then ``x <= t'``.
- Membership in a set stays a node of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sls_ml.artifact.lite.glue import cast
from sls_ml.artifact.lite.linear import (
    class_labels,
    label_above,
    label_of_largest,
    second_class,
    transformed,
)
from sls_ml.artifact.lite.node import Lowering, Node, Value, arranged
from sls_ml.artifact.lite.program import Live
from sls_ml_runtime.engines.lite_ops.trees import SMALL

_MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER"]
_LEQ, _LT, _GTE, _GT, _EQ, _NEQ, _MEMBER = range(7)

Numbers = npt.NDArray[Any]


@dataclass
class Forest:
    """Inner nodes as arrays of equal length, and what hangs on them.

    Attributes:
        feature: The column that a node looks at; ``~column`` where it asks for membership in a set.
        threshold: What it compares with; the number of the set where it asks for membership.
        left: The node that a value less or equal leads to; ``~leaf`` for a leaf.
        right: The node that any other value leads to.
        missing: Whether NaN leads to the left.
        roots: The root of each tree.
        leaves: The number of leaves.
        sets: The sets that nodes ask for membership in.
    """

    feature: Numbers
    threshold: Numbers
    left: Numbers
    right: Numbers
    missing: Numbers
    roots: Numbers
    leaves: int
    sets: list[list[float]] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        node: Node,
        columns: tuple[Numbers, Numbers, Numbers, Numbers, Numbers, Numbers],
        roots: Numbers,
        leaves: int,
        sets: list[list[float]],
    ) -> Forest:
        """The forest with these nodes.

        Args:
            node: The node of the graph.
            columns: Mode, feature, threshold, true child, false child and whether NaN counts as true.
            roots: The root of each tree.
            leaves: The number of leaves.
            sets: The members for each node of mode membership, in their order.
        """
        mode, feature, threshold, yes, no, missing = columns
        strict = (mode == _LT) | (mode == _GTE)
        if not np.isfinite(threshold[strict | (mode == _EQ) | (mode == _NEQ)]).all():
            raise node.refuse("it compares with infinity")
        threshold = np.where(strict, np.nextafter(threshold, threshold.dtype.type(-np.inf)), threshold)
        swapped = (mode == _GTE) | (mode == _GT)
        left, right = np.where(swapped, no, yes), np.where(swapped, yes, no)
        forest = cls(feature, threshold, left, right, missing != swapped, roots, leaves, sets)
        members = np.flatnonzero(mode == _MEMBER)
        forest.feature = feature.copy()
        forest.feature[members] = ~feature[members]
        forest.threshold[members] = np.arange(members.size)
        for place in np.flatnonzero((mode == _EQ) | (mode == _NEQ)):
            forest._ask_for_equality(int(place), equal=mode[place] == _EQ)
        return forest

    def _ask_for_equality(self, place: int, *, equal: bool) -> None:
        """Make of the node at this place the two nodes that ask for equality."""
        bound = self.threshold[place]
        yes, no = int(self.left[place]), int(self.right[place])
        missing = bool(self.missing[place])
        if not equal:
            yes, no, missing = no, yes, False  # NaN is unequal to all
        second = len(self.feature)
        below = np.nextafter(bound, bound.dtype.type(-np.inf))
        self.left[place], self.right[place] = second, no
        self.feature = np.append(self.feature, self.feature[place])
        self.threshold = np.append(self.threshold, below)
        self.left, self.right = np.append(self.left, no), np.append(self.right, yes)
        self.missing = np.append(self.missing, False)
        self.missing[place] = missing

    def narrowed(self) -> Forest:
        """The forest for float32 numbers only, which are below a bound if they are below it rounded down."""
        with np.errstate(over="ignore"):
            rounded = self.threshold.astype(np.float32)
        down = np.nextafter(rounded, np.float32(-np.inf))
        return replace(self, threshold=np.where(rounded > self.threshold, down, rounded))

    def cost(self) -> float:
        """An estimate of the time of the walks through all trees, in microseconds."""
        trees = max(1, self.roots.size)
        depth = float(np.log2(max(2.0, self.leaves / trees))) + 1.0
        return trees * (0.15 + (0.06 if len(self.feature) <= SMALL else 0.15) * depth)

    def parameters(self, node: Node) -> list[Any]:
        """What the steps take of the forest."""
        program = node.program
        small = np.int16 if len(self.feature) == 0 or np.abs(self.feature).max() < 1 << 15 else np.int32
        columns = [self.feature.astype(small), self.threshold, self.left.astype(np.int32)]
        nodes = [program.array(column) for column in (*columns, self.right.astype(np.int32))]
        missing = program.array(self.missing.astype(np.int8)) if self.missing.any() else None
        sets = None
        if self.sets:
            stops = np.cumsum([0, *(len(members) for members in self.sets)])
            flat = np.array([member for members in self.sets for member in members], np.float64)
            sets = [program.array(stops.astype(np.int32)), program.array(flat)]
        return [program.array(self.roots.astype(np.int32)), nodes, missing, sets]


@dataclass(frozen=True)
class Weights:
    """What leaves count for, an entry per leaf and target, sorted by leaf.

    Attributes:
        leaf: The leaf of each entry.
        target: Its target.
        weight: Its weight.
    """

    leaf: Numbers
    target: Numbers
    weight: Numbers


def _sum(
    node: Node,
    value: Live,
    forest: Forest,
    weights: Weights,
    base: Numbers,
    divisor: int = 1,
    dtype: str = "float32",
) -> Live:
    """The score of each target."""
    program = node.program
    if program.is_rounded(value):
        forest = forest.narrowed()
    width = base.size
    tail = [program.array(base), divisor, dtype == "float32"]
    cost = 1.0 + forest.cost()
    alone = np.array_equal(weights.leaf, np.arange(forest.leaves))
    trees = _targets_of_trees(forest, weights) if alone else None
    if trees is None:
        counts = np.bincount(weights.leaf, minlength=forest.leaves)[::-1]
        order = np.argsort(-weights.leaf, kind="stable")
        entries = [
            program.array(np.cumsum([0, *counts]).astype(np.int32)),
            program.array(weights.target[order].astype(np.uint8 if width <= 256 else np.int32)),
            program.array(weights.weight[order]),
        ]
        cost += 0.1 * forest.roots.size * weights.leaf.size / max(1, forest.leaves)
        return program.step(
            "trees.targets_per_leaf",
            [value],
            dtype,
            (1, width),
            0,
            forest.parameters(node),
            entries,
            width,
            *tail,
            cost=cost,
        )
    by_target = np.argsort(trees, kind="stable")
    sorted_forest = replace(forest, roots=forest.roots[by_target])
    return program.step(
        "trees.target_per_tree",
        [value],
        dtype,
        (1, width),
        0,
        sorted_forest.parameters(node),
        np.bincount(trees, minlength=width).tolist(),
        program.array(weights.weight[::-1]),
        *tail,
        cost=cost,
    )


def _targets_of_trees(forest: Forest, weights: Weights) -> Numbers | None:
    """The one target that the leaves of each tree count for; None where a tree has several."""
    if np.unique(weights.target).size == 1:
        return np.full(forest.roots.size, weights.target[0])
    targets = []
    for root in forest.roots.tolist():
        pending, found = [root], set[int]()
        while pending and len(found) < 2:
            place = pending.pop()
            if place < 0:
                found.add(int(weights.target[~place]))
            else:
                pending += (int(forest.left[place]), int(forest.right[place]))
        if len(found) > 1:
            return None
        targets.append(found.pop())
    return np.array(targets)


def _numbers(node: Node, name: str, double: bool) -> Numbers:
    """An attribute of floats, which may be given as a tensor of doubles under another name.

    Thresholds in single precision compare with doubles as they are: they become doubles where the
    program compares doubles and a threshold has to be moved.
    """
    tensor = node.attributes.get(f"{name}_as_tensor")
    numbers = np.array(node.attributes.get(name, []), np.float32) if tensor is None else tensor.reshape(-1)
    return numbers.astype(np.float64) if double else numbers


def _old_forest(node: Node, prefix: str, double: bool) -> tuple[Forest, Weights]:
    """The forest of TreeEnsembleClassifier and TreeEnsembleRegressor."""
    attributes = node.attributes
    tree = np.array(attributes["nodes_treeids"], np.int64)
    own = np.array(attributes["nodes_nodeids"], np.int64)
    known = {name: number for number, name in enumerate(_MODES)}
    try:
        mode = np.array([-1 if m == "LEAF" else known[m] for m in attributes["nodes_modes"]])
    except KeyError as error:
        raise node.refuse(f"it has nodes of mode {error.args[0]}") from error
    inner = mode >= 0
    code = np.where(inner, np.cumsum(inner) - 1, ~(np.cumsum(~inner) - 1))
    find = _Finder(node, tree, own)
    missing = attributes.get("nodes_missing_value_tracks_true") or [0] * len(tree)
    columns = (
        mode[inner],
        np.array(attributes["nodes_featureids"], np.int64)[inner],
        _numbers(node, "nodes_values", double)[inner],
        code[find(tree[inner], np.array(attributes["nodes_truenodeids"], np.int64)[inner])],
        code[find(tree[inner], np.array(attributes["nodes_falsenodeids"], np.int64)[inner])],
        np.array(missing, bool)[inner],
    )
    first = np.unique(tree, return_index=True)[1]
    roots = code[np.sort(first)]
    forest = Forest.of(node, columns, roots, int((~inner).sum()), [])
    owner = code[
        find(
            np.array(attributes[f"{prefix}_treeids"], np.int64),
            np.array(attributes[f"{prefix}_nodeids"], np.int64),
        )
    ]
    if (owner >= 0).any():
        raise node.refuse("it has weights on inner nodes")
    order = np.argsort(~owner, kind="stable")
    target = np.array(attributes[f"{prefix}_ids"], np.int64)
    weights = Weights((~owner)[order], target[order], _numbers(node, f"{prefix}_weights", False)[order])
    return forest, weights


class _Finder:
    """Finds nodes by the number of their tree and their own."""

    def __init__(self, node: Node, tree: Numbers, own: Numbers) -> None:
        self._node = node
        self._span = int(own.max()) + 1
        keys = tree * self._span + own
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]

    def __call__(self, tree: Numbers, own: Numbers) -> Numbers:
        keys = tree * self._span + own
        places = np.minimum(np.searchsorted(self._keys, keys), self._keys.size - 1)
        if not np.array_equal(self._keys[places], keys):
            raise self._node.refuse("it names nodes that do not exist")
        found: Numbers = self._order[places]
        return found


def _new_forest(node: Node, double: bool) -> tuple[Forest, Weights]:
    """The forest of TreeEnsemble."""
    attributes = node.attributes
    splits = attributes["nodes_splits"].reshape(-1)
    if splits.dtype not in (np.float32, np.float64):
        raise node.refuse(f"it compares numbers of type {splits.dtype}")
    mode = attributes["nodes_modes"].reshape(-1).astype(np.int64)

    def child(branch: str) -> Numbers:
        place = np.array(attributes[f"nodes_{branch}nodeids"], np.int64)
        return np.where(np.array(attributes[f"nodes_{branch}leafs"], bool), ~place, place)

    sets: list[list[float]] = []
    members = attributes.get("membership_values")
    if members is not None:
        sets.append([])
        for member in members.reshape(-1).tolist():
            if np.isnan(member):
                sets.append([])
            else:
                sets[-1].append(member)
    sets = sets[: int((mode == _MEMBER).sum())]
    missing = attributes.get("nodes_missing_value_tracks_true") or [0] * mode.size
    columns = (
        mode,
        np.array(attributes["nodes_featureids"], np.int64),
        splits.astype(np.float64) if double else splits,
        child("true"),
        child("false"),
        np.array(missing, bool),
    )
    roots = np.array(attributes["tree_roots"], np.int64)
    target = np.array(attributes["leaf_targetids"], np.int64)
    weight = attributes["leaf_weights"].reshape(-1)
    forest = Forest.of(node, columns, roots, target.size, sets)
    return forest, Weights(np.arange(target.size), target, weight)


def _features(node: Node) -> Live:
    """The features; whole numbers are compared as float32."""
    value = node.live()
    return value if value.dtype in ("float32", "float64") else cast(node, value, "float32")


def _divisor(node: Node, forest: Forest, function: Any) -> int:
    match function:
        case "SUM" | 1:
            return 1
        case "AVERAGE" | 0:
            return int(forest.roots.size)
        case _:
            raise node.refuse(f"it aggregates by {function}")


def _regressor(node: Node) -> Sequence[Value]:
    value = _features(node)
    forest, weights = _old_forest(node, "target", value.dtype == "float64")
    targets = int(node.attributes.get("n_targets", 1))
    base = _base(node, targets)
    divisor = _divisor(node, forest, node.attributes.get("aggregate_function", "SUM"))
    return [_score(node, _sum(node, value, forest, weights, base, divisor))]


def _score(node: Node, scores: Live) -> Live:
    """The scores after the transform, which ONNX Runtime leaves out where there is one target."""
    if scores.size == 1 and node.attributes.get("post_transform") != "PROBIT":
        return scores
    return transformed(node, scores)


def _base(node: Node, targets: int) -> Numbers:
    base = _numbers(node, "base_values", False)
    if base.size == 0:
        return np.zeros(targets, np.float32)
    if base.size != targets:
        raise node.refuse(f"it has {base.size} base values for {targets} targets")
    return base


def _ensemble(node: Node) -> Sequence[Value]:
    value = _features(node)
    forest, weights = _new_forest(node, value.dtype == "float64")
    targets = int(node.attributes.get("n_targets", 1))
    divisor = _divisor(node, forest, node.attributes.get("aggregate_function", 1))
    if node.attributes.get("post_transform", 0):
        raise node.refuse("it transforms scores, which ONNX and ONNX Runtime number differently")
    base = np.zeros(targets, np.float32)
    return [_sum(node, value, forest, weights, base, divisor, value.dtype)]


def _classifier(node: Node) -> Sequence[Value]:
    value = _features(node)
    forest, weights = _old_forest(node, "class", value.dtype == "float64")
    labels = class_labels(node)
    if labels.size == 2:
        return _two_classes(node, value, forest, weights, labels)
    if labels.size < 2:
        raise node.refuse("it has a single class")
    partial = weights.leaf.size < forest.leaves * labels.size
    if partial and (weights.weight < 0).any() and not np.array_equal(weights.leaf, np.arange(forest.leaves)):
        raise node.refuse("its leaves leave out classes and have negative weights")
    scores = _sum(node, value, forest, weights, _base(node, labels.size))
    return [label_of_largest(node, scores, labels), transformed(node, scores)]


def _two_classes(
    node: Node, value: Live, forest: Forest, weights: Weights, labels: Numbers
) -> Sequence[Value]:
    """Two classes; leaves may score but one of them, and ONNX Runtime tells the cases apart as here."""
    base = _numbers(node, "base_values", False)
    classes = np.unique(weights.target).tolist()
    bound = 0.5 if (weights.weight >= 0).all() else 0.0
    if classes == [0] and base.size < 2:
        start = base if base.size else np.zeros(1, np.float32)
        score = _sum(node, value, forest, weights, start)
        match node.attributes.get("post_transform", "NONE"):
            case "LOGISTIC":
                kind = "logistic"
            case "PROBIT":
                raise node.refuse("it transforms scores by PROBIT")
            case _:
                kind = "complement" if bound else "mirror"
        return [label_above(node, score, bound, labels), second_class(node, score, kind)]
    if base.size:
        raise node.refuse("its two classes have base values")
    scores = _sum(node, value, forest, weights, np.zeros(2, np.float32))
    second = arranged(node.program, scores, np.array([[1]]), 0)
    if len(classes) == 2:
        if labels.dtype == object:
            raise node.refuse("its leaves score both of two classes, which have text labels")
        bound, labels = 0.0, np.array([0, 1])
    return [label_above(node, second, bound, labels), transformed(node, scores)]


LOWERINGS: dict[tuple[str, str], Lowering] = {
    ("ai.onnx.ml", "TreeEnsemble"): _ensemble,
    ("ai.onnx.ml", "TreeEnsembleClassifier"): _classifier,
    ("ai.onnx.ml", "TreeEnsembleRegressor"): _regressor,
}
