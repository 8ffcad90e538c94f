"""The signature: which values each input may take, found by asking the trained model itself.

Where the original raises, the deployed model must refuse. What a model raises on depends on every step, so
it is probed: a row of the sample is changed in one column at a time, and the model is called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sls_ml.artifact import structure
from sls_ml.artifact.original import Original
from sls_ml.artifact.sample import Sample

_FLOAT32_MAX = 3.4028234663852886e38
UNKNOWN = "sls-ml: never seen"
"""A text that no training data holds."""

_NAN = float("nan")
_INFINITY = float("inf")
_EXAMPLES = 3


def inputs_of(judge: Original) -> list[dict[str, Any]]:
    """Give the manifest's inputs: name, dtype, and the domain of each."""
    sample = judge.sample
    names = [str(name) for name in sample.frame.columns]
    probe = _Probe(judge)
    numbers = [place for place, dtype in enumerate(sample.dtypes) if dtype.startswith("float")]
    categories = _closed(judge, probe)
    nullable = set(probe.survivors(numbers, lambda _: _NAN))
    endless = set(probe.survivors(numbers, lambda _: _INFINITY))
    large = set(probe.survivors(numbers, lambda _: 1e300))
    if sample.form != "texts":
        texts = [place for place, dtype in enumerate(sample.dtypes) if dtype == "string"]
        nullable |= set(probe.survivors(texts, lambda place: missing_text(sample, place)))
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
        if place in numbers and place not in large and place not in categories:
            found["range"] = probe.limits(place)
        inputs.append(found)
    return inputs


def tensors_of(model: Any, sample: Sample) -> list[dict[str, Any]]:
    """Give the manifest's tensors: one matrix, or one tensor per column where columns differ."""
    from sklearn.compose import ColumnTransformer

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
    return {
        str(name): [plain(value, dtype) for value in frame.iloc[:, place].tolist()]
        for place, (name, dtype) in enumerate(zip(frame.columns, dtypes, strict=True))
    }


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
    """Asks the model about changed copies of one row that it accepts."""

    def __init__(self, judge: Original) -> None:
        self._judge = judge
        self._row = [column.tolist()[0] for _, column in judge.sample.frame.items()]

    def accepts(self, changes: dict[int, Any]) -> bool:
        row = [[changes.get(place, value)] for place, value in enumerate(self._row)]
        return self._judge.accepts(self._judge.sample.rows(row))

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
        middle = len(places) // 2
        return [*self.survivors(places[:middle], value), *self.survivors(places[middle:], value)]

    def limits(self, place: int) -> list[float] | None:
        """Give the range that the model accepts, to a power of two, or exactly where float32 ends it."""
        if not self.accepts({place: 1.0}):
            return None
        bounds = []
        for sign in (-1.0, 1.0):
            if self.accepts({place: sign * 1e300}):
                bounds.append(sign * 1.7976931348623157e308)
                continue
            if self.accepts({place: sign * _FLOAT32_MAX}) and not self.accepts({place: sign * 2.0**128}):
                bounds.append(sign * _FLOAT32_MAX)
                continue
            low, high = 0, 997
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if self.accepts({place: sign * 2.0**middle}) else (low, middle)
            bounds.append(sign * 2.0**low)
        return bounds


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
            stranger: Any = UNKNOWN if dtype == "string" else max(values, default=0) + 1
            if dtype == "bool" or place in closed or probe.accepts({place: stranger}):
                continue
            if probe.accepts_each(place, values):
                closed[place] = values
    return closed
