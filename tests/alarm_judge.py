"""Judges an alarm as CloudWatch does.

moto keeps alarms but never judges them, so this does: it reads an alarm as rendered, takes the data of its
periods, and applies metric math, M out of N, and the treatment of missing data as the user guide of
CloudWatch says ("Using metric math", "Configuring how CloudWatch alarms treat missing data").
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

EXTRA = 2
"""Periods that CloudWatch looks at beyond the evaluation periods, for data points that came late."""

Data = Mapping[str, Sequence[float | None]]
"""Metric name -> a value per period, oldest first; None where there was none."""


class Maybe:
    """A number, or none: a data point in metric math."""

    def __init__(self, value: float | None) -> None:
        self.value = value

    def _with(self, other: Maybe | float, does: Any) -> Maybe:
        right = other.value if isinstance(other, Maybe) else other
        return Maybe(None if self.value is None or right is None else does(self.value, right))

    def __add__(self, other: Maybe) -> Maybe:
        return self._with(other, lambda a, b: a + b)

    def __truediv__(self, other: Maybe) -> Maybe:
        return self._with(other, lambda a, b: a / b if b else None)

    def __ge__(self, other: float) -> Maybe:
        return self._with(other, lambda a, b: a >= b)


def fill(point: Maybe, value: float) -> Maybe:
    return Maybe(value) if point.value is None else point


def either(condition: Maybe, one: Maybe, other: float) -> Maybe:
    if condition.value is None:
        return condition
    return one if condition.value else Maybe(other)


def points(alarm: Mapping[str, Any], data: Data) -> list[float | None]:
    """The alarm's value in each period."""
    if not alarm.get("Metrics"):
        return list(data.get(alarm["MetricName"], []))
    *queries, value = alarm["Metrics"]
    series = {q["Id"]: data.get(q["MetricStat"]["Metric"]["MetricName"], []) for q in queries}
    length = max(len(values) for values in series.values())
    padded = {name: [*values, *[None] * (length - len(values))] for name, values in series.items()}
    code = compile(ast.parse(value["Expression"], mode="eval"), "metric math", "eval")
    return [
        eval(code, {"FILL": fill, "IF": either} | {n: Maybe(v[at]) for n, v in padded.items()}).value  # noqa: S307
        for at in range(length)
    ]


def judge(alarm: Mapping[str, Any], data: Data, before: str = "OK") -> str:
    """The alarm's state after the last period of the data.

    Where enough of the range is there, the most recent points decide; else what is missing is filled in.
    """
    wanted, breaching = alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"]
    there = [point for point in points(alarm, data)[-(wanted + EXTRA) :] if point is not None][-wanted:]
    below = alarm["ComparisonOperator"] == "LessThanThreshold"
    bad = sum(point < alarm["Threshold"] if below else point > alarm["Threshold"] for point in there)
    missing = wanted - len(there)
    if bad >= breaching:
        return "ALARM"
    if missing and alarm["TreatMissingData"] == "ignore":
        return before
    if alarm["TreatMissingData"] == "breaching":
        bad += missing
    return "ALARM" if bad >= breaching else "OK"
