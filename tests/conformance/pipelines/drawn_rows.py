"""Draws random tables: numbers, codes, truth values, categories and texts, and fresh rows that are harder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

NUMERIC = ("grid", "real", "skewed", "large", "whole", "share")
HOLED = ("grid-holed", "real-holed")
KINDS = (*NUMERIC, *HOLED, "code", "flag", "city", "city-none", "city-nan", "text")
"""What a column may hold; the holed ones and two of the cities miss values in training."""

_CITIES = ("Bern", "Genf", "Zürich", "Olten", "Ftan", "bern", "")
_ODDS = (0.4, 0.25, 0.15, 0.1, 0.04, 0.03, 0.03)
_WORDS = ("good", "bad", "Éclair", "naïve", "x", "well-made", "1984", "日本", "🙂", "don't", "a_b", "nan")
_FLOATS: dict[str, Callable[[np.random.Generator, int], Any]] = {
    "grid": lambda random, rows: np.round(random.normal(size=rows), 1),
    "real": lambda random, rows: random.normal(size=rows),
    "skewed": lambda random, rows: np.exp(random.normal(size=rows) * 2),
    "large": lambda random, rows: 1e6 + np.round(random.normal(size=rows), 2),
    "share": lambda random, rows: random.random(rows),
}
_STRANGE_NUMBERS = (0.0, -0.0, 1e-300, -1.0, 1.0, 1e6, -1e6, 1e30, 3e38, 1e39, np.inf, -np.inf, np.nan)
_STRANGE_CODES = (7, -1, 2**31, 2**53)
_STRANGE_TEXTS = ("Chur", "nan", "None", "", " Bern", "BERN", "e\u0301")
_STRANGENESS = 0.06
"""Share of the values of fresh rows that training did not have the like of."""


@dataclass(frozen=True)
class Table:
    """A table to be made.

    Attributes:
        kinds: What each column holds.
        seed: Of the random numbers.
        rows: In training.
    """

    kinds: tuple[str, ...]
    seed: int
    rows: int

    @property
    def names(self) -> list[str]:
        """The columns' names: some are no identifiers, and no order is that of the alphabet."""
        return [f"{kind} {9 - at}" for at, kind in enumerate(self.kinds)]

    def named(self, kinds: Sequence[str]) -> list[str]:
        """The names of the columns of these kinds."""
        return [name for name, kind in zip(self.names, self.kinds, strict=True) if kind in kinds]

    def training(self) -> pd.DataFrame:
        """Rows to train on."""
        random = np.random.default_rng(self.seed)
        pairs = zip(self.names, self.kinds, strict=True)
        return pd.DataFrame({name: _series(kind, _column(kind, self.rows, random)) for name, kind in pairs})

    def fresh(self, rows: int) -> pd.DataFrame:
        """Other rows, of which some hold values that training had not the like of."""
        random = np.random.default_rng(self.seed + 1)
        made = {}
        for name, kind in zip(self.names, self.kinds, strict=True):
            column = _column(kind, rows, random)
            strange = random.random(rows) < _STRANGENESS
            if strange.any() and kind != "flag":
                column = column.astype(object) if column.dtype.kind == "i" else column
                column[strange] = _strangers(kind, int(strange.sum()), random)
            made[name] = _series(kind, column)
        return pd.DataFrame(made)


def target(kind: str, table: Table) -> Any:
    """A target that the columns tell something about: classes or numbers."""
    frame = table.training()
    random = np.random.default_rng(table.seed + 2)
    score = random.normal(size=len(frame)) * 0.3
    for name in frame.columns:
        column = frame[name]
        numbers = column.dtype.kind in "fib"
        coded = column.to_numpy() if numbers else column.astype("category").cat.codes
        values = np.nan_to_num(np.asarray(coded, dtype=float))
        score = score + (values - values.mean()) / (values.std() + 1e-9)
    rank = score.argsort().argsort() / len(score)
    made: dict[str, Callable[[], Any]] = {
        "two": lambda: (rank > 0.6).astype(int),
        "names": lambda: np.array(["non", "oui", "peut-être"])[np.digitize(rank, [0.4, 0.8])],
        "truth": lambda: rank > 0.5,
        "four": lambda: np.digitize(rank, [0.2, 0.5, 0.8]) * 10 - 5,
        "indicators": lambda: np.column_stack([rank > 0.6, (rank < 0.3) | (rank > 0.9)]).astype(int),
        "two names": lambda: np.column_stack(
            [np.where(rank > 0.5, "oui", "non"), np.digitize(rank, [0.3, 0.7]).astype(str)]
        ),
        "positive": lambda: np.exp(score / 2),
    }
    return made.get(kind, lambda: score)()


def _series(kind: str, column: np.ndarray[Any, Any]) -> pd.Series[Any]:
    """A column as pandas has it: texts as its own type, but for those among which None is."""
    return pd.Series(column.tolist(), dtype=object if kind == "city-none" else None)


def _column(kind: str, rows: int, random: np.random.Generator) -> np.ndarray[Any, Any]:
    made = _FLOATS.get(kind.removesuffix("-holed"))
    if made is not None:
        values = made(random, rows)
        return np.where(random.random(rows) < 0.15, np.nan, values) if kind.endswith("-holed") else values
    match kind:
        case "whole":
            return random.integers(-5, 30, rows)
        case "code":
            return random.choice([0, 1, 2, 3, 10], rows, p=[0.4, 0.3, 0.2, 0.07, 0.03])
        case "flag":
            return random.random(rows) < 0.5
        case "text":
            words = [" ".join(random.choice(_WORDS, random.integers(1, 7))) for _ in range(rows)]
            return np.array(words, dtype=object)
        case _:
            cities = random.choice(_CITIES, rows, p=_ODDS).astype(object)
            if kind != "city":
                cities[random.random(rows) < 0.1] = None if kind == "city-none" else np.nan
            return cities


def _strangers(kind: str, count: int, random: np.random.Generator) -> list[Any]:
    if kind == "text":
        texts = (" ".join(random.choice((*_WORDS, *_STRANGE_TEXTS), 3)) for _ in range(count))
        return [text if random.random() < 0.8 else "" for text in texts]
    if kind.startswith("city"):
        absent = np.nan if kind == "city-nan" else None
        return [(*_STRANGE_TEXTS, absent)[at] for at in random.integers(0, len(_STRANGE_TEXTS) + 1, count)]
    known: tuple[Any, ...] = _STRANGE_CODES if kind == "code" else _STRANGE_NUMBERS
    return [known[at] for at in random.integers(0, len(known), count)]
