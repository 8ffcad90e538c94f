"""Bills: usage times prices."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sls_ml.errors import UnsupportedError
from sls_ml.measure import cost
from sls_ml.measure.cost import Usage
from sls_ml.measure.pricing import Prices, prices
from sls_ml.spec.rate import MONTH

TABLE = prices("aws", "us-east-1")


def lines(usage: Usage, table: Prices = TABLE) -> dict[str, float]:
    return {line.what: line.cost for line in cost.bill(usage, table)}


def test_a_month_of_requests(usage: Usage) -> None:
    # GIVEN a million requests of 1.2 ms, of which one per cent starts for 150.4 ms, at 512 MB
    # WHEN they are billed
    found = lines(usage)
    # THEN time is rounded up to milliseconds and starts are billed as well
    assert found["requests"] == pytest.approx(0.20)
    assert found["duration"] == pytest.approx(1_000_000 * 0.002 * 0.5 * 0.0000166667)
    assert found["starts, billed since August 2025"] == pytest.approx(10_000 * 0.151 * 0.5 * 0.0000166667)
    # THEN the log holds the function's lines and Lambda's own
    assert found["logs written"] == pytest.approx(1_000_000 * (800 + 1100) / 2**30 * 0.5)
    # THEN 7 metrics at 0.30, 4 alarms at 0.10 and half a dashboard at 3.00 are paid
    assert (found["metrics"], found["alarms"], found["dashboards"]) == pytest.approx((2.10, 0.40, 1.50))
    # THEN what costs nothing is not listed
    assert not found.keys() & {"HTTP API", "models fetched at starts", "secrets kept"}


def test_the_sum_is_what_a_calculator_says(usage: Usage) -> None:
    # GIVEN the same month WHEN it is added up by hand: 0.20 requests + 0.0166667 duration + 0.0125833 starts
    # + 0.0251457 for 0.2793968 GB sent + 0.8847564 for 1.7695129 GB of logs + 0.0523280 to keep them
    # + 2.10 metrics + 0.40 alarms + 1.50 dashboards
    # THEN the total is the same to a hundredth of a cent
    assert cost.total(cost.bill(usage, TABLE)) == pytest.approx(5.19148, abs=1e-4)


def test_snapshots_are_kept_and_restored_for_money(usage: Usage) -> None:
    # GIVEN the same traffic with snapshots
    found = lines(replace(usage, start="snapstart"))
    # THEN the snapshot costs all month, each restore costs, and starts do not
    assert found["snapshot, kept for one version"] == pytest.approx(0.5 * MONTH * 0.0000015046)
    assert found["restores"] == pytest.approx(10_000 * 0.5 * 0.0001397998)
    assert not any(what.startswith("starts") for what in found)


def test_environments_that_wait_cost_all_month_and_less_per_request(usage: Usage) -> None:
    # GIVEN two environments that wait, on arm64
    found = lines(replace(usage, start="provisioned", provisioned=2, architecture="arm64"))
    # THEN both are billed, and serve every request
    assert found["environments that wait"] == pytest.approx(2 * 0.5 * MONTH * 0.0000033334)
    assert found["duration, in environments that wait"] == pytest.approx(1000 * 0.0000077778)
    assert not any("beyond" in what for what in found)


def test_what_comes_beyond_the_environments_that_wait_is_billed_on_demand(usage: Usage) -> None:
    # GIVEN two environments that wait, and eight requests that come at once
    found = lines(replace(usage, start="provisioned", provisioned=2, burst=8))
    # THEN a quarter is served by those that wait, and of the rest one per cent starts
    assert found["duration, in environments that wait"] == pytest.approx(250 * 0.0000097222)
    assert found["duration, beyond them"] == pytest.approx(750 * 0.0000166667)
    assert found["starts, beyond them"] == pytest.approx(7500 * 0.151 * 0.5 * 0.0000166667)


def test_a_batch_function_pays_for_events_queue_and_objects(usage: Usage) -> None:
    # GIVEN a thousand objects
    found = lines(replace(usage, endpoint=None, requests=1000))
    # THEN its bill has no door, but what brings and takes objects: 3 of 4 queue calls are for a message,
    # the rest polls an idle queue in five connections, each for 20 s
    assert found["object events"] == pytest.approx(0.001)
    assert found["queue"] == pytest.approx((5 * 131_400 + 3000) * 4e-7)
    assert found["objects read"] == pytest.approx(0.0004)
    assert found["objects written"] == pytest.approx(0.015)
    assert "answers sent" not in found


def test_an_api_with_keys_pays_for_the_api_and_the_checks(usage: Usage) -> None:
    # GIVEN an HTTP API that asks for keys, in a region where it costs 1.11 a million
    found = lines(replace(usage, endpoint="api", keyed=True), prices("aws", "eu-west-1"))
    # THEN every request is billed by the API, and one check a minute by Lambda
    assert found["HTTP API"] == pytest.approx(1.11)
    assert found["checks of one caller's key"] == pytest.approx(43_800 * 2e-7)


def test_secrets_are_kept_and_read_at_each_start(usage: Usage) -> None:
    # GIVEN two secrets and ten thousand starts
    found = lines(replace(usage, secrets=2))
    # THEN both are paid, and each start reads both
    assert found["secrets kept"] == pytest.approx(0.80)
    assert found["secrets read at starts"] == pytest.approx(20_000 * 0.000005)


def test_the_free_tier_is_told_apart(usage: Usage) -> None:
    # GIVEN a month within the free tier but for its dashboard's share of logs
    bill = cost.bill(usage, TABLE)
    # WHEN what is free is taken off
    free = {each.what: each for each in cost.free(bill, TABLE)}
    # THEN a million requests, all GB-seconds of both lines, and seven metrics are free
    assert free["requests"].saved == pytest.approx(0.20)
    assert free["duration"].quantity == pytest.approx(1000 + 755)
    assert free["metrics"].quantity == 7
    # THEN never more than is used
    assert sum(each.saved for each in free.values()) <= cost.total(bill)


def test_the_free_tier_ends(usage: Usage) -> None:
    # GIVEN ten times the requests THEN a million of them is free, and no more
    bill = cost.bill(replace(usage, requests=1e7), TABLE)
    free = {each.what: each.quantity for each in cost.free(bill, TABLE)}
    assert free["requests"] == 1_000_000
    assert free["logs written"] == 5


def test_each_start_has_its_price(usage: Usage) -> None:
    # GIVEN a month WHEN it is billed with each kind of start
    found = cost.by_start(replace(usage, burst=3), TABLE)
    # THEN plain is that month, and for provisioned as many wait as come at once
    assert found["plain"] == cost.bill(replace(usage, burst=3), TABLE)
    waiting = {line.what: line.cost for line in found["provisioned"]}["environments that wait"]
    assert waiting == pytest.approx(3 * 0.5 * MONTH * 0.0000041667)
    # THEN the prices of all of them are named
    assert {"snapstart_cache", "provisioned_x86_64"} <= cost.names(*found.values())


def test_providers_without_a_bill_are_refused(usage: Usage) -> None:
    # GIVEN prices of a provider whose bill is not known THEN that is said
    with pytest.raises(UnsupportedError) as refused:
        cost.bill(usage, replace(TABLE, provider="gcp"))
    assert refused.value.code == "no-prices"
