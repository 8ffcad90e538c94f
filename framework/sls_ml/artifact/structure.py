"""What a fitted scikit-learn model is made of: its steps, its kind, and which parts read which column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sls_ml.errors import ModelError

_TEXT = ("CountVectorizer", "TfidfVectorizer", "HashingVectorizer")
_COLUMNWISE = (
    "SimpleImputer",
    "StandardScaler",
    "MinMaxScaler",
    "MaxAbsScaler",
    "RobustScaler",
    "QuantileTransformer",
    "PowerTransformer",
    "OrdinalEncoder",
)
"""Transformers that give one column for each column that they take, in the same order."""


def unwrapped(model: Any) -> Any:
    """Give the estimator that a finished search holds, or the model itself."""
    from sklearn.model_selection._search import BaseSearchCV

    while isinstance(model, BaseSearchCV):
        if not hasattr(model, "best_estimator_"):
            raise ModelError(
                "The search was made with refit=False, so there is no model in it.",
                code="model-not-fitted",
                where=type(model).__name__,
                mend="fit the search with refit=True, or hand over the refitted estimator",
            )
        model = model.best_estimator_
    return model


def steps(model: Any) -> list[tuple[str, Any]]:
    """Give the named steps of a model, nested pipelines and searches flattened, steps that pass dropped."""
    from sklearn.pipeline import Pipeline

    model = unwrapped(model)
    if not isinstance(model, Pipeline):
        return [("model", model)]
    flat: list[tuple[str, Any]] = []
    for name, step in model.steps:
        inner = None if step is None or isinstance(step, str) else unwrapped(step)
        if inner is None:
            continue
        if isinstance(inner, Pipeline):
            flat += [(f"{name}.{below}", part) for below, part in steps(inner)]
        else:
            flat.append((name, inner))
    return flat


def describe(model: Any) -> str:
    """Name a model by its classes, such as ``Pipeline(StandardScaler, LogisticRegression)``."""
    parts = [type(step).__name__ for _, step in steps(model)]
    inner = unwrapped(model)
    if len(parts) == 1 and type(inner).__name__ == parts[0]:
        return parts[0]
    return f"{type(inner).__name__}({', '.join(parts)})"


def kind_of(model: Any) -> str:
    """Give the manifest's kind of a model.

    Raises:
        ModelError: The model neither predicts nor transforms.
    """
    from sklearn.base import is_classifier, is_clusterer, is_outlier_detector, is_regressor

    last = steps(model)[-1][1] if steps(model) else None
    if is_classifier(last):
        return "classifier"
    if is_regressor(last):
        return "regressor"
    if is_outlier_detector(last):
        return "outlier_detector"
    if is_clusterer(last) or (hasattr(last, "predict") and hasattr(last, "predict_proba")):
        return "clusterer"
    if hasattr(last, "transform"):
        return "transformer"
    raise ModelError(
        f"{describe(model)} neither predicts nor transforms new rows.",
        code="model-kind",
        mend="hand over a fitted classifier, regressor, outlier detector, clusterer or transformer",
    )


def reads_text(model: Any) -> bool:
    """Tell whether the model takes a list of texts instead of a table."""
    from sklearn.pipeline import FeatureUnion

    first = steps(model)[0][1]
    if isinstance(first, FeatureUnion):
        return any(reads_text(part) for _, part in first.transformer_list if not isinstance(part, str))
    return type(first).__name__ in _TEXT


def used_columns(model: Any, width: int) -> list[int]:
    """Give the positions of the columns that the model reads; a ColumnTransformer may drop some."""
    from sklearn.compose import ColumnTransformer

    first = steps(model)[0][1]
    if not isinstance(first, ColumnTransformer):
        return list(range(width))
    used = {position for _, _, positions in column_parts(first) for position in positions}
    return sorted(used)


def column_parts(transformer: Any) -> list[tuple[str, Any, list[int]]]:
    """Give name, fitted part and column positions of the parts of a ColumnTransformer that are kept."""
    positions: dict[str, Sequence[int]] = transformer._transformer_to_input_indices
    return [
        (name, part, list(positions[name]))
        for name, part, _ in transformer.transformers_
        if not (isinstance(part, str) and part == "drop") and len(positions[name])
    ]


def encoders(model: Any, columns: Sequence[int]) -> Iterator[tuple[Any, list[int]]]:
    """Give each category encoder that reads input columns unchanged, with those columns' positions."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import FeatureUnion

    if isinstance(model, str) or model is None:
        return
    current = list(columns)
    for _, step in steps(model):
        if isinstance(step, ColumnTransformer):
            for _, part, positions in column_parts(step):
                yield from encoders(part, [current[position] for position in positions])
            return
        if isinstance(step, FeatureUnion):
            for _, part in step.transformer_list:
                yield from encoders(part, current)
            return
        if hasattr(step, "categories_") and len(step.categories_) == len(current):
            yield step, current
        if type(step).__name__ not in _COLUMNWISE or getattr(step, "add_indicator", False):
            return
        if len(getattr(step, "statistics_", current)) != len(current):
            return


def parts(model: Any) -> Iterator[Any]:
    """Give the model and every fitted estimator within it, at any depth."""
    from sklearn.base import BaseEstimator

    seen: set[int] = set()
    waiting = [model]
    while waiting:
        part = waiting.pop()
        if isinstance(part, (list, tuple)):
            waiting += reversed(part)
        elif hasattr(part, "dtype") and hasattr(part, "ravel"):
            if part.dtype == object:
                waiting += reversed(part.ravel().tolist())
        elif isinstance(part, dict):
            waiting += reversed(list(part.values()))
        elif (isinstance(part, BaseEstimator) or hasattr(part, "estimator")) and id(part) not in seen:
            seen.add(id(part))
            yield part
            fitted = [value for name, value in sorted(vars(part).items()) if name.endswith("_")]
            held = [
                vars(part).get(name) for name in ("steps", "transformer_list", "estimator", "calibrators")
            ]
            waiting += [*reversed(fitted), *reversed(held)]
