"""Linear regressors, discriminants, and the linear classifiers that skl2onnx has no doubles for."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.linear_model import (
    ARDRegression,
    BayesianRidge,
    ElasticNet,
    ElasticNetCV,
    HuberRegressor,
    Lars,
    LarsCV,
    Lasso,
    LassoCV,
    LassoLars,
    LassoLarsCV,
    LassoLarsIC,
    LinearRegression,
    MultiTaskElasticNet,
    MultiTaskElasticNetCV,
    MultiTaskLasso,
    MultiTaskLassoCV,
    OrthogonalMatchingPursuit,
    OrthogonalMatchingPursuitCV,
    PassiveAggressiveRegressor,
    QuantileRegressor,
    Ridge,
    RidgeClassifier,
    RidgeClassifierCV,
    RidgeCV,
    SGDOneClassSVM,
    SGDRegressor,
    TheilSenRegressor,
)
from sklearn.svm import LinearSVC, LinearSVR

from sls_ml.artifact import several
from sls_ml.artifact.converters.graph import Graph, Tensor
from sls_ml.artifact.converters.registry import converter


def scores(model: Any, x: Tensor) -> Tensor:
    """The products with the coefficients: a column for each target or class, one for two classes."""
    weights = np.atleast_2d(np.asarray(model.coef_, dtype=np.float64))
    shift = np.asarray(model.intercept_, dtype=np.float64).reshape(1, -1)
    return x @ np.ascontiguousarray(weights.T) + shift


def label(model: Any, decision: Tensor, graph: Graph) -> Tensor:
    """The class of the largest score, or the second of two where the score is above zero."""
    if decision.width == 1:
        return graph.pick(model.classes_, (decision > 0.0).cast("int64").reshape(-1))
    return graph.pick(model.classes_, graph.argmax(decision))


@converter(
    ARDRegression,
    BayesianRidge,
    ElasticNet,
    ElasticNetCV,
    HuberRegressor,
    Lars,
    LarsCV,
    Lasso,
    LassoCV,
    LassoLars,
    LassoLarsCV,
    LassoLarsIC,
    LinearRegression,
    LinearSVR,
    MultiTaskElasticNet,
    MultiTaskElasticNetCV,
    MultiTaskLasso,
    MultiTaskLassoCV,
    OrthogonalMatchingPursuit,
    OrthogonalMatchingPursuitCV,
    PassiveAggressiveRegressor,
    QuantileRegressor,
    Ridge,
    RidgeCV,
    SGDRegressor,
    TheilSenRegressor,
)
def linear_regressor(model: Any, x: Tensor, _: Graph) -> Tensor:
    """One column for each target."""
    return scores(model, x)


@converter(LinearSVC, RidgeClassifier, RidgeClassifierCV)
def without_probabilities(model: Any, x: Tensor, graph: Graph) -> tuple[Tensor, Tensor]:
    """Label and score, or those of each label that a row has or has not."""
    decision = scores(model, x)
    if several.classes_of(model) is not None:
        return (decision > 0.0).cast("int64"), decision
    return label(model, decision, graph), decision


@converter(SGDOneClassSVM)
def one_class(model: SGDOneClassSVM, x: Tensor, graph: Graph) -> tuple[Tensor, Tensor]:
    """1 where the score is not negative, else -1."""
    weights = np.asarray(model.coef_, dtype=np.float64).reshape(-1, 1)
    score = x @ weights - float(model.offset_[0])
    label = graph.where(score >= 0.0, np.asarray(1), graph.constant(np.asarray(-1)))
    return label.reshape(-1), score


@converter(LinearDiscriminantAnalysis)
def discriminant(model: LinearDiscriminantAnalysis, x: Tensor, graph: Graph) -> tuple[Tensor, Tensor, Tensor]:
    """Label, probabilities and score."""
    decision = scores(model, x)
    return label(model, decision, graph), squashed(decision, graph), decision


@converter(QuadraticDiscriminantAnalysis)
def quadratic_discriminant(
    model: QuadraticDiscriminantAnalysis, x: Tensor, graph: Graph
) -> tuple[Tensor, Tensor, Tensor]:
    """Label, probabilities and score, from the Mahalanobis distance to each class."""
    posteriors = []
    for mean, rotation, scaling, prior in zip(
        model.means_, model.rotations_, model.scalings_, model.priors_, strict=True
    ):
        away: Tensor = x - np.asarray(mean).reshape(1, -1)
        turned = away @ np.ascontiguousarray(rotation / np.sqrt(scaling))
        shift = np.log(prior) - 0.5 * np.log(scaling).sum()
        posteriors.append(graph.total(turned * turned) * -0.5 + float(shift))
    posterior = graph.concat(posteriors)
    decision = posterior
    if len(model.classes_) == 2:
        decision = posterior.columns([1]) - posterior.columns([0])
    label = graph.pick(model.classes_, graph.argmax(posterior))
    return label, graph.op("Softmax", posterior, axis=1), decision


def squashed(decision: Tensor, graph: Graph) -> Tensor:
    """Probabilities of scores: logistic for two classes, else softmax."""
    if decision.width != 1:
        return graph.op("Softmax", decision, axis=1)
    second = graph.op("Sigmoid", decision)
    return graph.concat([1.0 - second, second])
