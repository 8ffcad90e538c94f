"""Ties in the midst of a model: the graph's choice among neighbours as near is right, nothing else is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import KNNImputer
from sklearn.linear_model import Ridge
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline

from sls_ml.artifact import build, tied_parts

FULL = pd.DataFrame(np.round(np.random.default_rng(0).normal(size=(200, 3)), 1), columns=["a", "b", "c"])
HOLED = FULL.mask(np.random.default_rng(1).random(FULL.shape) < 0.15)
"""Numbers on a grid: many rows lie as near to one as others do."""
TARGET = FULL["a"] * 2 + FULL["b"]


@pytest.mark.parametrize(
    ("model", "rows", "target"),
    [
        (KNNImputer(n_neighbors=2), HOLED, None),
        (
            make_pipeline(KNNImputer(n_neighbors=3), RandomForestClassifier(9, random_state=0)),
            HOLED,
            TARGET > 0,
        ),
        (make_pipeline(KNNImputer(n_neighbors=3, weights="distance"), Ridge()), HOLED, TARGET),
        (LocalOutlierFactor(5, novelty=True), FULL.round(), None),
    ],
    ids=["imputer", "before a forest", "weights by distance", "outliers"],
)
def test_models_with_tied_neighbours_pass_the_gate(model: Any, rows: pd.DataFrame, target: Any) -> None:
    # GIVEN a model that chooses among neighbours that lie as near
    model.fit(rows, target)
    # WHEN it is converted
    artifact = build(model, rows, name="m")
    # THEN it passes on every engine, and the report counts the ties
    assert artifact.manifest["engines"] == ["lite", "ort_capi", "ort_python"]
    assert all(engine["ties"] > 0 for engine in artifact.report["engines"].values())


def test_another_donor_is_wrong() -> None:
    # GIVEN donors of the values 10 and 50 that lie as near, and one of the value 90 that lies further
    known = np.asarray([[0.0, 10.0], [2.0, 50.0], [4.0, 90.0]])
    model = KNNImputer(n_neighbors=1).fit(known)
    row = np.asarray([[1.0, np.nan]])

    def excused(value: float) -> bool:
        got = np.asarray([[1.0, value]])
        found = tied_parts.excused(
            "transformed", got, model, lambda other: {"transformed": other.transform(row)}
        )
        return bool(found[0])

    # WHEN the graph takes one of them
    # THEN the first of those as near is excused alone
    assert excused(10.0)
    assert not excused(50.0)
    assert not excused(90.0)


def test_a_model_without_such_parts_has_no_excuse() -> None:
    # GIVEN a model that chooses no neighbours
    model = Ridge().fit(FULL, TARGET)
    # WHEN the graph gives its very answer, or another
    # THEN nothing is said for it here
    said = model.predict(FULL)
    assert not tied_parts.excused("value", said, model, lambda other: {"value": other.predict(FULL)}).any()
