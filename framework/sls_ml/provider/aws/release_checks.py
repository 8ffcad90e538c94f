"""What a new version is asked before it gets traffic, and what it must answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sls_ml.intent.model import Function, ModelRef
from sls_ml.spec.model import Canary, Tolerance
from sls_ml_runtime.aws import CHECK

EXAMPLE_BYTES = 16 << 10
"""Example rows of a model that ride in the check, in bytes of JSON: rows beyond are left out."""

COLUMNS = 64
"""Numbers that are compared in one row of an answer: those beyond are left out."""

_TEST_MESSAGE = {
    "messageId": "check",
    "receiptHandle": "check",
    "body": '{"Event":"s3:TestEvent"}',
    "attributes": {},
    "messageAttributes": {},
    "md5OfBody": "",
    "eventSource": "aws:sqs",
    "eventSourceARN": "",
    "awsRegion": "",
}


def of(function: Function, canary: Canary) -> Iterator[dict[str, Any]]:
    """Events for the new version, and what to expect of each answer.

    Every model is asked for its own answers by an event that only a call of the function can be, so that
    hooks may change what callers get. A batch function also gets the message by which S3 tests a queue,
    which tells of no object.
    """
    if function.batch:
        yield {"event": {"Records": [_TEST_MESSAGE]}, "name": "start", "result": {"batchItemFailures": []}}
    else:
        digests = {model.name: model.digest[:12] for model in function.models}
        expected = {"models": digests} if function.follow is None else {"status": "ready"}
        yield {"body": expected, "event": _request("GET", "/ready", ""), "name": "ready"}
    for model in function.models:
        rows = _rows(model)
        digest = model.digest[:12]
        yield {
            "answers": {digest: _expected(model, len(rows))} if model.answers else {},
            "digest": digest if function.follow is None else None,
            "event": {CHECK: model.name, "rows": rows},
            "name": model.name,
            "rows": len(rows),
            "tolerance": model.tolerance.model_dump(),
        }
        if canary.check == "predict" and not function.batch:
            path = "/predict" if len(function.models) == 1 else f"/models/{model.name}/predict"
            yield {
                "digest": digest if function.follow is None else None,
                "event": _request("POST", path, json.dumps({"rows": rows})),
                "name": path,
            }


def _request(method: str, path: str, body: str) -> dict[str, Any]:
    """An event as a function URL sends it."""
    return {
        "body": body,
        "headers": {"content-type": "application/json"} if body else {},
        "isBase64Encoded": False,
        "rawPath": path,
        "requestContext": {"http": {"method": method}, "stage": "$default"},
    }


def _rows(model: ModelRef) -> list[Any]:
    """The model's example rows, as many as fit, but at least one."""
    rows: list[Any] = list(model.manifest["example"])
    while len(rows) > 1 and len(json.dumps(rows)) > EXAMPLE_BYTES:
        rows.pop()
    return rows


def _expected(model: ModelRef, count: int) -> dict[str, Any]:
    """The answers to the first rows; None in place of a label where the best two are too close to tell."""
    answers = {key: list(values[:count]) for key, values in model.answers.items()}
    if "label" in answers:
        close = _close_calls(answers, model.tolerance)
        answers["label"] = [
            None if either else label for label, either in zip(answers["label"], close, strict=True)
        ]
    return {
        key: [row[:COLUMNS] if isinstance(row, list) else row for row in rows]
        for key, rows in answers.items()
    }


def _close_calls(answers: Mapping[str, Sequence[Any]], tolerance: Tolerance) -> list[bool]:
    """Whether the best two answers of a row lie so close that either label is right, as for parity."""
    given = answers.get("probability") or answers.get("score") or [None] * len(answers["label"])
    near = tolerance.probability if "probability" in answers else tolerance.value
    relative = "probability" not in answers
    several = any(isinstance(label, list) for label in answers["label"])
    return [
        any(_close(one, near, relative=relative) for one in row or ())
        if several
        else _close(row, near, relative=relative)
        for row in given
    ]


def _close(row: Any, near: float, *, relative: bool) -> bool:
    if not isinstance(row, list):
        return isinstance(row, (int, float)) and abs(row) <= near
    best = sorted(value for value in row if value is not None)[-2:]
    return len(best) == 2 and best[1] - best[0] <= 2 * near * (1 + abs(best[1]) if relative else 1)
