"""Excuse an answer that rounding decides: the original gives its like when the inputs' last digits differ.

A kernel takes the difference of squares: of two rows near 1e6, one apart, it keeps four digits, and which
ones depends on the order of additions, that is on the machine. Such a row is excused only if the original's
own answers for rows that differ from it in the last digits scatter as far, and only in models without jumps:
where a model jumps, at a tree's threshold, such rows may rightly have other answers than the row itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sls_ml.artifact import structure

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Array = np.ndarray[Any, Any]

_SHAKEN = 2.0**-50
"""How far a number is moved, relatively: at most eight of the doubles next to it."""

_SHAKES = 32
_MOST = 2000
"""Rows that are looked at; of a model that differs on more, none is excused."""

_CONTAINERS = ("ColumnTransformer", "FeatureUnion", "Pipeline")
_MOVING = (
    *("FactorAnalysis", "FastICA", "GaussianRandomProjection", "IncrementalPCA", "KernelCenterer"),
    *("KernelPCA", "LinearDiscriminantAnalysis", "MaxAbsScaler", "MinMaxScaler", "Normalizer", "Nystroem"),
    *("PCA", "PolynomialFeatures", "PowerTransformer", "RBFSampler", "RobustScaler", "SelectKBest"),
    *("SimpleImputer", "SparseRandomProjection", "StandardScaler", "TruncatedSVD", "VarianceThreshold"),
)
_PREDICTING = (
    *("BayesianRidge", "GaussianMixture", "GaussianNB", "GaussianProcessRegressor", "KernelRidge"),
    *("LabelPropagation", "LabelSpreading", "Lasso", "LinearRegression", "LinearSVC", "LinearSVR"),
    *("LogisticRegression", "MLPClassifier", "MLPRegressor", "NearestCentroid", "NuSVC", "NuSVR"),
    *("OneClassSVM", "QuadraticDiscriminantAnalysis", "Ridge", "RidgeClassifier", "SVC", "SVR"),
)
_CONTINUOUS = frozenset((*_CONTAINERS, *_MOVING, *_PREDICTING))
"""Estimators whose numbers do not jump; encoders of texts may stand beside them."""


def excused(
    model: Any,
    frame: pd.DataFrame,
    key: str,
    got: Array,
    answers: Callable[[pd.DataFrame], Mapping[str, Array]],
) -> Array:
    """Tell for each row whether rounding explains the answer.

    Args:
        model: The original.
        frame: The rows.
        key: The key of the answer.
        got: The graph's answers, ``[N]`` or ``[N, C]``.
        answers: Gives the original's answers for rows.
    """
    import numpy as np

    moved = [at for at, dtype in enumerate(frame.dtypes) if dtype.kind == "f"]
    if not moved or len(frame) > _MOST or not all(map(_is_continuous, structure.parts(model))):
        return np.zeros(len(frame), dtype=bool)
    many = frame.loc[frame.index.repeat(_SHAKES)].reset_index(drop=True)
    random = np.random.default_rng(0)
    for at in moved:
        name = many.columns[at]
        many[name] = many[name] * (1.0 + random.uniform(-_SHAKEN, _SHAKEN, len(many)))
    said = np.asarray(answers(many)[key]).reshape(len(frame), _SHAKES, -1)
    given = np.asarray(got).reshape(len(frame), 1, -1)
    if key == "label":
        return np.asarray((said.astype(str) == given.astype(str)).any(axis=1).all(axis=1))
    said, given = said.astype(float), given.astype(float)[:, 0]
    low, high = said.min(axis=1), said.max(axis=1)
    # So few samples do not meet their own bounds: as much again lies between one more and them.
    span = high - low
    return np.asarray(((given >= low - span) & (given <= high + span)).all(axis=1))


def _is_continuous(part: Any) -> bool:
    name = type(part).__name__
    if name in ("OneHotEncoder", "OrdinalEncoder", "TargetEncoder"):
        return all(known.dtype.kind in "OUS" for known in getattr(part, "categories_", ()))
    return name in _CONTINUOUS or name in ("CountVectorizer", "TfidfVectorizer")
