"""The dashboard: one for each stage, with every function and every alarm on it."""

from __future__ import annotations

import json
import re
from itertools import combinations
from typing import Any

import pytest

import emitted
from sls_ml.intent.model import Deployment
from sls_ml.package.model import Package
from sls_ml.provider.aws import names, render

Case = tuple[str, Deployment, dict[str, Package]]


@pytest.fixture(autouse=True)
def _stage(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLS_ML_STAGE", case[1].stage)


def widgets(case: Case) -> list[dict[str, Any]]:
    _, deployment, packages = case
    resources = json.loads(render(deployment, packages).template)["Resources"]
    (dashboard,) = [body for body in resources.values() if body["Type"] == "AWS::CloudWatch::Dashboard"]
    body = dashboard["Properties"]["DashboardBody"]
    found: list[dict[str, Any]] = json.loads(body["Fn::Sub"])["widgets"]
    return found


def test_widgets_lie_side_by_side(case: Case) -> None:
    # GIVEN the widgets of a dashboard
    places = [(each["x"], each["y"], each["width"], each["height"]) for each in widgets(case)]
    # THEN all are within the grid, and none covers another
    assert all(x + width <= 24 for x, _, width, _ in places)
    for (x, y, width, height), (other_x, other_y, other_width, other_height) in combinations(places, 2):
        apart_across = x + width <= other_x or other_x + other_width <= x
        apart_down = y + height <= other_y or other_y + other_height <= y
        assert apart_across or apart_down


def test_every_alarm_is_on_it(case: Case) -> None:
    # GIVEN a deployment
    _, deployment, packages = case
    resources = json.loads(render(deployment, packages).template)["Resources"]
    names = {
        body["Properties"]["AlarmName"]
        for body in resources.values()
        if body["Type"] == "AWS::CloudWatch::Alarm"
    }
    # THEN the dashboard shows the state of each
    (states,) = [each for each in widgets(case) if each["type"] == "alarm"]
    assert {arn.rpartition(":")[2] for arn in states["properties"]["alarms"]} == names


def test_expressions_use_the_ids_of_their_own_chart(case: Case) -> None:
    for widget in widgets(case):
        looks = [line[-1] for line in widget["properties"].get("metrics", [])]
        ids = [look["id"] for look in looks if "id" in look]
        assert len(ids) == len(set(ids))
        for look in looks:
            used = set(re.findall(r"\bm\d+_\w+", look.get("expression", "")))
            assert used <= set(ids)
            assert used or "expression" not in look


def test_every_metric_of_ours_is_one_that_is_written(case: Case) -> None:
    # GIVEN what each function of a deployment writes, by the runtime and the generated code
    _, deployment, _ = case
    namespace = names.metrics_namespace(deployment.project, deployment.stage)
    written: set[emitted.Metric] = set()
    for function in deployment.functions:
        written |= emitted.by_any(deployment.project, function.name)
        written |= (
            emitted.by_endpoint(deployment.project, function.name)
            if function.batch is None
            else emitted.by_batch(namespace, function.name)
        )
        for model in function.models:
            written |= emitted.by_counting(deployment.project, function.name, model.name)
            written |= emitted.by_watch(namespace, model.name)
    # THEN the dashboard shows nothing of ours that is not among it, by exactly these dimensions
    for widget in widgets(case):
        for line in widget["properties"].get("metrics", []):
            if len(line) > 1 and not line[0].startswith("AWS/"):
                own, name, *of, _ = line
                assert (own, name, tuple(zip(of[::2], of[1::2], strict=True))) in written
    # AND each chart has a title and a line with a name
    for widget in widgets(case):
        if widget["type"] == "metric":
            shown = [line[-1] for line in widget["properties"]["metrics"] if line[-1].get("visible", True)]
            assert widget["properties"]["title"]
            assert shown
            assert all(look["label"] for look in shown)
