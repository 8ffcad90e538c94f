"""How many environments wait on average."""

from __future__ import annotations

from typing import Any

import pytest

from sls_ml.measure import waiting
from sls_ml.spec.model import Concurrency

OFFICE = [
    {"at": "cron(0 7 ? * MON-FRI *)", "provisioned": 5, "timezone": "America/New_York"},
    {"at": "cron(0 19 ? * MON-FRI *)", "provisioned": 1, "timezone": "America/New_York"},
]


@pytest.mark.parametrize(
    ("concurrency", "average"),
    [
        ({}, 0),
        ({"provisioned": 2}, 2),
        # 261 working days of 2026, twelve hours each
        ({"schedule": OFFICE}, 1 + 4 * 261 * 12 / (365 * 24)),
        # what comes once, or in one year, is not counted
        ({"provisioned": 2, "schedule": [{"at": "at(2026-06-01T07:00:00)", "provisioned": 5}]}, 2),
        ({"provisioned": 2, "schedule": [{"at": "cron(0 7 * * ? 2026)", "provisioned": 5}]}, 2),
        # the last step of a year holds until the first of the next
        ({"provisioned": 9, "schedule": [{"at": "cron(0 7 1 7 ? *)", "provisioned": 3}]}, 3),
    ],
)
def test_hours_of_a_schedule_are_counted(concurrency: dict[str, Any], average: float) -> None:
    # GIVEN warm capacity with a schedule WHEN its hours are counted THEN these wait on average
    assert waiting.average(Concurrency.model_validate(concurrency)) == pytest.approx(average)
