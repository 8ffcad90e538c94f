"""Turn CatBoost's trees into ONNX: features rounded to float32, leaves summed in double precision."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import catboost
import numpy as np

from sls_ml.artifact.converters import Graph, Tensor, converter
from sls_ml.artifact.converters.ensembles import Trees
from sls_ml.artifact.converters.labels import of_second
from sls_ml.artifact.converters.trees import summed_columns
from sls_ml.errors import ModelError

NAME = "CatBoost"
PACKAGES: tuple[str, ...] = ("catboost",)

_IDENTITY = (
    "Expectile",
    "Huber",
    "Lq",
    "MAE",
    "MAPE",
    "MultiQuantile",
    "MultiRMSE",
    "Quantile",
    "RMSE",
)
_INDICATORS = ("MultiCrossEntropy", "MultiLogloss")
_EXPONENT = ("LogLinQuantile", "Poisson", "Tweedie")


def read(path: Path) -> Any:
    """Read a .cbm file as the estimator that its objective makes it."""
    model = catboost.CatBoost().load_model(str(path))
    return adopted(model)


def adopted(model: Any) -> Any:
    """Give a classifier or regressor for a bare CatBoost, which predicts as that does."""
    if isinstance(model, (catboost.CatBoostClassifier, catboost.CatBoostRegressor)):
        return model
    estimator = catboost.CatBoostClassifier() if len(model.classes_) else catboost.CatBoostRegressor()
    estimator.load_model(blob=model._serialize_model())
    return estimator


def feature_names(model: Any) -> list[str] | None:
    """As `Library.feature_names`; CatBoost calls columns without names by their number."""
    names = [str(name) for name in model.feature_names_]
    return None if names == [str(at) for at in range(len(names))] else names


def width(model: Any) -> int:
    """As `Library.width`."""
    return len(model.feature_names_)


def categories(model: Any) -> dict[int, list[Any]]:  # noqa: ARG001
    """As `Library.categories`: models with some are refused."""
    return {}


def labels(model: Any) -> int:
    """As `Library.labels`."""
    several = str(model.get_all_params().get("loss_function")) in _INDICATORS
    return len(model.classes_) if several else 0


def splits(model: Any) -> list[tuple[int, float]]:
    """As `Library.splits`."""
    features = _model_of(model)["features_info"]["float_features"]
    return [(entry["flat_feature_index"], border) for entry in features for border in entry["borders"]]


@converter(catboost.CatBoostRegressor)
def regressor(model: Any, x: Tensor, graph: Graph) -> Tensor:
    """The sum of the trees, through an exponential for counts."""
    document = _model_of(model)
    raw = _raw(model, document, x, graph)
    match _loss(document):
        case name if name in _IDENTITY:
            return raw
        case name if name in _EXPONENT:
            return graph.op("Exp", raw)
        case name:
            raise _refusal(model, f"the loss {name!r}")


@converter(catboost.CatBoostClassifier)
def classifier(model: Any, x: Tensor, graph: Graph) -> tuple[Tensor, Tensor]:
    """Sigmoid for two classes, softmax for more, sigmoids for one against all and for several labels."""
    document = _model_of(model)
    raw = _raw(model, document, x, graph)
    match _loss(document):
        case "Logloss" | "CrossEntropy":
            label = graph.pick(model.classes_, (raw > 0.0).cast("int64").reshape(-1))
            second = graph.op("Sigmoid", raw)
            return label, graph.concat([1.0 - second, second])
        case "MultiClass":
            return graph.pick(model.classes_, graph.argmax(raw)), graph.op("Softmax", raw, axis=1)
        case "MultiClassOneVsAll":
            return graph.pick(model.classes_, graph.argmax(raw)), graph.op("Sigmoid", raw)
        case name if name in _INDICATORS:
            return (raw > 0.0).cast("int64"), of_second(graph, graph.op("Sigmoid", raw))
        case name:
            raise _refusal(model, f"the loss {name!r}")


def _model_of(model: Any) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "model.json")
        model.save_model(str(file), format="json")
        document: dict[str, Any] = json.loads(file.read_text())
    return document


def _loss(document: Mapping[str, Any]) -> str:
    return str(document["model_info"]["params"]["loss_function"]["type"])


def _raw(model: Any, document: Mapping[str, Any], x: Tensor, graph: Graph) -> Tensor:
    """The sum of the trees, float64 ``[N, outputs]``."""
    features = document["features_info"]
    other = [kind for kind in ("categorical_features", "ctrs", "text_features") if features.get(kind)]
    if other:
        raise ModelError(
            f"{type(model).__name__} has {' and '.join(other).replace('_', ' ')}.",
            code="model-unsupported",
            where=type(model).__name__,
            why="its model keeps hashes of categories and texts, not themselves, and a graph cannot hash",
            mend="train it on numbers: put a OneHotEncoder, OrdinalEncoder or TargetEncoder before it in a "
            "Pipeline, or use the categories of XGBoost or LightGBM",
        )
    scale, bias = document["scale_and_bias"]
    columns = {entry["feature_index"]: entry for entry in features["float_features"]}
    trees = Trees.join(
        [
            *(_oblivious(tree, columns, len(bias)) for tree in document.get("oblivious_trees", ())),
            *(_grown(tree, columns, len(bias)) for tree in document.get("trees", ())),
        ]
    )
    return summed_columns(graph, x, trees) * float(scale) + np.asarray(bias, dtype=np.float64)


def _oblivious(tree: Mapping[str, Any], columns: Mapping[int, Any], width: int) -> Trees:
    """A tree that asks the same question at all nodes of a level; the first split is the lowest bit."""
    depth = len(tree["splits"])
    leaves = np.asarray(tree["leaf_values"], dtype=np.float64).reshape(-1, width)
    inner = (1 << depth) - 1
    count = inner + len(leaves)
    node = np.arange(count)
    level = np.floor(np.log2(node + 1)).astype(np.int64)
    left = np.where(node < inner, 2 * node + 1, -1)
    right = np.where(node < inner, 2 * node + 2, -1)
    feature, split = np.zeros(count, dtype=np.int64), np.zeros(count)
    missing_left = np.zeros(count, dtype=bool)
    for at, question in enumerate(tree["splits"]):
        column = columns[question["float_feature_index"]]
        asked = (level == at) & (node < inner)
        feature[asked] = column["flat_feature_index"]
        split[asked] = np.float32(question["border"])
        missing_left[asked] = column["nan_value_treatment"] != "AsTrue"
    # A leaf of the heap, read from the root, has the first split's answer as its highest bit.
    reversed_bits = [
        sum((path >> (depth - 1 - bit) & 1) << bit for bit in range(depth)) for path in range(len(leaves))
    ]
    value = np.zeros((count, width))
    value[inner:] = leaves[reversed_bits]
    return Trees(
        left=left,
        right=right,
        feature=feature,
        split=split,
        missing_left=missing_left,
        value=value,
        target=np.zeros(count, dtype=np.int64),
        roots=np.zeros(1, dtype=np.int64),
        members={},
    )


def _grown(tree: Mapping[str, Any], columns: Mapping[int, Any], width: int) -> Trees:
    """A tree whose nodes ask different questions."""
    rows: list[tuple[int, int, int, float, bool, Any]] = []

    def add(node: Mapping[str, Any]) -> int:
        at = len(rows)
        rows.append((-1, -1, 0, 0.0, False, node.get("value", 0.0)))
        if "split" in node:
            column = columns[node["split"]["float_feature_index"]]
            rows[at] = (
                add(node["left"]),
                add(node["right"]),
                column["flat_feature_index"],
                float(np.float32(node["split"]["border"])),
                column["nan_value_treatment"] != "AsTrue",
                [0.0] * width,
            )
        return at

    add(tree)
    left, right, feature, split, missing_left, value = zip(*rows, strict=True)
    return Trees(
        left=np.asarray(left, dtype=np.int64),
        right=np.asarray(right, dtype=np.int64),
        feature=np.asarray(feature, dtype=np.int64),
        split=np.asarray(split),
        missing_left=np.asarray(missing_left, dtype=bool),
        value=np.asarray([np.broadcast_to(row, (width,)) for row in value], dtype=np.float64),
        target=np.zeros(len(left), dtype=np.int64),
        roots=np.zeros(1, dtype=np.int64),
        members={},
    )


def _refusal(model: Any, what: str) -> ModelError:
    return ModelError(
        f"{type(model).__name__} has {what}, which has no exact ONNX form here.",
        code="model-unsupported",
        where=type(model).__name__,
        mend="train with one of the losses in docs/sources.md",
    )
