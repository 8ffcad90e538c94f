"""Lambda's Runtime API, served to one execution environment."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass

from sls_ml.local.loopback import HOST, LoopbackHandler, LoopbackServer

_PREFIX = "/2018-06-01/runtime/"


@dataclass(frozen=True)
class Invocation:
    """One event for the function. `deadline_ms` is wall-clock time in milliseconds."""

    id: str
    payload: bytes
    deadline_ms: int
    function_arn: str
    trace: str
    client_context: str | None = None


@dataclass(frozen=True)
class Ready:
    """The runtime asks for its next event."""


@dataclass(frozen=True)
class Snapshot:
    """The runtime has initialised and waits to be restored."""


@dataclass(frozen=True)
class Failed:
    """Initialising or restoring failed; `body` is the error's JSON."""

    body: bytes
    type: str


@dataclass(frozen=True)
class Answered:
    """The function returned `body`, or an error when `failed`."""

    id: str
    body: bytes
    failed: bool


@dataclass(frozen=True)
class Exited:
    """The process ended; `code` as of subprocess, negative for a signal."""

    code: int


Signal = Ready | Snapshot | Failed | Answered | Exited


class RuntimeApi:
    """The server of one execution environment, on a loopback port of its own.

    Attributes:
        signals: What the runtime says, in order.
        restore: Set to let a runtime that waits in ``restore/next`` go on.
    """

    def __init__(self) -> None:
        self.signals: queue.SimpleQueue[Signal] = queue.SimpleQueue()
        self.restore = threading.Event()
        self._events: queue.SimpleQueue[Invocation | None] = queue.SimpleQueue()
        api = self

        class Handler(_Handler):
            def next_event(self) -> Invocation | None:
                api.signals.put(Ready())
                return api._events.get()

            def wait_for_restore(self) -> None:
                api.signals.put(Snapshot())
                api.restore.wait()

            def signal(self, signal: Signal) -> None:
                api.signals.put(signal)

        self._server = LoopbackServer(Handler)

    @property
    def address(self) -> str:
        """Host and port, as AWS_LAMBDA_RUNTIME_API has it."""
        return f"{HOST}:{self._server.port}"

    def send(self, invocation: Invocation) -> None:
        """Hand an event to the runtime."""
        self._events.put(invocation)

    def close(self) -> None:
        """Stop serving; a runtime that still waits loses its connection."""
        self._events.put(None)
        self.restore.set()
        self._server.close()


class _Handler(LoopbackHandler):
    def next_event(self) -> Invocation | None:
        raise NotImplementedError

    def wait_for_restore(self) -> None:
        raise NotImplementedError

    def signal(self, signal: Signal) -> None:
        raise NotImplementedError

    def do_GET(self) -> None:  # noqa: N802 - http.server's name
        match self.path.removeprefix(_PREFIX):
            case "invocation/next":
                invocation = self.next_event()
                if invocation is None:
                    self.close_connection = True
                    return
                headers = [
                    ("Content-Type", "application/json"),
                    ("Lambda-Runtime-Aws-Request-Id", invocation.id),
                    ("Lambda-Runtime-Deadline-Ms", str(invocation.deadline_ms)),
                    ("Lambda-Runtime-Invoked-Function-Arn", invocation.function_arn),
                    ("Lambda-Runtime-Trace-Id", invocation.trace),
                ]
                if invocation.client_context is not None:
                    headers.append(("Lambda-Runtime-Client-Context", invocation.client_context))
                self.reply(200, invocation.payload, headers)
            case "restore/next":
                self.wait_for_restore()
                self.reply(200, b"", [])
            case _:
                self.reply(404, b"{}", [])

    def do_POST(self) -> None:  # noqa: N802 - http.server's name
        body = self.read_body() or b""
        kind = self.headers.get("Lambda-Runtime-Function-Error-Type", "")
        match self.path.removeprefix(_PREFIX).split("/"):
            case ["invocation", id_, "response"]:
                self.signal(Answered(id_, body, failed=False))
            case ["invocation", id_, "error"]:
                self.signal(Answered(id_, body, failed=True))
            case ["init" | "restore", "error"]:
                self.signal(Failed(body, kind))
            case _:
                self.reply(404, b"{}", [])
                return
        self.reply(202, b'{"status":"OK"}', [("Content-Type", "application/json")])
