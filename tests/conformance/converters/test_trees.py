"""Trees answer as in scikit-learn, to the last bits, on ties with thresholds and on missing values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sls_ml.artifact.converters import NONE_STRING

ROWS = 1200


def grid(seed: int) -> np.ndarray:
    """Features on a grid of 0.1: many values tie with thresholds."""
    return np.round(np.random.default_rng(seed).normal(size=(ROWS, 5)), 1)


def holed(x: np.ndarray, seed: int) -> np.ndarray:
    return np.where(np.random.default_rng(seed).random(x.shape) < 0.1, np.nan, x)


def value(x: np.ndarray) -> np.ndarray:
    """A target of large scale around zero, where sums of float32 values would show."""
    return 1e5 * (x[:, 0] + np.sin(x[:, 1]) * x[:, 2])


def two(x: np.ndarray) -> np.ndarray:
    return x[:, 0] + x[:, 1] > 0


def three(x: np.ndarray) -> np.ndarray:
    return np.array(["a", "b", "c"])[np.digitize(x[:, 0] + x[:, 1], [-0.5, 0.5])]


REGRESSORS = [
    DecisionTreeRegressor(),
    DecisionTreeRegressor(max_depth=1, min_samples_leaf=ROWS),
    RandomForestRegressor(20, random_state=0),
    ExtraTreesRegressor(20, random_state=0),
    HistGradientBoostingRegressor(max_iter=30),
    HistGradientBoostingRegressor(max_iter=30, categorical_features=[3, 4]),
]
CLASSIFIERS = [
    DecisionTreeClassifier(),
    RandomForestClassifier(20, max_depth=6, random_state=0),
    ExtraTreesClassifier(20, random_state=0),
    HistGradientBoostingClassifier(max_iter=30),
    HistGradientBoostingClassifier(max_iter=30, categorical_features=[3, 4]),
]


@pytest.mark.parametrize("model", REGRESSORS, ids=str)
def test_regressor_is_exact_with_missing_values(run: Any, model: Any) -> None:
    # GIVEN a regressor trained on rows with holes
    x, fresh = grid(0), holed(grid(1), 2)
    model.fit(holed(x, 3), value(x))

    # WHEN its graph answers fresh rows with holes
    [found] = run(model, fresh)

    # THEN the answers are the original's
    np.testing.assert_allclose(found[:, 0], model.predict(fresh), rtol=1e-12, atol=1e-7)


@pytest.mark.parametrize("target", [two, three])
@pytest.mark.parametrize("model", CLASSIFIERS, ids=str)
def test_classifier_is_exact_with_missing_values(run: Any, model: Any, target: Any) -> None:
    # GIVEN a classifier of two and of three classes, trained on rows with holes
    x, fresh = grid(0), holed(grid(1), 2)
    model.fit(holed(x, 3), target(x))

    # WHEN its graph answers fresh rows with holes
    label, probabilities = run(model, fresh)

    # THEN labels and probabilities are the original's
    assert (label == model.predict(fresh)).all()
    np.testing.assert_allclose(probabilities, model.predict_proba(fresh), atol=1e-14)


def test_boosted_regressor_is_exact(run: Any) -> None:
    # GIVEN gradient boosting behind a scaler, whose outputs tie with thresholds in single precision
    x, fresh = grid(0), grid(1)
    model = make_pipeline(StandardScaler(), GradientBoostingRegressor(n_estimators=30)).fit(x, value(x))

    # WHEN its graph answers fresh rows
    [found] = run(model, fresh)

    # THEN the answers are the original's
    np.testing.assert_allclose(found[:, 0], model.predict(fresh), rtol=1e-12, atol=1e-7)


@pytest.mark.parametrize(
    ("target", "more"), [(two, {}), (two, {"loss": "exponential", "init": "zero"}), (three, {})]
)
def test_boosted_classifier_is_exact(run: Any, target: Any, more: dict[str, Any]) -> None:
    # GIVEN gradient boosting with either of its losses
    x, fresh = grid(0), grid(1)
    model = GradientBoostingClassifier(n_estimators=20, **more).fit(x, target(x))

    # WHEN its graph answers fresh rows
    label, probabilities = run(model, fresh)

    # THEN labels and probabilities are the original's
    assert (label == model.predict(fresh)).all()
    np.testing.assert_allclose(probabilities, model.predict_proba(fresh), atol=1e-14)


@pytest.mark.parametrize("loss", ["poisson", "gamma", "quantile"])
def test_hist_boosting_answers_through_its_link(run: Any, loss: str) -> None:
    # GIVEN a loss with a link of its own
    x, fresh = grid(0), grid(1)
    more = {"quantile": 0.7} if loss == "quantile" else {}
    model = HistGradientBoostingRegressor(loss=loss, max_iter=20, **more).fit(x, np.exp(x[:, 0]))

    # WHEN its graph answers fresh rows
    [found] = run(model, fresh)

    # THEN the answers are the original's
    np.testing.assert_allclose(found[:, 0], model.predict(fresh), rtol=1e-12)


def test_forest_of_several_outputs(run: Any) -> None:
    # GIVEN a forest that predicts two values at once
    x, fresh = grid(0), grid(1)
    model = RandomForestRegressor(10, random_state=0).fit(x, np.c_[value(x), x[:, 3]])

    # WHEN its graph answers fresh rows
    [found] = run(model, fresh)

    # THEN both columns are the original's
    np.testing.assert_allclose(found, model.predict(fresh), rtol=1e-12, atol=1e-7)


def test_unknown_and_missing_categories_go_their_way(run: Any) -> None:
    # GIVEN categorical features with gaps between the codes, and missing values in one of them
    random = np.random.default_rng(0)
    x = np.c_[random.integers(0, 60, ROWS) * 3.0, random.integers(0, 5, ROWS), random.normal(size=ROWS)]
    y = (x[:, 0] % 7) * 1e4 + 3e4 * (x[:, 1] == 2) + x[:, 2]
    x[:100, 1] = np.nan
    model = HistGradientBoostingRegressor(max_iter=40, categorical_features=[0, 1]).fit(x, y)

    # WHEN its graph answers rows with unknown, negative and missing categories
    fresh = x[::-1].copy()
    fresh[:50, 0], fresh[50:80, 1], fresh[80:120, 0] = 777, -4, np.nan
    [found] = run(model, fresh)

    # THEN the answers are the original's
    np.testing.assert_allclose(found[:, 0], model.predict(fresh), rtol=1e-12, atol=1e-7)


def test_categories_of_text(run: Any) -> None:
    # GIVEN a table with a column of pandas categories that boosting encodes by itself
    pd = pytest.importorskip("pandas")
    random = np.random.default_rng(0)
    letters = np.array([*"vwxyz", None], dtype=object)[random.integers(0, 6, ROWS)]
    frame = pd.DataFrame(
        {"a": random.normal(size=ROWS), "c": pd.Categorical(letters), "b": random.normal(size=ROWS)}
    )
    y = frame["a"] + 3 * (frame["c"] == "x").astype(float)
    model = HistGradientBoostingRegressor(max_iter=40, categorical_features="from_dtype").fit(frame, y)

    # WHEN its graph gets the column as strings, missing ones as the null string
    text = np.where(letters == np.array(None), NONE_STRING, letters).astype(object)
    feed = {"a": frame[["a"]].to_numpy(), "c": text[:, None], "b": frame[["b"]].to_numpy()}
    [found] = run(model, feed)

    # THEN the answers are the original's
    np.testing.assert_allclose(found[:, 0], model.predict(frame), rtol=1e-12)
