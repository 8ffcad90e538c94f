"""Whatever is sent, the answer is a prediction or a refusal: never a 5xx, and nothing of it in the log."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nasty_requests import BODIES, COMPRESSED, KEYS, MEDIA, POSTS, SECRET
from sls_ml_runtime.call import Reply
from sls_ml_runtime.errors import Refusal
from sls_ml_runtime.metrics import Metrics
from sls_ml_runtime.serve import Service


@pytest.fixture(scope="session")
def species(built: SimpleNamespace) -> Service:
    """Texts and numbers that may be missing."""
    service: Service = built.service_of("species", max_body=1 << 18)
    return service


@pytest.fixture(scope="session")
def shared(built: SimpleNamespace) -> Service:
    """The same, with a page, for pages of all origins."""
    service: Service = built.service_of("species", cors=["*"], page=True)
    return service


def check(reply: Reply) -> Reply:
    """What holds for every reply."""
    assert reply.error is None
    assert reply.status < 500
    if reply.headers.get("content-type") == "application/json" and "content-encoding" not in reply.headers:
        json.loads(reply.body, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    return reply


@pytest.mark.parametrize("name", BODIES)
def test_no_body_breaks_a_dialect(species: Service, name: str) -> None:
    # GIVEN a nasty body WHEN it is sent to every path as every kind THEN there is an answer
    for path in POSTS:
        for kind in MEDIA:
            check(species.respond("POST", path, {"content-type": kind}, BODIES[name]))


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        ";",
        ",",
        ";q=",
        "*",
        "a/b;c=d;e",
        "\xff\xfe",
        "ﬀ",
        "\ud800",
        "x" * 10_000,
        "-1",
        "²",
        "q=9" * 999,
    ],
)
@pytest.mark.parametrize(
    "name",
    [
        "content-type", "accept", "accept-encoding", "content-encoding", "origin", "content-length",
        "inference-header-content-length",
    ],
)  # fmt: skip
def test_no_header_breaks_a_request(shared: Service, name: str, value: str) -> None:
    # GIVEN a nasty header WHEN it comes with a good body THEN there is an answer
    for path in POSTS:
        check(shared.respond("POST", path, {name: value}, b'{"instances":[{}]}'))
        check(shared.respond("GET", path, {name: value}, b""))


@pytest.mark.parametrize(
    "path", ["/" * 100_000, "/%", "/%ff", "/%2e%2e/", "/\0", "/v2/\udc80", "", "*", "/v2/models//infer"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS", "", "\0"])
def test_no_path_breaks_a_request(species: Service, method: str, path: str) -> None:
    # GIVEN a nasty path WHEN it is asked THEN there is an answer
    check(species.respond(method, path, {}, b"{}"))


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [
        *(("gzip", *case) for case in COMPRESSED.values()),
        ("deflate", zlib.compress(b"\0" * 100_000_000, 9), 413),
        ("deflate", zlib.compress(b'{"rows":[]}')[:-1], 400),
        ("br", b"", 415),
        ("gzip, gzip", b"", 415),
    ],
)
def test_no_compression_breaks_a_request(species: Service, encoding: str, body: bytes, status: int) -> None:
    # GIVEN a bomb, or what is cut off, or no compression at all WHEN it comes THEN it is refused
    reply = check(species.respond("POST", "/predict", {"content-encoding": encoding}, body))
    assert reply.status == status


def test_nothing_of_a_payload_is_logged(species: Service, capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN a secret in every place of a request
    metrics = Metrics(species)
    tensor = {"name": SECRET, "shape": [1], "datatype": "BYTES", "data": [SECRET]}
    documents: list[Any] = [
        {"rows": [{SECRET: 1}]},
        {"rows": [{"island": SECRET, "bill_length_mm": SECRET}]},
        {"columns": {SECRET: SECRET}},
        {"instances": [SECRET], "params": {SECRET: 1}},
        {"dataframe_split": {"columns": [SECRET, SECRET], "data": [[1, 2]]}},
        {"inputs": [tensor], "id": SECRET, "outputs": [{"name": SECRET}]},
        {"inputs": [tensor | {"name": "island", "datatype": SECRET}]},
        SECRET,
    ]
    bodies = [json.dumps(document).encode() for document in documents] + [SECRET.encode()]

    # WHEN all are refused, or answered, and told to the log
    for body in bodies:
        for path in (*POSTS, f"/{SECRET}", f"/v2/models/{SECRET}/infer"):
            for headers in ({}, {"content-type": "text/csv"}, {"content-type": SECRET, "accept": SECRET}):
                reply = check(species.respond("POST", path, headers, body))
                metrics.write(reply, alias="live", request_id="1")

    # THEN the log knows nothing of it
    logged = capsys.readouterr().out
    assert logged.count("\n") > 100
    assert SECRET not in logged


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(KEYS),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=20,
)
many = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@many
@given(document=values, path=st.sampled_from(POSTS))
def test_any_document_gets_an_answer(species: Service, document: Any, path: str) -> None:
    # GIVEN any document WHEN it is posted THEN it is answered or refused
    check(species.respond("POST", path, {}, json.dumps(document).encode()))


tensors = st.fixed_dictionaries(
    {
        "name": st.sampled_from(KEYS) | st.text(max_size=3),
        "shape": st.lists(st.integers(-1, 3), max_size=3) | values,
        "datatype": st.sampled_from(["FP64", "FP32", "FP16", "INT64", "UINT8", "BOOL", "BYTES", "X"]),
    },
    optional={
        "data": st.lists(st.integers() | st.floats() | st.text(max_size=2) | st.booleans(), max_size=6)
        | values,
        "parameters": st.fixed_dictionaries({"binary_data_size": st.integers(-9, 60)}) | values,
    },
)


@many
@given(
    inputs=st.lists(tensors, max_size=4),
    tail=st.binary(max_size=60),
    length=st.none() | st.integers(-2, 5),
    outputs=st.none() | values,
)
def test_any_tensors_get_an_answer(
    species: Service, inputs: list[Any], tail: bytes, length: int | None, outputs: Any
) -> None:
    # GIVEN any tensors with any bytes behind them WHEN they are inferred THEN there is an answer
    text = json.dumps({"inputs": inputs, "outputs": outputs}).encode()
    size = len(text) if length is None else len(text) - length
    headers = {"inference-header-content-length": str(size)}
    check(species.respond("POST", "/v2/models/species/infer", headers, text + tail))


@many
@given(body=st.binary(max_size=80), path=st.sampled_from(POSTS), kind=st.sampled_from(MEDIA))
def test_any_bytes_get_an_answer(species: Service, body: bytes, path: str, kind: str) -> None:
    # GIVEN any bytes WHEN they are posted as anything THEN there is an answer
    check(species.respond("POST", path, {"content-type": kind}, body))


@many
@given(data=st.data())
def test_good_tensors_are_read_back(tumour: Service, data: st.DataObject) -> None:
    # GIVEN rows of doubles WHEN they are inferred as JSON and as bytes THEN the answers are equal
    count = data.draw(st.integers(1, 3))
    numbers = st.floats(min_value=-1e6, max_value=1e6)
    flat = data.draw(st.lists(numbers, min_size=30 * count, max_size=30 * count))
    tensor = {"name": "x", "shape": [count, 30], "datatype": "FP64"}
    path = "/v2/models/tumour/infer"
    as_json = json.dumps({"inputs": [tensor | {"data": flat}]}).encode()
    head = json.dumps({"inputs": [tensor | {"parameters": {"binary_data_size": 240 * count}}]}).encode()
    as_bytes = head + struct.pack(f"<{30 * count}d", *flat)
    length = {"inference-header-content-length": str(len(head))}
    in_json, in_bytes = (
        check(tumour.respond("POST", path, headers, body))
        for headers, body in (({}, as_json), (length, as_bytes))
    )
    assert in_json.body == in_bytes.body


def test_a_failing_hook_keeps_the_form_of_its_dialect(
    built: SimpleNamespace, ask: Callable[..., Any]
) -> None:
    # GIVEN a hook that gives back nonsense WHEN each dialect runs it THEN its client can read the error
    service = built.service_of("tumour", hooks=SimpleNamespace(after=lambda result: [result]))
    rows = service.models["tumour"].artifact.manifest["example"]
    v1 = ask(service, "POST", "/v1/models/tumour:predict", {"instances": rows})
    mlflow = ask(service, "POST", "/invocations", {"instances": rows})
    assert (v1.status, type(v1.json["error"])) == (500, str)
    assert (mlflow.status, mlflow.json["error_code"]) == (500, "INTERNAL_ERROR")


@pytest.mark.parametrize(
    ("path", "document", "where"),
    [
        ("/predict", {"rows": []}, ("error", "code")),
        ("/v2/models/species/infer", None, ("code",)),
        ("/v1/models/species:predict", {"instances": []}, ("code",)),
        ("/invocations", {"dataframe_records": []}, ("code",)),
    ],
)
def test_an_answer_that_is_too_large_keeps_the_form_of_its_dialect(
    built: SimpleNamespace,
    ask: Callable[..., Any],
    path: str,
    document: dict[str, list[Any]] | None,
    where: tuple[str, ...],
) -> None:
    # GIVEN a function behind something that sends a megabyte at most, with a hook that tells more
    def after(result: dict[str, Any]) -> dict[str, Any]:
        return result | {"label": ["x" * (1 << 21)] * len(result["label"])}

    def check_answer(headers: dict[str, str], body: bytes) -> None:
        raise Refusal(413, "answer-too-large", f"{len(body)} bytes of {headers['content-type']}")

    service = built.service_of("species", hooks=SimpleNamespace(after=after))
    service.check_answer = check_answer
    row = service.models["species"].artifact.manifest["example"][0]
    if document is None:
        tensors = [{"name": name, "shape": [1], **_typed(value)} for name, value in row.items()]
        document = {"inputs": tensors}
    else:
        next(iter(document.values())).append(row)

    # WHEN it is asked by a client of a dialect
    answer = ask(service, "POST", path, document)

    # THEN the client can read why there is no answer
    assert answer.status == 413
    told = answer.json
    for key in where:
        told = told[key]
    assert told == "answer-too-large"
    assert answer.headers["content-type"] == "application/json"


def _typed(value: Any) -> dict[str, Any]:
    return {"datatype": "BYTES" if isinstance(value, str) else "FP64", "data": [value]}
