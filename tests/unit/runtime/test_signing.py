"""Requests to AWS are signed as botocore signs them, with the credentials that Lambda gives."""

from __future__ import annotations

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

from sls_ml_runtime import signing
from sls_ml_runtime.errors import CredentialsError

SIGNERS = {"s3": botocore.auth.S3SigV4Auth, "secretsmanager": botocore.auth.SigV4Auth}


class Credentials(BaseHTTPRequestHandler):
    """The endpoint that SnapStart has instead of variables."""

    def do_GET(self) -> None:
        """Give credentials for the token."""
        allowed = self.headers["authorization"] == "token" and self.path == "/v1/credentials"
        body = b'{"AccessKeyId": "A", "SecretAccessKey": "S", "Token": "T"}'
        self.send_response(200 if allowed else 401)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Credentials)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(30)
    server.server_close()


@pytest.mark.parametrize(("token", "given"), [("token", True), ("another", False)])
def test_takes_credentials_from_the_endpoint_of_snapstart(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, token: str, given: bool
) -> None:
    # GIVEN an environment without keys, and a credentials endpoint that checks its token
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{endpoint}/v1/credentials")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", token)
    # WHEN credentials are asked THEN they are the endpoint's, or the error says what it answered
    if given:
        found = signing.credentials()
        assert (found.key, found.secret, found.token) == ("A", "S", "T")
    else:
        with pytest.raises(CredentialsError, match="answered 401"):
            signing.credentials()


def test_no_credentials_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN an environment without keys WHEN credentials are asked THEN the error says so
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.delenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", raising=False)
    with pytest.raises(CredentialsError, match="no AWS credentials"):
        signing.credentials()


@pytest.mark.parametrize("token", ["", "a/token=="])
@pytest.mark.parametrize(
    ("service", "method", "path", "headers", "body"),
    [
        ("s3", "GET", "/a%20b/%C3%AB%2B", {}, b""),
        ("s3", "GET", "/a%20b/%C3%AB%2B", {"range": "bytes=0-9"}, b""),
        ("secretsmanager", "POST", "/", {"x-amz-target": "secretsmanager.GetSecretValue"}, b'{"a":1}'),
    ],
)
def test_signs_as_botocore_does(
    token: str, service: str, method: str, path: str, headers: dict[str, str], body: bytes
) -> None:
    # GIVEN a request and the same signed by botocore
    host = f"{service}.eu-west-1.amazonaws.com"
    theirs = botocore.awsrequest.AWSRequest(method, f"https://{host}{path}", headers=headers, data=body)
    keys = botocore.credentials.Credentials("AKIAEXAMPLE", "secret", token or None)
    theirs.headers["X-Amz-Content-SHA256"] = botocore.auth.sha256(body).hexdigest()
    SIGNERS[service](keys, service, "eu-west-1").add_auth(theirs)
    now = time.strptime(theirs.context["timestamp"], "%Y%m%dT%H%M%SZ")
    # WHEN ours is signed at the same time
    ours = signing.sign(
        method,
        host,
        path,
        headers,
        body,
        service=service,
        region="eu-west-1",
        credentials=signing.Credentials("AKIAEXAMPLE", "secret", token),
        now=now,
    )
    # THEN the signatures are equal
    assert ours["authorization"] == theirs.headers["Authorization"]
