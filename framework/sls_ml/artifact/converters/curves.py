"""Piecewise linear curves: isotonic regression and what is built of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import IsotonicRegression

from sls_ml.artifact.converters.graph import Graph, Tensor
from sls_ml.artifact.converters.registry import converter


def below(graph: Graph, x: Tensor, edges: npt.NDArray[Any], *, equal: bool) -> Tensor:
    """How many of the sorted edges lie below each value, int64 ``[N, 1]``.

    Args:
        graph: The graph to add to.
        x: ``[N, 1]``.
        edges: Sorted numbers.
        equal: Whether an edge equal to the value counts.
    """
    row = np.asarray(edges, dtype=np.float64).reshape(1, -1)
    passed = (x >= row) if equal else (x > row)
    passed.width = len(edges)
    return graph.total(passed.cast("float64")).cast("int64")


def interpolated(graph: Graph, x: Tensor, xs: npt.NDArray[Any], ys: npt.NDArray[Any]) -> Tensor:
    """The line through the points, the outer pieces prolonged, ``[N, 1]``.

    Args:
        graph: The graph to add to.
        x: ``[N, 1]``.
        xs: Where the points are, rising, at least two.
        ys: Their heights.
    """
    xs, ys = np.asarray(xs, dtype=np.float64), np.asarray(ys, dtype=np.float64)
    piece = below(graph, x, xs[1:-1], equal=False) if len(xs) > 2 else None
    slopes: npt.NDArray[np.float64] = np.diff(ys) / np.diff(xs)
    if piece is None:
        return (x - float(xs[0])) * float(slopes[0]) + float(ys[0])
    return (x - graph.pick(xs[:-1], piece)) * graph.pick(slopes, piece) + graph.pick(ys[:-1], piece)


@converter(IsotonicRegression)
def isotonic_regression(model: IsotonicRegression, x: Tensor, graph: Graph) -> Tensor:
    """The fitted curve; NaN outside of it unless it clips."""
    return isotonic(model, x, graph)


def isotonic(model: IsotonicRegression, x: Tensor, graph: Graph) -> Tensor:
    """The curve of a fitted isotonic regression at each value of `x`, ``[N, 1]``."""
    low, high = float(model.X_min_), float(model.X_max_)
    inside = graph.op("Clip", x, np.float64(low), np.float64(high))
    xs, ys = model.X_thresholds_, model.y_thresholds_
    found = graph.repeated([ys[0]], x) if len(ys) == 1 else interpolated(graph, inside, xs, ys)
    if model.out_of_bounds == "clip":
        return found
    return graph.where((x < low) | (x > high), np.nan, found)
