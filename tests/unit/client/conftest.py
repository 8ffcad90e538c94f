"""Real services on loopback, with the troubles of a network in front of them where a test asks for some."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from sls_ml.client import Client
from sls_ml_runtime import engines
from sls_ml_runtime.artifact import open_folder
from sls_ml_runtime.serve import Service

STORE = Path(__file__).parents[2] / "golden" / "artifact" / "store"


@dataclass
class Server:
    """A service behind a port.

    Attributes:
        url: Where it listens.
        requests: Method, path, headers and body of each request that came.
        troubles: Answers to the next requests instead of the service's: a status with headers and body, or
            None to hang up without one.
    """

    url: str
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    troubles: list[tuple[int, dict[str, str], bytes] | None] = field(default_factory=list)

    @property
    def predictions(self) -> list[Any]:
        """The documents that were to be predicted."""
        return [json.loads(body) for method, _, _, body in self.requests if method == "POST"]


def service(*models: str, hooks: Any = None, **http: Any) -> Service:
    folders = {name: next((STORE / name).iterdir()) for name in models}
    artifacts = {name: open_folder(str(folder), folder.name) for name, folder in folders.items()}
    loaded = {name: engines.load(artifact) for name, artifact in artifacts.items()}
    config = {
        "project": "risk",
        "function": "predict",
        "models": {name: {} for name in models},
        "http": {"max_rows": 1000, "max_body": 4 << 20, "page": False, "cors": []} | http,
        "runtime": {"version": "0.1.0", "digest": "d" * 64},
    }
    return Service(config, artifacts, loaded, hooks)


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Serve models on loopback."""
    with ExitStack() as stack:

        def run(*models: str, hooks: Any = None, **http: Any) -> Server:
            behind = service(*models, hooks=hooks, **http)

            class Handler(BaseHTTPRequestHandler):
                protocol_version = "HTTP/1.1"

                def answer(self) -> None:
                    body = self.rfile.read(int(self.headers.get("content-length", "0")))
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    server.requests.append((self.command, self.path, headers, body))
                    if server.troubles:
                        trouble = server.troubles.pop(0)
                        if trouble is None:
                            self.close_connection = True
                            return
                        status, sent, content = trouble
                    else:
                        status, sent, content = behind.respond(self.command, self.path, headers, body)
                    self.send_response(status)
                    for name, value in (sent | {"content-length": str(len(content))}).items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(content)

                do_GET = do_POST = answer  # noqa: N815 - names of the standard library

                def log_message(self, *_: Any) -> None:
                    """Say nothing."""

            listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
            listening.daemon_threads = True
            stack.callback(listening.server_close)
            stack.callback(listening.shutdown)
            Thread(target=listening.serve_forever, args=(0.01,), daemon=True).start()
            server = Server(f"http://127.0.0.1:{listening.server_port}")
            return server

        yield run


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Client]]:
    """Make a client that is as patient as any, but does not wait."""
    monkeypatch.setattr("sls_ml.client.connection.FIRST_PAUSE", 0.0)
    monkeypatch.setattr("sls_ml.client.connection.LONGEST_PAUSE", 0.0)
    with ExitStack() as stack:
        yield lambda server, **settings: stack.enter_context(
            Client(server.url, **({"auth": "public"} | settings))
        )
