"""The signature is what the original accepts, found by asking it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, SplineTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sls_ml.artifact import build
from sls_ml.errors import ModelError

Matrix = np.ndarray[Any, Any]
FLOAT32_MAX = 3.4028234663852886e38


def inputs(artifact: Any) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in artifact.manifest["inputs"]}


def test_a_linear_model_takes_finite_numbers_alone(numbers: Matrix) -> None:
    # GIVEN a linear model
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(numbers, numbers[:, 0] > 0)
    # WHEN its signature is found
    found = build(model, numbers, name="m").manifest
    # THEN no value may be missing or infinite, and one matrix feeds the graph
    assert found["inputs"][0] == {
        "name": "x0",
        "dtype": "float64",
        "nullable": False,
        "finite": True,
        "range": None,
        "categories": None,
    }
    assert found["tensors"] == [{"name": "c0", "dtype": "float64", "columns": [0, 1, 2, 3], "rank": 2}]


def test_a_forest_takes_what_fits_into_float32(numbers: Matrix) -> None:
    # GIVEN a forest
    model = RandomForestClassifier(3, random_state=0).fit(numbers, numbers[:, 0] > 0)
    # WHEN its signature is found
    found = inputs(build(model, numbers, name="m"))
    # THEN the range is that of float32
    assert found["x0"]["range"] == [-FLOAT32_MAX, FLOAT32_MAX]


def test_a_step_that_makes_nothing_of_the_largest_numbers_hides_no_range(numbers: Matrix) -> None:
    # GIVEN a tree behind splines that go on: of 1e300 they make NaN, which the tree takes, of 3e38 infinity
    model = make_pipeline(
        SplineTransformer(n_knots=4, degree=2, extrapolation="continue"),
        DecisionTreeClassifier(max_depth=3, random_state=0),
    ).fit(numbers, numbers[:, 0] > 0)
    row = numbers[:1].copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        row[0, 0] = 1e300
        assert model.predict(row).shape == (1,)
        row[0, 0] = 3e38
        with pytest.raises(ValueError, match="too large"):
            model.predict(row)
    # WHEN its signature is found
    artifact = build(model, numbers, name="m")
    # THEN the range ends before the number that the model raises on, and takes one that it answers
    low, high = inputs(artifact)["x0"]["range"]
    assert -1e38 < low < -1e9
    assert 1e9 < high < 1e38
    row[0, 0] = high
    assert artifact.predict(row)["label"] == model.predict(row).tolist()
    row[0, 0] = 3e38
    with pytest.raises(ModelError, match="outside"):
        artifact.predict(row)


def test_a_model_that_raises_below_a_bound_gets_that_range(numbers: Matrix) -> None:
    # GIVEN a model that takes logarithms of 1 + x, and raises on what comes of -1 and less
    positive = np.abs(numbers)
    model = make_pipeline(FunctionTransformer(np.log1p), LogisticRegression())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(positive, numbers[:, 0] > 0)
    # WHEN its signature is found
    artifact = build(model, positive, name="m")
    # THEN the range begins right above -1, and -1 is refused
    assert inputs(artifact)["x1"]["range"] == [np.nextafter(-1.0, 0.0), 1.7976931348623157e308]
    with pytest.raises(ModelError, match="outside"):
        artifact.predict([{"x0": 1.0, "x1": -1.0, "x2": 1.0, "x3": 1.0}])


def test_boosting_takes_missing_and_infinite_values(numbers: Matrix) -> None:
    # GIVEN a histogram boosting model
    model = HistGradientBoostingClassifier(max_iter=3).fit(numbers, numbers[:, 0] > 0)
    # WHEN its signature is found
    artifact = build(model, numbers, name="m")
    # THEN both are admitted, and answered as the original does
    assert inputs(artifact)["x0"]["nullable"]
    assert not inputs(artifact)["x0"]["finite"]
    rows = np.array([[np.nan] * 4, [np.inf] * 4, [-np.inf] * 4])
    np.testing.assert_allclose(artifact.predict(rows)["probability"], model.predict_proba(rows), atol=1e-9)


@pytest.fixture
def closed(people: pd.DataFrame) -> Any:
    columns = ColumnTransformer([("c", OneHotEncoder(), ["city", "zone"]), ("j", OneHotEncoder(), ["job"])])
    return make_pipeline(columns, LogisticRegression()).fit(people, people["target"])


def test_an_encoder_that_raises_closes_its_categories(closed: Any, people: pd.DataFrame) -> None:
    # GIVEN encoders that raise on what they have not seen
    artifact = build(closed, people, name="m")
    # WHEN the signature is read
    found = inputs(artifact)
    # THEN it lists what was seen, and a missing value where that was seen
    assert found["city"]["categories"] == ["Bern", "Köln", "Paris"]
    assert (found["zone"]["dtype"], found["zone"]["categories"]) == ("int64", [1, 2, 3, 4])
    assert (found["job"]["categories"], found["job"]["nullable"]) == (["cook", "nurse"], True)
    assert not found["city"]["nullable"]


def test_an_unknown_category_is_refused_as_the_original_refuses_it(closed: Any, people: pd.DataFrame) -> None:
    # GIVEN a model of closed categories
    artifact = build(closed, people, name="m")
    row = people[["city", "zone", "job"]].iloc[:1].assign(city="Rome")
    # WHEN a city comes that it has not seen
    # THEN both refuse it
    with pytest.raises(ValueError, match="unknown categories"):
        closed.predict(row)
    with pytest.raises(ModelError, match="city is 'Rome'"):
        artifact.predict(row)


def test_open_categories_answer_for_what_they_have_not_seen(credit: Any, people: pd.DataFrame) -> None:
    # GIVEN a model that ignores unknown categories
    artifact = build(credit, people, name="m")
    rows = people.head(3).assign(city=["Rome", None, ""])
    # WHEN such rows come
    # THEN both give the same answer
    np.testing.assert_allclose(artifact.predict(rows)["probability"], credit.predict_proba(rows), atol=1e-9)


def test_integers_as_numbers_may_have_fractions(credit: Any, people: pd.DataFrame) -> None:
    # GIVEN a sample in which all ages are whole
    artifact = build(credit, people, name="m")
    # WHEN a row has an age with a fraction
    rows = people.head(1).assign(age=41.5)
    # THEN it is answered, as the original does
    assert inputs(artifact)["age"]["dtype"] == "float64"
    np.testing.assert_allclose(artifact.predict(rows)["probability"], credit.predict_proba(rows), atol=1e-9)


def test_the_example_can_be_predicted(credit: Any, people: pd.DataFrame) -> None:
    # GIVEN an artifact
    artifact = build(credit, people, name="m")
    # WHEN its own example is sent to it
    answer = artifact.predict(artifact.manifest["example"])
    # THEN there is an answer for each row
    assert len(answer["label"]) == 3


def test_the_drift_reference_counts_every_row(credit: Any, people: pd.DataFrame) -> None:
    # GIVEN an artifact
    drift = build(credit, people, name="m").manifest["drift"]
    # WHEN its counts are added up
    # THEN each row is in one of them
    for entry in drift["features"]:
        assert sum(entry["counts"]) + entry["nulls"] + entry.get("rest", 0) == len(people)
        assert "edges" not in entry or len(entry["counts"]) == len(entry["edges"]) + 1
    assert sorted(drift["prediction"]["top"]) == ["no", "yes"]
