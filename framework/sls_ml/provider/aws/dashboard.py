"""The dashboard of one stage of a project: its alarms, drift, then rows of charts for each function."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from sls_ml.intent.model import Chart, Deployment, Drift, Function, Measure
from sls_ml.provider.aws import alarms, metrics, names
from sls_ml.provider.aws.cloudformation import REGION, Resource, Value, resource, sub

DASHBOARD: Final = "Dashboard"

_GRID = 24
_WIDTH = 8
_HEIGHT = 6
_TABLE = 16
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
        alarms.arn(deployment, function.name, alarm)
        for function in deployment.functions
        for alarm in function.alarms
    ]
    if deployment.drift:
        arns += [alarms.arn(deployment, each.model, each.alarm) for each in deployment.drift.models]
    top = 0
    if arns:
        yield _widget("alarm", 0, top, _GRID, 3, {"title": "Alarms", "alarms": arns})
        top += 3
    if deployment.drift:
        yield from _drift(deployment, deployment.drift, top)
        top += 1 + 2 * _HEIGHT
    for function in deployment.functions:
        served = ", ".join(model.name for model in function.models)
        yield _widget("text", 0, top, _GRID, 1, {"markdown": f"## {function.name}: {served}"})
        top += 1
        watch = metrics.Watch(deployment, function)
        shown = [("metric", _chart(chart, watch)) for chart in function.charts]
        shown.append(("log", _refusals(deployment, function)))
        for number, (kind, properties) in enumerate(shown):
            row, column = divmod(number, _GRID // _WIDTH)
            yield _widget(kind, column * _WIDTH, top + row * _HEIGHT, _WIDTH, _HEIGHT, properties)
        top += -(-len(shown) // (_GRID // _WIDTH)) * _HEIGHT


def _drift(deployment: Deployment, drift: Drift, top: int) -> Iterator[dict[str, Any]]:
    """The index of each model over time, the table of its inputs, and what is predicted."""
    namespace = names.metrics_namespace(deployment.project, deployment.stage)
    group = names.log_group_name(names.drift_name(names.stack_name(deployment.project, deployment.stage)))
    lines = [[namespace, "drift", "model", each.model, {"label": each.model}] for each in drift.models]
    threshold = {"label": "alarm", "value": drift.models[0].alarm.threshold}
    chart = {
        "annotations": {"horizontal": [threshold]},
        "metrics": lines,
        "period": drift.models[0].alarm.seconds,
        "region": REGION,
        "stat": "Maximum",
        "title": "Drift: largest index of a model",
        "view": "timeSeries",
        "yAxis": {"left": {"min": 0}},
    }
    rows = [[namespace, "drift_rows", "model", each.model, {"label": each.model}] for each in drift.models]
    seen = {**chart, "metrics": rows, "title": f"Rows judged, of {drift.hours} hours"}
    del seen["annotations"]
    table = _log(
        "Drift by input",
        group,
        'filter type = "sls-ml.drift.table"'
        " | stats latest(psi) as index, latest(rows) as counted, latest(moved) as moved_most,"
        " latest(before) as in_sample, latest(`now`) as seen by model, function, of"
        " | sort index desc | limit 50",
    )
    predicted = _log(
        "Predictions",
        group,
        'filter type = "sls-ml.drift.predicted"'
        " | stats latest(before) as in_sample, latest(`now`) as seen by model, function, value"
        " | sort model, function, value",
    )
    yield _widget("text", 0, top, _GRID, 1, {"markdown": "## Drift"})
    yield _widget("metric", 0, top + 1, _WIDTH, _HEIGHT, chart)
    yield _widget("log", _WIDTH, top + 1, _TABLE, _HEIGHT, table)
    yield _widget("metric", 0, top + 1 + _HEIGHT, _WIDTH, _HEIGHT, seen)
    yield _widget("log", _WIDTH, top + 1 + _HEIGHT, _TABLE, _HEIGHT, predicted)


def _refusals(deployment: Deployment, function: Function) -> dict[str, Any]:
    """Why input is refused: requests by reason and input, or objects with the reasons of their rows."""
    stack = names.stack_name(deployment.project, deployment.stage)
    group = names.log_group_name(names.function_name(stack, function.name))
    if function.batch is None:
        query = (
            "filter ispresent(refused) and ispresent(message)"
            " | stats count(*) as requests by refused, field | sort requests desc | limit 20"
        )
        return _log("Refused requests, by reason", group, query)
    query = (
        r'filter rejected > 0 | parse @message /"reasons":\s*\{(?<why>[^}]*)\}/'
        " | display @timestamp, key, rows, rejected, why | sort @timestamp desc | limit 20"
    )
    return _log("Rejected rows, by object", group, query)


def _log(title: str, group: str, query: str) -> dict[str, Any]:
    return {"query": f"SOURCE '{group}' | {query}", "region": REGION, "title": title, "view": "table"}


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
    label = " ".join([measure.signal.replace("_", " "), measure.model or measure.statistic])
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
