"""Histogram gradient boosting, with its own ordinal encoding of categorical features."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from sls_ml.artifact.converters.categories import is_missing, positions, split_columns
from sls_ml.artifact.converters.ensembles import Trees, summed
from sls_ml.artifact.converters.graph import Graph, Tensor
from sls_ml.artifact.converters.registry import converter
from sls_ml.artifact.converters.trees import classified
from sls_ml.errors import ModelError


@converter(HistGradientBoostingRegressor, columns=True)
def hist_gradient_boosting_regressor(model: Any, inputs: list[Tensor], graph: Graph) -> Tensor:
    """Squared and absolute error, quantiles; Poisson and gamma through their link."""
    raw = _raw(model, inputs, graph)
    link = type(model._loss.link).__name__
    match link:
        case "IdentityLink":
            return raw
        case "LogLink":
            return graph.op("Exp", raw)
        case _:
            raise ModelError(
                f"{type(model).__name__} has a loss that we do not know: {model.loss!r}",
                code="loss-unknown",
                where=type(model).__name__,
                mend="train with one of the losses of scikit-learn",
            )


@converter(HistGradientBoostingClassifier, columns=True)
def hist_gradient_boosting_classifier(
    model: Any, inputs: list[Tensor], graph: Graph
) -> tuple[Tensor, Tensor, Tensor]:
    """Scores of each class, or of the second of two."""
    return classified(model, _raw(model, inputs, graph), graph, tie=0)


def _raw(model: Any, inputs: list[Tensor], graph: Graph) -> Tensor:
    """Scores before the link, float64 ``[N, targets]``; features are compared in double precision."""
    if model._preprocessor is None:
        x = graph.concat([tensor.cast("float64") for tensor in inputs])
    else:
        x = _encoded(model, inputs, graph)
    stages = model._predictors
    trees = Trees.join([_tree(p, target) for stage in stages for target, p in enumerate(stage)])
    start = np.asarray(model._baseline_prediction, dtype=np.float64).reshape(1, -1)
    return summed(graph, x, trees, model.n_trees_per_iteration_) + start


def _encoded(model: Any, inputs: list[Tensor], graph: Graph) -> Tensor:
    """Features as the trees see them: encoded categories first, NaN for unknown ones, then the numbers."""
    columns = split_columns(inputs)
    encoder = model._preprocessor.named_transformers_["encoder"]
    categorical = np.flatnonzero(model.is_categorical_)
    numerical = np.flatnonzero(~model.is_categorical_)
    found = []
    for at, categories in zip(categorical, encoder.categories_, strict=True):
        known = [value for value in categories if not is_missing(value)]
        place = positions(graph, columns[at], np.asarray(known, dtype=object))
        found.append(graph.pick([*range(len(known)), np.nan], place))
    return graph.concat([*found, *(columns[at].cast("float64") for at in numerical)])


def _tree(predictor: Any, target: int) -> Trees:
    nodes = predictor.nodes
    leaf = nodes["is_leaf"].astype(bool)
    # One row of 256 bits for each categorical split: the encoded categories that go left.
    bits = np.unpackbits(predictor.raw_left_cat_bitsets.view(np.uint8), axis=1, bitorder="little")
    categorical = np.flatnonzero(nodes["is_categorical"].astype(bool) & ~leaf)
    return Trees(
        left=np.where(leaf, -1, nodes["left"].astype(np.int64)),
        right=np.where(leaf, -1, nodes["right"].astype(np.int64)),
        feature=nodes["feature_idx"].astype(np.int64),
        split=nodes["num_threshold"].astype(np.float64),
        missing_left=nodes["missing_go_to_left"].astype(bool),
        value=nodes["value"].astype(np.float64)[:, None],
        target=np.full(len(nodes), target, dtype=np.int64),
        roots=np.zeros(1, dtype=np.int64),
        # -1 is no code: it stands for "none", where only missing values go left.
        members={
            int(at): np.flatnonzero(bits[nodes["bitset_idx"][at]]).tolist() or [-1] for at in categorical
        },
    )
