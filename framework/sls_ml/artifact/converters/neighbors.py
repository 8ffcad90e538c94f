"""Neighbours, the nearest or all within a radius: exact distances, uniform weights or weights by distance."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    LocalOutlierFactor,
    NearestCentroid,
    RadiusNeighborsClassifier,
    RadiusNeighborsRegressor,
)

from sls_ml.artifact import several
from sls_ml.artifact.converters.graph import Graph, Tensor
from sls_ml.artifact.converters.kernels import dense, squared_distances, summed_squares
from sls_ml.artifact.converters.labels import picked
from sls_ml.artifact.converters.registry import converter

Array = npt.NDArray[Any]

_SPARE = 16
"""How many more candidates than neighbours are measured again exactly."""


def euclidean(model: Any) -> bool:
    """Whether an estimator measures euclidean distances."""
    name, p = model.effective_metric_, model.effective_metric_params_.get("p", 2)
    return name == "euclidean" or (
        name == "minkowski" and p == 2 and "w" not in model.effective_metric_params_
    )


def _nearest(model: Any, x: Tensor, graph: Graph) -> tuple[Tensor, Tensor]:
    """Distances to the nearest training rows, and their positions, ``[N, k]`` each.

    scikit-learn's trees add the squared differences feature by feature, and so do we. Its search by brute
    force multiplies matrices instead, which loses digits where rows nearly meet, so a few more candidates
    than needed are measured again by their differences.
    """
    points = dense(model._fit_X)
    k = getattr(model, "n_neighbors_", model.n_neighbors)
    if model._fit_method != "brute":
        squares = summed_squares(x, points)
        nearest, found = graph.ops(
            "TopK", squares, np.asarray([k], dtype=np.int64), kinds=("float64", "int64"), width=k, largest=0
        )
        return graph.op("Sqrt", nearest), found
    many = min(k + _SPARE, len(points))
    rough = squared_distances(graph, x, points)
    _, candidates = graph.ops(
        "TopK", rough, np.asarray([many], dtype=np.int64), kinds=("float64", "int64"), width=many, largest=0
    )
    apart = x.reshape(-1, 1, points.shape[1]) - graph.pick(points, candidates)
    # A running sum adds the squares in the order in which scikit-learn's trees add them.
    running = graph.op("CumSum", apart * apart, np.asarray(2))
    squares = graph.op("Gather", running, np.asarray(points.shape[1] - 1), axis=2, width=many)
    nearest, order = graph.ops(
        "TopK", squares, np.asarray([k], dtype=np.int64), kinds=("float64", "int64"), width=k, largest=0
    )
    return graph.op("Sqrt", nearest), graph.op("GatherElements", candidates, order, axis=1, width=k)


def _weights(model: Any, distances: Tensor, graph: Graph) -> Tensor | None:
    """What each neighbour counts, ``[N, k]``; None where all count the same."""
    if model.weights in (None, "uniform"):
        return None
    zero = graph.equal(distances, 0.0)
    met = zero.cast("float64")
    inverse = 1.0 / graph.where(zero, 1.0, distances)
    any_met = graph.total(met) > 0.0
    return graph.where(any_met, met, inverse)


@converter(KNeighborsRegressor, when=euclidean)
def k_neighbors_regressor(model: KNeighborsRegressor, x: Tensor, graph: Graph) -> Tensor:
    """The mean of the neighbours' values."""
    distances, found = _nearest(model, x, graph)
    weights = _weights(model, distances, graph)
    targets = np.asarray(model._y, dtype=np.float64).reshape(len(model._y), -1)
    columns = []
    for target in targets.T:
        values = graph.pick(target, found)
        if weights is None:
            columns.append(graph.total(values) / float(model.n_neighbors))
        else:
            columns.append(graph.total(values * weights) / graph.total(weights))
    return graph.concat(columns)


