"""Estimators that combine the answers of several: bagging, voting, stacking, boosting by weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

from sls_ml.artifact.converters.categories import positions
from sls_ml.artifact.converters.ensembles import summed_rows
from sls_ml.artifact.converters.graph import Graph, Tensor
from sls_ml.artifact.converters.registry import converter
from sls_ml.artifact.converters.trees import on_columns, summed_columns, trees_of


@converter(VotingClassifier, columns=True)
def voting_classifier(model: VotingClassifier, inputs: list[Tensor], graph: Graph) -> tuple[Tensor, Tensor]:
    """The class with most votes, or with the largest mean probability; the first of equals."""
    hard = model.voting == "hard"
    parts = [graph.apply(estimator, inputs, counted=hard) for estimator in model.estimators_]
    weights = model._weights_not_none or [1.0] * len(parts)
    if hard:
        numbers = np.arange(len(model.classes_)).reshape(1, -1)
        ballots = [graph.equal(part[0].reshape(-1, 1), numbers).cast("float64") for part in parts]
    else:
        ballots = [part[1].cast("float64") for part in parts]
    counted = [ballot * float(weight) for ballot, weight in zip(ballots, weights, strict=True)]
    total = counted[0] if len(counted) == 1 else graph.op("Sum", *counted)
    total.width = len(model.classes_)
    mean = total if hard else total / float(sum(weights))
    return graph.pick(model.classes_, graph.argmax(mean)), mean


@converter(VotingRegressor, columns=True)
def voting_regressor(model: VotingRegressor, inputs: list[Tensor], graph: Graph) -> Tensor:
    """The weighted mean of the regressors."""
    parts = [graph.apply(estimator, inputs)[0].cast("float64") for estimator in model.estimators_]
    weights = model._weights_not_none or [1.0] * len(parts)
    counted = [part * float(weight) for part, weight in zip(parts, weights, strict=True)]
    return (counted[0] if len(counted) == 1 else graph.op("Sum", *counted)) / float(sum(weights))


@converter(StackingRegressor, columns=True)
def stacking_regressor(model: StackingRegressor, inputs: list[Tensor], graph: Graph) -> Tensor:
    """The final regressor's answer to the answers of the others."""
    return graph.apply(model.final_estimator_, _stacked(model, inputs, graph))[0]


@converter(StackingClassifier, columns=True)
def stacking_classifier(model: StackingClassifier, inputs: list[Tensor], graph: Graph) -> tuple[Tensor, ...]:
    """The final classifier's answer to the answers of the others; it knows the classes by number."""
    stacked = _stacked(model, inputs, graph)
    final = model.final_estimator_
    number, scores, *_ = graph.apply(final, stacked)
    label = graph.pick(model.classes_, number.reshape(-1))
    if not hasattr(final, "decision_function") or not hasattr(final, "predict_proba"):
        return label, scores.cast("float64")
    return label, scores.cast("float64"), graph.decision(final, stacked)


def _stacked(model: Any, inputs: list[Tensor], graph: Graph) -> Tensor:
    answers = []
    for estimator, method in zip(model.estimators_, model.stack_method_, strict=True):
        match method:
            case "predict":
                label = graph.apply(estimator, inputs, counted=True)[0]
                answers.append(label.cast("float64").reshape(-1, 1))
            case "decision_function":
                answers.append(graph.decision(estimator, inputs))
            case _:
                scores = graph.apply(estimator, inputs)[1].cast("float64")
                answers.append(scores.columns([1]) if len(model.classes_) == 2 else scores)
    if model.passthrough:
        answers += [tensor.cast("float64") for tensor in inputs]
    return graph.concat(answers)


