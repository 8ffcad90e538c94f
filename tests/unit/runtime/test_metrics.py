"""Each request leaves one log line and one EMF document, without its payload."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from sls_ml_runtime import metrics
from sls_ml_runtime.metrics import Metrics
from sls_ml_runtime.serve import Service

JSON = {"content-type": "application/json"}


def write(
    writer: Metrics, service: Service, body: bytes, capsys: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    reply = service.respond("POST", "/predict", JSON, body)
    writer.write(reply, alias="live", request_id="r-1")
    line, emf = capsys.readouterr().out.splitlines()
    return json.loads(line), json.loads(emf)


def test_counts_a_request(service: Service, stored: Any, capsys: Any) -> None:
    # GIVEN a service that started WHEN a request of two rows is written
    service.init = {"open": 1.5, "load": 20.0, "first": 0.5}
    writer = Metrics(service)
    line, emf = write(writer, service, b'[{"age":60,"income":8},{"age":20,"income":1}]', capsys)

    # THEN the line tells the request
    assert (line["level"], line["message"], line["requestId"]) == ("INFO", "POST /predict 200", "r-1")
    assert (line["model"], line["digest"], line["rows"]) == ("credit", stored.digest[:12], 2)

    # AND the document counts it, with the start and its phases
    directive = emf["_aws"]["CloudWatchMetrics"][0]
    assert (directive["Namespace"], directive["Dimensions"]) == ("sls-ml/risk/dev", [["function", "alias"]])
    names = [metric["Name"] for metric in directive["Metrics"]]
    assert names == ["requests", "rows", "latency", "rejected", "failed", "cold_start", "init"]
    assert (emf["function"], emf["alias"], emf["rows"], emf["init"]) == ("predict", "live", [2.0], [22.0])
    assert (emf["init_open"], emf["init_load"], emf["init_first"]) == (1.5, 20.0, 0.5)

    # AND the next request is no cold start
    _, warm = write(writer, service, b'{"age":60,"income":8}', capsys)
    assert "cold_start" not in warm
    assert "init_load" not in warm


def test_the_lines_of_a_success_are_those_that_encoding_gives(
    service: Service, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN the lines of a first request, which are encoded, about an environment whose start took no time
    reply = service.respond("POST", "/predict", JSON, b'[{"age":60,"income":8}]')
    monkeypatch.setattr(metrics, "time", lambda: 1_700_000_000.5)
    writer = Metrics(service)
    for _ in range(3):
        writer.write(reply, alias='50% "live"', request_id='r"1%')
    first, *later = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    # WHEN further ones are written from what they have in common
    emf = later.pop(0)
    del emf["cold_start"], emf["init"]
    emf["_aws"]["CloudWatchMetrics"][0]["Metrics"] = emf["_aws"]["CloudWatchMetrics"][0]["Metrics"][:5]

    # THEN they say the same, in the same order
    assert [list(line.items()) for line in later] == [list(line.items()) for line in [first, emf] * 2]


def test_the_lines_of_a_success_name_the_model_that_answered(
    service: Service, runtime: SimpleNamespace, capsys: Any
) -> None:
    # GIVEN a service whose model is replaced by another, as happens when an alias is moved
    another = runtime.make_service(runtime.write(example=[]))
    writer = Metrics(service)
    body = b'[{"age":60,"income":8}]'

    # WHEN both answer THEN each request is logged with the digest of its own model
    digests = []
    for asked in (service, service, another, service):
        line, emf = write(writer, asked, body, capsys)
        assert line["digest"] == emf["digest"]
        digests.append(line["digest"])
    one, two = (each.models["credit"].artifact.digest[:12] for each in (service, another))
    assert digests == [one, one, two, one]


def test_counts_a_refusal_without_the_payload(service: Service, capsys: Any) -> None:
    # GIVEN a value that is refused WHEN the request is written
    line, emf = write(Metrics(service), service, b'{"age":60,"income":"private"}', capsys)

    # THEN it is counted by code, field and row, and its value is nowhere
    assert (line["refused"], line["field"], line["row"], line["status"]) == ("wrong-type", "income", 0, 422)
    assert (emf["rejected"], emf["failed"]) == ([1.0], [0.0])
    assert "private" not in json.dumps([line, emf])


def test_tells_where_a_failure_comes_from_without_its_message(
    stored: Any, runtime: SimpleNamespace, capsys: Any
) -> None:
    # GIVEN a hook that fails with a value of the payload in its message
    def after(result: dict[str, Any]) -> dict[str, Any]:
        message = f"private {result}"
        raise ValueError(message)

    service = runtime.make_service(stored, hooks=SimpleNamespace(after=after))

    # WHEN the request is written
    line, emf = write(Metrics(service), service, b'{"age":60,"income":8}', capsys)

    # THEN the line has type and place
    assert (line["level"], line["error"]) == ("ERROR", "ValueError")
    assert line["at"][-1].endswith(" after")
    assert emf["failed"] == [1.0]
    assert "private" not in json.dumps([line, emf])


def test_an_unknown_path_names_no_model(service: Service, capsys: Any) -> None:
    # GIVEN a path that is not there WHEN the request is written THEN neither path nor model is told
    Metrics(service).write(service.respond("GET", "/secret", {}, b""), alias="live", request_id="r")
    line, _ = (json.loads(text) for text in capsys.readouterr().out.splitlines())
    assert line["path"] == "(unknown)"
    assert "model" not in line


def test_counts_a_failed_start(capsys: Any) -> None:
    # GIVEN a start that failed WHEN it is written
    metrics.write_failed_init("risk", "predict", ValueError("why"))

    # THEN the document counts it and says why
    emf = json.loads(capsys.readouterr().out)
    assert (emf["init_failed"], emf["error"], emf["reason"]) == ([1.0], "ValueError", "why")
    assert emf["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["function"]]


@pytest.mark.parametrize("values", [{"requests": 1, "latency": 2.5}, {"init_failed": 1}])
def test_documents_equal_those_of_powertools(values: dict[str, float]) -> None:
    # GIVEN Powertools with the same metrics, dimensions and properties
    theirs = EphemeralMetrics(namespace="sls-ml/risk/dev")
    for name, value in values.items():
        theirs.add_metric(name, MetricUnit.Milliseconds if name == "latency" else MetricUnit.Count, value)
    theirs.add_dimension("function", "predict")
    theirs.add_dimension("alias", "live")
    theirs.add_metadata("digest", "0123")
    expected = theirs.serialize_metric_set()

    # WHEN ours is made at the same time
    timestamp = expected["_aws"]["Timestamp"]
    dimensions = {"function": "predict", "alias": "live"}
    ours = metrics.document("sls-ml/risk/dev", dimensions, values, {"digest": "0123"}, timestamp)

    # THEN both say the same
    for entry in expected["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
        entry.pop("StorageResolution", None)
    assert ours == expected
