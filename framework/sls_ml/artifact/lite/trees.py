"""Lowerings of tree ensembles: scores, labels and transforms as ONNX Runtime computes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

import numpy as np

from sls_ml.artifact.lite.forest import Forest, Numbers, Weights, new_forest, numbers, old_forest
from sls_ml.artifact.lite.glue import cast
from sls_ml.artifact.lite.joined import together
from sls_ml.artifact.lite.linear import (
    class_labels,
    label_above,
    label_of_largest,
    second_class,
    transformed,
)
from sls_ml.artifact.lite.node import Lowering, Node, Value, arranged
from sls_ml.artifact.lite.program import Live


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
    if (np.where(forest.feature < 0, ~forest.feature, forest.feature) >= value.size).any():
        raise node.refuse("it looks at columns that do not exist")
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
    forest, weights = old_forest(node, "target", value.dtype == "float64")
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
    base = numbers(node, "base_values", False)
    if base.size == 0:
        return np.zeros(targets, np.float32)
    if base.size != targets:
        raise node.refuse(f"it has {base.size} base values for {targets} targets")
    return base


def _ensemble(node: Node) -> Sequence[Value]:
    if node.attributes.get("post_transform", 0):
        raise node.refuse("it transforms scores, which ONNX and ONNX Runtime number differently")
    value = _features(node)
    forest, weights = new_forest(node, value.dtype == "float64")
    targets = int(node.attributes.get("n_targets", 1))
    divisor = _divisor(node, forest, node.attributes.get("aggregate_function", 1))
    base = np.zeros(targets, np.float32)
    return [_sum(node, value, forest, weights, base, divisor, value.dtype)]


def joined(nodes: Sequence[Node], *, side_by_side: bool) -> Live:
    """The scores of the ensembles of a run, see `sls_ml.artifact.lite.joined`."""
    first = nodes[0]
    value = _features(first)
    parts = [new_forest(node, value.dtype == "float64") for node in nodes]
    widths = [int(node.attributes["n_targets"]) for node in nodes]
    before = list(accumulate(widths, initial=0)) if side_by_side else [0] * (len(widths) + 1)
    forest, weights = together(parts, before[:-1])
    base = np.zeros(before[-1] or widths[0], np.float32)
    return _sum(first, value, forest, weights, base, 1, value.dtype)


def _classifier(node: Node) -> Sequence[Value]:
    value = _features(node)
    forest, weights = old_forest(node, "class", value.dtype == "float64")
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
    base = numbers(node, "base_values", False)
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
