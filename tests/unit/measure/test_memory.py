"""Advice on memory: from processor time and peaks to a size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sls_ml.intent.figures import MB_PER_CPU
from sls_ml.measure.cost import Usage
from sls_ml.measure.memory import Advice, Measured, Request, Size, Started, advise
from sls_ml.measure.pricing import prices

MEASURED = Measured(
    start=Started(cpu_ms=50.0, peak_mb=40.0),
    one_row=Request(rows=1, request_bytes=800, answer_bytes=150, log_bytes=900, cpu_ms=0.8, peak_mb=41.0),
    largest=Request(
        rows=1000, request_bytes=800_000, answer_bytes=40_000, log_bytes=900, cpu_ms=100.0, peak_mb=90.0
    ),
)


@pytest.fixture
def advice(usage: Usage) -> Callable[..., Advice]:
    """Advice on a function that costs nothing but compute."""

    def give(measured: Measured = MEASURED, **more: Any) -> Advice:
        options = {"timeout": 10.0, "p99": None, **more}
        return advise(measured, replace(usage, alarms=0, dashboards=0), prices("aws", "us-east-1"), **options)

    return give


def size(found: Advice, memory: int) -> Size:
    return next(each for each in found.sizes if each.memory == memory)


def test_times_follow_from_processor_time(advice: Callable[..., Advice]) -> None:
    # GIVEN a start of 50 ms on one core WHEN sizes are computed
    found = advice()
    # THEN half a vCPU takes twice as long, and more than one is of no use
    assert size(found, 512).start_ms == pytest.approx(50 * MB_PER_CPU / 512)
    assert size(found, 3008).start_ms == size(found, MB_PER_CPU).start_ms == 50
    assert size(found, 1024).cpus == pytest.approx(0.5788, abs=1e-4)


def test_a_million_requests_cost_what_the_bill_says(advice: Callable[..., Advice]) -> None:
    # GIVEN 512 MB: a request of 0.8 * 3.455 = 2.8 ms, billed as 3, and one in a hundred starts in 173 ms
    found = size(advice(), 512)
    # THEN requests, duration and starts are in it
    expected = 0.20 + (1e6 * 0.003 + 1e4 * 0.173) * 0.5 * 0.0000166667
    assert found.cost == pytest.approx(expected)


def test_the_peak_decides_what_fits(advice: Callable[..., Advice]) -> None:
    # GIVEN a peak of 90 MB, to which 24 and a quarter come: 143
    found = advice()
    # THEN 128 MB do not do, 192 do
    assert MEASURED.needs_mb == 143
    assert size(found, 128).why_not == "it needs 143 MB"
    assert found.least == 192


def test_the_fastest_size_that_costs_little_more_is_recommended(advice: Callable[..., Advice]) -> None:
    # GIVEN sizes whose costs are alike up to one vCPU THEN that is recommended, with times and costs
    found = advice()
    assert found.recommended == MB_PER_CPU
    assert found.reason.startswith("a start takes 50 ms, with 192 MB 461 ms; a million requests cost 0.2")


def test_environments_that_wait_make_memory_dear(usage: Usage) -> None:
    # GIVEN an environment that waits all month WHEN sizes are computed
    waiting = replace(usage, start="provisioned", provisioned=1)
    found = advise(MEASURED, waiting, prices("aws", "us-east-1"), timeout=10, p99=None)
    # THEN each MB is paid for, and the least is recommended
    assert found.recommended == found.least == 192
    assert found.reason == "the least that does, and more memory costs more than 10% above it"


@pytest.mark.parametrize(
    ("more", "memory", "why"),
    [
        ({"timeout": 0.5}, 192, "the largest request takes 0.9 s, and may take 0.5"),
        ({"p99": 5.0}, 256, "a request takes 6 ms, and alarms.p99 allows 5"),
        ({"fetch_ms": 9_700.0}, 192, "a start takes 10.2 s, and may take 10"),
    ],
)
def test_limits_rule_sizes_out(
    advice: Callable[..., Advice], more: dict[str, float], memory: int, why: str
) -> None:
    # GIVEN a limit WHEN sizes are computed THEN those that break it say why, and larger ones may do
    found = advice(**more)
    assert size(found, memory).why_not == why
    assert (found.least or 0) > memory


def test_where_no_size_does_that_is_said(advice: Callable[..., Advice]) -> None:
    # GIVEN a function that needs more than the largest size
    found = advice(replace(MEASURED, largest=replace(MEASURED.largest, peak_mb=4000.0)))
    # THEN there is no advice but the reason
    assert (found.least, found.recommended) == (None, None)
    assert found.reason == "up to 3008 MB: it needs 5031 MB"
