"""Built packages under Lambda's own runtime client: whatever comes, no 5xx, no end, no payload in the log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from command_line import copy_sample, run
from nasty_requests import BODIES, COMPRESSED, EVENTS, KEYS, MEDIA, POSTS, SECRET, request, sent
from sls_ml.local import managed_runtime
from sls_ml.local.payload import answer_of
from sls_ml.measure import subject
from sls_ml.measure.warm import Environment, environment

SPEC = """
project: penguins
region: eu-west-1
artifacts: ../../artifacts
handlers: ../../handlers
models:
  species: {source: model.skops, sample: sample.csv, trust: true, engine: ENGINE}
functions:
  predict: {model: species, http: {auth: public, page: true, cors: ["*"], max_body: 256KB}}
"""
DRIFT = "sls-ml.drift"
"""The type of the lines that count what was answered, one for a hundred rows."""

ROW = {"island": "Torgersen", "bill_length_mm": 39.1, "bill_depth_mm": 18.7, "flipper_length_mm": 181}


class Function:
    """A function that runs, and answers one event after the other."""

    def __init__(self, running: Environment) -> None:
        self._running = running

    def ask(self, event: Any) -> dict[str, Any]:
        """What it answers, when that and its log are as they must be.

        An exception, an end or no answer raises.
        """
        asked = self._running.ask(json.dumps(event).encode())
        answer: dict[str, Any] = asked.answer
        assert answer["statusCode"] < 500, asked.log.decode()
        assert answer_of(json.dumps(answer).encode())
        written = asked.log.decode()
        assert SECRET not in written
        lines = [each for each in map(json.loads, written.splitlines()) if each.get("type") != DRIFT]
        line, emf = lines
        assert line["status"] == answer["statusCode"]
        assert emf["_aws"]["CloudWatchMetrics"]
        assert emf["requests"] == [1.0]
        return answer


@pytest.fixture(scope="module", params=["lite", "ort_capi"])
def function(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Function]:
    """The penguins' endpoint, packaged as a user packages it, under the runtime client."""
    folder = tmp_path_factory.mktemp(request.param)
    sample = copy_sample("penguins", folder)
    (sample / "sls-ml.yaml").write_text(SPEC.replace("ENGINE", request.param))
    done = run(sample, "package", "--json")
    assert done.code == 0, done.err
    package = Path(done.document["packages"]["predict"]["package"])
    found = managed_runtime.find("python3.13")
    unpacked = subject.unpack(package, folder, found, name="predict", memory=512, environment={})
    with environment(unpacked) as running:
        yield Function(running)


def test_it_answers_as_it_should(function: Function) -> None:
    # GIVEN a good row WHEN it is sent as text, in base64 and without the endpoint THEN it is predicted
    row = ROW | {"body_mass_g": 3750, "sex": "male"}
    body = json.dumps([row])
    for event in (
        request(body=body),
        sent("/predict", body.encode(), "application/json"),
        {"sls-ml-check": "species", "rows": [row]},
    ):
        answer = function.ask(event)
        assert json.loads(answer["body"])["label"] == ["Adelie"]


@pytest.mark.parametrize("name", EVENTS)
def test_any_event_gets_an_answer(function: Function, name: str) -> None:
    # GIVEN an event that nobody should send WHEN it comes THEN it is refused or answered
    function.ask(EVENTS[name])


@pytest.mark.parametrize("name", BODIES)
def test_any_body_gets_an_answer(function: Function, name: str) -> None:
    # GIVEN a nasty body WHEN it comes to every path, as bytes and as text THEN it is refused or answered
    text = BODIES[name].decode("utf-8", "replace")
    for position, path in enumerate(POSTS):
        for kind in (MEDIA[0], MEDIA[1 + (position + len(name)) % (len(MEDIA) - 1)]):
            function.ask(sent(path, BODIES[name], kind))
            function.ask(request(path, text, content_type=kind))


@pytest.mark.parametrize("name", COMPRESSED)
def test_any_compression_gets_an_answer(function: Function, name: str) -> None:
    # GIVEN what is no gzip, or more than it should be WHEN it comes THEN it is refused
    body, status = COMPRESSED[name]
    for encoding, refused in (("gzip", status), ("GZIP", status), ("deflate", status), (SECRET, 415)):
        answer = function.ask(sent("/predict", body, MEDIA[0], content_encoding=encoding))
        assert answer["statusCode"] == refused


many = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8) | st.sampled_from((*KEYS, SECRET, *POSTS, *MEDIA)),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner),
    max_leaves=12,
)  # fmt: skip
names = st.sampled_from(
    [
        "content-type",
        "accept",
        "accept-encoding",
        "content-encoding",
        "origin",
        "inference-header-content-length",
    ]
)
events = st.fixed_dictionaries(
    {},
    optional={
        "rawPath": st.sampled_from(POSTS) | st.text(max_size=9) | values,
        "headers": st.dictionaries(names | st.text(max_size=5), st.text(max_size=9) | values) | values,
        "requestContext": values
        | st.fixed_dictionaries(
            {
                "http": st.fixed_dictionaries(
                    {"method": st.sampled_from(["GET", "POST", "HEAD", "raw"]) | values}
                )
            },
            optional={"stage": st.text(max_size=3) | values},
        ),
        "body": st.text(max_size=40) | values,
        "isBase64Encoded": st.booleans() | values,
        "sls-ml-check": values,
        "rows": values,
    },
)


@many
@given(event=events | values)
def test_any_made_event_gets_an_answer(function: Function, event: Any) -> None:
    # GIVEN any event that is near to a request WHEN it comes THEN it is refused or answered
    function.ask(event)


@many
@given(document=values, path=st.sampled_from(POSTS))
def test_any_made_document_gets_an_answer(function: Function, document: Any, path: str) -> None:
    # GIVEN any document WHEN it is posted THEN it is refused or answered
    function.ask(request(path, json.dumps(document)))


@many
@given(body=st.binary(max_size=60), path=st.sampled_from(POSTS), kind=st.sampled_from(MEDIA))
def test_any_made_bytes_get_an_answer(function: Function, body: bytes, path: str, kind: str) -> None:
    # GIVEN any bytes WHEN they are posted as anything THEN they are refused or answered
    function.ask(sent(path, body, kind))
