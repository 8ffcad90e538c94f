"""Decision trees and forests of them: bagged, boosted, and isolation forests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    RandomTreesEmbedding,
)
from sklearn.ensemble._iforest import _average_path_length
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

from sls_ml.artifact import several
from sls_ml.artifact.converters.encoders import NOWHERE, one_hot
from sls_ml.artifact.converters.ensembles import Floats, Trees, reached, rounded_down, summed, summed_rows
from sls_ml.artifact.converters.graph import Graph, Tensor
from sls_ml.artifact.converters.labels import picked
from sls_ml.artifact.converters.registry import converter


def trees_of(estimators: Sequence[Any], values: Sequence[Floats] | None = None) -> Trees:
    """The fitted trees of these tree estimators.

    Args:
        estimators: Fitted decision trees.
        values: For each tree the rows of values of its nodes, ``[nodes, values]``; None: its own outputs.
    """
    found = []
    for at, estimator in enumerate(estimators):
        tree = estimator.tree_
        value = tree.value.reshape(tree.node_count, -1) if values is None else values[at]
        found.append(
            Trees(
                left=tree.children_left,
                right=tree.children_right,
                feature=tree.feature,
                split=rounded_down(tree.threshold),
                missing_left=tree.missing_go_to_left.astype(bool),
                value=value,
                target=np.zeros(tree.node_count, dtype=np.int64),
                roots=np.zeros(1, dtype=np.int64),
                members={},
            )
        )
    return Trees.join(found)


def on_columns(trees: Trees, columns: Sequence[Any]) -> Trees:
    """Trees that each saw only these columns, as trees that see all."""
    own = np.repeat(np.arange(len(trees.roots)), trees.sizes)
    return replace(trees, feature=np.stack(columns)[own, np.maximum(trees.feature, 0)])


def rounded(x: Tensor) -> Tensor:
    """The values as scikit-learn's trees see them: rounded to float32."""
    return x.cast("float32").cast("float64")


def summed_columns(graph: Graph, x: Tensor, trees: Trees) -> Tensor:
    """The sum of the leaves' rows of values, float64; a copy of the trees for each column."""
    columns = [
        replace(trees, value=trees.value[:, [at]], target=np.full(len(trees.left), at))
        for at in range(trees.value.shape[1])
    ]
    return summed(graph, rounded(x), Trees.join(columns), len(columns))


@converter(DecisionTreeRegressor, ExtraTreeRegressor)
def tree_regressor(model: Any, x: Tensor, graph: Graph) -> Tensor:
    """One tree; several outputs give as many columns."""
    return summed_columns(graph, x, trees_of([model]))


@converter(RandomForestRegressor, ExtraTreesRegressor)
def forest_regressor(model: Any, x: Tensor, graph: Graph) -> Tensor:
    """The mean of the trees."""
    return summed_columns(graph, x, trees_of(model.estimators_)) / len(model.estimators_)


@converter(DecisionTreeClassifier, ExtraTreeClassifier)
def tree_classifier(model: Any, x: Tensor, graph: Graph) -> tuple[Tensor, Tensor]:
    """Class shares in the leaf."""
    return _forest_classifier(model, [model], x, graph)


@converter(RandomForestClassifier, ExtraTreesClassifier)
def forest_classifier(model: Any, x: Tensor, graph: Graph) -> tuple[Tensor, Tensor]:
    """The mean of the trees' class shares."""
    return _forest_classifier(model, model.estimators_, x, graph)


def _forest_classifier(
    model: Any, estimators: Sequence[Any], x: Tensor, graph: Graph
) -> tuple[Tensor, Tensor]:
    """Sums the shares over the trees and divides once, as scikit-learn does: equal votes stay equal.

    Shares such as a third are rounded. Where the labels are counted, each class's are therefore added up tree
    by tree, as scikit-learn does, which takes a copy of the trees for each class.
    """
    if (labels := several.classes_of(model)) is not None:
        return _labels_of_forest(labels, estimators, x, graph)
    trees = trees_of(estimators)
    classes = trees.value.shape[1]
    if graph.counted:
        votes = summed_columns(graph, x, trees)
    elif classes == 2:
        yes = summed(graph, rounded(x), replace(trees, value=trees.value[:, [1]]), 1)
        votes = graph.concat([len(estimators) - yes, yes])
    else:
        votes = summed_rows(graph, x.cast("float32"), trees)
    return graph.pick(model.classes_, graph.argmax(votes)), votes / len(estimators)


