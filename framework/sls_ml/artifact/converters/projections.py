"""Transformers and regressors that are one product with a matrix, and selectors of columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.cluster import FeatureAgglomeration
from sklearn.cross_decomposition import CCA, PLSCanonical, PLSRegression
from sklearn.decomposition import FactorAnalysis, FastICA
from sklearn.feature_selection import (
    RFE,
    RFECV,
    GenericUnivariateSelect,
    SelectFdr,
    SelectFpr,
    SelectFromModel,
    SelectFwe,
    SelectKBest,
    SelectPercentile,
    SequentialFeatureSelector,
    VarianceThreshold,
)
from sklearn.neural_network import BernoulliRBM
from sklearn.random_projection import SparseRandomProjection

from sls_ml.artifact.converters.graph import Graph, Tensor
from sls_ml.artifact.converters.registry import converter
from sls_ml.errors import ModelError


def _matrix(values: Any) -> npt.NDArray[np.float64]:
    dense = values.toarray() if hasattr(values, "toarray") else values
    return np.ascontiguousarray(dense, dtype=np.float64)


@converter(
    GenericUnivariateSelect,
    RFE,
    RFECV,
    SelectFdr,
    SelectFpr,
    SelectFromModel,
    SelectFwe,
    SelectKBest,
    SelectPercentile,
    SequentialFeatureSelector,
    VarianceThreshold,
)
def selector(model: Any, x: Tensor, _: Graph) -> Tensor:
    """The chosen columns."""
    return x.columns(np.flatnonzero(model.get_support()).tolist())


@converter(FactorAnalysis)
def factor_analysis(model: FactorAnalysis, x: Tensor, _: Graph) -> Tensor:
    """The expected factors of each row."""
    weighted = model.components_ / model.noise_variance_
    spread = np.linalg.inv(np.eye(len(model.components_)) + weighted @ model.components_.T)
    centred: Tensor = x - model.mean_.reshape(1, -1)
    return centred @ _matrix(weighted.T @ spread)


@converter(FastICA)
def fast_ica(model: FastICA, x: Tensor, _: Graph) -> Tensor:
    """The sources of each row."""
    centred = x - model.mean_.reshape(1, -1) if model.whiten else x
    return centred @ _matrix(model.components_.T)


@converter(SparseRandomProjection)
def sparse_random_projection(model: SparseRandomProjection, x: Tensor, _: Graph) -> Tensor:
    """The projected row, dense."""
    return x @ _matrix(model.components_.T)


@converter(CCA, PLSCanonical, PLSRegression)
def partial_least_squares(model: Any, x: Tensor, _: Graph) -> Tensor:
    """The predicted targets."""
    shift = np.asarray(model.intercept_, dtype=np.float64).reshape(1, -1)
    centred: Tensor = x - model._x_mean.reshape(1, -1)
    return centred @ _matrix(model.coef_.T) + shift


@converter(BernoulliRBM)
def bernoulli_rbm(model: BernoulliRBM, x: Tensor, graph: Graph) -> Tensor:
    """The probability of each hidden unit."""
    shift = np.asarray(model.intercept_hidden_, dtype=np.float64).reshape(1, -1)
    return graph.op("Sigmoid", x @ _matrix(model.components_.T) + shift)


@converter(FeatureAgglomeration)
def feature_agglomeration(model: FeatureAgglomeration, x: Tensor, _: Graph) -> Tensor:
    """The mean of the features in each cluster."""
    if model.pooling_func is not np.mean:
        raise ModelError(
            "FeatureAgglomeration pools by a function that has no ONNX form",
            code="function-unknown",
            where="FeatureAgglomeration",
            mend="use pooling_func=numpy.mean",
        )
    members = np.asarray(model.labels_)[:, None] == np.unique(model.labels_)
    return x @ _matrix(members / members.sum(axis=0))
