"""Drift on the embedded cloud: shifted rows, the watch, its metric, and the alarm."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from alarm_judge import judge
from command_line import Done, run
from sls_ml.local import control

LOCAL = ("--stage", "local")


@pytest.fixture
def rows(deployed: tuple[Path, dict[str, Any]]) -> list[dict[str, float]]:
    """The rows of the sample."""
    with (deployed[0] / "sample.csv").open() as file:
        return [{name: float(row[name]) for name in row if name != "id"} for row in csv.DictReader(file)]


def test_shifted_rows_raise_the_alarm(
    deployed: tuple[Path, dict[str, Any]], sls_ml: Callable[..., Done], rows: list[dict[str, float]]
) -> None:
    # GIVEN a model that was asked too little to judge
    folder = deployed[0]
    for row in rows:
        row["mean radius"] += 8
    few = sls_ml("drift", *LOCAL)
    assert "tumour: too few rows to judge, 500 are needed" in few.out
    assert "drift_tumour" not in sls_ml("metrics", "predict", *LOCAL, "--json").document["metrics"]
    # WHEN it is asked about 600 rows of which one input has moved
    for _ in range(6):
        asked = sls_ml("invoke", "predict", "--rows", "-", *LOCAL, "--json", stdin=json.dumps(rows))
        assert asked.code == 0, asked.err
    # THEN the watch says so, and which input it is
    found = sls_ml("drift", "tumour", *LOCAL, "--json").document
    model = found["models"]["tumour"]
    assert found["threshold"] == 0.2
    assert model["psi"] > 0.2
    assert (model["table"][0]["of"], model["table"][0]["function"]) == ("mean radius", "predict")
    assert model["rows"]["predict"] >= 600
    assert "tumour: drifted" in sls_ml("drift", *LOCAL).out
    # AND its metric is that number, and raises the alarm
    metric = sls_ml("metrics", "predict", *LOCAL, "--json").document["metrics"]["drift_tumour"]
    assert metric == model["psi"]
    endpoint = control.status(folder)
    assert endpoint is not None
    cloudwatch = boto3.client(
        "cloudwatch",
        endpoint_url=endpoint.url,
        region_name=endpoint.region,
        aws_access_key_id=endpoint.access_key,
        aws_secret_access_key=endpoint.secret_key,
    )
    name = "sls-ml-breast-cancer-local-tumour-drift"
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert judge(alarm, {"drift": [metric]}) == "ALARM"
    # AND the watch may read only what it needs
    statements = sls_ml("iam", "--stage", "local", "--json").document
    assert "FilterLogEvents" in json.dumps(statements)


def test_what_is_not_watched_is_said(project: Path) -> None:
    # GIVEN a project that is not deployed
    spec = project / "sls-ml.yaml"
    # WHEN its drift is asked for, that of a model that is none, and where watching is off
    try:
        unwatched = run(project, "drift", "ripe", *LOCAL)
        unknown = run(project, "drift", "nothing", *LOCAL)
        spec.write_text(spec.read_text() + "alarms: {drift: null}\n")
        off = run(project, "drift", *LOCAL)
    finally:
        run(project, "local", "down")
    # THEN each is told
    assert (unwatched.code, "drift-unwatched" in unwatched.err) == (2, True)
    assert "fewer than 100 rows" in unwatched.err
    assert (unknown.code, "model-unknown" in unknown.err) == (2, True)
    assert (off.code, "drift-off" in off.err) == (2, True)
