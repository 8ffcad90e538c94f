"""The rows that the gate makes up: every kind that breaks conversions is among them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeRegressor

from sls_ml.artifact import signature
from sls_ml.artifact.adversarial import rows_for
from sls_ml.artifact.original import original
from sls_ml.artifact.sample import fit_sample


def made(model: Any, frame: pd.DataFrame) -> pd.DataFrame:
    judge = original(model, fit_sample(model, frame))
    return rows_for(judge, signature.inputs_of(judge))


@pytest.fixture(scope="module")
def numbers() -> pd.DataFrame:
    chance = np.random.default_rng(0)
    frame = pd.DataFrame(chance.normal(size=(200, 3)), columns=list("abc"))
    frame.loc[::7, "b"] = np.nan
    return frame


@pytest.mark.parametrize("imputed", [False, True])
def test_both_neighbours_of_split_thresholds(numbers: pd.DataFrame, *, imputed: bool) -> None:
    # GIVEN a tree, with an imputer before it or without
    tree = DecisionTreeRegressor(max_depth=3, random_state=0)
    model = make_pipeline(SimpleImputer(), tree) if imputed else tree
    model.fit(numbers, numbers["a"] + numbers["c"] ** 2)

    # WHEN rows are made up for it
    rows = made(model, numbers)

    # THEN each split is there, with its neighbours as double and as float32
    inner = tree.tree_.children_left >= 0
    for feature, threshold in zip(tree.tree_.feature[inner], tree.tree_.threshold[inner], strict=True):
        tried = set(rows.iloc[:, feature])
        single = np.float32(threshold)
        beside = [np.nextafter(threshold, side) for side in (-np.inf, np.inf)]
        beside += [float(np.nextafter(single, np.float32(side))) for side in (-np.inf, np.inf)]
        assert {float(threshold), *map(float, beside)} <= tried


def test_a_gap_in_each_column_and_in_all(numbers: pd.DataFrame) -> None:
    # GIVEN a model that takes missing values
    model = HistGradientBoostingRegressor(max_iter=5, random_state=0).fit(numbers, numbers["a"])

    # WHEN rows are made up for it
    missing = made(model, numbers).isna()

    # THEN a gap is tried in each column by itself, and in all at once
    alone = missing[missing.sum(axis=1) == 1]
    assert alone.any().all()
    assert missing.all(axis=1).any()


def test_extremes_and_ties(numbers: pd.DataFrame) -> None:
    # GIVEN a tree
    filled = numbers.fillna(0.0)
    model = DecisionTreeRegressor(max_depth=3, random_state=0).fit(filled, filled["a"])

    # WHEN rows are made up for it
    rows = made(model, filled)

    # THEN they go beyond the sample on both sides, and some lie on a grid of tenths
    assert (rows.min() < filled.min()).all()
    assert (rows.max() > filled.max()).all()
    assert (rows == rows.round(1)).all(axis=1).sum() >= 100


def test_unknown_and_empty_categories() -> None:
    # GIVEN an encoder that takes categories it does not know
    cities = pd.DataFrame({"city": ["Bern", "Köln", "Oslo"] * 20, "size": [1.0, 2.0, 3.0] * 20})
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["city"]), remainder="passthrough"
    )
    model = make_pipeline(encoder, LogisticRegression()).fit(cities, [0, 1, 1] * 20)

    # WHEN rows are made up for it
    tried = set(made(model, cities)["city"])

    # THEN known, unknown, empty and differently written ones are there
    assert {"Bern", "Köln", "Oslo", "", " ", "BERN", "bern", "Bern "} <= tried
    assert len(tried - {"Bern", "Köln", "Oslo"}) >= 6
