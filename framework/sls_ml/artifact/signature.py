"""The signature: which values each input may take, found by asking the trained model itself.

Where the original raises, the deployed model must refuse. What a model raises on depends on every step, so
it is probed: a row of the sample is changed in one column at a time, and the model is called.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

from sls_ml.artifact import structure
from sls_ml.artifact.exporters.graph_model import GraphModel
from sls_ml.artifact.original import Original
from sls_ml.artifact.sample import Sample

_FLOAT32_MAX = 3.4028234663852886e38
_PAST_FLOAT32 = 2.0**128
_DOUBLE_MAX = 1.7976931348623157e308
_HUGE = 1e300
_LARGE = (_PAST_FLOAT32, _HUGE)
"""Tried one after the other: what a step makes of the second may be NaN, which trees admit, not infinity."""
_LEAST, _MOST = -(2**63), 2**63 - 1
_FAR, _COARSE = 1e30, 1 << 48
"""Beyond this number a range's end is found to this many doubles, about 6 %."""

UNKNOWN = "sls-ml: never seen"
"""A text that no training data holds."""

_STRANGERS = (UNKNOWN, f"~ {UNKNOWN}")
"""XGBoost 3.2 takes an unseen text for the known one that sorts behind it; behind all of them it raises."""

_NAN = float("nan")
_INFINITY = float("inf")
_EXAMPLES = 3
_SEARCHED = 1000
_MANY = 16
"""Beyond so many columns, those of a model without a ColumnTransformer are taken to be alike."""


def inputs_of(judge: Original) -> list[dict[str, Any]]:
    """Give the manifest's inputs: name, dtype, and the domain of each."""
    sample = judge.sample
    names = [str(name) for name in sample.frame.columns]
    probe = _Probe(judge)
    numbers = [place for place, dtype in enumerate(sample.dtypes) if dtype.startswith("float")]
    categories = _closed(judge, probe)
    nullable = set(probe.survivors(numbers, lambda _: _NAN))
    endless = set(probe.survivors(numbers, lambda _: _INFINITY))
    large = set(numbers)
    for size in _LARGE:
        large &= set(probe.survivors(numbers, dict.fromkeys(numbers, size).__getitem__))
        large &= set(probe.survivors(numbers, dict.fromkeys(numbers, -size).__getitem__))
    if sample.form != "texts":
        texts = [place for place, dtype in enumerate(sample.dtypes) if dtype == "string"]
        nullable |= set(probe.survivors(texts, lambda place: missing_text(sample, place)))
    limited = [place for place in numbers if place not in large and place not in categories]
    ranges = probe.ranges([place for place in limited if probe.has(place)])
    whole = [place for place, dtype in enumerate(sample.dtypes) if dtype == "int64"]
    ranges |= probe.whole_ranges([place for place in whole if place not in categories])
    inputs = []
    for place, (name, dtype) in enumerate(zip(names, sample.dtypes, strict=True)):
        found: dict[str, Any] = {
            "name": name,
            "dtype": dtype,
            "nullable": place in nullable,
            "finite": dtype != "string" and place not in endless,
            "range": None,
            "categories": categories.get(place),
        }
        found["range"] = ranges.get(place)
        inputs.append(found)
    return inputs


def tensors_of(model: Any, sample: Sample) -> list[dict[str, Any]]:
    """Give the manifest's tensors: one matrix, or one tensor per column where columns differ."""
    from sklearn.compose import ColumnTransformer

    if isinstance(model, GraphModel):
        return model.tensors()
    places = range(len(sample.dtypes))
    if sample.form == "texts":
        return [{"name": "c0", "dtype": "string", "columns": [0], "rank": 1}]
    kinds = [_tensor_dtype(dtype) for dtype in sample.dtypes]
    apart = isinstance(structure.steps(model)[0][1], ColumnTransformer) or len(set(kinds)) > 1
    if not apart:
        return [{"name": "c0", "dtype": kinds[0], "columns": list(places), "rank": 2}]
    return [{"name": f"c{place}", "dtype": kinds[place], "columns": [place], "rank": 2} for place in places]


