"""Turn XGBoost's trees into ONNX: the sums in float32, in XGBoost's own order, so that they are the same.

XGBoost rounds features to float32, starts from the base score and adds the leaves tree by tree. Here the
base score is a first tree without a split.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xgboost

from sls_ml.artifact.converters import Graph, Tensor, converter
from sls_ml.artifact.converters.categories import positions, split_columns
from sls_ml.artifact.converters.ensembles import Floats, Trees, summed
from sls_ml.artifact.converters.labels import of_second
from sls_ml.errors import ModelError

NAME = "XGBoost"
PACKAGES: tuple[str, ...] = ("xgboost", "xgboost-cpu")

_SAME = (
    "binary:hinge",
    "multi:softmax",
    "multi:softprob",
    "rank:map",
    "rank:ndcg",
    "rank:pairwise",
    "reg:absoluteerror",
    "reg:pseudohubererror",
    "reg:quantileerror",
    "reg:squarederror",
    "reg:squaredlogerror",
)
"""Objectives whose base score is a margin already."""

_LOGISTIC = ("binary:logistic", "reg:logistic")
_LOG = ("count:poisson", "reg:gamma", "reg:tweedie", "survival:aft", "survival:cox")


def read(path: Path) -> Any:
    """Read a .ubj or .json file, as `Booster.save_model` and the estimators' write it."""
    booster = xgboost.Booster()
    booster.load_model(bytearray(path.read_bytes()))  # by its content: MLflow has a suffix of its own
    return adopted(booster)


def adopted(model: Any) -> Any:
    """Give an estimator for a bare booster (or a ranker), which predicts as that does."""
    if isinstance(model, xgboost.XGBRanker):
        model = model.get_booster()
    if not isinstance(model, xgboost.Booster):
        return model
    booster = model.copy()
    if booster.attr("scikit_learn") is None:
        # A booster predicts with all its trees, an estimator with those up to the best round.
        booster.set_attr(best_iteration=None, best_score=None)
    classifies = _model_of(booster)["learner"]["objective"]["name"].startswith(("binary:", "multi:"))
    estimator = xgboost.XGBClassifier() if classifies else xgboost.XGBRegressor()
    estimator.load_model(booster.save_raw("ubj"))
    return estimator


def feature_names(model: Any) -> list[str] | None:
    """As `Library.feature_names`."""
    names = model.get_booster().feature_names
    return None if names is None else [str(name) for name in names]


def width(model: Any) -> int:
    """As `Library.width`."""
    return int(model.n_features_in_)


def categories(model: Any) -> dict[int, list[Any]]:
    """As `Library.categories`: those that XGBoost 3.1 and newer keep in the model."""
    return _categories(_model_of(model.get_booster()))


def hashed(model: Any) -> tuple[int, ...]:  # noqa: ARG001
    """As `Library.hashed`: its models keep the categories themselves."""
    return ()


def taught(model: Any, frame: pd.DataFrame) -> Any:  # noqa: ARG001
    """As `Library.taught`: nothing is left to teach."""
    return model


def labels(model: Any) -> int:
    """As `Library.labels`."""
    if not isinstance(model, xgboost.XGBClassifier):
        return 0
    config = json.loads(model.get_booster().save_config())
    targets = int(config["learner"]["learner_model_param"]["num_target"])
    return targets if targets > 1 else 0


def splits(model: Any) -> list[tuple[int, float]]:
    """As `Library.splits`."""
    found = []
    for tree in _trees_of(_model_of(_used(model)))[0]:
        for left, kind, feature, split in zip(
            tree["left_children"],
            tree["split_type"],
            tree["split_indices"],
            tree["split_conditions"],
            strict=True,
        ):
            if left >= 0 and kind == 0:
                found.append((feature, split))
    return found


@converter(xgboost.XGBRegressor, xgboost.XGBRFRegressor, columns=True)
def regressor(model: Any, inputs: list[Tensor], graph: Graph) -> Tensor:
    """The margin through the objective's link."""
    document = _model_of(_used(model))
    margin = _margin(model, document, inputs, graph)
    match _objective(document):
        case name if name in _LOGISTIC:
            return graph.op("Sigmoid", margin)
        case name if name in _LOG:
            return graph.op("Exp", margin)
        case _:
            return margin