@converter(KNeighborsClassifier, when=euclidean)
def k_neighbors_classifier(model: KNeighborsClassifier, x: Tensor, graph: Graph) -> tuple[Tensor, Tensor]:
    """The neighbours' votes, on each label where there are several."""
    distances, found = _nearest(model, x, graph)
    weights = _weights(model, distances, graph)
    labels = several.classes_of(model)
    classes = [model.classes_] if labels is None else labels
    known = np.asarray(model._y, dtype=np.int64).reshape(-1, len(classes))
    ballots = []
    for each, numbers in zip(classes, known.T, strict=True):
        columns = []
        for number in range(len(each)):
            votes = graph.pick(numbers == number, found).cast("float64")
            columns.append(graph.total(votes if weights is None else votes * weights))
        ballots.append(graph.concat(columns))
    shares = graph.concat([votes / graph.total(votes) for votes in ballots])
    places = [graph.argmax(votes) for votes in ballots]
    if labels is None:
        return graph.pick(model.classes_, places[0]), shares
    return picked(graph, labels, places), shares


@converter(RadiusNeighborsRegressor, when=euclidean)
def radius_neighbors_regressor(model: RadiusNeighborsRegressor, x: Tensor, graph: Graph) -> Tensor:
    """The mean of the values of all rows within the radius; NaN where there is none."""
    weights = _weights_within(model, x, graph)
    targets = np.asarray(model._y, dtype=np.float64).reshape(len(model._y), -1)
    return (weights @ targets) / graph.total(weights)


@converter(RadiusNeighborsClassifier, when=euclidean)
def radius_neighbors_classifier(
    model: RadiusNeighborsClassifier, x: Tensor, graph: Graph
) -> tuple[Tensor, Tensor]:
    """The votes of all rows within the radius; the class for outliers where there is none."""
    votes = _weights_within(model, x, graph) @ np.eye(len(model.classes_))[np.asarray(model._y)]
    nobody = graph.equal(graph.total(votes), 0.0)
    outlier = (model.classes_ == model.outlier_label_[0]).astype(np.float64).reshape(1, -1)
    votes = graph.where(nobody, graph.constant(outlier), votes)
    return graph.pick(model.classes_, graph.argmax(votes)), votes / graph.total(votes)


def _weights_within(model: Any, x: Tensor, graph: Graph) -> Tensor:
    """What each training row counts, zero beyond the radius, ``[N, points]``."""
    squares = summed_squares(x, dense(model._fit_X))
    within = (squares <= float(model.radius) ** 2).cast("float64")
    if model.weights in (None, "uniform"):
        return within
    met = graph.equal(squares, 0.0)
    inverse = within / graph.op("Sqrt", graph.where(met, 1.0, squares))
    met = met.cast("float64")
    return graph.where(graph.total(met) > 0.0, met, inverse)


@converter(NearestCentroid, when=lambda model: model.metric == "euclidean")
def nearest_centroid(model: Any, x: Tensor, graph: Graph) -> tuple[Tensor, ...]:
    """The class whose centroid is nearest; scores from distances scaled by each feature's spread."""
    spread = np.where(model.within_class_std_dev_ != 0, model.within_class_std_dev_, 1.0).reshape(1, -1)
    far = squared_distances(graph, x / spread, model.centroids_ / spread)
    scores = 2.0 * np.log(np.asarray(model.class_prior_)).reshape(1, -1) - far
    if np.isclose(model.class_prior_, 1 / len(model.classes_)).all():
        label = graph.argmax(-squared_distances(graph, x, model.centroids_))
    else:
        label = graph.argmax(scores)
    decision = scores
    if len(model.classes_) == 2:
        decision = scores.columns([1]) - scores.columns([0])
    return graph.pick(model.classes_, label), graph.op("Softmax", scores, axis=1), decision


@converter(LocalOutlierFactor)
def local_outlier_factor(model: LocalOutlierFactor, x: Tensor, graph: Graph) -> tuple[Tensor, Tensor]:
    """-1 for rows that lie in much thinner surroundings than their neighbours."""
    distances, found = _nearest(model, x, graph)
    count = float(model.n_neighbors_)
    last = model._distances_fit_X_[:, model.n_neighbors_ - 1]
    reach = graph.total(graph.op("Max", distances, graph.pick(last, found))) / count
    ratio = graph.total(graph.pick(model._lrd, found)) / count * (reach + 1e-10)
    score = -ratio - float(model.offset_)
    label = graph.where(score < 0.0, np.asarray(-1), graph.constant(np.asarray(1)))
    return label.reshape(-1), score
