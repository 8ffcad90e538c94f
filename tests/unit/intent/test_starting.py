"""How a function starts, and why."""

from __future__ import annotations

from typing import Any

import pytest

from sls_ml.errors import SpecError
from sls_ml.intent import starting
from sls_ml.intent.model import ModelRef
from sls_ml.spec.model import Function

NOON = "cron(0 12 * * ? *)"


def model(megabytes: int) -> ModelRef:
    size = megabytes * 10**6
    return ModelRef("credit", "a" * 64, {"model.onnx": size}, "ort_capi", size <= 20 << 20, {})


@pytest.mark.parametrize(
    ("spec", "megabytes", "kind", "reason"),
    [
        ({"http": {}}, 1, "plain", "the models ride in the package"),
        ({"http": {}}, 60, "plain", "60 MB of models are fetched at each start"),
        ({"http": {}}, 300, "snapstart", "without a snapshot 300 MB of models are fetched at each start"),
        (
            {"http": {}, "python": "3.11"},
            300,
            "plain",
            "300 MB of models are fetched at each start; a snapshot would save that, from Python 3.12 on",
        ),
        (
            {"http": {}},
            900,
            "plain",
            "900 MB of models are fetched at each start: too much for a snapshot's 512 MB of disk",
        ),
        (
            {"objects": {}},
            300,
            "plain",
            "300 MB of models are fetched at each start, and no caller of a batch waits for it",
        ),
        (
            {"http": {}, "concurrency": {"provisioned": 3}},
            1,
            "provisioned",
            "concurrency.provisioned asks for 3 that wait",
        ),
        (
            {"http": {}, "concurrency": {"schedule": [{"at": NOON, "provisioned": 3}]}},
            1,
            "provisioned",
            "concurrency.schedule asks for some that wait",
        ),
        (
            {"start": "provisioned", "concurrency": {"schedule": [{"at": NOON, "provisioned": 3}]}},
            1,
            "provisioned",
            "the spec asks for it, by concurrency.schedule",
        ),
        ({"http": {}, "start": "snapstart"}, 1, "snapstart", "the spec asks for it"),
        ({"http": {}, "start": "plain"}, 300, "plain", "the spec asks for it"),
    ],
)
def test_auto_decides_by_the_models_and_says_why(
    spec: dict[str, Any], megabytes: int, kind: str, reason: str
) -> None:
    # GIVEN a function and its model
    # WHEN its start is decided
    start = starting.decide("predict", Function.model_validate(spec), (model(megabytes),))
    # THEN kind and reason are these
    assert (start.kind, start.reason) == (kind, reason)


SLOW = {"http": {}, "traffic": "1k/day"}
"""Thirty thousand a month, of which some wait for a start of (35 + 25) * 1769 / 512 ms."""

FEW, MANY, NONE = "4.3% of 30,417", "44.8% of 30,417", "0.0% of 26,280,000"
WAIT = "requests a month wait for a start of some"
ALLOWED = "ms, where alarms.p99 allows"


@pytest.mark.parametrize(
    ("spec", "p99", "kind", "reason"),
    [
        (SLOW, None, "plain", f"{FEW} {WAIT} 207 ms"),
        (
            SLOW,
            500,
            "plain",
            f"{FEW} {WAIT} 207 ms, and alarms.p99 of 500 ms holds",
        ),
        (
            {**SLOW, "traffic": "10/s"},
            100,
            "plain",
            f"{NONE} {WAIT} 207 ms, and alarms.p99 of 100 ms holds",
        ),
        (
            {**SLOW, "traffic": {"requests": "1k/day", "burst": 4}},
            100,
            "provisioned",
            f"{MANY} {WAIT} 207 {ALLOWED} 100 ms; environments that wait: 4",
        ),
        (
            {**SLOW, "memory": 128, "observability": "powertools"},
            1000,
            "snapstart",
            f"{FEW} {WAIT} 1230 {ALLOWED} 1000 ms",
        ),
        (
            {**SLOW, "memory": 128, "observability": "powertools", "python": "3.11"},
            1000,
            "provisioned",
            f"{FEW} {WAIT} 1230 {ALLOWED} 1000 ms; environments that wait: 1",
        ),
        (
            {**SLOW, "concurrency": {"reserved": 0}},
            100,
            "plain",
            f"{FEW} {WAIT} 207 {ALLOWED} 100 ms, but concurrency.reserved is 0",
        ),
        ({**SLOW, "http": None, "objects": {}}, 100, "plain", "the models ride in the package"),
    ],
)
def test_auto_keeps_the_promised_p99_at_the_expected_traffic(
    spec: dict[str, Any], p99: int | None, kind: str, reason: str
) -> None:
    # GIVEN a function, what is expected of it, and perhaps a promise
    # WHEN its start is decided
    start = starting.decide("predict", Function.model_validate(spec), (model(1),), p99)
    # THEN it is plain as long as the promise holds, and the reason has the figures
    assert (start.kind, start.reason) == (kind, reason)


