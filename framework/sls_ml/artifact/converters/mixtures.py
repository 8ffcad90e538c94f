"""Mixtures of normal distributions."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import digamma
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.mixture._gaussian_mixture import _compute_log_det_cholesky

from sls_ml.artifact.converters.graph import Graph, Tensor
from sls_ml.artifact.converters.registry import converter


@converter(GaussianMixture, BayesianGaussianMixture)
def mixture(model: Any, x: Tensor, graph: Graph) -> tuple[Tensor, Tensor]:
    """The most probable component, and the probability of each."""
    features = model.means_.shape[1]
    shift = model._estimate_log_weights() + _log_det(model, features)
    if isinstance(model, BayesianGaussianMixture):
        freedom = model.degrees_of_freedom_
        spread = digamma(0.5 * (freedom - np.arange(features)[:, None])).sum(axis=0) + features * np.log(2.0)
        shift = shift + 0.5 * (spread - features / model.mean_precision_ - features * np.log(freedom))
    far = graph.concat([_far(model, number, x, graph) for number in range(len(model.means_))])
    score: Tensor = far * -0.5 + np.asarray(shift, dtype=np.float64).reshape(1, -1)
    return graph.argmax(score), graph.op("Softmax", score, axis=1)


def _log_det(model: Any, features: int) -> Any:
    return _compute_log_det_cholesky(model.precisions_cholesky_, model.covariance_type, features)


def _far(model: Any, number: int, x: Tensor, graph: Graph) -> Tensor:
    """The squared Mahalanobis distance to a component, ``[N, 1]``."""
    away: Tensor = x - model.means_[number].reshape(1, -1)
    match model.covariance_type:
        case "full":
            scaled = away @ model.precisions_cholesky_[number]
        case "tied":
            scaled = away @ model.precisions_cholesky_
        case _:
            scaled = away * np.asarray(model.precisions_cholesky_[number]).reshape(1, -1)
    return graph.total(scaled * scaled)
