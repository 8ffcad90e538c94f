"""HTTP to events and back, batches and their failures, packages and versions."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from sls_ml.local.authorisation import Request
from sls_ml.local.event_sources import partial_failures
from sls_ml.local.functions import Functions, LambdaError, remove_read_only
from sls_ml.local.payload import answer_of, event_of

EVERY = {"a", "b"}


@pytest.mark.parametrize(
    ("payload", "failed"),
    [
        (b"null", set()),
        (b"{}", set()),
        (b'{"batchItemFailures": []}', set()),
        (b'{"batchItemFailures": null}', set()),
        (b'{"batchItemFailures": [{"itemIdentifier": "b"}]}', {"b"}),
        (b'{"batchItemFailures": [{"itemIdentifier": ""}]}', EVERY),
        (b'{"batchItemFailures": [{"itemIdentifier": "unknown"}]}', EVERY),
        (b'{"batchItemFailures": [{}]}', EVERY),
        (b'{"other": 1}', EVERY),
        (b'"text"', EVERY),
    ],
)
def test_partial_failures(payload: bytes, failed: set[str]) -> None:
    # GIVEN what a function returned for a batch
    # THEN so many messages stay in the queue
    assert partial_failures(payload, EVERY) == failed


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b'{"a": 1}', (200, b'{"a": 1}')),
        (b'{"statusCode": 204}', (204, b"")),
        (b'{"statusCode": "404", "body": "no"}', (404, b"no")),
        (b'{"statusCode": 200, "isBase64Encoded": true, "body": "AAE="}', (200, b"\x00\x01")),
        (b'{"statusCode": 200, "isBase64Encoded": true, "body": "?"}', None),
        (b'{"statusCode": "many"}', None),
    ],
)
def test_answers(payload: bytes, expected: tuple[int, bytes] | None) -> None:
    # GIVEN what a function returned to its URL
    # THEN the caller gets status and body, or an error
    answer = answer_of(payload)
    assert (answer[:2] if answer else None) == expected


@pytest.mark.parametrize(
    ("content_type", "encoded"),
    [
        ("application/json", False),
        ("application/vnd.api+json; charset=utf-8", False),
        ("text/csv", False),
        ("application/x-www-form-urlencoded", True),
        ("application/octet-stream", True),
        ("", True),
    ],
)
def test_which_bodies_are_text(content_type: str, encoded: bool) -> None:
    # GIVEN a request with a body
    request = Request("POST", "127.0.0.1:1", "/", {"content-type": content_type}, b"a")
    # WHEN it becomes an event
    event = event_of(request, api="1", account="1", source="127.0.0.1", request_id="r")
    # THEN only text stays as it is
    assert event["isBase64Encoded"] is encoded


@pytest.fixture
def functions(tmp_path: Path) -> Any:
    yield Functions("123456789012", "eu-west-1", tmp_path / "code")
    remove_read_only(tmp_path / "code")


def package(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/"), text)
    return buffer.getvalue()


def test_a_package_is_unpacked_read_only(functions: Functions) -> None:
    # GIVEN a package with a folder
    code = functions.unpack(package(handler="x", folder__file="y"))
    # THEN nothing in it can be written
    modes = {
        path.relative_to(code.folder).as_posix(): path.stat().st_mode & 0o777
        for path in code.folder.rglob("*")
    }
    assert modes == {"handler": 0o444, "folder": 0o555, "folder/file": 0o444}


@pytest.mark.parametrize("name", ["..__escape", "__absolute"])
def test_a_package_stays_in_its_folder(functions: Functions, name: str) -> None:
    # GIVEN a package with a path that leads out
    functions.unpack(package(handler="x"))
    # THEN it is refused
    with pytest.raises(LambdaError, match="leaves the package"):
        functions.unpack(package(**{name: "x"}))


def test_a_version_is_published_once(functions: Functions) -> None:
    # GIVEN a function
    code = functions.unpack(package(handler="x"))
    functions.create("f", tags={}, code=code, runtime="python3.13", handler="h.h", role="r")
    # WHEN it is published twice, changed and published, and its newest version deleted and published again
    numbers = [functions.publish("f", None, None).version for _ in range(2)]
    functions.update("f", memory=256)
    numbers.append(functions.publish("f", None, None).version)
    functions.delete("f", "2")
    numbers.append(functions.publish("f", None, None).version)
    # THEN a number stands for one state, and is never given again
    assert numbers == ["1", "1", "2", "3"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("f", ("f", None)),
        ("f:live", ("f", "live")),
        ("arn:aws:lambda:eu-west-1:123456789012:function:f", ("f", None)),
        ("arn:aws:lambda:eu-west-1:123456789012:function:f:7", ("f", "7")),
    ],
)
def test_names_of_functions(functions: Functions, name: str, expected: Any) -> None:
    # GIVEN a name in one of its forms
    functions.unpack(package(handler="x"))
    # THEN name and qualifier are told apart
    assert functions.split(name) == expected
