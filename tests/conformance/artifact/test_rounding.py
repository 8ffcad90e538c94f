"""Numbers far from zero: what rounding decides is excused, in models without jumps, and nothing else is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import KernelPCA
from sklearn.ensemble import RandomForestRegressor
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.semi_supervised import LabelSpreading
from sklearn.svm import SVC, SVR, NuSVC, OneClassSVM
from sklearn.tree import DecisionTreeRegressor

from sls_ml.artifact import build, rounding

ROWS = pd.DataFrame(
    1e6 + np.round(np.random.default_rng(0).normal(size=(120, 3)), 2), columns=["a", "b", "c"]
)
"""Rows a million from zero and some units from each other: of their squares, digits are lost."""

TARGET = (ROWS["a"] - 1e6).to_numpy() * 2 + (ROWS["b"] - 1e6).to_numpy() ** 2
CLASSES = (TARGET > 0).astype(int) + (TARGET > 2)


@pytest.mark.parametrize(
    ("model", "target"),
    [
        (SVC(), CLASSES),
        (SVC(gamma=40.0), CLASSES),
        (NuSVC(nu=0.2), CLASSES),
        (SVR(), TARGET),
        (OneClassSVM(), None),
        (KernelRidge(kernel="rbf", gamma=0.3), TARGET),
        (LabelSpreading(gamma=1.0), CLASSES),
        (KernelPCA(2, kernel="rbf", gamma=0.3), None),
        (Nystroem(n_components=5, random_state=0), None),
        (make_pipeline(Nystroem(n_components=5, random_state=0), Ridge()), TARGET),
    ],
    ids=lambda value: "" if value is None or isinstance(value, np.ndarray) else type(value).__name__,
)
def test_kernels_far_from_zero_pass_the_gate(model: Any, target: Any) -> None:
    # GIVEN a model of kernels, trained on numbers that nobody has scaled
    model.fit(ROWS, target)
    # WHEN it is converted
    artifact = build(model, ROWS, name="m")
    # THEN it passes, on every engine
    assert artifact.manifest["engines"] == ["lite", "ort_capi", "ort_python"]


def test_a_support_vector_machine_needs_no_excuse() -> None:
    # GIVEN a support vector machine far from zero, whose own distances lose nothing
    model = SVR().fit(ROWS, TARGET)
    # WHEN it is converted
    artifact = build(model, ROWS, name="m")
    # THEN no row was excused, and the values are those of the original
    assert {engine["ties"] for engine in artifact.report["engines"].values()} == {0}
    np.testing.assert_allclose(artifact.predict(ROWS)["value"], model.predict(ROWS), rtol=1e-8)


def scattered(model: Any, row: pd.DataFrame) -> np.ndarray[Any, Any]:
    """What a regressor says around a row."""
    near = pd.concat([row] * 500) * (1 + np.random.default_rng(1).uniform(-1, 1, (500, 1)) * 2.0**-50)
    return np.asarray(model.predict(near))


def excused(model: Any, rows: pd.DataFrame, answer: Any) -> bool:
    def answers(frame: pd.DataFrame) -> dict[str, Any]:
        return {"value": model.predict(frame)}

    return bool(rounding.excused(model, rows, "value", np.asarray([answer]), answers)[0])


def test_more_than_rounding_is_wrong() -> None:
    # GIVEN a model whose answers scatter
    model = KernelRidge(kernel="rbf", gamma=0.3).fit(ROWS, TARGET)
    row = ROWS.iloc[:1]
    around = scattered(model, row)
    span = float(around.max() - around.min())
    assert span > 1e-5
    # WHEN an answer lies amid them, or five times as far away
    # THEN the first is excused alone
    assert excused(model, row, float(around.mean()))
    assert not excused(model, row, float(around.max()) + 5 * span)


@pytest.mark.parametrize(
    "last", [DecisionTreeRegressor(random_state=0), RandomForestRegressor(3, random_state=0)]
)
def test_a_jump_is_never_excused(last: Any) -> None:
    # GIVEN a tree, and a row that lies on a threshold: to either side the answers differ
    model = last.fit(ROWS, TARGET)
    tree = (model.estimators_[0] if hasattr(model, "estimators_") else model).tree_
    row = ROWS.iloc[:1].copy()
    row.iloc[0, tree.feature[0]] = tree.threshold[0]
    # WHEN the graph gives the answer of the other side
    # THEN it is wrong: a tree knows its sides
    assert not excused(model, row, float(model.predict(row * (1 + 2.0**-50))[0]))


def test_an_encoder_of_numbers_jumps() -> None:
    # GIVEN categories that are numbers, any other of which is unknown
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), Ridge()).fit(ROWS[["a"]], TARGET)
    # WHEN the graph answers as for an unknown one
    # THEN it is wrong
    unknown = float(model.predict(pd.DataFrame({"a": [0.5]}))[0])
    assert not excused(model, ROWS[["a"]].iloc[:1], unknown)
