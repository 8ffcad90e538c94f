"""Turn LightGBM's trees into ONNX: features compared and leaves summed in double precision, as it does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from sls_ml.artifact.converters import Graph, Tensor, converter
from sls_ml.artifact.converters.categories import positions, split_columns
from sls_ml.artifact.converters.ensembles import Trees, summed
from sls_ml.errors import ModelError

NAME = "LightGBM"
PACKAGES: tuple[str, ...] = ("lightgbm",)

_ZERO = 1.0000000180025095e-35
"""LightGBM takes numbers up to this size for zero."""

_CATEGORICAL, _DEFAULT_LEFT = 1, 2
_NO_MISSING, _ZERO_MISSING = 0, 1
_CATEGORICAL_COLUMNS = re.compile(r"^\[categorical_feature: ([\d,]+)\]$", re.MULTILINE)
_NO_NAME = re.compile(r"Column_\d+")

_IDENTITY = (
    "fair",
    "huber",
    "lambdarank",
    "mape",
    "quantile",
    "rank_xendcg",
    "regression",
    "regression_l1",
)
_EXPONENT = ("gamma", "poisson", "tweedie")


class BoosterRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A booster as an estimator: its values."""

    def __init__(self, booster: Any) -> None:
        self.booster = booster
        self.n_features_in_ = booster.num_feature()

    def __sklearn_is_fitted__(self) -> bool:
        """A booster is trained."""
        return True

    def fit(self, rows: Any, target: Any = None) -> BoosterRegressor:  # noqa: ARG002 - scikit-learn asks for it
        """Nothing is left to fit."""
        return self

    def predict(self, rows: Any) -> Any:
        """The booster's own answer."""
        return self.booster.predict(rows)


class BoosterClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A booster as an estimator: its probabilities, and the number of the likeliest class."""

    def __init__(self, booster: Any) -> None:
        self.booster = booster
        self.n_features_in_ = booster.num_feature()
        self.classes_ = np.arange(max(2, booster.num_model_per_iteration()))

    def __sklearn_is_fitted__(self) -> bool:
        """A booster is trained."""
        return True

    def predict_proba(self, rows: Any) -> Any:
        """One column for each class."""
        found = self.booster.predict(rows)
        return found if found.ndim == 2 else np.column_stack([1.0 - found, found])

    def predict(self, rows: Any) -> Any:
        """The first of the likeliest classes."""
        return self.classes_[self.predict_proba(rows).argmax(axis=1)]


def read(path: Path) -> Any:
    """Read a .txt file, as `Booster.save_model` writes it."""
    return adopted(lightgbm.Booster(model_file=str(path)))


def adopted(model: Any) -> Any:
    """Give an estimator for a bare booster (or a ranker), which predicts as that does."""
    if isinstance(model, lightgbm.LGBMRanker):
        model = model.booster_
    if not isinstance(model, lightgbm.Booster):
        return model
    name = _Text(model).objective[0]
    return (
        BoosterClassifier(model)
        if name in ("binary", "multiclass", "multiclassova")
        else BoosterRegressor(model)
    )


def feature_names(model: Any) -> list[str] | None:
    """As `Library.feature_names`; LightGBM calls columns without names Column_0 and so on."""
    names = [str(name) for name in _booster(model).feature_name()]
    return None if all(map(_NO_NAME.fullmatch, names)) else names


def width(model: Any) -> int:
    """As `Library.width`."""
    return int(model.n_features_in_)


def categories(model: Any) -> dict[int, list[Any]]:
    """As `Library.categories`: those of a DataFrame's categorical columns, which the model keeps."""
    return _categories(model, _Text(_booster(model)))


def hashed(model: Any) -> tuple[int, ...]:  # noqa: ARG001
    """As `Library.hashed`: its models keep the categories themselves."""
    return ()


def taught(model: Any, frame: pd.DataFrame) -> Any:  # noqa: ARG001
    """As `Library.taught`: nothing is left to teach."""
    return model


def labels(model: Any) -> int:  # noqa: ARG001
    """As `Library.labels`: LightGBM has none of several labels."""
    return 0


def splits(model: Any) -> list[tuple[int, float]]:
    """As `Library.splits`."""
    found = []
    for block in _Text(_booster(model)).trees:
        kinds = _numbers(block, "decision_type", int)
        for feature, threshold, kind in zip(
            _numbers(block, "split_feature", int), _numbers(block, "threshold", float), kinds, strict=True
        ):
            if not kind & _CATEGORICAL:
                found.append((int(feature), float(threshold)))
    return found


