"""Imputers fill in what scikit-learn fills in, in double precision and in text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.impute import KNNImputer, MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sls_ml.artifact import build
from sls_ml.artifact.converters import NULL_STRING


def holed(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    x = random.normal(size=(60, 4))
    return np.where((random.random(x.shape) < 0.3) & (np.arange(4) < 3), np.nan, x)


@pytest.mark.parametrize(
    "model",
    [
        SimpleImputer(),
        SimpleImputer(strategy="median", add_indicator=True),
        SimpleImputer(strategy="constant", fill_value=-1.5),
    ],
    ids=str,
)
def test_numbers(run: Any, model: SimpleImputer) -> None:
    # GIVEN an imputer trained on rows with holes
    model.fit(holed(0))

    # WHEN its graph fills fresh rows
    [found] = run(model, holed(1))

    # THEN values and indicator columns are the original's
    np.testing.assert_array_equal(found, model.transform(holed(1)))


@pytest.mark.filterwarnings("ignore:Skipping features without any observed values")
@pytest.mark.parametrize("keep", [False, True])
def test_a_column_without_values(run: Any, keep: bool) -> None:
    # GIVEN training rows with an empty column
    x = holed(0)
    x[:, 1] = np.nan
    model = SimpleImputer(keep_empty_features=keep).fit(x)

    # WHEN its graph fills fresh rows
    [found] = run(model, holed(1))

    # THEN the column is kept or dropped as in the original
    np.testing.assert_array_equal(found, model.transform(holed(1)))


def test_a_number_that_means_missing(run: Any) -> None:
    # GIVEN an imputer for which -1 means missing
    x = np.nan_to_num(holed(0), nan=-1)
    model = SimpleImputer(missing_values=-1, strategy="most_frequent").fit(x)

    # WHEN its graph fills the rows
    [found] = run(model, x)

    # THEN the values are the original's
    np.testing.assert_array_equal(found, model.transform(x))


def test_texts(run: Any) -> None:
    # GIVEN an imputer of text columns
    x = np.array([["a", "u"], ["b", np.nan], ["a", "v"], [np.nan, "u"]], dtype=object)
    model = SimpleImputer(strategy="most_frequent").fit(x)

    # WHEN its graph gets missing texts as the null string
    [found] = run(model, np.where(x == x, x, NULL_STRING).astype(object))  # noqa: PLR0124

    # THEN the texts are the original's
    assert (found == model.transform(x)).all()


def test_indicator(run: Any) -> None:
    # GIVEN an indicator that watches the columns with holes
    model = MissingIndicator().fit(holed(0))

    # WHEN its graph looks at fresh rows
    [found] = run(model, holed(1))

    # THEN it tells the same holes
    np.testing.assert_array_equal(found, model.transform(holed(1)))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_mean_of_a_lone_column_is_the_same_to_the_last_digit(seed: int) -> None:
    # GIVEN neighbours of one column: a row without its value gets the mean, which the scaler makes zero,
    # and of which the sign would tell a difference in the last digit
    random = np.random.default_rng(seed)
    x = np.where(random.random((120, 1)) < 0.15, np.nan, random.normal(size=(120, 1)))
    model = make_pipeline(KNNImputer(), StandardScaler(), FunctionTransformer(np.sign)).fit(x)

    # WHEN it is converted
    artifact = build(model, x, name="m")

    # THEN the sign of a gap is the original's
    [[found]] = artifact.predict([{"x0": None}])["transformed"]
    assert found == model.transform([[np.nan]])[0, 0]
