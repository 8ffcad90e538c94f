"""Bills: usage times list prices."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from importlib import resources

import pytest

from sls_ml.errors import UnsupportedError, UsageError
from sls_ml.measure import cost
from sls_ml.measure.cost import MONTH, Usage

USAGE = Usage(
    requests=1_000_000,
    milliseconds=1.2,
    init_milliseconds=150.4,
    cold_share=0.01,
    memory=512,
    architecture="x86_64",
    start="plain",
    provisioned=0,
    endpoint="url",
    log_bytes=800,
    response_bytes=300,
    alarms=4,
    fetches=0,
    log_days=30,
)


def lines(usage: Usage) -> dict[str, float]:
    return {line.what: line.cost for line in cost.bill(usage, cost.prices("aws"))}


def test_a_month_of_requests() -> None:
    # GIVEN a million requests of 1.2 ms, of which one per cent starts for 150.4 ms, at 512 MB
    # WHEN they are billed
    found = lines(USAGE)
    # THEN time is rounded up to milliseconds and starts are billed as well
    assert found["requests"] == pytest.approx(0.20)
    assert found["duration"] == pytest.approx(1_000_000 * 0.002 * 0.5 * 0.0000166667)
    assert found["starts, billed since August 2025"] == pytest.approx(10_000 * 0.151 * 0.5 * 0.0000166667)
    # THEN the log holds the function's lines and Lambda's own
    assert found["logs written"] == pytest.approx(1_000_000 * (800 + 1100) / 2**30 * 0.5)
    assert found["metrics"] == pytest.approx(2.10)
    # THEN what costs nothing is not listed
    assert "HTTP API" not in found
    assert "models fetched at starts" not in found


def test_snapshots_are_kept_and_restored_for_money() -> None:
    # GIVEN the same traffic with snapshots
    found = lines(replace(USAGE, start="snapstart"))
    # THEN the snapshot costs all month, each restore costs, and starts do not
    assert found["snapshot, kept for one version"] == pytest.approx(0.5 * MONTH * 0.0000015046)
    assert found["restores"] == pytest.approx(10_000 * 0.5 * 0.0001397998)
    assert not any(what.startswith("starts") for what in found)


def test_environments_that_wait_cost_all_month_and_less_per_request() -> None:
    # GIVEN two environments that wait, on arm64
    found = lines(replace(USAGE, start="provisioned", provisioned=2, architecture="arm64"))
    # THEN both are billed
    assert found["environments that wait"] == pytest.approx(2 * 0.5 * MONTH * 0.0000033334)
    assert found["duration, in environments that wait"] == pytest.approx(1000 * 0.0000077778)


def test_a_batch_function_pays_for_events_queue_and_objects() -> None:
    # GIVEN a thousand objects
    found = lines(replace(USAGE, endpoint=None, requests=1000))
    # THEN its bill has no door, but what brings and takes objects
    assert {"object events", "queue", "objects read", "objects written"} <= found.keys()
    assert "answers sent" not in found


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1M/month", 1e6), ("2.5k", 2500), ("10/s", 10 * MONTH), ("50k/day", 50_000 * MONTH / 86_400)],
)
def test_rates(text: str, expected: float) -> None:
    # GIVEN a rate WHEN it is read THEN it is requests a month
    assert cost.per_month(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "many", "1M/year", "-3", "1 M"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    # GIVEN a text that is no rate THEN it is refused
    with pytest.raises(UsageError):
        cost.per_month(text)


def test_rare_requests_mostly_wait_for_a_start_and_frequent_ones_hardly() -> None:
    # GIVEN ten requests a month, and ten a second
    # THEN nearly all of the first wait, and nearly none of the others
    assert cost.cold_share(10, 2.0) > 0.99
    assert cost.cold_share(10 * MONTH, 2.0) < 0.001
    assert cost.cold_share(0, 2.0) == 0.0


def test_old_prices_and_other_regions_are_told() -> None:
    # GIVEN a price table
    table = cost.prices("aws")
    # WHEN it is young and of this region THEN there is nothing to tell
    assert list(table.warnings(table.region, table.read)) == []
    # WHEN it is older than a year, or the region another THEN that is told
    later = date(table.read.year + 2, 1, 1)
    assert "more than a year" in next(table.warnings(table.region, later))
    assert "eu-west-1" in next(table.warnings("eu-west-1", table.read))


def test_every_price_names_its_unit_and_page() -> None:
    # GIVEN the table as it is checked in
    text = resources.files("sls_ml.measure.prices").joinpath("aws.json").read_text()
    # THEN each price says what it is for and where it stands
    for price in json.loads(text)["prices"].values():
        assert price.keys() == {"value", "unit", "page"}
        assert price["value"] > 0


def test_providers_without_a_table_are_refused() -> None:
    # GIVEN a provider that has no prices yet THEN that is said
    with pytest.raises(UnsupportedError) as refused:
        cost.prices("gcp")
    assert refused.value.code == "no-prices"