def examples_of(judge: Original) -> list[dict[str, Any]]:
    """Give up to three rows of the sample as plain JSON values."""
    sample = judge.sample
    return plain_rows(sample.frame.iloc[:_EXAMPLES], sample.dtypes)


def plain_table(frame: Any, dtypes: Sequence[str]) -> dict[str, list[Any]]:
    """Give each column as a list of JSON values: missing ones as None."""
    table = {}
    for place, (name, dtype) in enumerate(zip(frame.columns, dtypes, strict=True)):
        column = frame.iloc[:, place]
        done = dtype.startswith("float") and column.dtype == "float64" and not column.isna().any()
        table[str(name)] = column.tolist() if done else [plain(value, dtype) for value in column.tolist()]
    return table


def plain_rows(frame: Any, dtypes: Sequence[str]) -> list[dict[str, Any]]:
    """Give rows as JSON values: missing ones as None."""
    table = plain_table(frame, dtypes)
    return [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]


def plain(value: Any, dtype: str) -> Any:
    """Give one value as JSON knows it, a missing one as None."""
    if value is None or value != value or type(value).__name__ in ("NAType", "NaTType"):  # noqa: PLR0124
        return None
    match dtype:
        case "string":
            return str(value)
        case "bool":
            return bool(value)
        case "int64":
            return int(value)
        case _:
            return float(value)


def missing_text(sample: Sample, place: int) -> Any:
    """Give what stands for a missing text in the user's own data: None, or NaN where pandas writes it."""
    column = sample.frame.iloc[:, place]
    absent = column[column.isna()]
    return None if len(absent) and absent.iloc[0] is None else _NAN


def _tensor_dtype(dtype: str) -> str:
    return dtype if dtype in ("string", "int64") else "float64"