def _labels_of_forest(
    labels: Sequence[Any], estimators: Sequence[Any], x: Tensor, graph: Graph
) -> tuple[Tensor, Tensor]:
    """The shares of each label's classes lie side by side in the leaves, padded to as many for each label."""
    shares = [
        np.concatenate([e.tree_.value[:, at, : len(each)] for at, each in enumerate(labels)], axis=1)
        for e in estimators
    ]
    votes = summed_rows(graph, x.cast("float32"), trees_of(estimators, shares))
    places, first = [], 0
    for each in labels:
        places.append(graph.argmax(votes.columns(range(first, first + len(each)))))
        first += len(each)
    return picked(graph, labels, places), votes / len(estimators)


@converter(GradientBoostingRegressor)
def gradient_boosting_regressor(model: Any, x: Tensor, graph: Graph) -> Tensor:
    """The prediction of the start plus the scaled sum of the trees."""
    return _boosted(model, x, graph)


@converter(GradientBoostingClassifier)
def gradient_boosting_classifier(model: Any, x: Tensor, graph: Graph) -> tuple[Tensor, Tensor, Tensor]:
    """Boosted scores of each class, or of the second of two."""
    return classified(model, _boosted(model, x, graph), graph, tie=1)


def _boosted(model: Any, x: Tensor, graph: Graph) -> Tensor:
    stages, targets = model.estimators_.shape
    values = [e.tree_.value[:, 0] * model.learning_rate for e in model.estimators_.ravel()]
    trees = trees_of(model.estimators_.ravel(), values)
    sizes = [e.tree_.node_count for e in model.estimators_.ravel()]
    target = np.repeat(np.tile(np.arange(targets), stages), sizes)
    start: Floats = model._raw_predict_init(np.zeros((1, model.n_features_in_)))
    return summed(graph, rounded(x), replace(trees, target=target), targets) + start


def classified(model: Any, raw: Tensor, graph: Graph, *, tie: int) -> tuple[Tensor, Tensor, Tensor]:
    """Labels, probabilities and scores from the scores of a boosted classifier.

    Args:
        model: The classifier; its loss decides how scores become probabilities.
        raw: Scores, ``[N, 1]`` for two classes, else ``[N, classes]``.
        graph: The graph to add to.
        tie: The class of two that a score of exactly zero means.
    """
    if raw.width != 1:
        return graph.pick(model.classes_, graph.argmax(raw)), graph.op("Softmax", raw, axis=1), raw
    is_second = (raw >= 0.0) if tie else (raw > 0.0)
    label = graph.pick(model.classes_, is_second.cast("int64").reshape(-1))
    scale = 2.0 if type(model._loss).__name__ == "ExponentialLoss" else 1.0
    second = graph.op("Sigmoid", raw * scale if scale != 1.0 else raw)
    return label, graph.concat([1.0 - second, second]), raw


@converter(IsolationForest)
def isolation_forest(model: IsolationForest, x: Tensor, graph: Graph) -> tuple[Tensor, Tensor]:
    """-1 for outliers; the score falls with the depth at which the trees isolate a row."""
    depths = [
        (path + average - 1.0)[:, None]
        for path, average in zip(
            model._decision_path_lengths, model._average_path_length_per_tree, strict=True
        )
    ]
    trees = trees_of(model.estimators_, depths)
    # scikit-learn's trees heed `missing_go_to_left` in full tables alone.
    if getattr(model, "fed_sparse", False):
        trees = replace(trees, missing_left=np.zeros_like(trees.missing_left))
    seen = on_columns(trees, model.estimators_features_)
    longest = len(model.estimators_) * float(_average_path_length([model._max_samples])[0])
    total = summed(graph, rounded(x), seen, 1)
    halvings = total / longest if longest else total * 0.0 + 1.0
    score = -graph.op("Exp", halvings * -float(np.log(2))) - float(model.offset_)
    label = graph.where(score < 0.0, np.asarray(-1), graph.constant(np.asarray(1)))
    return label.reshape(-1), score


@converter(RandomTreesEmbedding)
def random_trees_embedding(model: RandomTreesEmbedding, x: Tensor, graph: Graph) -> Tensor:
    """One column for each leaf, 1 where the row ends, dense."""
    leaves = [np.asarray(numbers) for numbers in model.one_hot_encoder_.categories_]
    places = []
    for estimator, numbers in zip(model.estimators_, leaves, strict=True):
        place = np.full((estimator.tree_.node_count, 1), float(NOWHERE))
        place[numbers.astype(np.int64), 0] = np.arange(len(numbers))
        places.append(place)
    found = reached(graph, rounded(x), trees_of(model.estimators_, places)).cast("int64")
    return graph.concat(
        [one_hot(graph, found.columns([at]), len(numbers)) for at, numbers in enumerate(leaves)]
    )