@converter(xgboost.XGBClassifier, xgboost.XGBRFClassifier, columns=True)
def classifier(model: Any, inputs: list[Tensor], graph: Graph) -> tuple[Tensor, Tensor]:
    """Sigmoid of the margin for two classes, softmax of the margins for more."""
    document = _model_of(_used(model))
    margin = _margin(model, document, inputs, graph)
    name = _objective(document)
    if name in ("multi:softmax", "multi:softprob"):
        return graph.pick(model.classes_, graph.argmax(margin)), graph.op("Softmax", margin, axis=1)
    above = margin > 0.0
    if labels(model):
        if name != "binary:logistic":
            raise _refusal(model, f"the objective {name!r} for several labels")
        return above.cast("int64"), of_second(graph, graph.op("Sigmoid", margin))
    if name == "binary:hinge":
        second = above.cast("float64")
    elif name == "binary:logistic":
        second = graph.op("Sigmoid", margin)
    else:
        raise _refusal(model, f"the objective {name!r} of a classifier")
    label = graph.pick(model.classes_, above.cast("int64").reshape(-1))
    return label, graph.concat([1.0 - second, second])


def _used(model: Any) -> Any:
    """Give the booster with the trees that the estimator predicts with: up to the best round."""
    booster = model.get_booster()
    best = booster.attr("best_iteration")
    return booster if best is None else booster[: int(best) + 1]


