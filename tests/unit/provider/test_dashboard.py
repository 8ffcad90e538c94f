"""The dashboard: one for each stage, with every function and every alarm on it."""

from __future__ import annotations

import json
import re
from itertools import combinations
from typing import Any

from sls_ml.intent.model import Deployment
from sls_ml.package.model import Package
from sls_ml.provider.aws import render

Case = tuple[str, Deployment, dict[str, Package]]


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
