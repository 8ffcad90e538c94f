"""Bodies are compressed both ways, and answers may be read by the pages that the spec names."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from types import SimpleNamespace
from typing import Any

import pytest

from sls_ml_runtime import aws
from sls_ml_runtime.call import Reply
from sls_ml_runtime.content import accepts_gzip, choose
from sls_ml_runtime.serve import COMPRESSED_FROM, Service

MANY = json.dumps([{"age": 60 + row / 7, "income": row / 3} for row in range(40)]).encode()


@pytest.fixture
def roomy(stored: Any, runtime: SimpleNamespace) -> Service:
    """A service that takes more rows than the others."""
    service: Service = runtime.make_service(stored, max_rows=1000, max_body=1 << 20)
    return service


def post(service: Service, body: bytes, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return service.respond("POST", "/predict", named, body)


def test_a_long_answer_is_compressed_for_who_accepts_it(roomy: Service) -> None:
    # GIVEN many rows WHEN they are posted by clients that accept gzip and that do not
    packed = post(roomy, MANY, accept_encoding="gzip, deflate, br")
    unpacked = post(roomy, MANY)

    # THEN the answer is the same, smaller for the one, and caches are told of the difference
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == unpacked.body
    assert len(packed.body) < len(unpacked.body)
    assert "content-encoding" not in unpacked.headers
    assert packed.headers["vary"] == unpacked.headers["vary"] == "accept-encoding"


def test_a_short_answer_stays_as_it_is(roomy: Service) -> None:
    # GIVEN one row WHEN it is posted by a client that accepts gzip THEN it is not worth the time
    reply = post(roomy, b'[{"age":60,"income":8}]', accept_encoding="gzip")
    assert len(reply.body) <= COMPRESSED_FROM
    assert reply.headers == {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), ("GZIP", gzip.compress), ("deflate", zlib.compress)]
)
def test_a_compressed_request_is_read(roomy: Service, encoding: str, compress: Any) -> None:
    # GIVEN rows, compressed WHEN they are posted THEN the answer is the same
    assert post(roomy, compress(MANY), content_encoding=encoding).body == post(roomy, MANY).body


def test_lambda_sends_what_is_compressed_as_base64(roomy: Service) -> None:
    # GIVEN a compressed answer WHEN it is written for Lambda THEN its bytes are kept
    reply = post(roomy, MANY, accept_encoding="gzip")
    response = aws.response(*reply)
    assert response["isBase64Encoded"]
    assert base64.b64decode(response["body"]) == reply.body


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("br", False),
        ("", False),
        ("gzip;q=x", False),
    ],
)
def test_qualities_of_encodings_are_understood(header: str, accepted: bool) -> None:
    # GIVEN a header WHEN it is read THEN gzip is accepted as it says
    assert accepts_gzip(header) == accepted


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("*/*", "a/x"),
        ("b/y", "b/y"),
        ("b/*;q=0.9, a/x;q=0.8", "b/y"),
        ("a/x;q=0, */*", "b/y"),
        ("c/z", None),
        ("a/x;level=1", "a/x"),
    ],
)
def test_the_media_type_liked_best_is_chosen(header: str, chosen: str | None) -> None:
    # GIVEN two media types WHEN a header names what it likes THEN that is chosen
    assert choose(header, ("a/x", "b/y")) == chosen


def test_pages_are_told_before_they_ask(stored: Any, runtime: SimpleNamespace) -> None:
    # GIVEN a function for one page's origin WHEN the browser asks before it posts tensors
    service = runtime.make_service(stored, cors=["https://a.example"], max_rows=1000, max_body=1 << 20)
    origin = {"origin": "https://a.example", "access-control-request-method": "POST"}
    preflight = service.respond("OPTIONS", "/v2/models/credit/infer", origin, b"")
    posted = post(service, MANY, origin="https://a.example", accept_encoding="gzip")

    # THEN method and headers are allowed, and answers are kept apart by origin
    assert preflight.status == 204
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert "inference-header-content-length" in preflight.headers["access-control-allow-headers"]
    assert posted.headers["access-control-expose-headers"] == "inference-header-content-length"
    assert posted.headers["vary"] == "accept-encoding, origin"
