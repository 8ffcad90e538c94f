"""With `observability: powertools` a function answers and counts as a native one does."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError
from tests.functional.styles.conftest import CONTEXT, ROW, Handler, url_event

from sls_ml.intent.model import Batch, Place

Start = Callable[..., Handler]

FAILING = """
def after(result):
    raise ValueError(f"private {result}")
"""

REQUESTS = {
    "prediction": url_event(body=json.dumps({"rows": [ROW, ROW]})),
    "refusal": url_event(body=json.dumps([ROW | {"income": "private"}])),
    "no JSON": url_event(body='{"private'),
    "health": url_event("GET", "/health"),
    "unknown path": url_event("GET", "/private"),
    "wrong method": url_event("DELETE", "/predict"),
}


def told(output: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The log line and the EMF document of one request; fails when there is anything more."""
    lines = [json.loads(line) for line in output.splitlines()]
    (line,) = (each for each in lines if "_aws" not in each)
    (emf,) = (each for each in lines if "_aws" in each)
    return line, emf


def without_times(emf: dict[str, Any]) -> dict[str, Any]:
    """A document with its measured values replaced by their number."""
    measured = {name: 1 for name in emf if name in {"latency", "init"} or name.startswith("init_")}
    return emf | measured | {"_aws": emf["_aws"] | {"Timestamp": 0}}


@pytest.mark.parametrize("request_name", REQUESTS)
@pytest.mark.parametrize("hooks", ["", FAILING], ids=["well", "failing"])
def test_answers_and_metrics_are_the_native_ones(
    start: Start, capsys: pytest.CaptureFixture[str], request_name: str, hooks: str
) -> None:
    # GIVEN the same function with either observability
    event = REQUESTS[request_name]
    answers, documents, lines = [], [], []
    for observability in ("native", "powertools"):
        handler = start(hooks=hooks, observability=observability)
        capsys.readouterr()
        # WHEN each answers its first request, and another
        for _ in range(2):
            answers.append(handler(event, CONTEXT))
            line, emf = told(capsys.readouterr().out)
            documents.append(without_times(emf))
            lines.append(line)
    # THEN they answer the same
    assert answers[:2] == answers[2:]
    # AND write the same documents: names, units, dimensions, properties, values
    assert documents[:2] == documents[2:]
    assert ("cold_start" in documents[0], "cold_start" in documents[1]) == (True, False)
    # AND their log lines tell the same facts
    for native, theirs in zip(lines[:2], lines[2:], strict=True):
        names = native.keys() - {"timestamp", "requestId", "milliseconds", "at"}
        assert {name: theirs.get(name) for name in names} == {name: native[name] for name in names}
        assert theirs["function_request_id"] == native["requestId"]
    # AND nothing of the payload is told
    assert "private" not in json.dumps([lines, documents]).replace("/private", "")


def test_the_environment_adds_no_dimension_and_logs_no_event(
    start: Start, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN variables of Powertools that would hide the metrics from the alarms, and log the payload
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "other")
    monkeypatch.setenv("POWERTOOLS_LOGGER_LOG_EVENT", "true")
    handler = start(observability="powertools")
    # WHEN a request is answered
    handler(REQUESTS["prediction"], CONTEXT)
    # THEN the dimensions are still these two, and one line says what was asked
    line, emf = told(capsys.readouterr().out)
    assert emf["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["function", "alias"]]
    assert line["service"] == "predict"


def test_the_environment_adds_no_dimension_to_a_batch_either(
    start: Start, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a batch function with the same variable
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "other")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", "7")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("SLS_ML_TO", "s3://risk-data/out/")
    batch = Batch(Place(None, "in/"), Place(None, "out/"), "csv", "csv", ("id",), 0.05)
    handler = start(http=None, batch=batch, observability="powertools")
    # WHEN a message comes that nobody can read
    with pytest.raises(BatchProcessingError):
        handler({"Records": [{"messageId": "1", "body": "nonsense", "eventSource": "aws:sqs"}]}, CONTEXT)
    # THEN it is counted where the alarms look
    (emf,) = (json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith('{"_aws"'))
    assert emf["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["function", "alias"]]
    assert emf["failed"] == [1.0]


def test_a_failure_is_told_by_its_type_and_place(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN hooks that fail
    handler = start(hooks=FAILING, observability="powertools")
    # WHEN a request is answered
    answer = handler(REQUESTS["prediction"], CONTEXT)
    # THEN it is a 500, an error in the log, and its place is told
    line, emf = told(capsys.readouterr().out)
    assert answer["statusCode"] == 500
    assert (line["level"], line["error"]) == ("ERROR", "ValueError")
    assert line["at"][-1].endswith(" after")
    assert emf["failed"] == [1.0]
