"""Turn CatBoost's trees into ONNX: features rounded to float32, leaves summed in double precision."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd

from sls_ml.artifact.converters import Graph, Tensor, converter
from sls_ml.artifact.converters.categories import split_columns
from sls_ml.artifact.converters.ensembles import Trees
from sls_ml.artifact.converters.labels import of_second
from sls_ml.artifact.converters.trees import summed_columns
from sls_ml.artifact.exporters.catboost_categories import Columns, Seen
from sls_ml.artifact.exporters.catboost_code import names_are_shared, with_all_tables
from sls_ml.artifact.exporters.catboost_tables import Questions
from sls_ml.errors import ModelError

NAME = "CatBoost"
PACKAGES: tuple[str, ...] = ("catboost",)

_SEEN = "sls_ml_seen"
"""The attribute of a model that holds the rows of the sample."""

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
    """Give a classifier or regressor for a bare CatBoost, which predicts as that does.

    Raises:
        ModelError: It is not fitted, or reads texts or embeddings.
    """
    if not model.is_fitted():
        raise ModelError(
            f"{type(model).__name__} is not fitted.",
            code="model-not-fitted",
            mend="fit the model before you convert it",
        )
    _check_features(model)
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
    """As `Library.categories`: its models hold hashes, and answer for whatever is not among them."""
    return {}


def hashed(model: Any) -> Sequence[int]:
    """As `Library.hashed`: all categorical columns."""
    return tuple(model.get_cat_feature_indices())


def taught(model: Any, frame: pd.DataFrame) -> Any:
    """As `Library.taught`."""
    ready = copy.copy(model)
    setattr(ready, _SEEN, Seen(frame, tuple(hashed(model))))
    return ready


def labels(model: Any) -> int:
    """As `Library.labels`."""
    several = str(model.get_all_params().get("loss_function")) in _INDICATORS
    return len(model.classes_) if several else 0


def splits(model: Any) -> list[tuple[int, float]]:
    """As `Library.splits`."""
    features = _model_of(model)["features_info"].get("float_features")
    return [
        (entry["flat_feature_index"], border) for entry in features or () for border in entry["borders"] or ()
    ]


@converter(catboost.CatBoostRegressor, columns=True)
def regressor(model: Any, inputs: list[Tensor], graph: Graph) -> Tensor:
    """The sum of the trees, through an exponential for counts."""
    document = _model_of(model)
    raw = _raw(model, document, inputs, graph)
    match _loss(document):
        case name if name in _IDENTITY:
            return raw
        case name if name in _EXPONENT:
            return graph.op("Exp", raw)
        case name:
            raise _refusal(model, f"the loss {name!r}")


@converter(catboost.CatBoostClassifier, columns=True)
def classifier(model: Any, inputs: list[Tensor], graph: Graph) -> tuple[Tensor, Tensor]:
    """Sigmoid for two classes, softmax for more, sigmoids for one against all and for several labels."""
    document = _model_of(model)
    raw = _raw(model, document, inputs, graph)
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


def _raw(model: Any, document: Mapping[str, Any], inputs: list[Tensor], graph: Graph) -> Tensor:
    """The sum of the trees, float64 ``[N, outputs]``."""
    scale, bias = document["scale_and_bias"]
    seen = _seen(model)
    if seen is not None and names_are_shared(document):
        document = with_all_tables(document, model, seen.frame)
    questions = Questions(document)
    trees = Trees.join(
        [
            *(_oblivious(tree, questions, len(bias)) for tree in document.get("oblivious_trees", ())),
            *(_grown(tree, questions, len(bias)) for tree in document.get("trees", ())),
        ]
    )
    if seen is None:
        x = graph.concat([tensor.cast("float64") for tensor in inputs])
    else:
        columns = split_columns(inputs)
        numbers = [columns[place].cast("float64") for place in questions.floats]
        x = graph.concat([*numbers, *Columns(questions, seen, columns, graph).tensors()])
    return summed_columns(graph, x, trees) * float(scale) + np.asarray(bias, dtype=np.float64)


def _seen(model: Any) -> Seen | None:
    """The rows of the sample, None where the model has no categories.

    Raises:
        ModelError: It has some, and was not taught.
    """
    seen: Seen | None = vars(model).get(_SEEN)
    if seen is None and hashed(model):
        raise ModelError(
            f"{type(model).__name__} has categorical features and is a part of another model.",
            code="model-unsupported",
            where=type(model).__name__,
            why="its model keeps hashes of categories, and only of a model that reads the table itself are "
            "their values known",
            mend="convert it by itself, or train it on numbers: put a TargetEncoder or OneHotEncoder first",
        )
    return seen


def _oblivious(tree: Mapping[str, Any], questions: Questions, width: int) -> Trees:
    """A tree that asks the same question at all nodes of a level; the first split is the lowest bit."""
    splits = tree["splits"] or ()
    depth = len(splits)
    leaves = np.asarray(tree["leaf_values"], dtype=np.float64).reshape(-1, width)
    inner = (1 << depth) - 1
    count = inner + len(leaves)
    node = np.arange(count)
    level = np.floor(np.log2(node + 1)).astype(np.int64)
    left = np.where(node < inner, 2 * node + 1, -1)
    right = np.where(node < inner, 2 * node + 2, -1)
    feature, split = np.zeros(count, dtype=np.int64), np.zeros(count)
    missing_left = np.zeros(count, dtype=bool)
    for at, question in enumerate(splits):
        asked = (level == at) & (node < inner)
        feature[asked], split[asked], missing_left[asked] = questions.of_split(question)
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


def _grown(tree: Mapping[str, Any], questions: Questions, width: int) -> Trees:
    """A tree whose nodes ask different questions."""
    rows: list[tuple[int, int, int, float, bool, Any]] = []

    def add(node: Mapping[str, Any]) -> int:
        at = len(rows)
        rows.append((-1, -1, 0, 0.0, False, node.get("value", 0.0)))
        if "split" in node:
            left, right = add(node["left"]), add(node["right"])
            rows[at] = (left, right, *questions.of_split(node["split"]), [0.0] * width)
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


def _check_features(model: Any) -> None:
    found = {
        "text features": model.get_text_feature_indices(),
        "embedding features": model.get_embedding_feature_indices(),
    }
    for kind, places in found.items():
        if places:
            raise ModelError(
                f"{type(model).__name__} has {kind}.",
                code="model-unsupported",
                where=type(model).__name__,
                why="what it computes of them has no exact ONNX form here",
                mend="train it on numbers and categories; a TfidfVectorizer before it makes numbers of texts",
            )


def _refusal(model: Any, what: str) -> ModelError:
    return ModelError(
        f"{type(model).__name__} has {what}, which has no exact ONNX form here.",
        code="model-unsupported",
        where=type(model).__name__,
        mend="train with one of the losses in docs/sources.md",
    )