@converter(lightgbm.LGBMRegressor, BoosterRegressor, columns=True)
def regressor(model: Any, inputs: list[Tensor], graph: Graph) -> Tensor:
    """The raw score through the objective's link."""
    text = _Text(_booster(model))
    raw = _raw(model, text, inputs, graph)
    name, options = text.objective
    match name:
        case "regression" | "regression_l1" | "huber" | "fair" | "quantile" | "mape" if "sqrt" in options:
            return graph.op("Sign", raw) * (raw * raw)
        case _ if name in _IDENTITY:
            return raw
        case _ if name in _EXPONENT:
            return graph.op("Exp", raw)
        case "cross_entropy":
            return graph.op("Sigmoid", raw)
        case "cross_entropy_lambda":
            return graph.op("Log", graph.op("Exp", raw) + 1.0)
        case _:
            raise _refusal(model, f"the objective {name!r}")


@converter(lightgbm.LGBMClassifier, BoosterClassifier, columns=True)
def classifier(model: Any, inputs: list[Tensor], graph: Graph) -> tuple[Tensor, Tensor]:
    """Sigmoid for two classes, softmax for more, sigmoids for one against all."""
    text = _Text(_booster(model))
    raw = _raw(model, text, inputs, graph)
    name, options = text.objective
    slope = float(options.get("sigmoid", 1.0))
    match name:
        case "binary":
            second = graph.op("Sigmoid", raw * slope)
            label = graph.pick(model.classes_, (raw > 0.0).cast("int64").reshape(-1))
            return label, graph.concat([1.0 - second, second])
        case "multiclass":
            found = graph.op("Softmax", raw, axis=1)
        case "multiclassova":
            found = graph.op("Sigmoid", raw * slope)
        case _:
            raise _refusal(model, f"the objective {name!r} of a classifier")
    return graph.pick(model.classes_, graph.argmax(raw)), found


class _Text:
    """A model in LightGBM's text form: the head, and the trees that are predicted with.

    Attributes:
        head: The settings before the first tree.
        trees: The settings of each tree.
        categorical: Positions of the columns that were categorical in training.
        averages: Whether the trees are averaged, as in a forest.
    """

    def __init__(self, booster: Any) -> None:
        text = booster.model_to_string(num_iteration=booster.best_iteration or -1)
        model, _, rest = text.partition("end of trees")
        head, *blocks = model.split("\nTree=")
        listed = _CATEGORICAL_COLUMNS.search(rest)
        self.categorical = sorted(map(int, listed[1].split(","))) if listed else []
        self.head = _settings(head)
        self.trees = [_settings(block) for block in blocks]
        self.averages = "\naverage_output" in head

    @property
    def objective(self) -> tuple[str, dict[str, str]]:
        """Name and options of the objective; the name is empty for one of the user's own."""
        name, *options = self.head.get("objective", "").split() or [""]
        return name, {key: value for key, _, value in (option.partition(":") for option in options)}


def _settings(block: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in block.splitlines())
    return {key: value for key, sign, value in pairs if sign}


def _numbers(block: Mapping[str, str], key: str, dtype: type) -> Any:
    return np.asarray(block.get(key, "").split(), dtype=dtype)


def _booster(model: Any) -> Any:
    return model.booster if isinstance(model, (BoosterClassifier, BoosterRegressor)) else model.booster_


def _categories(model: Any, text: _Text) -> dict[int, list[Any]]:
    """Known values of the categorical columns of the DataFrame that the model was trained on.

    LightGBM keeps them without saying whose they are; all its categorical columns in their order, if the
    numbers are the same.
    """
    listed = _booster(model).pandas_categorical
    if not listed:
        return {}
    if len(text.categorical) != len(listed):
        raise _refusal(model, "categorical columns of pandas beside others that were named as categorical")
    return {at: list(values) for at, values in zip(text.categorical, listed, strict=True)}


def _raw(model: Any, text: _Text, inputs: list[Tensor], graph: Graph) -> Tensor:
    """The sum of the leaves, float64 ``[N, outputs]``."""
    if any(tree.get("is_linear", "0") != "0" for tree in text.trees):
        raise _refusal(model, "linear trees")
    width = int(text.head["num_tree_per_iteration"])
    trees = Trees.join([_tree(block, at % width) for at, block in enumerate(text.trees)])
    total = summed(graph, _features(model, text, inputs, graph), trees, width)
    return total / (len(text.trees) / width) if text.averages else total


