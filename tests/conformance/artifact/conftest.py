"""Small data that many tests of the artifact share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

ROWS = 200


@pytest.fixture(scope="session")
def people() -> pd.DataFrame:
    """Numbers, texts, booleans, small integers, missing values, and a target."""
    random = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "age": random.integers(18, 80, ROWS),
            "income": random.normal(5e4, 1e4, ROWS),
            "city": random.choice(["Bern", "Köln", "Paris"], ROWS),
            "job": random.choice(["cook", "nurse", None], ROWS),
            "member": random.random(ROWS) > 0.5,
            "zone": random.integers(1, 5, ROWS),
        }
    )
    frame.loc[::7, "income"] = np.nan
    frame["target"] = np.where(frame["age"] + 20 * (frame["city"] == "Bern") > 55, "yes", "no")
    return frame


@pytest.fixture(scope="session")
def numbers() -> np.ndarray[Any, Any]:
    """Four columns on a grid of tenths, where trees have many ties."""
    return np.round(np.random.default_rng(3).normal(size=(ROWS, 4)), 1)


@pytest.fixture(scope="session")
def texts() -> list[str]:
    """Short documents."""
    random = np.random.default_rng(5)
    words = ["spam", "ham", "eggs", "great", "bad", "film", "isn't", "re-run", "über", "ok", "42", "good"]
    return [" ".join(random.choice(words, 6)) for _ in range(80)]


@pytest.fixture(scope="session")
def credit(people: pd.DataFrame) -> Any:
    """A fitted pipeline with a ColumnTransformer, trained on a DataFrame."""
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["age", "income"]),
            ("texts", OneHotEncoder(handle_unknown="ignore"), ["city"]),
        ]
    )
    return make_pipeline(columns, LogisticRegression()).fit(people, people["target"])


@pytest.fixture
def linear(numbers: np.ndarray[Any, Any]) -> Any:
    """A fitted pipeline of numbers, with two classes."""
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(numbers, numbers[:, 0] > 0)
