"""What a fitted scikit-learn model is made of: its steps, its kind, and which parts read which column."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sls_ml.artifact.exporters.graph_model import GraphModel
from sls_ml.artifact.exporters.libraries import Library, library_of
from sls_ml.errors import ModelError

if TYPE_CHECKING:
    import pandas as pd

_TEXT = ("CountVectorizer", "TfidfVectorizer", "HashingVectorizer")
_KEEP_GAPS = (
    "Binarizer",
    "FunctionTransformer",
    "MaxAbsScaler",
    "Normalizer",
    "PolynomialFeatures",
    "RobustScaler",
    "SimpleImputer",
    "StandardScaler",
)
"""Transformers besides selectors whose answer is sparse where their input is."""
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
    if isinstance(model, GraphModel):
        return model.estimator
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

    first = next((step for _, step in steps(model)), None)
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


def branches(model: Any) -> list[tuple[str, Any]]:
    """Give name and fitted part of the branches of a ColumnTransformer or FeatureUnion, else none."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import FeatureUnion

    if isinstance(model, ColumnTransformer):
        named = [(name, part) for name, part, _ in column_parts(model)]
    else:
        named = list(model.transformer_list) if isinstance(model, FeatureUnion) else []
    return [(name, part) for name, part in named if not isinstance(part, str)]


def with_branch(model: Any, branch: str, part: Any) -> Any:
    """Copy a fitted ColumnTransformer or FeatureUnion so that it has one branch, with another part in it."""
    alone = copy.copy(model)
    if hasattr(model, "transformers_"):
        alone.transformers_ = [
            (name, part if name == branch else "drop", columns) for name, _, columns in model.transformers_
        ]
    else:
        alone.transformer_list = [(branch, part)]
    return alone


def gives_sparse(step: Any) -> bool:
    """Tell whether a fitted transformer answers with a sparse table."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import FeatureUnion
    from sklearn.preprocessing import OneHotEncoder

    last = steps(step)[-1][1] if steps(step) else None
    match last:
        case ColumnTransformer():
            return bool(last.sparse_output_)
        case FeatureUnion():
            return any(gives_sparse(part) for _, part in last.transformer_list if not isinstance(part, str))
        case OneHotEncoder():
            return bool(last.sparse_output)
        case _:
            return type(last).__name__ in (*_TEXT, "TfidfTransformer")


def keeps_sparse(step: Any) -> bool:
    """Tell whether a fitted transformer answers with a sparse table when it is given one."""
    from sklearn.feature_selection import SelectorMixin

    return isinstance(step, SelectorMixin) or type(step).__name__ in _KEEP_GAPS


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
        elif known := own_categories(step):
            yield _Encoder(list(known.values())), [current[position] for position in known]
        if type(step).__name__ not in _COLUMNWISE or getattr(step, "add_indicator", False):
            return
        if len(getattr(step, "statistics_", current)) != len(current):
            return


class _Encoder:
    """The categories that a model knows by itself, in the form of an encoder's."""

    def __init__(self, categories: Sequence[Sequence[Any]]) -> None:
        import numpy as np

        self.categories_ = [np.asarray(values) for values in categories]


def own_categories(model: Any) -> Mapping[int, Sequence[Any]]:
    """Give the known values of categorical columns that a model of boosted trees encodes by itself."""
    library = library_of(model)
    return {} if library is None else library.categories(model)


def hashed(model: Any) -> Sequence[int]:
    """Give the positions of the input columns of whose categories a model keeps hashes alone."""
    library = library_of(steps(model)[0][1])
    return () if library is None else library.hashed(steps(model)[0][1])


def taught(model: Any, frame: pd.DataFrame) -> Any:
    """Give a model that knows the values behind its hashes by the sample's rows; others as they are."""
    if isinstance(model, GraphModel) or len(flat := steps(model)) != 1 or not hashed(model):
        return model
    library = library_of(flat[0][1])
    return model if library is None else library.taught(flat[0][1], frame)


def feature_names(model: Any) -> list[str] | None:
    """Give the names of the columns that a model was trained on, None where they had none."""
    library = library_of(steps(model)[0][1])
    if library is not None:
        return library.feature_names(steps(model)[0][1])
    known = getattr(model, "feature_names_in_", None)
    return None if known is None else [str(name) for name in known]


def width(model: Any) -> int | None:
    """Give the number of columns that a model takes, None where it does not say."""
    library = library_of(steps(model)[0][1])
    found = getattr(model, "n_features_in_", None) if library is None else library.width(steps(model)[0][1])
    return None if found is None else int(found)


def library_name(model: Any) -> str:
    """Name the library of the model's last step."""
    if isinstance(model, GraphModel):
        return model.library
    library = library_of(steps(model)[-1][1])
    return "scikit-learn" if library is None else library.NAME


def packages(model: Any) -> list[str]:
    """Give the packages that the model's libraries may come in."""
    if isinstance(model, GraphModel):
        return ["torch"] if model.library == "PyTorch" else []
    return [package for library in libraries(model) for package in library.PACKAGES]


def libraries(model: Any) -> list[Library]:
    """Give the libraries of the model's parts besides scikit-learn, and make their converters known."""
    found = {library.NAME: library for part in parts(model) if (library := library_of(part)) is not None}
    return list(found.values())


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
        elif id(part) not in seen and (
            isinstance(part, BaseEstimator) or hasattr(part, "estimator") or library_of(part) is not None
        ):
            seen.add(id(part))
            yield part
            fitted = [value for name, value in sorted(vars(part).items()) if name.endswith("_")]
            held = [
                vars(part).get(name) for name in ("steps", "transformer_list", "estimator", "calibrators")
            ]
            waiting += [*reversed(fitted), *reversed(held)]
