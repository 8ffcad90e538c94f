"""Samples' models behind a small HTTP server on loopback: the runtime as third-party clients meet it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sls_ml.local.authorisation import Request
from sls_ml.local.payload import answer_of, event_of
from sls_ml_runtime import aws, engines
from sls_ml_runtime.artifact import Artifact, open_folder
from sls_ml_runtime.serve import Service

ARTIFACTS = Path(__file__).parents[3] / "artifacts"


def sample(name: str) -> Artifact:
    """The checked-in artifact of a sample's model."""
    (folder,) = (ARTIFACTS / name).iterdir()
    return open_folder(folder, folder.name)


def service_of(*names: str, engine: str = "auto", hooks: Any = None, **http: Any) -> Service:
    """A service as a function's config.json makes it."""
    artifacts = {name: sample(name) for name in names}
    config = {
        "project": "samples",
        "function": "predict",
        "models": {name: {"watched": True} for name in names},
        "http": {"max_rows": 1000, "max_body": 1 << 20, "page": False, "cors": []} | http,
        "runtime": {"version": "1.2.3", "digest": "0" * 64},
    }
    loaded = {name: engines.load(artifact, engine=engine) for name, artifact in artifacts.items()}
    return Service(config, artifacts, loaded, hooks)


@dataclass(frozen=True)
class Answer:
    """What a service answered, with its body parsed where it is JSON."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The parsed body."""
        return json.loads(self.body)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    service: Service

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length") or 0))
        status, content, given = self._respond(headers, body)
        self.send_response_only(status)
        for name, value in given:
            self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _respond(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes, list[tuple[str, str]]]:
        path = self.path.partition("?")[0]
        status, given, content = self.service.respond(self.command, path, headers, body)
        return status, content, list(given.items())

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = _answer  # noqa: N815


class _FunctionUrl(_Handler):
    """The way through Lambda: the request becomes an event, and the answer comes out of a result."""

    def _respond(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes, list[tuple[str, str]]]:
        request = Request(self.command, headers["host"], self.path, headers, body)
        event = event_of(request, api="1", account="1", source="127.0.0.1", request_id="1")
        reply = self.service.respond(*aws.request(json.loads(json.dumps(event))))
        answer = answer_of(json.dumps(aws.response(*reply)).encode())
        assert answer
        return answer


@contextmanager
def served(service: Service, *, as_event: bool = False) -> Iterator[str]:
    """Serve on loopback, straight or through Lambda's events; gives ``127.0.0.1:<port>``."""
    handler = type("Handler", (_FunctionUrl if as_event else _Handler,), {"service": service})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def tumour() -> Service:
    """Thirty numbers in, a label and two probabilities out."""
    return service_of("tumour")


@pytest.fixture
def ask() -> Callable[..., Answer]:
    """Ask a service; ``document`` is sent as JSON, header names have ``_`` for ``-``."""

    def asked(
        service: Service,
        method: str,
        path: str,
        document: Any = None,
        *,
        body: bytes | None = None,
        **headers: str,
    ) -> Answer:
        if body is None:
            body = b"" if document is None else json.dumps(document).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Answer(*service.respond(method, path, named, body))

    return asked


@pytest.fixture(scope="session")
def built() -> SimpleNamespace:
    """What the tests build with."""
    return SimpleNamespace(service_of=service_of, served=served, sample=sample)
