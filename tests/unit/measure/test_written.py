"""The metrics that are paid are those that functions write."""

from __future__ import annotations

import ast
import json
from importlib.resources import files
from types import SimpleNamespace
from typing import Any

import pytest

from sls_ml import intent
from sls_ml.measure import written
from sls_ml.spec.model import Project
from sls_ml_runtime.call import Reply
from sls_ml_runtime.metrics import Metrics

TEMPLATES = files("sls_ml.provider.aws") / "templates"


def test_an_endpoint_writes_what_is_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN the runtime, which answers a first request, another, and one that is refused
    monkeypatch.setenv("SLS_ML_STAGE", "dev")
    service: Any = SimpleNamespace(config={"project": "p", "function": "predict"}, init={"open": 1.0})
    metrics = Metrics(service)
    for status in (200, 200, 404):
        metrics.write(Reply(status, {}, b""), alias="live", request_id="1")
    # THEN its EMF documents have these metrics
    emf = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    directives = [directive for each in emf for directive in each["_aws"]["CloudWatchMetrics"]]
    assert {metric["Name"] for each in directives for metric in each["Metrics"]} == set(written.ENDPOINT)


def test_a_batch_function_and_the_watch_write_what_is_counted() -> None:
    # GIVEN the generated code
    batch = ast.parse((TEMPLATES / "objects_handler.py").read_text("utf-8"))
    calls = [each for each in ast.walk(batch) if isinstance(each, ast.Call)]
    counted = {
        word.arg
        for each in calls
        if isinstance(each.func, ast.Name) and each.func.id == "count"
        for word in each.keywords
    }
    # THEN a batch function counts these, and others only where something went another way
    assert counted - {"failed", "replayed", "superseded"} == set(written.BATCH) - {"init"}
    assert 'add_metric(name="init"' in (TEMPLATES / "objects_handler.py").read_text("utf-8")
    # AND the watch writes these
    watch = (TEMPLATES / "drift_handler.py").read_text("utf-8")
    assert all(f'"Name": "{name}"' in watch for name in written.WATCH)


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
