"""Estimators around other estimators: searches, chains, pairs and codes of classes, transformed targets."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.model_selection._search_successive_halving import HalvingGridSearchCV, HalvingRandomSearchCV
from sklearn.multiclass import (
    OneVsOneClassifier,
    OneVsRestClassifier,
    OutputCodeClassifier,
    _ConstantPredictor,
)
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)
from sklearn.semi_supervised import SelfTrainingClassifier

from sls_ml.artifact import several
from sls_ml.artifact.converters.categories import positions
from sls_ml.artifact.converters.functions import elementwise
from sls_ml.artifact.converters.graph import Graph, Tensor
from sls_ml.artifact.converters.kernels import by_votes, squared_distances
from sls_ml.artifact.converters.labels import of_second, picked
from sls_ml.artifact.converters.registry import converter, forwards
from sls_ml.errors import ModelError

for _search in (GridSearchCV, RandomizedSearchCV, HalvingGridSearchCV, HalvingRandomSearchCV):
    forwards(_search, lambda model: model.best_estimator_)
forwards(FrozenEstimator, lambda model: model.estimator)
forwards(SelfTrainingClassifier, lambda model: model.estimator_)


@converter(DummyRegressor, columns=True)
def dummy_regressor(model: DummyRegressor, inputs: list[Tensor], graph: Graph) -> Tensor:
    """The same values for every row."""
    return graph.repeated(np.ravel(model.constant_), _any_number(inputs, graph))


@converter(DummyClassifier, columns=True)
def dummy_classifier(model: DummyClassifier, inputs: list[Tensor], graph: Graph) -> tuple[Tensor, Tensor]:
    """The same class for every row, or the same for each of several labels."""
    if model.strategy in {"stratified", "uniform"}:
        raise ModelError(
            f"DummyClassifier(strategy={model.strategy!r}) answers at random",
            code="answers-at-random",
            where="DummyClassifier",
            mend="use strategy='prior' or 'most_frequent'",
        )
    labels = several.classes_of(model)
    each = [model.classes_] if labels is None else labels
    priors = [model.class_prior_] if labels is None else model.class_prior_
    constants = np.ravel(model.constant) if model.strategy == "constant" else [None] * len(each)
    chosen, shares = [], []
    for classes, prior, constant in zip(each, priors, constants, strict=True):
        place = int(np.argmax(prior) if constant is None else np.flatnonzero(classes == constant)[0])
        chosen.append(place)
        shares.append(prior if model.strategy == "prior" else np.eye(len(classes))[place])
    rows = _any_number(inputs, graph)
    places = [graph.repeated([place], rows).cast("int64").reshape(-1) for place in chosen]
    label = graph.pick(model.classes_, places[0]) if labels is None else picked(graph, labels, places)
    return label, graph.repeated(np.concatenate(shares), rows)


def _any_number(inputs: list[Tensor], graph: Graph) -> Tensor:
    """A column of numbers with as many rows as the inputs."""
    first = inputs[0].reshape(-1, 1) if inputs[0].width is None else inputs[0].columns([0])
    if first.kind == "string":
        return positions(graph, first, np.asarray([""])).cast("float64")
    return first.cast("float64")


@converter(TransformedTargetRegressor, columns=True)
def transformed_target_regressor(
    model: TransformedTargetRegressor, inputs: list[Tensor], graph: Graph
) -> Tensor:
    """The regressor's answer, moved back to the scale of the target."""
    value = graph.apply(model.regressor_, inputs)[0].cast("float64")
    back = model.transformer_
    match back:
        case FunctionTransformer():
            return elementwise(back.inverse_func, value, graph)
        case StandardScaler() | RobustScaler():
            shift = back.mean_ if isinstance(back, StandardScaler) else back.center_
            return _scaled(
                value, 1.0 if back.scale_ is None else back.scale_, 0.0 if shift is None else shift
            )
        case MaxAbsScaler():
            return _scaled(value, back.scale_, 0.0)
        case MinMaxScaler() if not back.clip:
            return _scaled(value, 1.0 / back.scale_, -back.min_ / back.scale_)
        case _:
            raise ModelError(
                f"the way back from {type(back).__name__} has no ONNX form",
                code="target-transformer",
                where=f"TransformedTargetRegressor.{type(back).__name__}",
                mend="scale the target by StandardScaler, RobustScaler, MinMaxScaler, MaxAbsScaler, or by a "
                "pair of numpy functions such as log1p and expm1",
            )


