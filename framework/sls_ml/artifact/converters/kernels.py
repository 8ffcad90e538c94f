"""Support vector machines and other models of kernels, in double precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.kernel_ridge import KernelRidge
from sklearn.semi_supervised import LabelPropagation, LabelSpreading
from sklearn.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM

from sls_ml.artifact.converters.graph import Graph, Tensor
from sls_ml.artifact.converters.registry import converter

KERNELS = frozenset({"linear", "poly", "polynomial", "rbf", "sigmoid"})
"""The kernels that we know; the others, and kernels that are functions, are refused."""

_BY_CLASS = 4
"""The fewest classes whose pairs are so many that weights by class are smaller and faster."""

Array = npt.NDArray[Any]

_EXPONENT = 1e-9
"""How far the exponent of a support vector machine's kernel may be off."""


def squared_distances(graph: Graph, x: Tensor, points: Array) -> Tensor:
    """Squared euclidean distances from each row to each point, ``[N, points]``.

    Added in scikit-learn's order: for rows far from zero the digits that are lost are then the same.
    """
    own = graph.total(x * x)
    others = graph.constant((points**2).sum(axis=1).reshape(1, -1))
    return graph.op("Max", (x @ points.T) * -2.0 + own + others, 0.0, width=len(points))


def summed_squares(x: Tensor, points: Array) -> Tensor:
    """Squared euclidean distances, without loss of digits for rows that nearly meet, ``[N, points]``."""
    total: Tensor | None = None
    for column, values in zip(x.split(), points.T, strict=True):
        apart = column - values.reshape(1, -1)
        squares = apart * apart
        total = squares if total is None else total + squares
    assert total is not None  # noqa: S101 - a table has a column
    total.width = len(points)
    return total


def _apart(graph: Graph, x: Tensor, points: Array, gamma: float) -> Tensor:
    """Squared distances as libsvm has them, which adds squares of differences, ``[N, points]``.

    A product of matrices is faster. It loses digits where rows are far from zero, less where they are first
    moved so that zero is amid the points: it is taken if `gamma` makes no error of that.
    """
    kept = _EXPONENT / (gamma * 2.0**-50)
    if (points**2).sum(axis=1).max() <= kept:
        return squared_distances(graph, x, points)
    centre = points.mean(axis=0, keepdims=True)
    moved = points - centre
    if (moved**2).sum(axis=1).max() <= kept:
        return squared_distances(graph, x - centre, moved)
    return summed_squares(x, points)


def kernel(
    graph: Graph, x: Tensor, points: Array, name: str, gamma: float, degree: float, coef0: float
) -> Tensor:
    """The kernel between each row and each point, ``[N, points]``."""
    match name:
        case "linear":
            return x @ points.T
        case "rbf":
            return graph.op("Exp", squared_distances(graph, x, points) * -gamma)
        case "sigmoid":
            return graph.op("Tanh", (x @ points.T) * gamma + coef0)
        case _:
            return graph.op("Pow", (x @ points.T) * gamma + coef0, float(degree))


def dense(values: Any) -> Array:
    """A table that may be sparse, as doubles."""
    return np.asarray(values.toarray() if sparse.issparse(values) else values, dtype=np.float64)


def _to_support(model: Any, x: Tensor, graph: Graph) -> Tensor:
    vectors = dense(model.support_vectors_)
    if model.kernel == "rbf":
        return graph.op("Exp", _apart(graph, x, vectors, model._gamma) * -model._gamma)
    return kernel(graph, x, vectors, model.kernel, model._gamma, model.degree, model.coef0)


@converter(SVR, NuSVR)
def svr(model: Any, x: Tensor, graph: Graph) -> Tensor:
    """A weighted sum of kernels."""
    return _to_support(model, x, graph) @ dense(model.dual_coef_).T + float(model.intercept_[0])


@converter(OneClassSVM)
def one_class_svm(model: OneClassSVM, x: Tensor, graph: Graph) -> tuple[Tensor, Tensor]:
    """1 where the score is not negative, else -1."""
    score = _to_support(model, x, graph) @ dense(model.dual_coef_).T + float(model.intercept_[0])
    label = graph.where(score >= 0.0, np.asarray(1), graph.constant(np.asarray(-1)))
    return label.reshape(-1), score


@converter(SVC, NuSVC, when=lambda model: not hasattr(model, "predict_proba"))
def svc(model: Any, x: Tensor, graph: Graph) -> tuple[Tensor, Tensor]:
    """Labels by the votes of all pairs of classes; scores by the shape that was asked for."""
    near = _to_support(model, x, graph)
    paired = (
        _by_class(model, near, graph) if len(model.classes_) >= _BY_CLASS else near @ _pair_weights(model)
    )
    pairs = paired + np.asarray(model.intercept_).reshape(1, -1)
    classes = len(model.classes_)
    if classes == 2:
        return graph.pick(model.classes_, (pairs > 0.0).cast("int64").reshape(-1)), pairs
    votes, one_vs_rest = by_votes(graph, (pairs < 0.0).cast("float64"), -pairs, classes)
    shown = one_vs_rest if model.decision_function_shape == "ovr" else pairs
    deciding = one_vs_rest if model.break_ties and model.decision_function_shape == "ovr" else votes
    return graph.pick(model.classes_, graph.argmax(deciding)), shown


