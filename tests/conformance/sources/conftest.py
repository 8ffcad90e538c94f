"""One table for all sources: ties, missing values, texts and small integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

ROWS = 400


@dataclass(frozen=True)
class Data:
    """Rows (a matrix with gaps, the same with names and categories) and targets."""

    matrix: np.ndarray[Any, Any]
    frame: pd.DataFrame
    two: np.ndarray[Any, Any]
    three: np.ndarray[Any, Any]
    values: np.ndarray[Any, Any]

    @property
    def numbers(self) -> pd.DataFrame:
        """The columns of numbers, with names."""
        return self.frame[["a b", "x", "y", "z"]]


@pytest.fixture(scope="session")
def data() -> Data:
    """Make the table."""
    random = np.random.default_rng(0)
    matrix = np.round(random.normal(size=(ROWS, 4)), 1)
    matrix[::7, 1] = np.nan
    frame = pd.DataFrame(matrix, columns=["a b", "x", "y", "z"])
    frame["city"] = pd.Categorical(random.choice(["Bern", "Lyon", "Paris", "Rom", "Ulm"], ROWS))
    frame["zone"] = pd.Categorical(random.choice([3, 5, 9], ROWS))
    two = ((matrix[:, 0] > 0) ^ frame["city"].isin(["Bern", "Rom"])).to_numpy().astype(int)
    three = two + (frame["zone"] == 5).to_numpy()
    values = 100 + 10 * matrix[:, 0] + two + np.nan_to_num(matrix[:, 1])
    return Data(matrix, frame, two, three, values)
