"""Rows that break wrong conversions: missing values, unseen categories, ties, extremes, odd texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sls_ml.artifact import structure
from sls_ml.artifact.exporters.libraries import library_of
from sls_ml.artifact.original import Original
from sls_ml.artifact.signature import UNKNOWN, missing_text

if TYPE_CHECKING:
    import pandas as pd

_BASES = 9
"""Sample rows that are changed, in turn."""

_REPEATS = 2
"""Sample rows that each value is tried in."""

_FEWEST, _MOST, _CELLS = 300, 3000, 400_000
"""Bounds on the rows made by changing one value, and on their cells where there are many columns."""

_CATEGORIES = 40
"""Known categories per column that are tried."""

_THRESHOLDS = 120
"""Split thresholds of trees that are tried, each with its neighbours."""

_TIES = 200
"""Sample rows that are tried rounded to one decimal, which trees split between."""

_NAN = float("nan")
_TEXTS = (
    "",
    " ",
    "a",
    "I a b c",
    "café naïve Ångström",
    "日本語 の テキスト",
    "emoji 😀 in 👍🏽 text",
    "don't stop-word under_score e-mail@example.org",
    "x1 22 3.14 1,000",
    "UPPER Lower MiXed",
    "tabs\tand\nlines  and   spaces",
    "ß \u017f İ \u0131 ﬁ",
    "punctuation!!! (only)...",
)


def rows_for(judge: Original, inputs: list[dict[str, Any]]) -> pd.DataFrame:
    """Give adversarial rows, made from the sample and the signature; the original may raise on some."""
    import pandas as pd

    sample = judge.sample
    bases = _bases(sample.frame)
    known = _known(judge)
    changes = [
        (place, value)
        for place, entry in enumerate(inputs)
        for value in (*known.get(place, ())[:_CATEGORIES], *_values(judge, place, entry))
        for _ in range(_REPEATS)
    ]
    changes += _thresholds(judge)
    most = max(_FEWEST, min(_MOST, _CELLS // len(inputs)))
    changes = changes[:: -(-len(changes) // most) or 1]
    made = [
        [*base[:place], value, *base[place + 1 :]]
        for index, (place, value) in enumerate(changes)
        for base in (bases[index % len(bases)],)
    ]
    made += _all_missing(judge, inputs, bases)
    tied = _tied(sample.frame.iloc[:_TIES], inputs)
    frames = [sample.rows([list(column) for column in zip(*made, strict=True)])] if made else []
    if tied is not None:
        frames.append(tied)
    if not frames:
        return sample.frame.iloc[:0]
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def _bases(frame: pd.DataFrame) -> list[list[Any]]:
    step = max(1, len(frame) // _BASES)
    chosen = frame.iloc[::step].head(_BASES)
    return [list(row) for row in zip(*(column.tolist() for _, column in chosen.items()), strict=True)]


def _values(judge: Original, place: int, entry: dict[str, Any]) -> Iterator[Any]:
    """Give the values worth trying in one column, inside its domain."""
    column = judge.sample.frame.iloc[:, place]
    categories = entry["categories"]
    if entry["nullable"]:
        yield missing_text(judge.sample, place) if entry["dtype"] == "string" else _NAN
    if judge.sample.form == "texts":
        yield from _TEXTS
        return
    match entry["dtype"]:
        case "bool":
            yield from (True, False)
        case "string" if categories is None:
            yield from (UNKNOWN, "", " ", "é日", *_folded(column))
        case "string":
            return
        case dtype if categories is None:
            yield from _numbers(column.dropna(), dtype == "int64")
            if not entry["finite"]:
                yield from (float("inf"), float("-inf"))
        case _:
            return


def _numbers(present: Any, whole: bool) -> Iterator[Any]:
    low, high = (float(present.min()), float(present.max())) if len(present) else (0.0, 1.0)
    spread = (high - low) or 1.0
    found = [0.0, -1.0, 1.0, low, high, low - spread, high + spread, (low + high) / 2]
    yield from sorted({float(round(value)) for value in found} if whole else {*found, -0.0 + low / 3})


def _folded(column: Any) -> list[str]:
    """Give a known text in other letters: encoders must tell them apart."""
    present = column.dropna()
    first = str(present.iloc[0]) if len(present) else "a"
    return [first.upper(), first.lower(), f" {first}", f"{first} "]


def _known(judge: Original) -> dict[int, list[Any]]:
    """Give the categories that encoders know, by the column that they read."""
    place_of = {position: place for place, position in enumerate(judge.sample.positions)}
    found: dict[int, list[Any]] = {}
    for encoder, positions in structure.encoders(judge.model, range(judge.sample.width)):
        for categories, position in zip(encoder.categories_, positions, strict=True):
            present = [value for value in categories.tolist() if value is not None and value == value]  # noqa: PLR0124
            found.setdefault(place_of[position], present)
    return found


def _all_missing(judge: Original, inputs: list[dict[str, Any]], bases: list[list[Any]]) -> list[list[Any]]:
    nullable = [place for place, entry in enumerate(inputs) if entry["nullable"]]
    if len(nullable) < 2:
        return []
    absent = {
        place: missing_text(judge.sample, place) if inputs[place]["dtype"] == "string" else _NAN
        for place in nullable
    }
    return [[absent.get(place, value) for place, value in enumerate(base)] for base in bases[:2]]


def _thresholds(judge: Original) -> list[tuple[int, float]]:
    """Give the split points of trees that read the inputs as they are, with both neighbours of each.

    Imputers may stand before the trees: they leave what is there as it is.
    """
    import numpy as np

    flat = structure.steps(judge.model)
    if judge.sample.form == "texts" or not all(_only_fills(step) for _, step in flat[:-1]):
        return []
    place_of = {position: place for place, position in enumerate(judge.sample.positions)}
    splits = sorted(
        {
            (place_of[int(feature)], float(threshold))
            for part in structure.parts(flat[-1][1])
            for feature, threshold in _splits(part)
            if int(feature) in place_of and np.isfinite(threshold)
        }
    )
    chosen = splits[:: max(1, len(splits) // _THRESHOLDS)]
    found = []
    for place, threshold in chosen:
        with np.errstate(over="ignore"):  # the neighbour of the least number is -infinity
            single = np.float32(threshold)
            near = (
                threshold,
                float(np.nextafter(threshold, -np.inf)),
                float(np.nextafter(threshold, np.inf)),
                float(np.nextafter(single, np.float32(-np.inf))),
                float(np.nextafter(single, np.float32(np.inf))),
            )
        found += [(place, value) for value in near]
    return found


def _only_fills(step: Any) -> bool:
    """Tell whether a step changes missing values alone, and keeps all columns in their places."""
    from sklearn.impute import SimpleImputer

    if not isinstance(step, SimpleImputer) or step.add_indicator:
        return False
    return bool(step.keep_empty_features) or all(value == value for value in step.statistics_.tolist())  # noqa: PLR0124


def _splits(part: Any) -> list[tuple[int, float]]:
    library = library_of(part)
    if library is not None:
        return library.splits(part)
    tree = getattr(part, "tree_", None)
    if tree is not None and hasattr(tree, "children_left"):
        inner = tree.children_left >= 0
        return list(zip(tree.feature[inner].tolist(), tree.threshold[inner].tolist(), strict=True))
    found: list[tuple[int, float]] = []
    for round_of_trees in getattr(part, "_predictors", ()):
        for predictor in round_of_trees:
            nodes = predictor.nodes
            inner = nodes[(nodes["is_leaf"] == 0) & (nodes["is_categorical"] == 0)]
            found += zip(inner["feature_idx"].tolist(), inner["num_threshold"].tolist(), strict=True)
    return found


def _tied(frame: pd.DataFrame, inputs: list[dict[str, Any]]) -> pd.DataFrame | None:
    places = [
        place
        for place, entry in enumerate(inputs)
        if entry["dtype"].startswith("float") and entry["categories"] is None
    ]
    if not places:
        return None
    names = list(frame.columns[places])
    return frame.assign(**frame[names].astype("float64").round(1))