def by_votes(graph: Graph, won: Tensor, confidence: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Votes of the pairs of classes, and scikit-learn's one-vs-rest scores of them, ``[N, classes]`` each.

    Args:
        graph: The graph to add to.
        won: 1.0 where the second class of the pair (0, 1), (0, 2), ... won, else 0.0, ``[N, pairs]``.
        confidence: How surely the second class won, ``[N, pairs]``.
        classes: Number of classes.
    """
    first = np.zeros((classes * (classes - 1) // 2, classes))
    second = np.zeros_like(first)
    for at, (i, j) in enumerate(zip(*np.triu_indices(classes, 1), strict=True)):
        first[at, i], second[at, j] = 1, 1
    votes = (1.0 - won) @ first + won @ second
    total = confidence @ (second - first)
    return votes, votes + total / ((graph.op("Abs", total) + 1.0) * 3.0)


def _pair_weights(model: Any) -> Array:
    """The weight of each support vector in each pair's score, ``[vectors, pairs]``."""
    dual = dense(model.dual_coef_)
    classes = len(model.classes_)
    if classes == 2:
        return dual.T
    ends = np.cumsum(model.n_support_)
    starts = ends - model.n_support_
    columns = []
    for i, j in zip(*np.triu_indices(classes, 1), strict=True):
        column = np.zeros(dual.shape[1])
        column[starts[i] : ends[i]] = dual[j - 1, starts[i] : ends[i]]
        column[starts[j] : ends[j]] = dual[i, starts[j] : ends[j]]
        columns.append(column)
    return np.stack(columns, axis=1)


def _by_class(model: Any, near: Tensor, graph: Graph) -> Tensor:
    """The pairs' scores, from what the vectors of one class say against each of the others.

    A vector then has a weight for each other class, as libsvm keeps them, not one for each pair.
    """
    dual, classes = dense(model.dual_coef_), len(model.classes_)
    sizes = np.asarray(model.n_support_, dtype=np.int64)
    ends = np.cumsum(sizes)
    parts = graph.ops("Split", near, sizes, kinds=["float64"] * classes, axis=1)
    against = graph.concat(
        [part @ dual[:, end - size : end].T for part, size, end in zip(parts, sizes, ends, strict=True)]
    )
    first, second = np.triu_indices(classes, 1)
    other = classes - 1
    won = against.columns((first * other + second - 1).tolist())
    return won + against.columns((second * other + first).tolist())


def _gamma(model: Any, features: int) -> float:
    return 1.0 / features if model.gamma is None else float(model.gamma)


@converter(KernelRidge)
def kernel_ridge(model: KernelRidge, x: Tensor, graph: Graph) -> Tensor:
    """A weighted sum of kernels to the training rows."""
    points = dense(model.X_fit_)
    values = kernel(graph, x, points, model.kernel, _gamma(model, points.shape[1]), model.degree, model.coef0)
    return values @ np.asarray(model.dual_coef_, dtype=np.float64).reshape(len(points), -1)


@converter(Nystroem)
def nystroem(model: Nystroem, x: Tensor, graph: Graph) -> Tensor:
    """Kernels to the chosen rows, normalised."""
    points = dense(model.components_)
    degree = 3.0 if model.degree is None else model.degree
    coef0 = 1.0 if model.coef0 is None else model.coef0
    values = kernel(graph, x, points, model.kernel, _gamma(model, points.shape[1]), degree, coef0)
    return values @ np.asarray(model.normalization_, dtype=np.float64).T


@converter(RBFSampler)
def rbf_sampler(model: RBFSampler, x: Tensor, graph: Graph) -> Tensor:
    """Cosines of random projections."""
    weights = np.asarray(model.random_weights_, dtype=np.float64)
    angles = x @ weights + np.asarray(model.random_offset_, dtype=np.float64).reshape(1, -1)
    # ONNX Runtime has no Cos in double precision everywhere, but Sin.
    return graph.op("Sin", angles + np.pi / 2) * float(np.sqrt(2.0 / weights.shape[1]))


@converter(LabelPropagation, LabelSpreading)
def label_propagation(model: Any, x: Tensor, graph: Graph) -> tuple[Tensor, Tensor]:
    """The labels of the training rows, by their kernel to the row."""
    near = kernel(graph, x, dense(model.X_), "rbf", float(model.gamma), 0.0, 0.0)
    shares = near @ np.asarray(model.label_distributions_, dtype=np.float64)
    # Far from all training rows every share is zero: the first class, and NaN as in the original.
    return graph.pick(model.classes_, graph.argmax(shares)), shares / graph.total(shares)
