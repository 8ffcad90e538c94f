"""What a function says: its lines and Lambda's own to CloudWatch Logs, embedded metrics to CloudWatch."""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.logs.models import logs_backends

from sls_ml.local.functions import Configuration

TAIL_BYTES = 4096
"""How much of its log an invocation gives back when asked."""

_log = logging.getLogger(__name__)


class Journal:
    """The log stream of one execution environment.

    Args:
        configuration: The version that runs in it.
        account: Account number.
        region: Region.
    """

    def __init__(self, configuration: Configuration, *, account: str, region: str) -> None:
        self._json = configuration.log_format == "JSON"
        self._function = configuration.name
        self._memory = configuration.memory
        self._version = configuration.version
        self._account = account
        self._region = region
        self.group = configuration.log_group
        self.stream = f"{datetime.now(UTC):%Y/%m/%d}/[{configuration.version}]{secrets.token_hex(16)}"
        self._lines: list[str] = []

    def write(self, lines: Iterable[str]) -> None:
        """Add lines; embedded metrics among them are counted too."""
        kept = [line for line in lines if line]
        if not kept:
            return
        self._lines.extend(kept)
        logs = logs_backends[self._account][self._region]
        logs.ensure_log_group(self.group)
        logs.ensure_log_stream(self.group, self.stream)
        now = int(time.time() * 1000)
        logs.put_log_events(self.group, self.stream, [{"timestamp": now, "message": x} for x in kept])
        for line in kept:
            if '"_aws"' in line:
                self._count_embedded(line)

    def _count_embedded(self, line: str) -> None:
        try:
            document = json.loads(line)
            for directive in document["_aws"]["CloudWatchMetrics"]:
                data = _embedded(document, directive)
                put_metrics(directive["Namespace"], data, account=self._account, region=self._region)
        except (ValueError, KeyError, TypeError) as error:
            _log.warning("%s: embedded metrics that CloudWatch would drop: %r", self._function, error)

    def take_tail(self) -> bytes:
        """The end of what was written since this was asked last."""
        tail = "\n".join(self._lines).encode()[-TAIL_BYTES:]
        self._lines.clear()
        return tail

    def init_start(self, python: str) -> None:
        """Say which Python starts."""
        text = f"INIT_START Runtime Version: python:{python}"
        self._platform("platform.initStart", {"runtimeVersion": f"python:{python}"}, text)

    def init_report(self, milliseconds: float, status: str) -> None:
        """Say how an initialisation that failed ended."""
        text = f"INIT_REPORT Init Duration: {milliseconds:.2f} ms\tPhase: init\tStatus: {status}"
        record = {"phase": "init", "status": status, "metrics": {"durationMs": round(milliseconds, 3)}}
        self._platform("platform.initReport", record, text)

    def start(self, request: str) -> None:
        """Begin an invocation."""
        text = f"START RequestId: {request} Version: {self._version}"
        self._platform("platform.start", {"requestId": request, "version": self._version}, text)

    def report(
        self,
        request: str,
        *,
        duration_ms: float,
        peak_mb: int,
        init_ms: float | None,
        restore_ms: float | None,
        status: str,
        error: str | None,
    ) -> None:
        """End an invocation with its figures."""
        started_ms = init_ms if restore_ms is None else restore_ms  # a snapshot was initialised before
        billed = -int(-(duration_ms + (started_ms or 0)) // 1)
        if not self._json:
            self.write([f"END RequestId: {request}"])
        parts = [
            f"REPORT RequestId: {request}",
            f"Duration: {duration_ms:.2f} ms",
            f"Billed Duration: {billed} ms",
            f"Memory Size: {self._memory} MB",
            f"Max Memory Used: {peak_mb} MB",
        ]
        metrics: dict[str, Any] = {
            "durationMs": round(duration_ms, 3),
            "billedDurationMs": billed,
            "memorySizeMB": self._memory,
            "maxMemoryUsedMB": peak_mb,
        }
        if restore_ms is not None:
            parts.append(f"Restore Duration: {restore_ms:.2f} ms")
            metrics["restoreDurationMs"] = round(restore_ms, 3)
        elif init_ms is not None:
            parts.append(f"Init Duration: {init_ms:.2f} ms")
            metrics["initDurationMs"] = round(init_ms, 3)
        if status != "success":
            parts.append(f"Status: {status}")
        if error:
            parts.append(f"Error Type: {error}")
        record = {"requestId": request, "metrics": metrics, "status": status}
        self._platform("platform.report", record | ({"errorType": error} if error else {}), "\t".join(parts))

    def _platform(self, kind: str, record: Mapping[str, Any], text: str) -> None:
        if self._json:
            at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
            text = json.dumps({"time": at, "type": kind, "record": record})
        self.write([text])


def _embedded(document: Mapping[str, Any], directive: Mapping[str, Any]) -> list[dict[str, Any]]:
    at = datetime.fromtimestamp(document["_aws"]["Timestamp"] / 1000, UTC).replace(tzinfo=None)
    data = []
    for names in directive.get("Dimensions") or [[]]:
        dimensions = [{"Name": name, "Value": str(document[name])} for name in names]
        for metric in directive["Metrics"]:
            value = document[metric["Name"]]
            values = [float(v) for v in (value if isinstance(value, list) else [value])]
            data.append(
                {
                    "MetricName": metric["Name"],
                    "Dimensions": dimensions,
                    "Unit": metric.get("Unit", "None"),
                    "Timestamp": at,
                    "Values": values,
                    "Counts": [1.0] * len(values),
                }
            )
    return data


def put_metrics(namespace: str, data: list[dict[str, Any]], *, account: str, region: str) -> None:
    """Write metrics as the service itself does, without a call."""
    cloudwatch_backends[account][region].put_metric_data(namespace, data)


def count(
    function: str, qualifier: str | None, values: Mapping[str, float], *, account: str, region: str
) -> None:
    """Lambda's own metrics of one call: by function, and by function and alias."""
    dimensions = [[{"Name": "FunctionName", "Value": function}]]
    if qualifier:
        resource = {"Name": "Resource", "Value": f"{function}:{qualifier}"}
        dimensions.append([*dimensions[0], resource])
    now = datetime.now(UTC).replace(tzinfo=None)
    data = [
        {
            "MetricName": name,
            "Dimensions": d,
            "Unit": "Milliseconds" if name == "Duration" else "Count",
            "Timestamp": now,
            "Value": value,
        }
        for name, value in values.items()
        for d in dimensions
    ]
    put_metrics("AWS/Lambda", data, account=account, region=region)
