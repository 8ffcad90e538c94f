"""Lowerings of products with constant matrices, and what the linear models of ONNX-ML add to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sls_ml.artifact.lite.elementwise import apply, combine
from sls_ml.artifact.lite.glue import cast
from sls_ml.artifact.lite.lookups import at
from sls_ml.artifact.lite.node import Const, Lowering, Node, Value, arranged, positions_of
from sls_ml.artifact.lite.program import Live
from sls_ml.artifact.lite.reductions import along_row, reduce_blocks


def dense(node: Node, value: Live, weights: Const, bias: Const | None = None) -> Live:
    """The product of the last dimension of a value with a constant matrix, plus a constant.

    Args:
        node: The node that asks for it.
        value: The value, of shape ``[..., inputs]``.
        weights: Shape ``[inputs, outputs]``, in the value's dtype.
        bias: One number per output.
    """
    node.inner(value, -1)
    width, outputs = weights.shape
    program = node.program
    return program.step(
        "linear.dense",
        [value],
        value.dtype,
        (*value.shape[:-1], outputs),
        value.axis,
        program.array(weights.T),
        None if bias is None else program.array(np.broadcast_to(bias.reshape(-1), [outputs])),
        width,
        value.single,
        cost=0.5 + value.size // width * outputs * (0.2 + 0.025 * width),
    )


def _matmul(node: Node) -> Sequence[Value]:
    left, right = node.inputs
    if isinstance(left, Live) and isinstance(right, np.ndarray):
        if right.ndim == 1:
            product = dense(node, left, right[:, None])
            return [replace(product, shape=product.shape[:-1])]
        if right.ndim == 2:
            return [dense(node, left, right)]
    elif isinstance(left, np.ndarray) and isinstance(right, Live) and left.ndim == 2 == len(right.shape):
        turned = arranged(node.program, right, positions_of(right).T, 1 - right.axis)
        product = dense(node, turned, left.T)
        return [arranged(node.program, product, positions_of(product).T, 1 - product.axis)]
    raise node.refuse("it is not the product of a value and a constant matrix")


def _gemm(node: Node) -> Sequence[Value]:
    value, weights = node.live(0), node.const(1)
    alpha, beta = node.attributes.get("alpha", 1.0), node.attributes.get("beta", 1.0)
    if node.attributes.get("transA", 0):
        value = arranged(node.program, value, positions_of(value).T, 1 - value.axis)
    weights = weights.T if node.attributes.get("transB", 0) else weights
    scaled = (weights * alpha).astype(weights.dtype)
    added = node.inputs[2] if node.given(2) else None
    if isinstance(added, np.ndarray) and (added.ndim < 2 or added.shape[0] == 1):
        return [dense(node, value, scaled, (added * beta).astype(added.dtype))]
    product = dense(node, value, scaled)
    if added is None:
        return [product]
    if beta != 1.0:
        raise node.refuse("it scales what it adds")
    return [combine(node, "add", product, added)]


def single(node: Node, value: Live) -> Live:
    """A value as float32, which the operators of ONNX-ML compute in."""
    return cast(node, value, "float32")


def attribute(node: Node, name: str) -> Const:
    """A list of floats among the attributes, as float32."""
    return np.array(node.attributes.get(name, []), np.float32)


def class_labels(node: Node) -> Const:
    """The class labels of a classifier: texts, or int64."""
    texts = node.attributes.get("classlabels_strings") or node.attributes.get("class_labels_strings")
    if texts:
        return np.array(texts, object)
    return np.array(
        node.attributes.get("classlabels_ints") or node.attributes["classlabels_int64s"], np.int64
    )


def label_of_largest(node: Node, scores: Live, labels: Const) -> Live:
    """The class of the largest score, the first among equals; shape ``[N]``."""
    place = reduce_blocks(node, scores, [len(scores.shape) - 1], "position_of_max", "int64", keep=False)
    return at(node, labels, place, place.shape, place.axis)


def label_above(node: Node, score: Live, bound: float, labels: Const) -> Live:
    """The second of two classes where a score of shape ``[N, 1]`` is above a bound, else the first."""
    above = combine(node, "greater", score, np.array([bound], np.float32), "bool")
    return at(node, labels, replace(above, shape=(1,), axis=0), (1,), 0)


def second_class(node: Node, score: Live, kind: str) -> Live:
    """The scores of both classes, ``[N, 2]``, from that of the second: complement, mirror or logistic."""
    return node.program.step("blocks.second_class", [score], "float32", (1, 2), 0, kind, cost=0.6)


def transformed(node: Node, scores: Live) -> Live:
    """Scores of shape ``[N, C]`` after the transform that the node asks for."""
    match node.attributes.get("post_transform", "NONE"):
        case "NONE":
            return scores
        case "LOGISTIC":
            return apply(node.program, "sigmoid", scores)
        case "SOFTMAX":
            return along_row(node, scores, "softmax")
        case "SOFTMAX_ZERO":
            return along_row(node, scores, "softmax_zero")
        case other:
            raise node.refuse(f"it transforms scores by {other}")


def _linear_classifier(node: Node) -> Sequence[Value]:
    value = single(node, node.live())
    bias = attribute(node, "intercepts")
    weights = attribute(node, "coefficients").reshape(bias.size, -1).T
    labels = class_labels(node)
    scores = dense(node, value, weights, bias)
    if bias.size > 1:
        return [label_of_largest(node, scores, labels), transformed(node, scores)]
    if labels.size != 2:
        raise node.refuse("it has one score and no two classes")
    label = label_above(node, scores, 0.0, labels)
    match node.attributes.get("post_transform", "NONE"):
        case "NONE":
            return [label, second_class(node, scores, "complement")]
        case "LOGISTIC":
            return [label, second_class(node, scores, "logistic")]
        case other:
            raise node.refuse(f"it transforms one score by {other}")


def _linear_regressor(node: Node) -> Sequence[Value]:
    value = single(node, node.live())
    targets = int(node.attributes.get("targets", 1))
    weights = attribute(node, "coefficients").reshape(targets, -1).T
    bias = attribute(node, "intercepts")
    return [transformed(node, dense(node, value, weights, bias if bias.size else None))]


def _scaler(node: Node) -> Sequence[Value]:
    value = single(node, node.live())
    moved = combine(node, "sub", value, attribute(node, "offset"))
    return [combine(node, "mul", moved, attribute(node, "scale"))]


LOWERINGS: dict[tuple[str, str], Lowering] = {
    ("", "Gemm"): _gemm,
    ("", "MatMul"): _matmul,
    ("ai.onnx.ml", "LinearClassifier"): _linear_classifier,
    ("ai.onnx.ml", "LinearRegressor"): _linear_regressor,
    ("ai.onnx.ml", "Scaler"): _scaler,
}