@converter(AdaBoostClassifier)
def ada_boost_classifier(model: AdaBoostClassifier, x: Tensor, graph: Graph) -> tuple[Tensor, Tensor, Tensor]:
    """Weighted votes, each for one class and against all others."""
    classes = len(model.classes_)
    weights = model.estimator_weights_[: len(model.estimators_)]
    against = np.full((classes, classes), -1.0 / (classes - 1)) if classes > 1 else np.zeros((1, 1))
    ballots = np.where(np.eye(classes, dtype=bool), 1.0, against)
    parts = list(zip(model.estimators_, weights, strict=True))
    if all(isinstance(e, DecisionTreeClassifier | ExtraTreeClassifier) for e in model.estimators_):
        rows = []
        for estimator, weight in parts:
            chosen = estimator.tree_.value[:, 0, :].argmax(axis=1)
            rows.append(ballots[np.searchsorted(model.classes_, estimator.classes_)][chosen] * weight)
        total = summed_columns(graph, x, trees_of(model.estimators_, rows))
    else:
        votes = []
        for estimator, weight in parts:
            label = graph.apply(estimator, x, counted=True)[0].reshape(-1, 1)
            place = positions(graph, label, model.classes_).reshape(-1)
            votes.append(graph.pick(ballots * weight, place))
        total = graph.op("Sum", *votes, width=classes)
    scores = total / float(model.estimator_weights_.sum())
    if classes > 2:
        label = graph.pick(model.classes_, graph.argmax(scores))
        return label, graph.op("Softmax", scores / float(classes - 1), axis=1), scores
    decision = scores.columns([1]) - scores.columns([0])
    label = graph.pick(model.classes_, (decision > 0.0).cast("int64").reshape(-1))
    halves = graph.concat([-decision, decision]) / 2.0
    return label, graph.op("Softmax", halves, axis=1), decision


@converter(BaggingRegressor)
def bagging_regressor(model: BaggingRegressor, x: Tensor, graph: Graph) -> Tensor:
    """The mean of the regressors, each on its own columns."""
    if all(isinstance(e, DecisionTreeRegressor | ExtraTreeRegressor) for e in model.estimators_):
        trees = on_columns(trees_of(model.estimators_), model.estimators_features_)
        return summed_columns(graph, x, trees) / float(len(model.estimators_))
    parts = [
        graph.apply(estimator, x.columns(list(features)))[0].cast("float64")
        for estimator, features in zip(model.estimators_, model.estimators_features_, strict=True)
    ]
    return _mean(parts, graph)


@converter(BaggingClassifier)
def bagging_classifier(model: BaggingClassifier, x: Tensor, graph: Graph) -> tuple[Tensor, Tensor]:
    """The mean of the classifiers' probabilities, or of their votes; each saw the classes as numbers."""
    classes = len(model.classes_)
    if all(isinstance(e, DecisionTreeClassifier | ExtraTreeClassifier) for e in model.estimators_):
        shares = [
            e.tree_.value[:, 0, :] @ np.eye(classes)[np.asarray(e.classes_, dtype=np.int64)]
            for e in model.estimators_
        ]
        trees = on_columns(trees_of(model.estimators_, shares), model.estimators_features_)
        votes = summed_rows(graph, x.cast("float32"), trees)
        return graph.pick(model.classes_, graph.argmax(votes)), votes / float(len(model.estimators_))
    numbers = np.arange(classes).reshape(1, -1)
    parts = []
    for estimator, features in zip(model.estimators_, model.estimators_features_, strict=True):
        label, scores, *_ = graph.apply(estimator, x.columns(list(features)))
        if not hasattr(estimator, "predict_proba"):
            ballot = graph.equal(label.reshape(-1, 1), numbers).cast("float64")
            ballot.width = classes
            parts.append(ballot)
        elif len(estimator.classes_) == classes:
            parts.append(scores.cast("float64"))
        else:
            spread = np.eye(classes)[np.asarray(estimator.classes_, dtype=np.int64)]
            parts.append(scores.cast("float64") @ spread)
    mean = _mean(parts, graph)
    mean.width = classes
    return graph.pick(model.classes_, graph.argmax(mean)), mean


def _mean(parts: list[Tensor], graph: Graph) -> Tensor:
    return (parts[0] if len(parts) == 1 else graph.op("Sum", *parts)) / float(len(parts))
