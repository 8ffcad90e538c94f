"""Tree ensembles: walks over flat arrays of nodes.

A node is a position in four arrays: feature, threshold, left and right. A value less than or equal to the
threshold goes left, everything else, NaN too, goes right. A child below zero is a leaf: what belongs to
the leaves is stored from the last leaf to the first, so that the child is its index from the end. Where
missing values go left at some nodes, or a node asks for membership in a set, a slower walk is taken.
"""

from __future__ import annotations

from array import array
from itertools import accumulate, pairwise

SMALL = 1 << 14
"""Up to so many nodes are held as lists, which are faster to walk over but slower to load than arrays."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from sls_ml_runtime.engines.lite import Read, Registers, Step

    Leaves = Callable[[Sequence[float]], list[int]]


def _target_per_tree(
    read: Read, out: int, x: int, forest: Sequence[Any], counts: Sequence[int], weights: int, *scale: Any
) -> Step:
    """Sum the weights of the leaves reached, where all leaves of a tree count for one target.

    Args:
        read: Reads an array of the program by its position.
        out: Register of the result: a score per target.
        x: Register of the features.
        forest: The nodes, see `_leaves`.
        counts: How many trees each target has; the roots are sorted by target.
        weights: Array of the weight of each leaf.
        scale: See `_finish`.
    """
    leaves = _leaves(read, *forest)
    finish = _finish(read, out, *scale)
    weight = read(weights).__getitem__
    if len(counts) == 1:
        return lambda registers: finish(registers, [sum(map(weight, leaves(registers[x])))])
    spans = list(pairwise(accumulate(counts, initial=0)))

    def step(registers: Registers) -> None:
        reached = leaves(registers[x])
        finish(registers, [sum(map(weight, reached[start:stop])) for start, stop in spans])

    return step


def _targets_per_leaf(
    read: Read,
    out: int,
    x: int,
    forest: Sequence[Any],
    entries: tuple[int, int, int],
    width: int,
    *scale: Any,
) -> Step:
    """Sum the weights of the leaves reached, where a leaf counts for several targets.

    Args:
        read: Reads an array of the program by its position.
        out: Register of the result: a score per target.
        x: Register of the features.
        forest: The nodes, see `_leaves`.
        entries: Arrays of where each leaf's entries start (one more than leaves), of each entry's target,
            and of its weight.
        width: The number of targets.
        scale: See `_finish`.
    """
    leaves = _leaves(read, *forest)
    finish = _finish(read, out, *scale)
    starts, target, weight = (read(position) for position in entries)

    def step(registers: Registers) -> None:
        scores = [0.0] * width
        for leaf in leaves(registers[x]):
            for entry in range(starts[leaf - 1], starts[leaf]):
                scores[target[entry]] += weight[entry]
        finish(registers, scores)

    return step


def _leaves(
    read: Read,
    roots: int,
    nodes: Sequence[int],
    missing: int | None,
    sets: tuple[int, int] | None,
) -> Leaves:
    """The walk from the features of a row to the leaf of each tree.

    Args:
        read: Reads an array of the program by its position.
        roots: Array of the root of each tree.
        nodes: Arrays of feature, threshold, left and right of all nodes.
        missing: Array of the nodes where NaN goes left, one byte per node; None where it never does.
        sets: Arrays of where each set starts (one more than sets) and of the members. A node of feature
            ``~f`` sends the members of the set whose number is its threshold to the left.
    """
    columns: list[Sequence[Any]] = [read(position) for position in nodes]
    if len(columns[0]) <= SMALL:
        columns = [list(column) for column in columns]
    feature, threshold, left, right = columns
    trees = read(roots).tolist()
    goes_left = None if missing is None else read(missing)
    members = [] if sets is None else _members(*map(read, sets))

    def walk(row: Sequence[float]) -> list[int]:
        reached = []
        for root in trees:
            node = root
            while node >= 0:
                node = left[node] if row[feature[node]] <= threshold[node] else right[node]
            reached.append(node)
        return reached

    def walk_carefully(row: Sequence[float]) -> list[int]:
        reached = []
        for root in trees:
            node = root
            while node >= 0:
                column = feature[node]
                if column < 0:
                    value = row[~column]
                    chosen = value in members[int(threshold[node])]
                else:
                    value = row[column]
                    chosen = value <= threshold[node]
                if value != value and goes_left is not None and goes_left[node]:  # noqa: PLR0124 - NaN
                    chosen = True
                node = left[node] if chosen else right[node]
            reached.append(node)
        return reached

    if members:
        return walk_carefully
    if goes_left is None:
        return walk
    return lambda row: (walk_carefully if any(v != v for v in row) else walk)(row)  # noqa: PLR0124 - NaN


def _members(starts: Sequence[int], flat: Sequence[float]) -> list[frozenset[float]]:
    """The members of each set."""
    return [frozenset(flat[start:stop]) for start, stop in pairwise(starts)]


def _finish(
    read: Read, out: int, base: int, divisor: int, single: bool
) -> Callable[[Registers, list[float]], None]:
    """What is done with the sums.

    Args:
        read: Reads an array of the program by its position.
        out: Register of the result.
        base: Array of a value per target that is added.
        divisor: What the sums are divided by first.
        single: Round to float32.
    """
    starts = read(base).tolist()

    def finish(registers: Registers, sums: list[float]) -> None:
        scores = [total / divisor + start for total, start in zip(sums, starts, strict=True)]
        registers[out] = array("f", scores) if single else scores

    return finish


OPERATIONS: dict[str, Callable[..., Step]] = {
    "trees.target_per_tree": _target_per_tree,
    "trees.targets_per_leaf": _targets_per_leaf,
}
