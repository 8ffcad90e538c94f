"""The metrics that functions write, read from what the runtime and the generated code put out."""

from __future__ import annotations

import ast
import contextlib
import io
import json
from collections.abc import Iterator
from importlib.resources import files
from types import SimpleNamespace
from typing import Any

from sls_ml_runtime import drift
from sls_ml_runtime.call import Reply
from sls_ml_runtime.metrics import Metrics, write_failed_follow, write_failed_init

Metric = tuple[str, str, tuple[tuple[str, str], ...]]
"""Namespace, name, and dimensions in their order."""

_TEMPLATES = files("sls_ml.provider.aws") / "templates"


def by_endpoint(project: str, function: str) -> set[Metric]:
    """What an endpoint writes of its first request."""
    service: Any = SimpleNamespace(config={"project": project, "function": function}, init={"open": 1.0})
    with _output() as written:
        Metrics(service).write(Reply(200, {}, b""), alias="live", request_id="1")
    return set(_metrics(written.getvalue()))


def by_any(project: str, function: str) -> set[Metric]:
    """What any function writes of a start that failed, and of an alias that it cannot follow."""
    with _output() as written:
        write_failed_init(project, function, ValueError("no artifact"))
        write_failed_follow(project, function, "credit", "champion", ValueError("no alias"))
    return set(_metrics(written.getvalue()))


def by_batch(namespace: str, function: str) -> set[Metric]:
    """What the generated handler of a batch function counts, as its code says."""
    code = (_TEMPLATES / "objects_handler.py").read_text("utf-8")
    assert 'METRICS.set_default_dimensions(function="$function", alias=' in code
    own = (("function", function), ("alias", "live"))
    found = {(namespace, "init", own)} if 'add_metric(name="init"' in code else set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "count":
            found |= {(namespace, each.arg, own) for each in node.keywords if each.arg}
    return found


def by_counting(project: str, function: str, model: str) -> set[Metric]:
    """What a function writes of a model with an input that may be missing, and one whose texts may be new."""
    inputs = [
        SimpleNamespace(dtype=dtype, nullable=True, categories=None, null="")
        for dtype in ("float64", "string")
    ]
    entries = [{"edges": [1.0]}, {"top": ["a"], "rest": 0}]
    counted: Any = SimpleNamespace(
        artifact=SimpleNamespace(
            name=model, digest="ab" * 32, manifest={"drift": {"features": entries, "prediction": None}}
        ),
        signature=SimpleNamespace(inputs=inputs),
        seen=[([("float64", [0.5]), ("string", ["new"])], ())],
    )
    with _output() as written:
        drift.write(project, function, [counted])
    return set(_metrics(written.getvalue()))


def by_watch(namespace: str, model: str) -> set[Metric]:
    """What the drift watch writes of a model; tests/unit/provider/test_drift.py runs it."""
    return {(namespace, name, (("model", model),)) for name in ("drift", "drift_rows")}


@contextlib.contextmanager
def _output() -> Iterator[io.StringIO]:
    with contextlib.redirect_stdout(io.StringIO()) as written:
        yield written


def _metrics(text: str) -> Iterator[Metric]:
    for line in text.splitlines():
        emf = json.loads(line)
        for directive in emf.get("_aws", {}).get("CloudWatchMetrics", []):
            dimensions = tuple((name, emf[name]) for name in directive["Dimensions"][0])
            yield from ((directive["Namespace"], each["Name"], dimensions) for each in directive["Metrics"])
