"""The metrics that are paid are those that functions write."""

from __future__ import annotations

import pytest

import emitted
from sls_ml import intent
from sls_ml.measure import written
from sls_ml.spec.model import Project


def test_what_is_counted_is_what_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN the runtime and the generated code
    monkeypatch.setenv("SLS_ML_STAGE", "dev")
    endpoint = emitted.by_endpoint("risk", "predict")
    batch = emitted.by_batch("sls-ml/risk/dev", "score")
    # THEN an endpoint writes these metrics, and a batch function these and others where something goes wrong
    assert {name for _, name, _ in endpoint} == set(written.ENDPOINT)
    assert {name for _, name, _ in batch} - {"failed", "replayed", "superseded", "continued"} == {
        *written.BATCH,
        *written.SCHEDULED,
    }


@pytest.mark.parametrize(
    ("nullable", "rest", "drift", "more"), [(True, 0, 0.2, 2), (True, 5, 0.2, 1), (True, 0, None, 0)]
)
def test_metrics_of_inputs_are_counted_where_there_are_some(
    nullable: bool, rest: int, drift: float | None, more: int
) -> None:
    # GIVEN a model with an input of texts that may be missing, and may be new if the sample had few of them
    manifest = {
        "kind": "classifier",
        "engines": ["lite"],
        "files": {"model.lite": {"bytes": 1}},
        "inputs": [{"name": "city", "dtype": "string", "nullable": nullable, "categories": None}],
        "drift": {"rows": 100, "features": [{"top": ["Bern"], "counts": [95], "rest": rest, "nulls": 0}]},
    }
    spec = {
        "project": "risk",
        "folder": ".",
        "stage": "dev",
        "provider": "aws",
        "region": "eu-west-1",
        "models": {"credit": {"source": "m.skops", "sample": "s.csv"}},
        "functions": {"predict": {"model": "credit", "http": {}}},
        "alarms": {"drift": drift},
    }
    built = intent.build(Project.model_validate(spec), {"credit": ("a" * 64, manifest)})
    # THEN each of both is a metric more
    assert written.count(built.functions[0]) == len(written.ENDPOINT) + more


@pytest.mark.parametrize(("schedule", "more"), [({"schedule": "rate(1 hour)"}, 1), ({}, 0)])
def test_a_batch_by_the_clock_counts_what_waits(schedule: dict[str, str], more: int) -> None:
    # GIVEN a batch function, with a schedule and without
    spec = {
        "project": "risk",
        "folder": ".",
        "stage": "dev",
        "provider": "aws",
        "region": "eu-west-1",
        "models": {"credit": {"source": "m.skops", "sample": "s.csv"}},
        "functions": {"score": {"model": "credit", "objects": {"format": "csv"}, **schedule}},
    }
    manifest = {
        "kind": "classifier",
        "engines": ["lite"],
        "files": {"model.lite": {"bytes": 1}},
        "inputs": [],
        "outputs": [],
    }
    built = intent.build(Project.model_validate(spec), {"credit": ("a" * 64, manifest)})
    # THEN the schedule is a metric more
    assert written.count(built.functions[0]) == len(written.BATCH) + more