def test_as_many_wait_as_come_at_once() -> None:
    # GIVEN bursts of four, and a function that may have three environments
    spec = {**SLOW, "traffic": {"requests": "1k/day", "burst": 4}, "concurrency": {"reserved": 3}}
    # WHEN auto decides for environments that wait THEN there are three
    start = starting.decide("predict", Function.model_validate(spec), (model(1),), 100)
    assert (start.kind, start.concurrency.provisioned) == ("provisioned", 3)


def test_provisioned_without_a_number_is_one() -> None:
    start = starting.decide("predict", Function.model_validate({"start": "provisioned"}), (model(1),))
    assert start.concurrency.provisioned == 1


@pytest.mark.parametrize(
    ("spec", "key", "what"),
    [
        (
            {"start": "snapstart", "concurrency": {"provisioned": 1}},
            "functions.predict.concurrency.provisioned",
            "start: snapstart excludes environments that wait",
        ),
        (
            {"start": "plain", "concurrency": {"provisioned": 1}},
            "functions.predict.concurrency.provisioned",
            "start: plain excludes environments that wait",
        ),
        (
            {"start": "snapstart", "python": "3.11"},
            "functions.predict.start",
            "snapshots need Python 3.12 or later",
        ),
        (
            {"concurrency": {"provisioned": 5, "reserved": 4}},
            "functions.predict.concurrency.reserved",
            "5 cannot wait where 4 may run",
        ),
        (
            {"start": "provisioned", "concurrency": {"reserved": 0}},
            "functions.predict.concurrency.reserved",
            "1 cannot wait where 0 may run",
        ),
        (
            {"start": "plain", "concurrency": {"schedule": [{"at": NOON, "provisioned": 3}]}},
            "functions.predict.concurrency.schedule",
            "start: plain excludes environments that wait",
        ),
        (
            {"concurrency": {"schedule": [{"at": NOON, "provisioned": 3, "max": 2}]}},
            "functions.predict.concurrency.schedule.0.max",
            "2 at most is less than the 3 that wait",
        ),
        (
            {"concurrency": {"schedule": [{"at": NOON, "provisioned": 0, "max": 2}]}},
            "functions.predict.concurrency.schedule.0.max",
            "where none waits, nothing tells how many are needed",
        ),
        (
            {"concurrency": {"reserved": 4, "schedule": [{"at": NOON, "provisioned": 5}]}},
            "functions.predict.concurrency.schedule.0",
            "5 cannot wait where 4 may run",
        ),
        (
            {"concurrency": {"reserved": 4, "schedule": [{"at": NOON, "provisioned": 2, "max": 8}]}},
            "functions.predict.concurrency.schedule.0",
            "8 cannot wait where 4 may run",
        ),
    ],
)
def test_contradictions_are_named(spec: dict[str, Any], key: str, what: str) -> None:
    with pytest.raises(SpecError) as caught:
        starting.decide("predict", Function.model_validate(spec), (model(1),))
    (problem,) = caught.value.problems
    assert (problem.key, problem.what) == (key, what)
