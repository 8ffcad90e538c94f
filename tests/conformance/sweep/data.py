"""Small data that is hard on converters: ties, missing values, unknown categories, odd texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

TRAINING, FRESH = 300, 200


def numbers(rows: int, seed: int) -> Array:
    """Six features on a grid of 0.1, with many ties."""
    return np.round(np.random.default_rng(seed).normal(size=(rows, 6)), 1)


def holed(rows: int, seed: int) -> Array:
    """Numbers of which a tenth is missing, in fresh rows in all features."""
    random = np.random.default_rng(seed + 1000)
    x = numbers(rows, seed)
    return np.where((random.random(x.shape) < 0.1) & ((seed > 0) | (np.arange(6) < 4)), np.nan, x)


def positive(rows: int, seed: int) -> Array:
    """Numbers from 0 up."""
    return np.abs(numbers(rows, seed))


def unit(rows: int, seed: int) -> Array:
    """Numbers between 0 and 1."""
    return np.random.default_rng(seed).random((rows, 6))


def codes(rows: int, seed: int) -> Array:
    """Category codes from 0 to 4."""
    return np.random.default_rng(seed).integers(0, 5, (rows, 4)).astype(np.float64)


def words(rows: int, seed: int) -> Array:
    """Two text columns of categories, some of them rare."""
    random = np.random.default_rng(seed)
    city = np.array(["Bern", "Genf", "Zürich", "Olten", "Ftan"])
    size = np.array(["S", "M", "L", ""])
    x = np.empty((rows, 2), dtype=object)
    x[:, 0] = random.choice(city, rows, p=[0.5, 0.3, 0.17, 0.02, 0.01])
    x[:, 1] = random.choice(size, rows)
    return x


def words_with_unknown(rows: int, seed: int) -> Array:
    """Categories of which fresh rows have one that training had not."""
    x = words(rows, seed)
    if seed > 0:
        x[::7, 0] = "Chur"
    return x


def texts(rows: int, seed: int) -> Array:
    """Short texts with accents, digits, hyphens, emoji, one-letter words and an empty one."""
    random = np.random.default_rng(seed)
    pool = np.array(
        [
            "good",
            "bad",
            "Éclair",
            "naïve",
            "x",
            "a",
            "well-made",
            "1984",
            "日本語",
            "🙂",
            "don't",
            "under_score",
        ],
        dtype=object,
    )
    made = [" ".join(random.choice(pool, random.integers(1, 8))) for _ in range(rows)]
    made[0] = made[0] if seed == 0 else ""
    return np.array(made, dtype=object)


def reals(rows: int, seed: int) -> Array:
    """Six features without ties, for estimators that break ties in no fixed order."""
    return np.random.default_rng(seed).normal(size=(rows, 6))


def gaps(rows: int, seed: int) -> Array:
    """Numbers without ties, of which a tenth is missing, in fresh rows in all features."""
    x = reals(rows, seed)
    return np.where(np.isnan(holed(rows, seed)), np.nan, x)


def spaced(rows: int, seed: int) -> Array:
    """Texts with runs of spaces and line ends."""
    return np.array(
        [text.replace(" ", "  ").replace("bad", "bad\n\t") for text in texts(rows, seed)], dtype=object
    )


def one(rows: int, seed: int) -> Array:
    """One feature."""
    return numbers(rows, seed)[:, :1]


DATA: dict[str, Callable[[int, int], Array]] = {
    function.__name__: function
    for function in (
        numbers,
        holed,
        positive,
        unit,
        codes,
        words,
        words_with_unknown,
        texts,
        one,
        reals,
        gaps,
        spaced,
    )
}


def target(kind: str, x: Array, seed: int) -> Array | None:
    """The target of a trial for these features."""
    random = np.random.default_rng(seed + 2000)
    if x.ndim == 2 and x.dtype != object:
        filled = np.nan_to_num(x)
        base = filled[:, 0] + (np.sin(filled[:, 1]) * filled[:, 2] if x.shape[1] > 2 else 0)
    else:
        base = np.array([len(str(row)) for row in x]) / 5.0
    base = (base - base.mean()) / (base.std() + 1e-9) + random.normal(size=len(x)) * 0.2
    made: dict[str, Callable[[], Array]] = {
        "two": lambda: (base > 0).astype(np.int64),
        "three": lambda: np.array(["a", "b", "c"])[np.digitize(base, [-0.5, 0.5])],
        "value": lambda: 100 * base,
        "counts": lambda: np.exp(base),
        "labels": lambda: (np.c_[base, -base + 0.3] > 0).astype(np.int64),
        "names": lambda: np.c_[
            np.array(["a", "b", "c"])[np.digitize(base, [-0.5, 0.5])], np.where(base > 0.1, "yes", "no")
        ],
        "pair": lambda: np.c_[base, base**2],
    }
    return made[kind]() if kind in made else None
