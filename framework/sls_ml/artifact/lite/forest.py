"""Tree ensembles as arrays: all their forms become nodes that ask "less or equal", and leaves.

- ``x < t`` is ``x <= t'`` with the number t' before t; ``>=`` and ``>`` swap the children.
- ``x == t`` becomes two nodes, ``x <= t`` and then ``x <= t'``.
- Membership in a set stays a node of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sls_ml.artifact.lite.node import Node
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
        if not forest._ends():
            raise node.refuse("its nodes do not form trees")
        return forest

    def _ends(self) -> bool:
        """Whether each walk begins at a node without a parent and comes to a leaf."""
        if np.isin(self.roots, self.left).any() or np.isin(self.roots, self.right).any():
            return False
        front = self.roots
        for _ in range(len(self.feature) + 1):
            front = np.unique(front[front >= 0])
            if not front.size:
                return True
            front = np.concatenate([self.left[front], self.right[front]])
        return False

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
        leaves = len(self.feature) / trees + 1.0  # those of a tree: several nodes may share one
        depth = float(np.log2(max(2.0, leaves))) + 1.0
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


def numbers(node: Node, name: str, double: bool) -> Numbers:
    """An attribute of floats, which may be given as a tensor of doubles under another name.

    Thresholds in single precision compare with doubles as they are: they become doubles where the
    program compares doubles and a threshold has to be moved.
    """
    tensor = node.attributes.get(f"{name}_as_tensor")
    numbers = np.array(node.attributes.get(name, []), np.float32) if tensor is None else tensor.reshape(-1)
    return numbers.astype(np.float64) if double else numbers


def old_forest(node: Node, prefix: str, double: bool) -> tuple[Forest, Weights]:
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
        numbers(node, "nodes_values", double)[inner],
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
    weights = Weights((~owner)[order], target[order], numbers(node, f"{prefix}_weights", False)[order])
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


def new_forest(node: Node, double: bool) -> tuple[Forest, Weights]:
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
