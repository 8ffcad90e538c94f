"""Secrets are read from a real Secrets Manager over HTTP into the environment, or an error says why not."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from sls_ml_runtime import aws, secrets
from sls_ml_runtime.errors import SecretError

VALUE = "hush: ä=\n1"


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def store(moto: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of an empty Secrets Manager, and an environment that points there."""
    httpx.post(f"{moto}/moto-api/reset")
    for name in ("AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_LAMBDA_INITIALIZATION_TYPE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ENDPOINT_URL": moto,
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }.items():
        monkeypatch.setenv(name, value)
    return boto3.client("secretsmanager")


@pytest.fixture
def serve(store: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[str]]]:
    """Starts a Secrets Manager that gives these answers, one by one; gives the names that were asked."""
    servers = []

    def start(*answers: tuple[int, bytes]) -> list[str]:
        left, asked = list(answers), []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                given = json.loads(self.rfile.read(int(self.headers["content-length"])))
                assert given["VersionStage"] == "AWSCURRENT"
                asked.append(given["SecretId"])
                status, body = left.pop(0)
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        servers.append((server, thread))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        return asked

    monkeypatch.setattr(secrets, "FIRST_DELAY", 0)
    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join(30)
        server.server_close()


def refusal(code: str) -> bytes:
    return json.dumps({"__type": code}).encode()


GOOD = (200, json.dumps({"SecretString": VALUE}).encode())


def test_puts_values_where_the_environment_names_secrets(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN two secrets, named by three variables, and a variable that names none
    store.create_secret(Name="credit/token", SecretString=VALUE)
    store.create_secret(Name="credit/db", SecretString=json.dumps({"password": "p#1", "port": 5432}))
    monkeypatch.setenv("TOKEN", "secret://credit/token")
    monkeypatch.setenv("PASSWORD", "secret://credit/db#password")
    monkeypatch.setenv("PORT", "secret://credit/db#port")
    monkeypatch.setenv("PLAIN", "no secret://")
    # WHEN a function starts
    aws.secrets()
    # THEN the variables have the values
    found = [os.environ[name] for name in ("TOKEN", "PASSWORD", "PORT", "PLAIN")]
    assert found == [VALUE, "p#1", "5432", "no secret://"]


def test_without_secrets_nothing_is_imported_or_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN an environment without secrets, and without any credentials
    monkeypatch.delitem(sys.modules, "sls_ml_runtime.secrets", raising=False)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    # WHEN a function starts THEN the reader of secrets is not even imported
    aws.secrets()
    assert "sls_ml_runtime.secrets" not in sys.modules


@pytest.mark.parametrize("text", ["hush", '["hush"]', '{"other": "hush"}'])
def test_a_field_that_is_not_there_is_named_and_nothing_of_the_secret(
    store: Any, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    # GIVEN a secret that has no such field
    store.create_secret(Name="db", SecretString=text)
    monkeypatch.setenv("PASSWORD", "secret://db#password")
    # WHEN it is read
    with pytest.raises(SecretError, match="db is no JSON object with a field password") as caught:
        secrets.resolve()
    # THEN the error, and what it came from, have nothing of the value
    assert "hush" not in str(caught.value)
    assert caught.value.__context__ is None


def test_bytes_are_refused(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a secret of bytes WHEN it is read THEN the error says what to keep
    store.create_secret(Name="key", SecretBinary=b"hush")
    monkeypatch.setenv("KEY", "secret://key")
    with pytest.raises(SecretError, match="holds bytes: keep a text"):
        secrets.resolve()


def test_a_missing_secret_fails_the_start_by_name_and_is_counted(
    store: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN a function whose environment names a secret that is not there
    monkeypatch.setenv("TOKEN", "secret://credit/token")
    monkeypatch.setenv("LAMBDA_TASK_ROOT", str(tmp_path))
    (tmp_path / "config.json").write_text('{"project": "risk", "function": "predict"}')
    # WHEN it starts THEN the error names secret, region and remedy
    with pytest.raises(SecretError, match=r"no secret credit/token .* in eu-west-1 .* create-secret"):
        aws.secrets()
    # AND the start is counted as failed, where the alarm looks
    document = json.loads(capsys.readouterr().out)
    assert (document["init_failed"], document["error"]) == ([1.0], "SecretError")
    assert document["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "sls-ml/risk/dev"


def test_a_package_that_reads_no_secrets_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a function that was packaged without secrets, and an environment that was changed by hand
    (tmp_path / "config.json").write_text('{"project": "credit-risk", "function": "predict"}')
    monkeypatch.setenv("LAMBDA_TASK_ROOT", str(tmp_path))
    monkeypatch.setenv("TOKEN", "secret://token")
    monkeypatch.setitem(sys.modules, "sls_ml_runtime.secrets", None)
    # WHEN it starts THEN the error says what to do
    with pytest.raises(SecretError, match=r"this package reads no secrets: name them in sls-ml\.yaml"):
        aws.secrets()


def test_a_denied_secret_names_permission_and_arn(
    serve: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a role that may not read the secret
    serve((400, refusal("AccessDeniedException")))
    monkeypatch.setenv("TOKEN", "secret://token")
    # WHEN it is read THEN the error says what to grant
    arn = r"arn:aws:secretsmanager:eu-west-1:\*:secret:token-\?{6}"
    with pytest.raises(SecretError, match=f"secretsmanager:GetSecretValue on {arn} .*kms:Decrypt"):
        secrets.resolve()


@pytest.mark.parametrize(
    "first", [(400, refusal("x#ThrottlingException")), (500, refusal("InternalServiceError")), (503, b"busy")]
)
def test_tries_again_after_what_passes(
    serve: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, first: tuple[int, bytes]
) -> None:
    # GIVEN a service that is busy once WHEN a secret is read THEN the second try has it
    asked = serve(first, GOOD)
    monkeypatch.setenv("TOKEN", "secret://token")
    secrets.resolve()
    assert (asked, os.environ["TOKEN"]) == (["token", "token"], VALUE)


def test_gives_up_after_some_tries(serve: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a service that stays busy WHEN a secret is read THEN the error says so, and how often
    serve(*[(400, refusal("ThrottlingException"))] * secrets.ATTEMPTS)
    monkeypatch.setenv("TOKEN", "secret://token")
    with pytest.raises(SecretError, match="token: ThrottlingException, 5 times"):
        secrets.resolve()


def test_a_network_without_a_way_out_is_named(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN an address that takes connections and never answers
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(secrets, "TIMEOUT", 0.05)
        monkeypatch.setenv("TOKEN", "secret://token")
        # WHEN a secret is read THEN the error names what a VPC needs
        with pytest.raises(SecretError, match="NAT gateway"):
            secrets.resolve()


def test_a_restored_snapshot_has_the_values_of_its_day(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a snapshot of a function that has read a secret
    registered: list[Any] = []
    module = SimpleNamespace(register_after_restore=lambda *call: registered.append(call))
    monkeypatch.setitem(sys.modules, "snapshot_restore_py", module)
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
    store.create_secret(Name="token", SecretString="old")
    monkeypatch.setenv("TOKEN", "secret://token")
    secrets.resolve()
    # WHEN the secret is rotated, and the snapshot restored
    store.put_secret_value(SecretId="token", SecretString="new")
    ((call, *arguments),) = registered
    call(*arguments)
    # THEN the environment has the new value
    assert os.environ["TOKEN"] == "new"
