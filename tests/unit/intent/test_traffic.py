"""The shape of the traffic, and how many requests wait for a start."""

from __future__ import annotations

import math

import pytest

from sls_ml.intent.traffic import IDLE_SECONDS, cold_share, environments
from sls_ml.spec.rate import MONTH, per_month


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1M/month", 1e6), ("2.5k", 2500), ("10/s", 10 * MONTH), ("50k/day", 50_000 * MONTH / 86_400)],
)
def test_rates(text: str, expected: float) -> None:
    # GIVEN a rate WHEN it is read THEN it is so many a month
    assert per_month(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "many", "1M/year", "-3", "1 M"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    # GIVEN a text that is no rate THEN it is refused
    with pytest.raises(ValueError, match="a rate such as"):
        per_month(text)


def test_rare_requests_mostly_wait_for_a_start_and_frequent_ones_hardly() -> None:
    # GIVEN ten requests a month, and ten a second
    # THEN nearly all of the first wait, and nearly none of the others
    assert cold_share(10, 2.0) > 0.99
    assert cold_share(10 * MONTH, 2.0) < 0.001
    assert cold_share(0, 2.0) == 0.0


def test_the_share_is_that_of_pauses_longer_than_an_environment_lives() -> None:
    # GIVEN one request in five minutes on average, so that e^-1 of the pauses are longer
    requests = MONTH / IDLE_SECONDS
    # THEN these wait, and of the rest one in 24, since an environment is replaced every two hours
    assert cold_share(requests, 2.0) == pytest.approx(math.exp(-1) + (1 - math.exp(-1)) / 24)


def test_bursts_wait_together() -> None:
    # GIVEN the same requests, alone and twenty at once
    # THEN twenty environments are busy, there are fewer and longer pauses, and more requests wait
    assert environments(100_000, 2.0, 20) == 20
    assert cold_share(100_000, 2.0, burst=20) > 5 * cold_share(100_000, 2.0)


def test_environments_that_live_longer_make_fewer_wait() -> None:
    # GIVEN a request a quarter of an hour THEN a longer life makes fewer of them wait
    requests = MONTH / 900
    assert cold_share(requests, 2.0, keep_alive=1800) < cold_share(requests, 2.0, keep_alive=300) / 2
