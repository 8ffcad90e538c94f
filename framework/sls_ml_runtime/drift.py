"""Count how inputs and predictions fall into the bins of the artifact's drift reference, a line at a time.

Rows are kept as they were answered and counted together, about a hundred at a time, because that costs a
tenth of a microsecond a value. Each line tells the log the counts since the line before, as JSON::

    {"type": "sls-ml.drift", "function": "predict", "model": "credit", "digest": "<64 hex>", "rows": 100,
     "counts": "9 12 ... 0;51 48 1 0", "predicted": "61 39 0 0"}

`counts` has a group of numbers for each input. An input of numbers has one number for each bin, then the
missing values; one of texts or labels one for each value in `top`, then those of other values, then the
missing ones. Where the model takes missing values, or texts that the sample did not have, the line is an EMF
document too, with the metrics `missing_values` and `unseen_categories` by function and model.

Of a model with more than `FEATURES` inputs, and of a request with more than a hundred rows, only each second,
third, ... row is counted. `rows` says how many were.
"""

from __future__ import annotations

import json
import sys
from bisect import bisect_left
from collections import Counter
from itertools import chain, islice
from operator import sub
from time import time

from sls_ml_runtime.metrics import document, stage_namespace
from sls_ml_runtime.signature import Matrix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from sls_ml_runtime.model import Model, Seen
    from sls_ml_runtime.signature import Columns, Input

    Group = list[int]

FEATURES = 32
"""Inputs that are counted of each row; a model with more has fewer of its rows counted."""

_encode = json.JSONEncoder(separators=(",", ":")).encode


def write(project: str, function: str, models: Iterable[Model]) -> None:
    """Write a line for each model that has answered since the last time.

    Args:
        project: The project's name in the spec.
        function: The function's name in the spec.
        models: Watched models; what they have seen is taken from them.
    """
    lines = []
    for model in models:
        if model.seen:
            seen, model.seen = model.seen, []
            lines.append(_encode(_line(project, function, model, seen)) + "\n")
    sys.stdout.write("".join(lines))
    sys.stdout.flush()


def thinned(columns: Columns, predictions: Sequence[Any], step: int) -> Seen:
    """Each second, third, ... row of one request."""
    if isinstance(columns, Matrix):
        flat, width = columns.flat, columns.width
        return [("float64", flat[at :: width * step]) for at in range(width)], predictions[::step]
    return [(dtype, values[::step]) for dtype, values in columns], predictions[::step]


def _line(project: str, function: str, model: Model, seen: Sequence[Seen]) -> dict[str, Any]:
    reference = model.artifact.manifest["drift"]
    inputs = model.signature.inputs
    step = 1 + (len(inputs) - 1) // FEATURES
    groups = []
    for place, (field, entry) in enumerate(zip(inputs, reference["features"], strict=True)):
        values = chain.from_iterable(columns[place][1] for columns, _ in seen)
        groups.append(_count(entry, list(islice(values, 0, None, step)), field))
    rows = sum(len(columns[0][1]) for columns, _ in seen)
    line: dict[str, Any] = {
        "type": "sls-ml.drift",
        "function": function,
        "model": model.artifact.name,
        "digest": model.artifact.digest,
        "rows": -(-rows // step),
        "counts": ";".join(map(_text, groups)),
    }
    if reference["prediction"] is not None:
        predicted = islice(chain.from_iterable(predictions for _, predictions in seen), 0, None, step)
        line["predicted"] = _text(_count(reference["prediction"], [_first(value) for value in predicted]))
    signals = _signals(inputs, reference["features"], groups)
    if not signals:
        return line
    names = {"function": function, "model": model.artifact.name}
    return document(stage_namespace(project), names, signals, line, int(time() * 1000))


def _signals(
    inputs: Sequence[Input], entries: Sequence[Mapping[str, Any]], groups: Sequence[Group]
) -> dict[str, float]:
    """Metrics of what can be missing, or new: a value is new where the reference lists all that it had."""
    missing = [group[-1] for field, group in zip(inputs, groups, strict=True) if field.nullable]
    unseen = [
        group[-2]
        for field, entry, group in zip(inputs, entries, groups, strict=True)
        if field.dtype == "string" and field.categories is None and entry.get("rest") == 0
    ]
    signals: dict[str, float] = {}
    if missing:
        signals["missing_values"] = sum(missing)
    if unseen:
        signals["unseen_categories"] = sum(unseen)
    return signals


def _count(entry: Mapping[str, Any], values: Sequence[Any], field: Input | None = None) -> Group:
    """One number for each bin, and the last for missing values: NaN, None, or the text that stands for it."""
    if "top" in entry:
        places = {value: place for place, value in enumerate(entry["top"])}
        other = len(places)
        if field is not None and field.nullable:
            places[field.null] = other + 1
        places[None] = other + 1
        group = [0] * (other + 2)
        for value, count in Counter(values).items():
            group[places.get(value, other)] += count
        return group
    numbers: Sequence[Any] = values
    if entry.get("of") == "length":
        numbers = list(map(len, values))
    elif field is None or field.nullable:
        numbers = [value for value in values if value is not None and value == value]  # noqa: PLR0124 - NaN
    ordered = sorted(numbers)  # and then a search for each edge: faster than one for each value
    ends = [bisect_left(ordered, edge) for edge in entry["edges"]]
    ends.append(len(ordered))
    return [*map(sub, ends, [0, *ends]), len(values) - len(ordered)]


def _first(value: Any) -> Any:
    """The value that stands for a row: of several outputs the first, as in the reference."""
    return value[0] if isinstance(value, list) else value


def _text(group: Group) -> str:
    return " ".join(map(str, group))
