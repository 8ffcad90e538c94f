"""Requests are signed for the right service and region, by whoever's credentials are at hand."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from botocore.session import get_session
from tests.unit.client.conftest import Server

from sls_ml.client import Client, Key, Token
from sls_ml.client.signing import signer
from sls_ml.errors import ExternalError, UsageError

FUNCTION_URL = "https://abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-central-2.on.aws"
HTTP_API = "https://a1b2c3d4e5.execute-api.us-gov-west-1.amazonaws.com"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", f"{tmp_path}/credentials")
    monkeypatch.setenv("AWS_CONFIG_FILE", f"{tmp_path}/config")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")


@pytest.mark.parametrize(
    ("endpoint", "scope"),
    [(FUNCTION_URL, "eu-central-2/lambda"), (HTTP_API, "us-gov-west-1/execute-api")],
)
def test_the_url_tells_service_and_region(endpoint: str, scope: str) -> None:
    # WHEN a request to an endpoint of AWS is signed
    headers = signer(endpoint, None, None)(
        "POST", f"{endpoint}/predict", {"accept": "application/json"}, b"{}"
    )
    # THEN the signature is for its service and region, over what is sent, with the session's token
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/\d{8}/(.+)/aws4_request, "
        r"SignedHeaders=accept;host;x-amz-date;x-amz-security-token, Signature=[0-9a-f]{64}",
        headers["Authorization"],
    )
    assert found is not None
    assert found[1] == scope
    assert headers["X-Amz-Security-Token"] == "token"
    assert headers["accept"] == "application/json"


def test_a_session_of_the_callers_own_is_asked_for_its_credentials(serve: Callable[..., Server]) -> None:
    # GIVEN a session with other credentials than the environment's
    session = get_session()
    session.set_credentials("AKIAOTHER", "secret")
    server = serve("linear-1")
    # WHEN a client with it asks
    with Client(server.url, region="eu-west-1", session=session) as client:
        client.health()
    # THEN they sign, each time anew
    _, _, headers, _ = server.requests[0]
    assert "Credential=AKIAOTHER/" in headers["authorization"]
    assert "/eu-west-1/lambda/" in headers["authorization"]


def test_a_public_endpoint_gets_no_signature_but_headers_of_the_callers_own(
    serve: Callable[..., Server],
) -> None:
    server = serve("linear-1")
    with Client(server.url, auth="public", headers={"x-api-key": "k"}) as client:
        client.health()
    _, _, headers, _ = server.requests[0]
    assert "authorization" not in headers
    assert headers["x-api-key"] == "k"


def test_a_key_goes_along(serve: Callable[..., Server]) -> None:
    # GIVEN an endpoint that wants a key
    server = serve("linear-1")
    # WHEN it is asked with one
    key = Key("s3cret")
    with Client(server.url, auth=key) as client:
        client.health()
    # THEN it is in its header, the request is not signed, and no text of the key tells it
    _, _, headers, _ = server.requests[0]
    assert headers["x-api-key"] == "s3cret"
    assert "authorization" not in headers
    assert "s3cret" not in repr(key)


def test_a_token_is_asked_for_each_time(serve: Callable[..., Server]) -> None:
    # GIVEN an endpoint that wants tokens, and what gives ones that are still good
    server = serve("linear-1")
    tokens = iter(("one", "two"))
    # WHEN it is asked twice, and once with a token that is given
    with Client(server.url, auth=Token(lambda: next(tokens))) as client:
        client.health()
        client.health()
    with Client(server.url, auth=Token("three")) as client:
        client.health()
    # THEN each request brings its token
    brought = [headers["authorization"] for _, _, headers, _ in server.requests]
    assert brought == ["Bearer one", "Bearer two", "Bearer three"]


def test_a_domain_of_ones_own_does_not_tell_the_service(serve: Callable[..., Server]) -> None:
    # GIVEN an HTTP API behind a name of its own
    server = serve("linear-1")
    # WHEN a client is told what stands there
    with Client(server.url, region="eu-west-1", service="execute-api") as client:
        client.health()
    # THEN it signs for that
    _, _, headers, _ = server.requests[0]
    assert "/eu-west-1/execute-api/" in headers["authorization"]


def test_a_region_that_nobody_tells_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError) as caught:
        Client("https://models.example.org")
    assert caught.value.code == "region-unknown"
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    Client("https://models.example.org").close()


def test_without_credentials_there_is_no_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    with pytest.raises(ExternalError) as caught:
        Client(FUNCTION_URL)
    assert caught.value.code == "no-credentials"