def _features(model: Any, text: _Text, inputs: list[Tensor], graph: Graph) -> Tensor:
    """Features as the trees see them: doubles, codes for categories, NaN for what is missing."""
    known = _categories(model, text)
    zeros = set(_zero_is_missing(text))
    if not known and not zeros and not _coded(text):
        return graph.concat([tensor.cast("float64") for tensor in inputs])
    columns = split_columns(inputs)
    for at, column in enumerate(columns):
        if at in known:
            place = positions(graph, column, np.asarray(known[at], dtype=object))
            columns[at] = graph.pick([*map(float, range(len(known[at]))), np.nan], place)
        elif column.kind == "string":
            raise _refusal(model, f"texts in column {at}, whose categories the model does not hold")
        elif at in _coded(text):
            # LightGBM cuts the fraction off a code.
            value = column.cast("float64")
            columns[at] = graph.op("Sign", value) * graph.op("Floor", graph.op("Abs", value))
        else:
            columns[at] = column.cast("float64")
        if at in zeros:
            tiny = graph.op("Abs", columns[at]) <= _ZERO
            columns[at] = graph.where(tiny, graph.constant(np.float64(np.nan)), columns[at])
    return graph.concat(columns)


def _coded(text: _Text) -> set[int]:
    return {at for block in text.trees for at, kind in _decisions(block) if kind & _CATEGORICAL}


def _zero_is_missing(text: _Text) -> Iterator[int]:
    for block in text.trees:
        for at, kind in _decisions(block):
            if not kind & _CATEGORICAL and kind >> 2 & 3 == _ZERO_MISSING:
                yield at


def _decisions(block: Mapping[str, str]) -> list[tuple[int, int]]:
    features, kinds = (_numbers(block, key, int).tolist() for key in ("split_feature", "decision_type"))
    return list(zip(features, kinds, strict=True))


def _tree(block: Mapping[str, str], target: int) -> Trees:
    """One tree: its inner nodes first, then its leaves, which LightGBM numbers -1, -2 and so on."""
    values = _numbers(block, "leaf_value", float)
    leaves = int(block["num_leaves"])
    inner = leaves - 1
    kinds = _numbers(block, "decision_type", int)
    threshold = _numbers(block, "threshold", float)
    categorical = (kinds & _CATEGORICAL).astype(bool)
    missing = kinds >> 2 & 3
    # Without missing values in training, NaN counts as zero; a category that is missing goes right.
    missing_left = (
        np.where(missing == _NO_MISSING, threshold >= 0.0, (kinds & _DEFAULT_LEFT) > 0) & ~categorical
    )
    none = np.full(leaves, -1, dtype=np.int64)
    left, right = (
        np.append(np.where(side < 0, inner - 1 - side, side), none)
        for side in (_numbers(block, key, int)[:inner] for key in ("left_child", "right_child"))
    )
    nothing = np.zeros(leaves)
    return Trees(
        left=left,
        right=right,
        feature=np.append(_numbers(block, "split_feature", int), nothing.astype(np.int64)),
        split=np.append(np.where(categorical, 0.0, _settled(threshold)), nothing),
        missing_left=np.append(missing_left, nothing.astype(bool)),
        value=np.append(np.zeros(inner), values[:leaves])[:, None],
        target=np.full(inner + leaves, target, dtype=np.int64),
        roots=np.zeros(1, dtype=np.int64),
        members={int(at): _members(block, int(threshold[at])) for at in np.flatnonzero(categorical)},
    )


def _settled(threshold: Any) -> Any:
    """Move thresholds that lie within what LightGBM takes for zero to its ends, as it predicts."""
    below = np.where((threshold >= -_ZERO) & (threshold < 0.0), np.nextafter(-_ZERO, -np.inf), threshold)
    return np.where((threshold >= 0.0) & (threshold <= _ZERO), _ZERO, below)


def _members(block: Mapping[str, str], number: int) -> list[float]:
    """The codes that go left at a categorical split, from words of 32 bits."""
    start, end = _numbers(block, "cat_boundaries", int)[number : number + 2]
    words = _numbers(block, "cat_threshold", np.int64)[start:end]
    found = [32 * at + bit for at, word in enumerate(words.tolist()) for bit in range(32) if word >> bit & 1]
    # -1 is no code: it stands for "none".
    return [float(code) for code in found] or [-1.0]


def _refusal(model: Any, what: str) -> ModelError:
    return ModelError(
        f"{type(model).__name__} has {what}, which has no exact ONNX form here.",
        code="model-unsupported",
        where=type(model).__name__,
        mend="train with one of LightGBM's own objectives in docs/sources.md, without linear trees",
    )
