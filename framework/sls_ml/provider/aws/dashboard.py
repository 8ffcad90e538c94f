"""The dashboard of one stage of a project: its alarms, then a row of charts for each function."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from sls_ml.intent.model import Chart, Deployment, Measure
from sls_ml.provider.aws import alarms, metrics, names
from sls_ml.provider.aws.cloudformation import REGION, Resource, Value, resource, sub

DASHBOARD: Final = "Dashboard"

_GRID = 24
_WIDTH = 8
_HEIGHT = 6
_PERIOD = 300
"""Seconds that one point of a chart sums up."""


def resources(deployment: Deployment) -> Iterator[tuple[str, Resource]]:
    """The dashboard."""
    stack = names.stack_name(deployment.project, deployment.stage)
    body = json.dumps({"widgets": list(_widgets(deployment))}, sort_keys=True, separators=(",", ":"))
    properties = {"DashboardBody": sub(body), "DashboardName": names.dashboard_name(stack, deployment.region)}
    yield DASHBOARD, resource("AWS::CloudWatch::Dashboard", properties)


def _widgets(deployment: Deployment) -> Iterator[dict[str, Any]]:
    arns = [
        alarms.arn(deployment, function, alarm)
        for function in deployment.functions
        for alarm in function.alarms
    ]
    top = 0
    if arns:
        yield _widget("alarm", 0, top, _GRID, 3, {"title": "Alarms", "alarms": arns})
        top += 3
    for function in deployment.functions:
        served = ", ".join(model.name for model in function.models)
        yield _widget("text", 0, top, _GRID, 1, {"markdown": f"## {function.name}: {served}"})
        top += 1
        watch = metrics.Watch(deployment, function)
        for number, chart in enumerate(function.charts):
            row, column = divmod(number, _GRID // _WIDTH)
            yield _widget(
                "metric", column * _WIDTH, top + row * _HEIGHT, _WIDTH, _HEIGHT, _chart(chart, watch)
            )
        top += -(-len(function.charts) // (_GRID // _WIDTH)) * _HEIGHT


def _widget(kind: str, x: int, y: int, width: int, height: int, properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "x": x, "y": y, "width": width, "height": height, "properties": properties}


def _chart(chart: Chart, watch: metrics.Watch) -> dict[str, Any]:
    lines: list[list[Any]] = []
    for number, measure in enumerate(chart.measures):
        lines.extend(_lines(measure, watch.series(measure), f"m{number}"))
    return {
        "metrics": lines,
        "period": _PERIOD,
        "region": REGION,
        "title": chart.title,
        "view": "timeSeries",
        "yAxis": {"left": {"min": 0}},
    }


def _lines(measure: Measure, series: metrics.Series, prefix: str) -> Iterator[list[Any]]:
    """The line of a measure; where it is an expression, hidden lines for its metrics besides."""
    label = f"{measure.signal.replace('_', ' ')} {measure.statistic}"
    expression = series.expression
    for id_, metric in series.metrics.items():
        flat = [part for name, value in metric.dimensions.items() for part in (name, _hole(value))]
        look: dict[str, Any] = {"stat": metric.statistic}
        if expression is None:
            look["label"] = label
        else:
            look |= {"id": f"{prefix}_{id_}", "visible": False}
        yield [metric.namespace, metric.name, *flat, look]
    if expression is not None:
        for id_ in series.metrics:
            expression = re.sub(rf"\b{id_}\b", f"{prefix}_{id_}", expression)
        yield [{"expression": expression, "id": prefix, "label": label}]


def _hole(value: Value) -> str:
    """A value as it stands in the text of the dashboard."""
    if isinstance(value, str):
        return value
    resource_id, name = value["Fn::GetAtt"]
    return f"${{{resource_id}.{name}}}"
