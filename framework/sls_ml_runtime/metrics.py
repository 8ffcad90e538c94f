"""Tell the log about requests: one JSON line each, and one EMF document that CloudWatch turns into metrics.

Metrics, per function and alias: `requests`, `rows`, `latency` (ms), `rejected` (answered 4xx), `failed`
(answered 500), and with the first request of an environment `cold_start` and `init` (ms). Digest, counts
and the phases of the start are properties, not dimensions. Nothing of a payload is written.
"""

from __future__ import annotations

import json
import os
import sys
from json.encoder import encode_basestring_ascii as quote
from time import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from sls_ml_runtime.call import Reply
    from sls_ml_runtime.serve import Service

_UNITS = {"latency": "Milliseconds", "init": "Milliseconds"}
_FRAMES = 8
_FIELD = "\0"
"""Stands for what differs from line to line."""
_encode = json.JSONEncoder(separators=(",", ":")).encode


def stage_namespace(project: str) -> str:
    """The namespace of a project's metrics at the environment's stage: ``sls-ml/<project>/<stage>``."""
    return f"sls-ml/{project}/{os.environ['SLS_ML_STAGE']}"


def document(
    namespace: str,
    dimensions: Mapping[str, str],
    values: Mapping[str, float],
    properties: Mapping[str, Any],
    timestamp: int,
) -> dict[str, Any]:
    """An EMF document: what CloudWatch reads as metrics when it stands alone on a line of the log.

    Args:
        namespace: Where the metrics are counted.
        dimensions: Names and values of the one dimension set.
        values: Metric name to value; `latency` and `init` are milliseconds, the others counts.
        properties: Further facts for queries over the log; they cost no metric.
        timestamp: Milliseconds since 1970.
    """
    metrics = [{"Name": name, "Unit": _UNITS.get(name, "Count")} for name in values]
    directive = {"Namespace": namespace, "Dimensions": [[*dimensions]], "Metrics": metrics}
    emf = {"Timestamp": timestamp, "CloudWatchMetrics": [directive]}
    numbers = {name: [float(value)] for name, value in values.items()}
    return {"_aws": emf, **dimensions, **properties, **numbers}


class Metrics:
    """Writes a log line and an EMF document for every request of a service.

    Args:
        service: The service whose requests are counted.
    """

    __slots__ = ("_cold", "_namespace", "_service", "_succeeded")

    def __init__(self, service: Service) -> None:
        self._service = service
        self._namespace = stage_namespace(service.config["project"])
        self._cold = True
        self._succeeded: dict[tuple[str, ...], str] = {}

    def write(self, reply: Reply, *, alias: str, request_id: str) -> None:
        """Write both lines in one write.

        Args:
            reply: What the service answered.
            alias: The alias that was called, ``live``.
            request_id: The provider's id of the request.
        """
        now = int(time() * 1000)
        if reply.status == 200 and not self._cold:
            digest = reply.model.artifact.digest if reply.model else ""  # another one when an alias moves
            key = (reply.method, reply.path, alias, digest)
            lines = self._succeeded.get(key)
            if lines is None:
                lines = self._succeeded[key] = self._lines_of_success(reply, alias)
            rows, latency = reply.rows, round(reply.milliseconds, 3)
            written = lines % (now, quote(request_id), rows, latency, now, float(rows), latency)
        else:
            line, emf = self._documents(reply, alias, request_id, now)
            written = f"{_encode(line)}\n{_encode(emf)}\n"
        sys.stdout.write(written)
        sys.stdout.flush()

    def _lines_of_success(self, reply: Reply, alias: str) -> str:
        """Both lines of any answer with status 200 at this method and path, with seven fields for ``%``.

        Encoding is most of what a log costs, and such lines differ in these fields alone. There are no more
        of them than routes: what is answered with 200 has the method and the path of one.
        """
        line, emf = self._documents(reply, alias, _FIELD, 0)
        line |= {"timestamp": _FIELD, "rows": _FIELD, "milliseconds": _FIELD}
        emf["_aws"]["Timestamp"] = _FIELD
        emf |= {"rows": [_FIELD], "latency": [_FIELD]}
        text = f"{_encode(line)}\n{_encode(emf)}\n"
        return text.replace("%", "%%").replace(quote(_FIELD), "%s")

    def _documents(
        self, reply: Reply, alias: str, request_id: str, now: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The log line and the EMF document of a request."""
        config = self._service.config
        facts: dict[str, Any] = {"path": reply.path, "status": reply.status}
        if reply.model is not None:
            facts["model"] = reply.model.artifact.name
            facts["digest"] = reply.model.artifact.digest[:12]
        values = {
            "requests": 1,
            "rows": reply.rows,
            "latency": round(reply.milliseconds, 3),
            "rejected": 1 if 400 <= reply.status < 500 else 0,
            "failed": 1 if reply.status >= 500 else 0,
        }
        properties = facts
        if self._cold:
            self._cold = False
            values["cold_start"] = 1
            values["init"] = round(sum(self._service.init.values()), 3)
            properties = facts | {f"init_{phase}": value for phase, value in self._service.init.items()}
        line: dict[str, Any] = {
            "timestamp": now,
            "level": "ERROR" if reply.error else "INFO",
            "message": f"{reply.method} {reply.path} {reply.status}",
            "requestId": request_id,
            **facts,
            "rows": reply.rows,
            "milliseconds": values["latency"],
        }
        if reply.refusal is not None:
            properties = properties | {"refused": reply.refusal.code}
            line["refused"] = reply.refusal.code
            known = reply.model is not None and reply.refusal.field in reply.model.signature.names
            line["field"] = reply.refusal.field if known else None  # another name is the caller's own text
            line["row"] = reply.refusal.row
        if reply.error is not None:
            line["error"] = type(reply.error).__name__
            line["at"] = _frames(reply.error)
        dimensions = {"function": config["function"], "alias": alias}
        return line, document(self._namespace, dimensions, values, properties, now)


def write_failed_init(project: str, function: str, error: Exception) -> None:
    """Count a start that failed, so that an alarm can tell a refused artifact from a quiet function."""
    values = {"init_failed": 1}
    properties = {"error": type(error).__name__, "reason": str(error)}
    emf = document(stage_namespace(project), {"function": function}, values, properties, int(time() * 1000))
    sys.stdout.write(_encode(emf) + "\n")
    sys.stdout.flush()


def write_failed_follow(project: str, function: str, model: str, alias: str, error: Exception) -> None:
    """Count an alias that cannot be followed, and say why in a line of its own."""
    now = int(time() * 1000)
    facts = {"model": model, "follow": alias, "error": type(error).__name__, "reason": str(error)}
    line = {"timestamp": now, "level": "ERROR", "message": "the alias cannot be followed", **facts}
    emf = document(stage_namespace(project), {"function": function}, {"follow_failed": 1}, facts, now)
    sys.stdout.write(f"{_encode(line)}\n{_encode(emf)}\n")
    sys.stdout.flush()


def _frames(error: Exception) -> list[str]:
    """Where an exception came from, innermost last: file, line and function; never its message."""
    frames = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return frames[-_FRAMES:]
