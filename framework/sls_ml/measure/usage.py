"""What a function will do in a month: its deployment, its measurements and the traffic, as a usage."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sls_ml.intent.figures import figures, slowdown
from sls_ml.intent.model import Function
from sls_ml.intent.traffic import IDLE_SECONDS, cold_share
from sls_ml.measure import record, written
from sls_ml.measure import waiting as waiting_environments
from sls_ml.measure.cost import Usage
from sls_ml.provider.aws import gateway
from sls_ml.provider.aws.cloudformation import FUNCTION_METADATA
from sls_ml.spec.model import Project, Secret

ROW_MS = 0.02
"""Processor milliseconds that a further row of a request takes at least: it is read and written."""

ASSUMED = 1e6
"""Requests in a month where no traffic is expected; they come one at a time, as `estimate` takes them."""

OBJECT_MS = 200.0
"""What a batch function waits for its queue's objects: it reads one and writes two."""


@dataclass(frozen=True)
class Cpu:
    """Processor milliseconds of a function on one core, and what it writes.

    Attributes:
        start: Of a cold start.
        request: Of a warm request for one row.
        row: Of each further row.
        log_bytes: What a request writes to the log.
        answer_bytes: Size of an answer for one row.
        measured: Measured here; else the kept figures of a small model.
    """

    start: float
    request: float
    row: float
    log_bytes: float
    answer_bytes: float
    measured: bool


@dataclass(frozen=True)
class Counted:
    """What the rendered template has for a function; what several share counts in equal parts."""

    alarms: float
    dashboards: float
    drift: float


NOTHING = Counted(0, 0, 0)


@dataclass(frozen=True)
class Traffic:
    """The shape of a month's traffic.

    Attributes:
        requests: Requests in a month, or objects.
        burst: How many come at the same moment.
        keep_alive: Seconds that an environment without requests lives.
        rows: Rows in one request.
    """

    requests: float
    burst: int = 1
    keep_alive: float = IDLE_SECONDS
    rows: int = 1


def cpu(project: Project, function: Function) -> Cpu:
    """The last measurement of a function here, or the kept figures of a small model."""
    kept = figures()
    engine = max((model.engine for model in function.models), key=lambda each: kept.engine[each])
    found = Cpu(
        start=kept.start_cpu_ms(engine, function.observability, function.style),
        request=kept.request_ms,
        row=ROW_MS,
        log_bytes=kept.log_bytes[function.observability],
        answer_bytes=kept.answer_bytes,
        measured=False,
    )
    return (
        _of_memory(record.last(project, "memory", function.name))
        or _of_coldstart(record.last(project, "coldstart", function.name), function.name)
        or found
    )


def _of_memory(measured: Mapping[str, Any] | None) -> Cpu | None:
    if measured is None:
        return None
    one, most = measured["one_row"], measured["largest"]
    further = (most["cpu_ms"] - one["cpu_ms"]) / max(1, most["rows"] - 1)
    return Cpu(
        start=measured["start"]["cpu_ms"],
        request=one["cpu_ms"],
        row=max(0.0, further),
        log_bytes=one["log_bytes"],
        answer_bytes=one["answer_bytes"],
        measured=True,
    )


def _of_coldstart(measured: Mapping[str, Any] | None, function: str) -> Cpu | None:
    if measured is None:
        return None
    request = [phase["milliseconds"] for phase in measured["phases"] if phase["phase"] == "request"]
    return Cpu(
        start=measured["subjects"][function]["cpu_ms"],
        request=request[0] if request else figures().request_ms,
        row=ROW_MS,
        log_bytes=measured["log_bytes"],
        answer_bytes=measured["answer_bytes"],
        measured=True,
    )


def counted(template: str, function: str) -> Counted:
    """Count alarms, dashboards and metrics of drift of a function in a CloudFormation template."""
    resources = json.loads(template)["Resources"].values()
    functions = {
        each["Metadata"][FUNCTION_METADATA]
        for each in resources
        if FUNCTION_METADATA in each.get("Metadata", {})
    }

    def count(kind: str) -> float:
        owners = [
            each.get("Metadata", {}).get(FUNCTION_METADATA) for each in resources if each["Type"] == kind
        ]
        return owners.count(function) + owners.count(None) / max(1, len(functions))

    watched = [each for each in resources if each.get("Properties", {}).get("MetricName") == "drift"]
    return Counted(
        alarms=count("AWS::CloudWatch::Alarm"),
        dashboards=count("AWS::CloudWatch::Dashboard"),
        drift=len(watched) * len(written.WATCH) / max(1, len(functions)),
    )


def expected(function: Function, taken: Cpu, has: Counted = NOTHING) -> Usage:
    """A month of the traffic that the spec expects, else of a million requests."""
    traffic = function.traffic
    if traffic is None or not traffic.requests:
        return usage(function, Traffic(ASSUMED), taken, has)
    return usage(function, Traffic(traffic.requests, traffic.burst), taken, has)


def usage(
    function: Function,
    traffic: Traffic,
    taken: Cpu,
    has: Counted,
    *,
    memory: int | None = None,
    milliseconds: float | None = None,
    init_milliseconds: float | None = None,
    waiting: float | None = None,
) -> Usage:
    """A month of a function.

    Args:
        function: The function, as it would be deployed.
        traffic: What comes.
        taken: What a request takes on one core.
        has: What its template has.
        memory: MB, in place of the function's.
        milliseconds: Duration of a warm request; None to compute it.
        init_milliseconds: Duration of a start; None to compute it.
        waiting: Share of requests that wait for a start; None to compute it.
    """
    memory = memory or function.memory
    slower = slowdown(memory)
    if milliseconds is None:
        waits = OBJECT_MS if function.batch else 0.0
        milliseconds = max(1.0, (taken.request + taken.row * (traffic.rows - 1)) * slower + waits)
    if waiting is None:
        waiting = cold_share(
            traffic.requests, milliseconds, burst=traffic.burst, keep_alive=traffic.keep_alive
        )
    http = function.http
    api = http is not None and gateway.needed(http)
    names = {value.name for value in function.environment.values() if isinstance(value, Secret)}
    return Usage(
        requests=traffic.requests,
        burst=traffic.burst,
        milliseconds=milliseconds,
        init_milliseconds=taken.start * slower if init_milliseconds is None else init_milliseconds,
        cold_share=waiting,
        memory=memory,
        architecture=function.architecture,
        start=function.start,
        provisioned=waiting_environments.average(function.concurrency),
        endpoint=None if http is None else "api" if api else "url",
        keyed=http is not None and http.auth == "key",
        log_bytes=taken.log_bytes,
        response_bytes=taken.answer_bytes * traffic.rows,
        metrics=written.count(function) + has.drift,
        alarms=has.alarms,
        dashboards=has.dashboards,
        secrets=len(names),
        fetches=sum(0 if model.bundled else 1 + len(model.files) for model in function.models),
        log_days=function.log_retention,
    )
