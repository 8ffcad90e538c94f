"""Lines of a function's log, for people and for whoever waits for a result."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sls_ml.cli.waiting import failure
from sls_ml.cli.watching import readable
from sls_ml.provider.base import LogEvent


def event(line: dict[str, Any] | str) -> LogEvent:
    return LogEvent(0.0, "stream", line if isinstance(line, str) else json.dumps(line))


REQUEST = {
    "timestamp": 1,
    "level": "INFO",
    "message": "POST /predict 200",
    "requestId": "80a53111",
    "path": "/predict",
    "status": 200,
    "model": "credit",
    "digest": "241044e482f4",
    "rows": 3,
    "milliseconds": 0.309,
    "field": None,
}
FAILED = {
    "level": "ERROR",
    "location": "score:75",
    "message": "failed",
    "service": "score",
    "message_id": "m-1",
    "exception": "Traceback (most recent call last):\n  File ...\nRuntimeError: the service is away",
}
POWERTOOLS = REQUEST | {
    "location": "log:40",
    "service": "predict",
    "cold_start": False,
    "function_name": "sls-ml-credit-dev-predict",
    "function_memory_size": 512,
    "function_arn": "arn:aws:lambda:eu-west-1:123456789012:function:sls-ml-credit-dev-predict:live",
    "function_request_id": "80a53111",
    "xray_trace_id": "1-6b0593af-10058cbc",
}
STARTED = {"time": "t", "type": "platform.initStart", "record": {"runtimeVersion": "python:3.13"}}
TIMED_OUT = {"time": "t", "type": "platform.report", "record": {"requestId": "r", "status": "timeout"}}
WELL = {"time": "t", "type": "platform.report", "record": {"requestId": "r", "status": "success"}}
UNHANDLED = {
    "log_level": "ERROR",
    "errorType": "ArtifactRefused",
    "errorMessage": "model.onnx: another digest",
}
GUESSED = {"level": "WARNING", "message": "LAMBDA_WARNING: Unhandled exception. The most likely cause is ..."}
METRICS = {"_aws": {}, "requests": [1.0]}


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (REQUEST, "INFO  POST /predict 200  model=credit rows=3 milliseconds=0.309"),
        (POWERTOOLS, "INFO  POST /predict 200  model=credit rows=3 milliseconds=0.309"),
        (FAILED, "ERROR failed  message_id=m-1 exception=RuntimeError: the service is away"),
        (STARTED, None),
        (WELL, None),
        (METRICS, None),
        (GUESSED, None),
        (TIMED_OUT, "ERROR platform.report timeout"),
        (UNHANDLED, "ERROR ArtifactRefused: model.onnx: another digest"),
        ("printed by a hook\n", "printed by a hook"),
        ("[1, 2]", "[1, 2]"),
    ],
)
def test_a_line_for_people(line: dict[str, Any] | str, text: str | None) -> None:
    assert readable(event(line)) == text


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (FAILED, "RuntimeError: the service is away"),
        (TIMED_OUT, "report: timeout"),
        (UNHANDLED, "ArtifactRefused: model.onnx: another digest"),
        (REQUEST, None),
        (STARTED, None),
        (WELL, None),
        (METRICS, None),
        ("printed by a hook", None),
        ("[1, 2]", None),
    ],
)
def test_what_a_line_says_of_a_failure(line: dict[str, Any] | str, reason: str | None) -> None:
    assert failure(event(line)) == reason
