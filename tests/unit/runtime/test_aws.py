"""Lambda's events become requests, replies its responses, and a start is warm or fails clearly."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sls_ml_runtime import aws
from sls_ml_runtime.errors import ArtifactRefused, EngineError, Refusal, StoreError
from sls_ml_runtime.serve import RAW, Service


def event(**changes: Any) -> dict[str, Any]:
    return {
        "version": "2.0",
        "rawPath": "/predict",
        "headers": {"content-type": "application/json", "x-amzn-trace-id": "Root=1"},
        "cookies": ["a=b"],
        "requestContext": {"stage": "$default", "http": {"method": "POST", "path": "/predict"}},
        "body": '{"name":"Zoë"}',
        "isBase64Encoded": False,
    } | changes


def function(folder: Path, stored: Any, config: dict[str, Any]) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    if all(model["bundled"] for model in config["models"].values()):
        (folder / "artifacts").symlink_to(stored.store)
    return folder


def test_reads_a_function_url_event() -> None:
    # GIVEN an event WHEN it is read THEN method, path, headers and body are there
    method, path, headers, body = aws.request(event())
    assert (method, path, body) == ("POST", "/predict", '{"name":"Zoë"}'.encode())
    assert headers["content-type"] == "application/json"


def test_reads_a_body_in_base64() -> None:
    # GIVEN bytes that are no text, as Lambda sends them WHEN the event is read THEN they are the bytes
    content = bytes(range(256))
    assert aws.request(event(body=base64.b64encode(content).decode(), isBase64Encoded=True))[3] == content


def test_reads_an_event_without_body_and_headers() -> None:
    # GIVEN a GET WHEN it is read THEN its body is empty
    get = event(requestContext={"http": {"method": "GET"}})
    del get["body"], get["headers"]
    assert aws.request(get) == ("GET", "/predict", {}, b"")


def test_takes_a_named_stage_off_the_path() -> None:
    # GIVEN an HTTP API with a named stage, whose events carry it in the path
    context = {"stage": "prod", "http": {"method": "POST"}}

    # WHEN the event is read THEN the path is the function's own
    assert aws.request(event(rawPath="/prod/predict", requestContext=context))[1] == "/predict"


def test_writes_text_as_it_is_and_bytes_in_base64() -> None:
    # GIVEN JSON, and bytes of another type
    text = aws.response(200, {"content-type": "application/json"}, b'{"a":"\xc3\xab"}')
    content = aws.response(200, {"content-type": "application/octet-stream"}, b"\xff\0")

    # THEN each travels so that Lambda gives back the same bytes
    assert (text["body"], text["isBase64Encoded"]) == ('{"a":"ë"}', False)
    assert (base64.b64decode(content["body"]), content["isBase64Encoded"]) == (b"\xff\0", True)
    assert content["statusCode"] == 200


def test_a_models_own_answer_is_out_of_reach_over_http() -> None:
    # GIVEN the event of the check before a release WHEN it is read THEN its method is none of HTTP
    check = {aws.CHECK: "credit", "rows": [{"age": 1}]}
    assert aws.request(check) == (RAW, "/credit", {}, b'[{"age": 1}]')

    # AND whatever a caller sends, the method is another
    context = {"http": {"method": RAW}}
    for sent in (
        event(requestContext=context, rawPath="/credit"),
        event(body=json.dumps(check)),
        event(headers={aws.CHECK: "credit"}),
        event(requestContext=context) | check,
        check | {"requestContext": {"http": {}}},
    ):
        assert aws.request(sent)[0] != RAW


_ROOM = aws.MAX_RESPONSE - len('""')


@pytest.mark.parametrize(
    ("python", "headers", "unit", "most"),
    [
        ("3.13", {"content-type": "application/json"}, b'"', _ROOM // 2),
        ("3.13", {"content-type": "application/json"}, b"1", _ROOM),
        ("3.13", {"content-type": "text/csv; charset=utf-8"}, b"\n", _ROOM // 2),
        ("3.13", {"content-type": "application/json"}, "é".encode(), _ROOM // 2),
        ("3.11", {"content-type": "application/json"}, "é".encode(), _ROOM // 6),
        ("3.11", {"content-type": "application/json"}, "\N{GRINNING FACE}".encode(), _ROOM // 12),
        (
            "3.13",
            {"content-type": "application/json", "content-encoding": "gzip"},
            b"1",
            aws.MAX_RESPONSE * 3 // 4,
        ),
        ("3.13", {"content-type": "application/octet-stream"}, b"\0", aws.MAX_RESPONSE * 3 // 4),
    ],
)
def test_refuses_an_answer_that_lambda_would_not_carry(
    monkeypatch: pytest.MonkeyPatch, python: str, headers: dict[str, str], unit: bytes, most: int
) -> None:
    # GIVEN an answer at Lambda's limit, as it travels WHEN it is checked THEN it passes
    monkeypatch.setenv("AWS_EXECUTION_ENV", f"AWS_Lambda_python{python}")
    aws.check_answer(headers, unit * most)

    # AND a larger one does not, and the caller is told what to do
    with pytest.raises(Refusal, match="accept gzip, or send fewer rows") as refused:
        aws.check_answer(headers, unit * (most + 2))
    assert (refused.value.status, refused.value.code) == (413, "answer-too-large")


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"version": "1.0", "httpMethod": "POST", "path": "/predict", "requestContext": {"stage": "prod"}},
        {"httpMethod": "POST", "path": "/", "requestContext": {"elb": {"targetGroupArn": "arn:aws:..."}}},
        {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}},
        {"Records": []},
        [],
        None,
        "ping",
        event(rawPath=None),
        event(requestContext={"http": {"method": ["POST"]}}),
        event(headers=["a"]),
        event(body={"rows": []}),
        event(body="\xff", isBase64Encoded=True),
    ],
    ids=repr,
)
def test_an_event_that_is_no_request_is_refused(service: Service, odd: Any) -> None:
    # GIVEN an event of something else than a function URL or an HTTP API WHEN it comes
    reply = service.respond(*aws.request(odd))

    # THEN the answer says what the function takes
    error = json.loads(aws.response(*reply)["body"])["error"]
    assert (reply.status, error["code"], reply.path) == (400, "unknown-event", "(unknown)")
    assert "payload format 2.0" in error["message"]


def test_half_of_a_surrogate_pair_is_refused(service: Service) -> None:
    # GIVEN a body that no UTF-8 can say WHEN it comes THEN it is refused as such
    reply = service.respond(*aws.request(event(body='{"rows":["\ud800"]}')))
    assert json.loads(reply.body)["error"]["code"] == "not-utf8"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_no_event_breaks_a_function(service: Service, data: st.DataObject) -> None:
    # GIVEN the event of a request with one part exchanged for anything
    odd = event()
    part = data.draw(st.sampled_from([*odd, "method", "context"]))
    match part:
        case "method":
            odd["requestContext"] = {"http": {"method": data.draw(anything)}}
        case "context":
            odd["requestContext"] = {"stage": data.draw(anything), "http": {"method": "POST"}}
        case "headers":
            odd["headers"] = data.draw(anything | st.dictionaries(st.text(max_size=5), anything))
        case _:
            odd[part] = data.draw(anything)

    # WHEN it comes THEN it is answered or refused, in a form that Lambda takes
    reply = service.respond(*aws.request(odd))
    assert reply.error is None
    assert reply.status < 500
    json.dumps(aws.response(*reply), ensure_ascii=False)


@pytest.mark.parametrize(
    ("arn", "alias"),
    [
        ("arn:aws:lambda:eu-west-1:123456789012:function:f:live", "live"),
        ("arn:aws:lambda:eu-west-1:123456789012:function:f", "$LATEST"),
    ],
)
def test_knows_the_alias_that_was_called(arn: str, alias: str) -> None:
    # GIVEN the context of an invocation WHEN its alias is asked THEN it is the ARN's
    assert aws.alias(SimpleNamespace(invoked_function_arn=arn)) == alias


@pytest.mark.parametrize(
    ("memory", "threads"), [("128", 1), ("1769", 1), ("3008", 1), ("3538", 2), ("10240", 5), (None, 1)]
)
def test_threads_are_the_cpus_paid_for(monkeypatch: Any, memory: str | None, threads: int) -> None:
    # GIVEN a memory size WHEN threads are asked THEN they are its whole CPUs, at least one
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", raising=False)
    if memory is not None:
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory)
    assert aws.threads() == threads


def test_boot_serves_a_bundled_artifact(tmp_path: Path, stored: Any, runtime: SimpleNamespace) -> None:
    # GIVEN a package with its artifact
    folder = function(tmp_path / "task", stored, runtime.config(stored))

    # WHEN it starts
    service = aws.boot(str(folder))

    # THEN it answers, and knows how long its phases took
    reply = service.respond("POST", "/predict", {}, b'{"age":60,"income":8}')
    assert json.loads(reply.body)["label"] == ["yes"]
    assert set(service.init) == {"open", "load", "first"}


@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not limit a process's memory")
@pytest.mark.parametrize(("memory", "fits"), [(48, False), (512, True)])
def test_boot_refuses_a_model_that_is_too_large_for_the_memory(
    memory: int, fits: bool, tmp_path: Path, model: bytes, runtime: SimpleNamespace
) -> None:
    # GIVEN a model of 40 MB, and a function with less memory than it takes, or enough
    graph = onnx.load_from_string(model)
    graph.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(5_000_000), "weights"))
    large = graph.SerializeToString()
    files = {"model.onnx": {"sha256": hashlib.sha256(large).hexdigest(), "bytes": len(large)}}
    stored = runtime.write(files=files)
    (stored.folder / "model.onnx").write_bytes(large)
    folder = function(tmp_path / "function", stored, runtime.config(stored))

    # WHEN it starts
    program = (
        f"import sys; sys.path[:0] = {[*sys.path]!r}\nfrom sls_ml_runtime import aws\n"
        f"import resource; before = resource.getrlimit(resource.RLIMIT_DATA); aws.boot({str(folder)!r})\n"
        "assert resource.getrlimit(resource.RLIMIT_DATA) == before"
    )
    variables = {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": f"{memory}", "SLS_ML_STAGE": "prod"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    # THEN it says what to raise, and counts; or it serves, and what it takes later is not limited
    if fits:
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
    else:
        assert "MemoryTooSmall: the models take more than the 48 MB of the function" in done.stderr
        written = json.loads(done.stdout)
        assert (written["error"], written["init_failed"]) == ("MemoryTooSmall", [1.0])
        assert "raise functions.predict.memory in sls-ml.yaml" in written["reason"]


def test_boot_fetches_what_is_not_bundled(
    tmp_path: Path, stored: Any, runtime: SimpleNamespace, monkeypatch: Any
) -> None:
    # GIVEN a package without its artifact, and a store
    folder = function(tmp_path / "task", stored, runtime.config(stored, bundled=False))
    monkeypatch.setenv("SLS_ML_STORE", f"file://{stored.store}")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temp"))

    # WHEN it starts THEN it serves from the temp folder
    service = aws.boot(str(folder))
    assert service.models["credit"].artifact.folder == str(tmp_path / "temp/artifacts/credit" / stored.digest)


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (lambda stored: (stored.folder / "model.onnx").write_bytes(b"x"), ArtifactRefused, "has 1 bytes"),
        (lambda stored: (stored.folder / "manifest.json").unlink(), ArtifactRefused, "no readable manifest"),
    ],
)
def test_a_failed_start_raises_and_counts(
    tmp_path: Path, stored: Any, runtime: SimpleNamespace, capsys: Any, damage: Any, error: Any, message: str
) -> None:
    # GIVEN a package whose artifact is damaged
    folder = function(tmp_path / "task", stored, runtime.config(stored))
    damage(stored)

    # WHEN it starts THEN it fails with the reason, and the failure is counted
    with pytest.raises(error, match=message):
        aws.boot(str(folder))
    emf = json.loads(capsys.readouterr().out)
    assert (emf["init_failed"], emf["error"], emf["function"]) == ([1.0], error.__name__, "predict")


def test_a_start_without_the_store_says_which_address(
    tmp_path: Path, stored: Any, runtime: SimpleNamespace, monkeypatch: Any
) -> None:
    # GIVEN a package without its artifact, and a store that is not there
    folder = function(tmp_path / "task", stored, runtime.config(stored, bundled=False))
    monkeypatch.setenv("SLS_ML_STORE", f"file://{tmp_path}/nowhere")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temp"))

    # WHEN it starts THEN the error names the file that is missing
    with pytest.raises(StoreError, match=rf"nowhere/credit/{stored.digest}/manifest\.json cannot be read"):
        aws.boot(str(folder))


def test_a_start_without_the_library_says_so(
    tmp_path: Path, stored: Any, runtime: SimpleNamespace, monkeypatch: Any
) -> None:
    # GIVEN a package without ONNX Runtime
    from sls_ml_runtime.engines.ort_capi import Library

    folder = function(tmp_path / "task", stored, runtime.config(stored))
    monkeypatch.setattr(Library, "_loaded", None)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])

    # WHEN it starts THEN the error says where it was looked for
    with pytest.raises(EngineError, match=r"libonnxruntime\.so is not in an onnxruntime/capi folder"):
        aws.boot(str(folder))


def s3_record(name: str, key: str, **made: Any) -> dict[str, Any]:
    made = {"key": key, "size": 5, "eTag": "e1"} | made
    return {"eventName": name, "s3": {"bucket": {"name": "in"}, "object": made}}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"Records": [s3_record("ObjectCreated:Put", "a+b/%C3%AB%2B.csv", versionId="v1")]},
            [("in", "a b/ë+.csv", "e1", "v1", 5)],
        ),
        (
            {
                "Records": [
                    s3_record("ObjectCreated:CompleteMultipartUpload", "a"),
                    s3_record("ObjectRemoved:Delete", "b"),
                ]
            },
            [("in", "a", "e1", None, 5)],
        ),
        ({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "in"}, []),
        (
            {
                "source": "aws.s3",
                "detail-type": "Object Created",
                "detail": {
                    "bucket": {"name": "in"},
                    "object": {"key": "a+b%20.csv", "size": 7, "etag": "e2"},
                },
            },
            [("in", "a+b%20.csv", "e2", None, 7)],
        ),
        (
            {
                "source": "aws.s3",
                "detail-type": "Object Created",
                "detail": {
                    "bucket": {"name": "in"},
                    "object": {"key": "k", "size": 0, "etag": "e", "version-id": "v"},
                },
            },
            [("in", "k", "e", "v", 0)],
        ),
        ({"source": "aws.s3", "detail-type": "Object Deleted", "detail": {}}, []),
    ],
)
def test_finds_the_created_objects(body: dict[str, Any], expected: list[Any]) -> None:
    # GIVEN a message of S3 or of EventBridge WHEN it is read THEN it gives the objects, keys decoded once
    assert aws.object_events({"body": json.dumps(body)}) == expected


@pytest.mark.parametrize("body", ["[]", "{}", '{"hello":1}', "not json"])
def test_refuses_a_message_that_is_no_event(body: str) -> None:
    # GIVEN a message of someone else WHEN it is read THEN it fails, and goes to the dead letters
    with pytest.raises(ValueError, match=r"not an event of S3|Expecting value"):
        aws.object_events({"body": body})
