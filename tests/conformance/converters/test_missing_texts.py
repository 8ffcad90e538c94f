"""Missing texts and texts that only look like them are told apart: "nan", "None", NaN and None."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from sls_ml.artifact import build
from sls_ml.errors import ModelError

CITIES = ["Bern", "nan", "Genf", "None", "Bern", "nan"]


def table(absent: Any) -> tuple[pd.DataFrame, list[int]]:
    """A table in which missing texts and the text "nan" mean different things."""
    cities = pd.Series([*CITIES, absent] * 8, dtype=object)
    return pd.DataFrame({"city": cities}), [0, 1, 0, 1, 0, 1, 0] * 8


@pytest.mark.parametrize("absent", [None, np.nan], ids=["None", "NaN"])
@pytest.mark.parametrize(
    "encoder",
    [
        OneHotEncoder(handle_unknown="ignore"),
        OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=3),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2),
        OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2, max_categories=3
        ),
        make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")),
    ],
    ids=["one-hot", "one-hot rare", "ordinal", "ordinal rare", "imputed"],
)
def test_a_text_that_spells_nan_is_not_missing(encoder: Any, absent: Any) -> None:
    # GIVEN a model that tells the text "nan" from a missing text
    frame, y = table(absent)
    model = make_pipeline(make_column_transformer((encoder, ["city"])), LogisticRegression())
    model.fit(frame, y)

    # WHEN it is converted, and asked for each of them
    artifact = build(model, frame, name="cities")
    rows = frame.iloc[: len(CITIES) + 1]
    answer = artifact.predict([{"city": city} for city in [*CITIES, None]])

    # THEN it answers as the original
    np.testing.assert_allclose(answer["probability"], model.predict_proba(rows), atol=1e-9)


def test_what_stands_for_a_missing_text_is_refused() -> None:
    # GIVEN a model that takes missing texts
    frame, y = table(None)
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["city"])), LogisticRegression()
    )
    artifact = build(model.fit(frame, y), frame, name="cities")

    # WHEN a text is what stands for one in the graph
    with pytest.raises(ModelError) as caught:
        artifact.predict([{"city": artifact.manifest["inputs"][0]["null"]}])

    # THEN it is refused, and the message says what to send
    assert "stands for a missing text; send null for it" in caught.value.what


def test_integers_that_doubles_do_not_tell_apart_are_refused() -> None:
    # GIVEN an encoder whose categories are integers beyond 2**53
    frame = pd.DataFrame({"account": [2**53 + at for at in (0, 1, 2, 3)] * 10})
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["account"])), LogisticRegression()
    ).fit(frame, [0, 1, 0, 1] * 10)

    # WHEN it is converted
    with pytest.raises(ModelError) as caught:
        build(model, frame, name="accounts")

    # THEN it is refused, with the way out
    assert caught.value.code == "categories-look-alike"
    assert caught.value.mend == "make texts of these numbers before you train"