def _model_of(booster: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(booster.save_raw("json"))
    return document


def _objective(document: Mapping[str, Any]) -> str:
    return str(document["learner"]["objective"]["name"])


def _trees_of(document: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[int], list[float]]:
    """Give the trees, the output that each adds to, and the weight of each."""
    booster = document["learner"]["gradient_booster"]
    match booster["name"]:
        case "gbtree":
            model, weights = booster["model"], None
        case "dart":
            model, weights = booster["gbtree"]["model"], booster["weight_drop"]
        case _:
            return [], [], []
    return model["trees"], model["tree_info"], weights or [1.0] * len(model["trees"])


def _margin(model: Any, document: Mapping[str, Any], inputs: list[Tensor], graph: Graph) -> Tensor:
    """The sum of the base score and the leaves, computed in float32, ``[N, outputs]`` as float64."""
    trees, targets, weights = _trees_of(document)
    if not trees:
        raise _refusal(model, f"the booster {document['learner']['gradient_booster']['name']!r}")
    if any(int(tree["tree_param"]["size_leaf_vector"]) > 1 for tree in trees):
        raise _refusal(model, "trees with several values in a leaf (multi_strategy='multi_output_tree')")
    parameters = document["learner"]["learner_model_param"]
    width = max(1, int(parameters["num_class"]), int(parameters["num_target"]))
    start = _start(model, _objective(document), parameters["base_score"], width)
    joined = Trees.join(
        [
            *(_leaf(value, target) for target, value in enumerate(start)),
            *(
                _tree(tree, target, weight)
                for tree, target, weight in zip(trees, targets, weights, strict=True)
            ),
        ]
    )
    x = _features(model, document, inputs, graph)
    return summed(graph, x, joined, width).cast("float64")


def _features(model: Any, document: Mapping[str, Any], inputs: list[Tensor], graph: Graph) -> Tensor:
    """Features as the trees see them: float32, codes for categories, NaN for what is missing."""
    known = _categories(document)
    kinds = document["learner"]["feature_types"]
    if not known and "c" not in kinds:
        x = graph.concat([tensor.cast("float64") for tensor in inputs])
        if getattr(model, "fed_sparse", False):
            # Doubles that single precision takes for zero are none of the gaps of a sparse table.
            x = graph.where(graph.equal(x, 0.0), graph.constant(np.nan), x)
        x = x.cast("float32")
    else:
        columns = split_columns(inputs)
        for at, column in enumerate(columns):
            if at in known:
                place = positions(graph, column, np.asarray(known[at], dtype=object))
                columns[at] = graph.pick([*range(len(known[at])), np.nan], place).cast("float32")
            elif column.kind == "string":
                raise _refusal(model, f"texts in column {at}, whose categories the model does not hold")
            elif kinds and kinds[at] == "c":
                columns[at] = graph.op("Floor", column.cast("float32"))
            else:
                columns[at] = column.cast("float64").cast("float32")
        x = graph.concat(columns)
    absent = model.missing
    if absent is not None and not math.isnan(absent):
        x = graph.where(graph.equal(x, np.float32(absent)), graph.constant(np.float32(np.nan)), x)
    return x


def _categories(document: Mapping[str, Any]) -> dict[int, list[Any]]:
    booster = document["learner"]["gradient_booster"]
    model = booster.get("gbtree", booster).get("model", {})
    found: dict[int, list[Any]] = {}
    for at, column in enumerate(model.get("cats", {}).get("enc", ())):
        values = column["values"]
        if "offsets" in column:
            values = _texts(values, column["offsets"])
        if values:
            found[at] = list(values)
    return found


def _texts(values: Sequence[int], ends: Sequence[int]) -> list[str]:
    """Cut categories out of the bytes that XGBoost keeps.

    Raises:
        ModelError: Some are beyond ASCII. XGBoost 3.2 counts characters where it stores bytes, so that it
            cuts them in the wrong places, and what it predicts depends on which others are in the table.
    """
    if min(values, default=0) < 0 or max(values, default=0) > 127:
        raise ModelError(
            "The model has categories with letters beyond ASCII, which XGBoost itself stores wrongly.",
            code="model-unsupported",
            where="categorical features",
            why="it counts characters where it stores bytes, so it takes categories for others",
            mend="name the categories in ASCII, or encode them before the model, and train again",
        )
    text = bytes(values).decode()
    return [text[start:end] for start, end in pairwise(ends)]


def _start(model: Any, objective: str, stored: str, width: int) -> Floats:
    """The base score as a margin, in float32 as XGBoost computes it."""
    score = np.asarray(json.loads(stored), dtype=np.float32).ravel()
    one = np.float32(1.0)
    if objective in _LOGISTIC:
        score = -np.log(one / score - one)
    elif objective in _LOG:
        score = np.log(score)
    elif objective not in _SAME:
        raise _refusal(model, f"the objective {objective!r}")
    return np.broadcast_to(score, (width,)).astype(np.float64)


def _leaf(value: float, target: int) -> Trees:
    """A tree of one leaf."""
    none = np.full(1, -1, dtype=np.int64)
    return Trees(
        left=none,
        right=none,
        feature=np.zeros(1, dtype=np.int64),
        split=np.zeros(1),
        missing_left=np.zeros(1, dtype=bool),
        value=np.full((1, 1), value),
        target=np.full(1, target, dtype=np.int64),
        roots=np.zeros(1, dtype=np.int64),
        members={},
    )


def _tree(tree: Mapping[str, Any], target: int, weight: float) -> Trees:
    left = np.asarray(tree["left_children"], dtype=np.int64)
    right = np.asarray(tree["right_children"], dtype=np.int64)
    missing_left = np.asarray(tree["default_left"], dtype=bool)
    condition = np.asarray(tree["split_conditions"], dtype=np.float32)
    by_category = np.asarray(tree["split_type"], dtype=bool) & (left >= 0)
    members: dict[int, Sequence[float]] = {}
    for node, start, size in zip(
        tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True
    ):
        # -1 is no code: it stands for "none".
        members[node] = tree["categories"][start : start + size] or [-1]
    # The categories of a node go right in XGBoost, left in ONNX.
    left, right = np.where(by_category, right, left), np.where(by_category, left, right)
    # XGBoost goes left below the condition: at most at the float32 before it.
    below = np.nextafter(condition, np.float32(-np.inf))
    return Trees(
        left=left,
        right=right,
        feature=np.asarray(tree["split_indices"], dtype=np.int64),
        split=np.where(by_category, 0.0, below.astype(np.float64)),
        missing_left=missing_left ^ by_category,
        value=(condition * np.float32(weight)).astype(np.float64)[:, None],
        target=np.full(len(left), target, dtype=np.int64),
        roots=np.zeros(1, dtype=np.int64),
        members=members,
    )


def _refusal(model: Any, what: str) -> ModelError:
    return ModelError(
        f"{type(model).__name__} has {what}, which has no exact ONNX form here.",
        code="model-unsupported",
        where=type(model).__name__,
        mend="train with booster 'gbtree' or 'dart' and one of XGBoost's own objectives; "
        "docs/sources.md lists them",
    )
