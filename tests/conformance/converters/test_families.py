"""Converters of every family answer as the original; what has no exact form is refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    IsolationForest,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, RadiusNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC, SVR, LinearSVC, NuSVC

from sls_ml.artifact.converters import NULL_STRING, Graph, Tensor, check, converter
from sls_ml.errors import ModelError


def numbers(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(240, 4))


def three(x: np.ndarray) -> np.ndarray:
    return np.array(["a", "b", "c"])[np.digitize(x[:, 0] + x[:, 1] ** 2, [0, 1.5])]


def five(x: np.ndarray) -> np.ndarray:
    return np.digitize(x[:, 0] + x[:, 1], [-1.0, -0.3, 0.4, 1.2])


def two(x: np.ndarray) -> np.ndarray:
    return (x[:, 0] + 0.5 * x[:, 1] > 0.2).astype(int)


def forest() -> RandomForestClassifier:
    return RandomForestClassifier(8, max_depth=4, random_state=0)


CLASSIFIERS = [
    (CalibratedClassifierCV(forest(), cv=3, method="isotonic"), three),
    (CalibratedClassifierCV(make_pipeline(StandardScaler(), SVC()), cv=3), two),
    (CalibratedClassifierCV(forest(), cv=3, method="isotonic"), two),
    (TunedThresholdClassifierCV(LogisticRegression(), cv=3), two),
    (FixedThresholdClassifier(forest(), threshold=0.3, pos_label=0), two),
    (KNeighborsClassifier(weights="distance"), three),
    (AdaBoostClassifier(n_estimators=10, random_state=0), three),
    (AdaBoostClassifier(LogisticRegression(), n_estimators=5, random_state=0), three),
    (BaggingClassifier(LinearSVC(), n_estimators=4, max_features=0.5, random_state=0), three),
    (StackingClassifier([("a", LogisticRegression()), ("b", forest())], cv=3, passthrough=True), three),
    (VotingClassifier([("a", LogisticRegression()), ("b", forest())], voting="soft", weights=[1, 3]), two),
    (OneVsRestClassifier(LogisticRegression()), three),
]
SCORERS = [
    (SVC(), three),
    (SVC(decision_function_shape="ovo"), five),
    (SVC(break_ties=True), five),
    (NuSVC(nu=0.2), five),
    (SVC(kernel="poly"), two),
    (LinearSVC(), three),
    (OneVsOneClassifier(LinearSVC()), three),
]
TRANSFORMERS = [
    PolynomialFeatures(3),
    PowerTransformer(),
    QuantileTransformer(n_quantiles=50, output_distribution="normal"),
    SplineTransformer(extrapolation="linear"),
    KBinsDiscretizer(n_bins=4, encode="onehot-dense", quantile_method="averaged_inverted_cdf"),
    FunctionTransformer(np.tanh),
]


@pytest.mark.parametrize(("model", "target"), CLASSIFIERS, ids=lambda v: type(v).__name__)
def test_classifier(run: Any, model: Any, target: Any) -> None:
    # GIVEN a fitted classifier with probabilities
    x, fresh = numbers(0), numbers(1)
    model.fit(x, target(x))

    # WHEN its graph answers fresh rows
    label, probabilities = run(model, fresh)

    # THEN labels and probabilities are the original's
    assert (label == model.predict(fresh)).all()
    np.testing.assert_allclose(probabilities, model.predict_proba(fresh), atol=1e-12)


@pytest.mark.parametrize(("model", "target"), SCORERS, ids=lambda v: type(v).__name__)
def test_classifier_without_probabilities(run: Any, model: Any, target: Any) -> None:
    # GIVEN a fitted classifier with a decision function alone
    x, fresh = numbers(0), numbers(1)
    model.fit(x, target(x))

    # WHEN its graph answers fresh rows
    label, scores = run(model, fresh)

    # THEN labels and scores are the original's
    assert (label == model.predict(fresh)).all()
    np.testing.assert_allclose(scores.ravel(), model.decision_function(fresh).ravel(), atol=1e-10)


@pytest.mark.parametrize("model", TRANSFORMERS, ids=lambda v: type(v).__name__)
def test_transformer(run: Any, model: Any) -> None:
    # GIVEN a fitted transformer, and rows beyond its range
    model.fit(numbers(0))
    fresh = numbers(1) * 1.5

    # WHEN its graph moves them
    [found] = run(model, fresh)

    # THEN they are where the original moves them
    np.testing.assert_allclose(found, model.transform(fresh), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    "model", [SVR(), KNeighborsRegressor(weights="distance")], ids=lambda v: type(v).__name__
)
def test_regressor(run: Any, model: Any) -> None:
    # GIVEN a fitted regressor, and a row that it was trained on among the fresh ones
    x = numbers(0)
    model.fit(x, 100 * x[:, 0])
    fresh = np.r_[numbers(1), x[:1]]

    # WHEN its graph answers
    [found] = run(model, fresh)

    # THEN the values are the original's
    np.testing.assert_allclose(found[:, 0], model.predict(fresh), rtol=1e-10, atol=1e-10)


def test_outlier_detector(run: Any) -> None:
    # GIVEN a forest that looks at half of the features in each tree
    model = IsolationForest(n_estimators=20, max_features=0.5, contamination=0.1, random_state=0).fit(
        numbers(0)
    )

    # WHEN its graph judges fresh rows
    label, score = run(model, numbers(1))

    # THEN it judges as the original
    assert (label == model.predict(numbers(1))).all()
    np.testing.assert_allclose(score[:, 0], model.decision_function(numbers(1)), atol=1e-12)


def categories(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    x = np.empty((120, 2), dtype=object)
    x[:, 0] = random.choice(["Bern", "Genf", "Zürich", "Olten"], 120, p=[0.6, 0.3, 0.08, 0.02])
    x[:, 1] = random.choice(["S", "L"], 120)
    return x


@pytest.mark.parametrize(
    "model",
    [
        OneHotEncoder(handle_unknown="ignore"),
        OneHotEncoder(drop="first"),
        OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=20, drop="if_binary"),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, max_categories=3),
        TargetEncoder(random_state=0),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:Found unknown categories")
def test_encoder(run: Any, model: Any) -> None:
    # GIVEN an encoder of text with rare categories, and fresh rows with an unknown one where it takes it
    x, fresh = categories(0), categories(1)
    model.fit(x, np.arange(120) % 3 == 0)
    if getattr(model, "handle_unknown", "ignore") != "error":
        fresh[:10, 0] = "Chur"

    # WHEN its graph encodes them
    [found] = run(model, fresh)

    # THEN the codes are the original's
    want = model.transform(fresh)
    np.testing.assert_array_equal(found, want.toarray() if hasattr(want, "toarray") else want)


@pytest.mark.parametrize(
    "model",
    [
        OrdinalEncoder(),
        OrdinalEncoder(encoded_missing_value=-1),
        OrdinalEncoder(encoded_missing_value=-0.5),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-3, encoded_missing_value=-4),
    ],
    ids=str,
)
def test_codes_of_missing_and_unknown_numbers(run: Any, model: Any) -> None:
    # GIVEN an encoder of numbers with missing ones, and fresh rows with unknown ones where it takes them
    x = np.random.default_rng(0).integers(0, 6, size=(60, 3)) * 0.5
    x[::7, 1] = np.nan
    model.fit(x)
    fresh = x[::-1].copy()
    if model.handle_unknown != "error":
        fresh[:9, 0] = 0.25

    # WHEN its graph encodes them
    [found] = run(model, fresh)

    # THEN the codes are the original's, NaN where they are
    np.testing.assert_array_equal(found, model.transform(fresh))


def test_column_transformer_inside_other_estimators(run: Any) -> None:
    # GIVEN a calibrated pipeline that calls columns by name, texts with missing values among them
    pd = pytest.importorskip("pandas")
    texts, more = categories(0), numbers(0)[:120]
    texts[:15, 0] = np.nan
    frame = pd.DataFrame({"city": texts[:, 0], "income": more[:, 0], "size": texts[:, 1], "age": more[:, 1]})
    columns = make_column_transformer(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["size", "city"]),
        (StandardScaler(), ["age", "income"]),
    )
    model = CalibratedClassifierCV(make_pipeline(columns, forest()), cv=3).fit(frame, two(more))

    # WHEN its graph gets one tensor for each column
    feed = {name: frame[[name]].to_numpy() for name in frame}
    for name in ("city", "size"):
        feed[name] = np.where(frame[[name]].isna(), NULL_STRING, frame[[name]].astype(object)).astype(object)
    label, probabilities = run(model, feed)

    # THEN labels and probabilities are the original's
    assert (label == model.predict(frame)).all()
    np.testing.assert_allclose(probabilities, model.predict_proba(frame), atol=1e-14)


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (KNeighborsClassifier(metric="manhattan"), "metric"),
        (make_pipeline(FunctionTransformer(np.sinh), Ridge()), "sinh"),
        (SVR(kernel=np.dot), "kernel"),
        (RadiusNeighborsClassifier(4.0), "no neighbour"),
        (RadiusNeighborsClassifier(4.0, outlier_label=9), "none of its classes"),
    ],
    ids=["metric", "function", "kernel", "nobody near", "label of outliers"],
)
def test_refusal_names_the_part_and_the_way_out(model: Any, named: str) -> None:
    # GIVEN a model with a part that has no exact form
    if named != "kernel":
        model.fit(numbers(0), two(numbers(0)))

    # WHEN it is checked
    with pytest.raises(ModelError) as refused:
        check(model)

    # THEN the refusal names the part and what to use in its place
    assert named in refused.value.what
    assert refused.value.where
    assert refused.value.mend


class LogRatio(TransformerMixin, BaseEstimator):
    """A transformer of a user's own."""

    def fit(self, x: np.ndarray, y: Any = None) -> LogRatio:
        """Fix the scale."""
        self.scale_ = 3.0
        return self

    def transform(self, x: np.ndarray) -> np.ndarray:
        """Give the scaled logarithm of the first two columns' ratio."""
        return np.log(x[:, [0]] / x[:, [1]]) * self.scale_


@converter(LogRatio)
def log_ratio(model: LogRatio, x: Tensor, graph: Graph) -> Tensor:
    return graph.op("Log", x.columns([0]) / x.columns([1])) * model.scale_


def test_a_transformer_of_ones_own(run: Any) -> None:
    # GIVEN a class with a converter, as a step of a pipeline
    x = np.abs(numbers(0)) + 0.1
    model = make_pipeline(LogRatio(), Ridge()).fit(x, x[:, 0])

    # WHEN the pipeline's graph answers
    [found] = run(model, x)

    # THEN it answers as the pipeline
    np.testing.assert_allclose(found[:, 0], model.predict(x), rtol=1e-12)
