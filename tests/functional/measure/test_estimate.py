"""The command that estimates what a month costs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from command_line import Done

KEYS = {
    "function",
    "provider",
    "prices",
    "currency",
    "measured",
    "usage",
    "lines",
    "total",
    "free",
    "total_after_free",
    "choices",
}


def test_an_estimate_uses_what_was_measured(sls_ml: Callable[..., Done], sample: Path) -> None:
    # GIVEN a measured function
    assert sls_ml("bench", "coldstart", "--starts", "1").code == 0
    # WHEN a month is estimated
    done = sls_ml("estimate", "--requests", "1M/month", "--memory", "1769", "--json")
    # THEN its start is billed as it was measured, and lines add up to the total
    document = done.document
    record = json.loads((sample / ".sls-ml/bench/coldstart-predict.json").read_text())
    assert document.keys() == KEYS
    assert document["measured"]
    assert document["usage"]["init_milliseconds"] == record["subjects"]["predict"]["cpu_ms"]
    assert document["usage"]["log_bytes"] == record["log_bytes"]
    assert sum(line["cost"] for line in document["lines"]) == pytest.approx(document["total"], abs=0.01)
    saved = sum(each["saved"] for each in document["free"])
    assert document["total"] - saved == pytest.approx(document["total_after_free"], abs=0.011)
    assert len(document["choices"]) == 6
    # THEN alarms and the shared dashboard are counted in the template
    assert document["usage"]["alarms"] > 0
    assert document["usage"]["dashboards"] == 0.5
    # THEN the prices are those of the spec's region
    assert document["prices"]["region"] == "eu-west-1"
    # THEN what is not known there is told, of the choices too
    assert document["prices"]["borrowed"] == ["snapstart_cache", "snapstart_restore"]
    assert "not known in eu-west-1, and taken from us-east-1: snapstart_cache, snapstart_restore" in done.err


def test_given_figures_take_the_place_of_measured_ones(sls_ml: Callable[..., Done]) -> None:
    # GIVEN figures from the function's own log WHEN a month is estimated
    words = ("--requests", "10/s", "--duration", "20ms", "--init", "300ms", "--cold-share", "1%")
    usage = sls_ml("estimate", *words, "--json").document["usage"]
    # THEN they are used
    assert (usage["milliseconds"], usage["init_milliseconds"], usage["cold_share"]) == (20, 300, 0.01)


def test_bursts_and_the_life_of_an_environment_change_how_many_wait(sls_ml: Callable[..., Done]) -> None:
    # GIVEN the same requests WHEN they come together, or environments live longer
    def waiting(*words: str) -> float:
        done = sls_ml("estimate", "--requests", "10k/day", *words, "--json")
        return float(done.document["usage"]["cold_share"])

    # THEN more of them wait, or fewer
    assert waiting("--burst", "50") > waiting() > waiting("--keep-alive", "15m")


def test_a_batch_function_is_estimated_by_its_objects(sls_ml: Callable[..., Done]) -> None:
    # GIVEN a batch function, which was not measured WHEN a month is estimated
    done = sls_ml("estimate", "score", "--requests", "1k/day")
    # THEN objects, events and queue are billed, and the other kinds of start are priced
    assert done.code == 0, done.err
    for word in ("object events", "queue", "objects written", "provisioned"):
        assert word in done.out
    assert "score was not measured here: these are the times of a small model" in done.err


def test_another_region_and_ones_own_prices(sls_ml: Callable[..., Done], sample: Path) -> None:
    # GIVEN a price of one's own
    (sample / "prices.toml").write_text("read = 2026-11-02\n[prices]\nlogs_ingested = 0.25\n")
    # WHEN a month is estimated for a region whose price of logs is not known
    words = ("--requests", "1M", "--region", "eu-north-1", "--prices", "prices.toml", "--json")
    document = sls_ml("estimate", *words).document
    # THEN the own price is used and named
    (logs,) = [line for line in document["lines"] if line["price_name"] == "logs_ingested"]
    assert (logs["price"], document["prices"]["own"]) == (0.25, ["logs_ingested"])
    assert document["prices"]["read"] == "2026-11-02"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), "traffic-unknown"),
        (("--requests", "many"), "bad-rate"),
        (("--requests", "1M", "--duration", "fast"), "bad-time"),
        (("--requests", "1M", "--keep-alive", "long"), "bad-time"),
        (("--requests", "1M", "--cold-share", "few"), "bad-share"),
        (("nobody", "--requests", "1M"), "function-unknown"),
        (("--requests", "1M", "--region", "mars-north-1"), "no-prices"),
        (("--requests", "1M", "--prices", "none.toml"), "bad-prices"),
    ],
)
def test_what_cannot_be_estimated_is_refused(
    sls_ml: Callable[..., Done], words: tuple[str, ...], code: str
) -> None:
    # GIVEN a mistake WHEN a month is estimated THEN it is named
    done = sls_ml("estimate", *words, "--json")
    assert done.document["error"]["code"] == code
