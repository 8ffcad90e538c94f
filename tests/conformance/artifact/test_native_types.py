"""Functions that numpy computes otherwise for truth values and integers than for doubles are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sls_ml.artifact import build
from sls_ml.errors import ModelError


def table() -> tuple[pd.DataFrame, Any]:
    random = np.random.default_rng(0)
    made = pd.DataFrame({"flag": random.random(60) < 0.5, "count": random.integers(1, 9, 60)})
    return made.assign(share=random.random(60)), random.integers(0, 2, 60)


@pytest.mark.parametrize(
    ("function", "column", "kind"),
    [
        (np.tanh, "flag", "bool"),
        (np.negative, "flag", "bool"),
        (np.log1p, "flag", "bool"),
        (np.reciprocal, "count", "int64"),
    ],
)
def test_an_answer_of_another_type_is_refused(function: Any, column: str, kind: str) -> None:
    # GIVEN a function that was trained on values of which numpy makes other numbers than of doubles
    frame, y = table()
    model = make_pipeline(
        make_column_transformer((FunctionTransformer(function), [column, "share"])), LogisticRegression()
    ).fit(frame, y)

    # WHEN it is converted
    with pytest.raises(ModelError) as caught:
        build(model, frame, name="m")

    # THEN the refusal names function and type, and says what to train on
    assert caught.value.code == "function-native-type"
    assert f"FunctionTransformer({function.__name__}) is fed with values of {kind}" in caught.value.what
    assert "float64" in (caught.value.mend or "")


@pytest.mark.parametrize(
    ("function", "column"),
    [(np.tanh, "share"), (np.tanh, "count"), (np.sqrt, "flag"), (np.square, "flag"), (np.abs, "flag")],
)
def test_the_same_numbers_convert(function: Any, column: str) -> None:
    # GIVEN a function that makes the same numbers of its column, beside truth values that it does not read
    frame, y = table()
    model = make_pipeline(
        make_column_transformer((FunctionTransformer(function), [column]), ("passthrough", ["flag"])),
        LogisticRegression(),
    ).fit(frame, y)

    # WHEN it is converted
    artifact = build(model, frame, name="m")

    # THEN it answers as the original
    answer = artifact.predict(
        frame[[entry["name"] for entry in artifact.manifest["inputs"]]].to_dict("records")
    )
    np.testing.assert_allclose(answer["probability"], model.predict_proba(frame), atol=1e-9)


def test_texts_as_the_answer_are_refused() -> None:
    # GIVEN an imputer of texts as the whole model
    frame = pd.DataFrame({"city": ["Bern", None, "Genf", "Bern"] * 10}, dtype=object)
    model = SimpleImputer(missing_values=None, strategy="most_frequent").fit(frame)

    # WHEN it is converted
    with pytest.raises(ModelError) as caught:
        build(model, frame, name="m")

    # THEN the reason is its own
    assert caught.value.code == "model-gives-texts"
    assert "an artifact that transforms gives numbers" in caught.value.what
    assert caught.value.mend == "convert the whole pipeline, or put an encoder of these texts behind it"