class _Probe:
    """Asks the model about changed copies of one row that it accepts, the fullest of the first ones."""

    def __init__(self, judge: Original) -> None:
        from sklearn.compose import ColumnTransformer

        self._judge = judge
        first = judge.sample.frame.iloc[:_SEARCHED]
        full = first[~first.isna().any(axis=1)]
        rows = full if len(full) else first
        self._row = [column.tolist()[0] for _, column in rows.items()]
        self._doubles = all(str(dtype) == "float64" for dtype in judge.sample.frame.dtypes)
        self._uniform = not isinstance(structure.steps(judge.model)[0][1], ColumnTransformer)

    def accepts(self, changes: dict[int, Any]) -> bool:
        """Tell whether the model answers the row with these columns changed."""
        import numpy as np
        import pandas as pd

        row = [changes.get(place, value) for place, value in enumerate(self._row)]
        sample = self._judge.sample
        if self._doubles:
            frame = pd.DataFrame(np.asarray([row], dtype=float), columns=sample.frame.columns)
        else:
            frame = sample.rows([[value] for value in row])
        return self._judge.accepts(frame)

    def has(self, place: int) -> bool:
        """Tell whether the row has a number in this column."""
        value = self._row[place]
        return value is not None and bool(value == value)  # noqa: PLR0124

    def accepts_each(self, place: int, values: Sequence[Any]) -> bool:
        columns = [
            list(values) if at == place else [value] * len(values) for at, value in enumerate(self._row)
        ]
        return self._judge.accepts(self._judge.sample.rows(columns))

    def survivors(self, places: Sequence[int], value: Callable[[int], Any]) -> list[int]:
        """Give the columns that may hold `value`, by halving the set until a call passes."""
        if not places:
            return []
        if self.accepts({place: value(place) for place in places}):
            return list(places)
        if len(places) == 1:
            return []
        if (
            self._uniform
            and len(places) > _MANY
            and not any(
                self.accepts({place: value(place)})
                for place in (places[0], places[len(places) // 2], places[-1])
            )
        ):
            return []
        middle = len(places) // 2
        return [*self.survivors(places[:middle], value), *self.survivors(places[middle:], value)]

    def ranges(self, places: Sequence[int]) -> dict[int, list[float]]:
        """Give the range of each column; those that end where float32 ends are found together."""
        ends = (_FLOAT32_MAX, -_FLOAT32_MAX)
        inside = all(self.accepts(dict.fromkeys(places, end)) for end in ends)
        if inside and not any(self.survivors(places, beyond) for beyond in (_above, _below)):
            return {place: [-_FLOAT32_MAX, _FLOAT32_MAX] for place in places}
        return {place: self.limits(place) for place in places}

    def whole_ranges(self, places: Sequence[int]) -> dict[int, list[float]]:
        """Give the range of each column of integers that does not take all of 64 bits."""
        ends = set(self.survivors(places, lambda _: _LEAST)) & set(self.survivors(places, lambda _: _MOST))
        limited = [place for place in places if place not in ends]
        if not limited:
            return {}
        first = self._whole_limits(limited[0])
        alike = all(self.accepts(dict.fromkeys(limited, end)) for end in first)
        beyond = [end for end in (first[0] - 1, first[1] + 1) if _LEAST <= end <= _MOST]
        if alike and not any(
            self.survivors(limited, dict.fromkeys(limited, end).__getitem__) for end in beyond
        ):
            return {place: [*first] for place in limited}
        return {place: [*self._whole_limits(place)] for place in limited}

    def _whole_limits(self, place: int) -> tuple[int, int]:
        """Give the range around the row's own integer, found by halving."""
        found = []
        for end in (_LEAST, _MOST):
            inside, outside = int(self._row[place]), end
            if self.accepts({place: end}):
                inside = outside = end
            while abs(outside - inside) > 1:
                middle = (inside + outside) // 2
                inside, outside = (middle, outside) if self.accepts({place: middle}) else (inside, middle)
            found.append(inside)
        return found[0], found[1]

    def limits(self, place: int) -> list[float]:
        """Give the range around the row's own value that the model accepts, as far as that is an interval."""
        inside = float(self._row[place])
        return [self._limit(place, inside, -1.0), self._limit(place, inside, 1.0)]

    def _limit(self, place: int, inside: float, sign: float) -> float:
        """Find the end of the range on one side, by halving between a value inside and one outside."""
        refused = [size for size in _LARGE if not self.accepts({place: sign * size})]
        if not refused:
            return sign * _DOUBLE_MAX
        outside = sign * refused[0]
        if refused[0] == _PAST_FLOAT32 and self.accepts({place: sign * _FLOAT32_MAX}):
            return sign * _FLOAT32_MAX
        low, high = _rank(inside), _rank(outside)
        # Far out, where only an overflow can lie, a rough end inside the range will do.
        while abs(high - low) > (1 if abs(_unrank(low)) < _FAR else _COARSE):
            middle = (low + high) // 2
            low, high = (middle, high) if self.accepts({place: _unrank(middle)}) else (low, middle)
        return _unrank(low)


def _above(_: int) -> float:
    return _PAST_FLOAT32


def _below(_: int) -> float:
    return -_PAST_FLOAT32


def _rank(value: float) -> int:
    """Give a number's place in the order of all doubles, so that halving reaches any of them in 64 steps."""
    (bits,) = struct.unpack("<q", struct.pack("<d", value))
    return int(bits if bits >= 0 else -(bits & 0x7FFF_FFFF_FFFF_FFFF))


def _unrank(rank: int) -> float:
    bits = rank if rank >= 0 else (-rank) | -0x8000_0000_0000_0000
    (value,) = struct.unpack("<d", struct.pack("<q", bits))
    return float(value)


def _closed(judge: Original, probe: _Probe) -> dict[int, list[Any]]:
    """Give the categories of the columns in which the model raises on any other."""
    sample = judge.sample
    place_of = {position: place for place, position in enumerate(sample.positions)}
    closed: dict[int, list[Any]] = {}
    for encoder, positions in structure.encoders(judge.model, range(sample.width)):
        for known, position in zip(encoder.categories_, positions, strict=True):
            place = place_of[position]
            dtype = sample.dtypes[place]
            values = [plain(value, dtype) for value in known.tolist() if plain(value, "string") is not None]
            strangers: Sequence[Any] = _STRANGERS if dtype == "string" else [max(values, default=0) + 1]
            if dtype == "bool" or place in closed:
                continue
            if all(probe.accepts({place: stranger}) for stranger in strangers):
                continue
            if probe.accepts_each(place, values):
                closed[place] = values
    return closed
