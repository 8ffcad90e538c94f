"""Lowerings of what compares a row with stored rows: support vector machines and distances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import onnx
from onnx import helper, numpy_helper

from sls_ml.artifact.lite.elementwise import combine
from sls_ml.artifact.lite.linear import (
    attribute,
    class_labels,
    dense,
    label_of_largest,
    second_class,
    single,
)
from sls_ml.artifact.lite.lookups import at
from sls_ml.artifact.lite.node import Const, Lowering, Node, Value
from sls_ml.artifact.lite.program import Live

_BODIES = {
    ("Sub", "ReduceSumSquare"): "sqeuclidean",
    ("Sub", "Abs", "ReduceSum"): "manhattan",
}


def _kernels(node: Node, value: Live, vectors: Const) -> Live:
    """The kernel of a row with each support vector, shape ``[N, vectors]``."""
    kind = node.attributes.get("kernel_type", "LINEAR")
    gamma, start, degree = (float(number) for number in node.attributes.get("kernel_params") or (0, 0, 0))
    count, width = vectors.shape
    return node.program.step(
        "kernels.kernels",
        [value],
        "float32",
        (1, count),
        0,
        node.program.array(vectors),
        width,
        kind,
        [gamma, start, degree],
        cost=1.0 + count * (0.35 + 0.015 * width),
    )


def _svm_regressor(node: Node) -> Sequence[Value]:
    value = single(node, node.live())
    coefficients, rho = attribute(node, "coefficients"), attribute(node, "rho")
    count = int(node.attributes.get("n_supports", 0))
    if count:
        vectors = attribute(node, "support_vectors").reshape(count, -1)
        value = _kernels(node, value, vectors)
    elif node.attributes.get("kernel_type", "LINEAR") != "LINEAR":
        raise node.refuse("it has a kernel and no support vectors")
    score = dense(node, value, coefficients[:, None], rho[:1])
    if node.attributes.get("one_class", 0):
        inside = combine(node, "greater", score, np.zeros(1, np.float32), "bool")
        return [at(node, np.array([-1, 1], np.float32), inside, score.shape, score.axis)]
    return [score]


def _svm_classifier(node: Node) -> Sequence[Value]:
    value = single(node, node.live())
    labels = class_labels(node)
    counts = list(node.attributes.get("vectors_per_class", []))
    if not sum(counts):
        raise node.refuse("it has no support vectors")
    if node.attributes.get("post_transform", "NONE") != "NONE":
        raise node.refuse("it transforms scores")
    vectors = attribute(node, "support_vectors").reshape(sum(counts), -1)
    duels = _duels(attribute(node, "coefficients").reshape(labels.size - 1, -1), counts)
    scores = dense(node, _kernels(node, value, vectors), duels.T, attribute(node, "rho")[: len(duels)])
    chances = _chances(node, scores, labels.size)
    votes = node.program.step(
        "kernels.votes", [scores], "int64", (1, labels.size), 0, labels.size, cost=0.5 + 0.1 * len(duels)
    )
    label = label_of_largest(node, votes, labels)
    if chances is not None:
        return [label, chances]
    return [label, scores if labels.size > 2 else second_class(node, scores, "mirror")]


def _duels(coefficients: Const, counts: Sequence[int]) -> Const:
    """For each pair of classes, the coefficient of each support vector, zero for those of other classes."""
    stops = np.cumsum([0, *counts])
    spans = [slice(start, stop) for start, stop in pairwise(stops)]
    rows = []
    for first in range(len(counts)):
        for second in range(first + 1, len(counts)):
            row = np.zeros(coefficients.shape[1], np.float32)
            row[spans[first]] = coefficients[second - 1, spans[first]]
            row[spans[second]] = coefficients[first, spans[second]]
            rows.append(row)
    return np.array(rows)


def _chances(node: Node, scores: Live, classes: int) -> Live | None:
    """The probability of each class, where the node has what that takes."""
    slopes, intercepts = attribute(node, "prob_a"), attribute(node, "prob_b")
    if not slopes.size:
        return None
    program = node.program
    return program.step(
        "kernels.coupled",
        [scores],
        "float32",
        (1, classes),
        0,
        classes,
        program.array(slopes),
        program.array(intercepts),
        cost=2.0 + 5.0 * classes**2,
    )


def _distances(node: Node, value: Live, stored: Const, kind: str, dtype: str) -> Live:
    """The distance of a row to each stored row, shape ``[N, stored rows]``."""
    count, width = stored.shape
    if len(value.shape) != 2 or value.axis != 0:
        raise node.refuse("its rows do not lie along the first dimension")
    return node.program.step(
        "kernels.distances",
        [value],
        dtype,
        (1, count),
        0,
        node.program.array(stored),
        width,
        kind,
        dtype == "float32",
        cost=1.0 + count * (0.2 + (0.01 if kind != "manhattan" else 0.05) * width),
    )


def _cdist(node: Node) -> Sequence[Value]:
    kind = node.attributes.get("metric", "sqeuclidean")
    if kind not in ("euclidean", "sqeuclidean"):
        raise node.refuse(f"it measures {kind}")
    value = node.live(0)
    return [_distances(node, value, node.const(1), kind, value.dtype)]


def _scan(node: Node) -> Sequence[Value]:
    """The distances that skl2onnx computes by scanning over the stored rows; shape ``[stored rows, N]``."""
    body = node.attributes["body"]
    work = [entry for entry in body.node if entry.op_type != "Identity"]
    kind = _BODIES.get(tuple(entry.op_type for entry in work))
    if kind is None or node.attributes["num_scan_inputs"] != 1 or not _measures(body, work):
        raise node.refuse("it does something else than measure distances")
    value = node.live(0)
    found = _distances(node, value, node.const(1), kind, value.dtype)
    return [value, replace(found, shape=found.shape[::-1], axis=1)]


def _measures(body: onnx.GraphProto, work: Sequence[onnx.NodeProto]) -> bool:
    """Whether the nodes are a chain from the body's inputs to a sum over the last of two dimensions."""
    last = work[-1]
    axes = [numpy_helper.to_array(entry).tolist() for entry in body.initializer if entry.name in last.input]
    attributes = {entry.name: helper.get_attribute_value(entry) for entry in last.attribute}
    return (
        sorted(work[0].input) == sorted(entry.name for entry in body.input)
        and all(after.input[0] == before.output[0] for before, after in pairwise(work))
        and (axes or [attributes.get("axes")]) == [[1]]
        and attributes.get("keepdims", 1) == 0
    )


LOWERINGS: dict[tuple[str, str], Lowering] = {
    ("", "Scan"): _scan,
    ("ai.onnx.ml", "SVMClassifier"): _svm_classifier,
    ("ai.onnx.ml", "SVMRegressor"): _svm_regressor,
    ("com.microsoft", "CDist"): _cdist,
}
