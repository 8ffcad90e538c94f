"""A loopback port with one endpoint behind it, which may be a function URL or an HTTP API."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from sls_ml.local.authorisation import Request
from sls_ml.local.loopback import HOST, LoopbackHandler, LoopbackServer, on_a_port
from sls_ml.local.payload import Answer

Respond = Callable[[Request, str], Answer]
"""Answers a request that came from an address."""


class FrontDoors:
    """Opens endpoints, each on the port that it had before where that is free.

    Args:
        ports: File that remembers which endpoint has which port.
    """

    def __init__(self, ports: Path) -> None:
        self._ports = ports
        self._lock = Lock()
        self._servers: dict[str, LoopbackServer] = {}

    def open(self, key: str, respond: Respond, *, limit: int, too_large: Answer, forbidden: Answer) -> str:
        """Serve an endpoint.

        Args:
            key: What the port is remembered by.
            respond: Answers requests.
            limit: Bytes of a body at most.
            too_large: The answer to more.
            forbidden: The answer to a request by another host's name.

        Returns:
            Its address, without a slash at the end.
        """

        class Handler(LoopbackHandler):
            def _serve(self) -> None:
                headers: dict[str, str] = {}
                for name, value in self.headers.items():
                    lower = name.lower()
                    headers[lower] = f"{headers[lower]},{value}" if lower in headers else value
                host = headers.get("host", "")
                if host.rpartition(":")[0] not in (HOST, "localhost"):  # else any web page could, by DNS
                    self.reply(*forbidden)
                    return
                body = self.read_body(limit)
                if body is None:
                    self.reply(*too_large)
                    return
                request = Request(self.command, host, self.path, headers, body)
                self.reply(*respond(request, self.client_address[0]))

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815

        with self._lock:
            remembered: dict[str, int] = json.loads(self._ports.read_text()) if self._ports.exists() else {}
            server = on_a_port(lambda port: LoopbackServer(Handler, port), remembered.get(key))
            self._ports.write_text(json.dumps({**remembered, key: server.port}, indent=1, sort_keys=True))
            address = f"http://{HOST}:{server.port}"
            self._servers[address] = server
        return address

    def close(self, address: str) -> None:
        """Stop serving an endpoint."""
        self._servers.pop(address).close()

    def close_all(self) -> None:
        """Stop serving all."""
        while self._servers:
            self._servers.popitem()[1].close()