def _scaled(value: Tensor, scale: Any, shift: Any) -> Tensor:
    return value * np.asarray(scale, dtype=np.float64).reshape(1, -1) + np.asarray(shift).reshape(1, -1)


@converter(OneVsOneClassifier)
def one_vs_one_classifier(model: OneVsOneClassifier, x: Tensor, graph: Graph) -> tuple[Tensor, Tensor]:
    """Votes of all pairs of classes, ties broken by how sure they are."""
    parts = [graph.apply(e, x, counted=True) for e in model.estimators_]
    won = [part[0].cast("float64").reshape(-1, 1) for part in parts]
    sure = [
        _binary_score(e, x, graph, applied=part) for e, part in zip(model.estimators_, parts, strict=True)
    ]
    classes = len(model.classes_)
    _, scores = by_votes(graph, graph.concat(won), graph.concat(sure), classes)
    if classes > 2:
        return graph.pick(model.classes_, graph.argmax(scores)), scores
    second = scores.columns([1])
    limit = 0.0 if hasattr(model.estimators_[0], "decision_function") else 0.5
    return graph.pick(model.classes_, (second > limit).cast("int64").reshape(-1)), second


@converter(OneVsRestClassifier)
def one_vs_rest_classifier(model: OneVsRestClassifier, x: Tensor, graph: Graph) -> tuple[Tensor, ...]:
    """The class whose own classifier is surest; the last of equals, as in scikit-learn."""
    scores = graph.concat([_binary_score(e, x, graph) for e in model.estimators_])
    if model.multilabel_:
        return _indicated(model, scores, x, graph)
    if len(model.classes_) == 2:
        limit = 0.0 if hasattr(model.estimators_[0], "decision_function") else 0.5
        place = (scores > limit).cast("int64").reshape(-1)
    else:
        place = graph.op("ArgMax", scores, kind="int64", axis=1, keepdims=0, select_last_index=1)
        place.width = None
    label = graph.pick(model.classes_, place)
    if not hasattr(model, "predict_proba"):
        return label, scores
    sure = graph.concat([_second_probability(e, x, graph) for e in model.estimators_])
    if len(model.classes_) == 2:
        sure = graph.concat([1.0 - sure, sure])
    else:
        total = graph.total(sure)
        sure = sure / graph.where(graph.equal(total, 0.0), 1.0, total)
    return label, sure, scores


def _indicated(model: OneVsRestClassifier, scores: Tensor, x: Tensor, graph: Graph) -> tuple[Tensor, ...]:
    """Labels that a row has or has not, each by its own classifier."""
    first = model.estimators_[0]
    limit = 0.0 if hasattr(first, "decision_function") and is_classifier(first) else 0.5
    label = (scores > limit).cast("int64")
    match several.scores_of(model):
        case "predict_proba":
            sure = graph.concat([_second_probability(e, x, graph) for e in model.estimators_])
            return label, of_second(graph, sure)
        case "decision_function":
            return label, scores
        case _:
            return (label,)


def _second_probability(estimator: Any, x: Tensor, graph: Graph) -> Tensor:
    if isinstance(estimator, _ConstantPredictor):
        return graph.repeated(estimator.y_[:1], x)
    return graph.apply(estimator, x)[1].cast("float64").columns([1])


@converter(OutputCodeClassifier)
def output_code_classifier(model: OutputCodeClassifier, x: Tensor, graph: Graph) -> tuple[Tensor, Tensor]:
    """The class whose code is nearest."""
    bits = graph.concat([_binary_score(e, x, graph) for e in model.estimators_])
    near = -squared_distances(graph, bits, np.asarray(model.code_book_, dtype=np.float64))
    return graph.pick(model.classes_, graph.argmax(near)), near


def _binary_score(
    estimator: Any, x: Tensor, graph: Graph, *, applied: tuple[Tensor, ...] | None = None
) -> Tensor:
    """How surely a binary estimator says yes, ``[N, 1]``.

    Args:
        estimator: The estimator.
        x: Its features.
        graph: The graph to add to.
        applied: What it gives, where it is in the graph already.
    """
    if isinstance(estimator, _ConstantPredictor):
        return graph.repeated(estimator.y_[:1], x)
    if hasattr(estimator, "decision_function") and not is_regressor(estimator):
        return graph.decision(estimator, x)
    found = applied or graph.apply(estimator, x)
    if is_regressor(estimator):
        return found[0].cast("float64")
    return found[1].cast("float64").columns([1])
