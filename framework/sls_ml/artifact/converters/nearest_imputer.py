"""KNNImputer: the mean of the nearest training rows that have the value, in double precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.impute import KNNImputer

from sls_ml.artifact.converters.categories import missing
from sls_ml.artifact.converters.graph import Graph, Tensor
from sls_ml.artifact.converters.registry import converter

_NOWHERE = np.finfo(np.float64).max
"""The distance to rows with which a row has no feature in common."""


@converter(KNNImputer)
def knn_imputer(model: KNNImputer, x: Tensor, graph: Graph) -> Tensor:
    """Fills gaps column by column; features that were empty in training are dropped, or zero if kept."""
    gone = missing(graph, x, model.missing_values)
    squares = _distances(model, x, gone, graph)
    columns = []
    for at, valid in enumerate(model._valid_mask):
        if valid:
            filled = _filled(model, at, squares, graph)
            columns.append(graph.where(gone.columns([at]), filled, x.columns([at])))
        elif model.keep_empty_features:
            columns.append(graph.repeated([0.0], x))
    if model.add_indicator and len(model.indicator_.features_):
        columns.append(gone.columns(model.indicator_.features_.tolist()).cast("float64"))
    return graph.concat(columns)


def _distances(model: Any, x: Tensor, gone: Tensor, graph: Graph) -> Tensor:
    """Mean squared differences over the features that both rows have, ``[N, training rows]``."""
    absent: npt.NDArray[np.bool_] = model._mask_fit_X
    points = np.where(absent, 0.0, model._fit_X)
    have = (~gone).cast("float64")
    known = graph.where(gone, 0.0, x)
    total: Tensor | None = None
    for at in range(points.shape[1]):
        apart = known.columns([at]) - points[:, at].reshape(1, -1)
        both = have.columns([at]) * (~absent[:, at]).astype(float).reshape(1, -1)
        squares = apart * apart * both
        total = squares if total is None else total + squares
    assert total is not None  # noqa: S101 - a table has a column
    common = have @ (~absent).T.astype(float)
    total = graph.where(graph.equal(common, 0.0), _NOWHERE, total / graph.op("Max", common, 1.0))
    total.width = len(points)
    return total


def _filled(model: Any, at: int, squares: Tensor, graph: Graph) -> Tensor:
    """The value of a feature for every row, as if it were missing there, ``[N, 1]``."""
    donors = np.flatnonzero(~model._mask_fit_X[:, at])
    values = model._fit_X[donors, at]
    k = min(model.n_neighbors, len(donors))
    nearest, place = graph.ops(
        "TopK",
        squares.columns(donors.tolist()),
        np.asarray([k]),
        kinds=("float64", "int64"),
        width=k,
        largest=0,
    )
    weights = (nearest < _NOWHERE).cast("float64")
    if model.weights == "distance":
        met = graph.equal(nearest, 0.0)
        inverse = weights / graph.op("Sqrt", graph.where(met, 1.0, nearest))
        met = met.cast("float64")
        weights = graph.where(graph.total(met) > 0.0, met, inverse)
    total = graph.total(weights)
    mean = graph.total(graph.pick(values, place) * weights) / graph.where(graph.equal(total, 0.0), 1.0, total)
    # Summed as scikit-learn sums it, gaps included: another order gives another last digit, and a scaler
    # that takes this mean away leaves then something else than zero.
    average = float(np.ma.array(model._fit_X[:, at], mask=model._mask_fit_X[:, at]).mean())
    return graph.where(graph.equal(total, 0.0), average, mean)
