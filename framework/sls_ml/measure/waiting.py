"""How many environments wait on average, by the spec's warm capacity and its schedule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from sls_ml.spec import timetable
from sls_ml.spec.model import Concurrency

YEAR = 2026
"""The year whose hours are counted; others differ by the days that a weekday has more."""


def average(concurrency: Concurrency) -> float:
    """Environments that wait on average, over a year.

    What comes once, ``at(…)`` or in certain years, is not counted, nor what follows the traffic beyond it.

    Args:
        concurrency: The warm capacity as given.
    """
    periods = [
        (when.astimezone(UTC), period.provisioned)
        for period in concurrency.schedule
        for when in timetable.times(period.at, ZoneInfo(period.timezone), YEAR)
    ]
    if not periods:
        return concurrency.provisioned or 0
    periods.sort(key=lambda each: each[0])
    start, end = datetime(YEAR, 1, 1, tzinfo=UTC), datetime(YEAR + 1, 1, 1, tzinfo=UTC)
    last = periods[-1][1]
    steps = [(start, last), *((max(start, min(end, when)), many) for when, many in periods), (end, last)]
    waited = sum(many * (until - since) / timedelta(hours=1) for (since, many), (until, _) in pairwise(steps))
    return waited / ((end - start) / timedelta(hours=1))
