"""HTTP/1.1 over a socket, as much as asking AWS for bytes takes.

`http.client` brings the parser of e-mails along, and costs more to import than the rest of a start.
"""

from __future__ import annotations

import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from io import BufferedReader

MAX_LINE = 1 << 16
MAX_HEADERS = 100


class WireError(OSError):
    """What came is not the answer to a request, or not all of it."""


class Connection:
    """A connection to ``http[s]://host[:port]``, opened by its first request and kept for the next.

    Args:
        root: The address; what follows host and port is left out.
        timeout: Seconds for connecting and for each wait.

    Attributes:
        host: Host, and port where the address names one, as the ``host`` header has it.
    """

    __slots__ = ("_reader", "_scheme", "_socket", "_timeout", "host")

    def __init__(self, root: str, timeout: float) -> None:
        self._scheme, _, rest = root.partition("://")
        self.host = rest.partition("/")[0]
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self._reader: BufferedReader | None = None

    def close(self) -> None:
        """Let go of the socket; the next request opens another."""
        if self._reader is not None:
            self._reader.close()
        if self._socket is not None:
            self._socket.close()
        self._reader = self._socket = None

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        into: memoryview | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """Send a request and read its answer.

        Args:
            method: HTTP method.
            path: The path, percent-encoded.
            headers: Headers; ``host`` and the length are added.
            body: The body.
            into: Where a body of just this size goes that comes with status 200 or 206, to be not in memory
                twice.

        Returns:
            Status, headers with lower-case names, and the body, unless it went `into`.

        Raises:
            OSError: The request could not be sent, or its answer not be read; the connection is closed.
        """
        try:
            reader = self._reader or self._open()
            sent = {"host": self.host, **headers}
            if body:
                sent["content-length"] = str(len(body))
            lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
            assert self._socket is not None  # noqa: S101 - opened above
            self._socket.sendall(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body)
            while True:
                version, status = _status(_line(reader))
                answered = _headers(reader)
                if status >= 200:
                    break
            bare = status in {204, 304} or method == "HEAD"
            content = b"" if bare else _body(reader, answered, into if status in {200, 206} else None)
        except BaseException:
            self.close()
            raise
        kept = bare or "content-length" in answered or "transfer-encoding" in answered
        if not kept or version != "HTTP/1.1" or answered.get("connection", "").lower() == "close":
            self.close()
        return status, answered, content

    def _open(self) -> BufferedReader:
        name, colon, port = self.host.rpartition(":")
        if not colon:
            name, port = port, ""
        secure = self._scheme == "https"
        # As bytes, a name does not go through the codec for international ones, which costs a millisecond.
        address = (name.strip("[]").encode(), int(port or (443 if secure else 80)))
        opened = socket.create_connection(address, self._timeout)  # type: ignore[arg-type]
        self._socket = opened
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if secure:
            import ssl

            self._socket = ssl.create_default_context().wrap_socket(opened, server_hostname=name)
        self._reader = self._socket.makefile("rb")
        return self._reader


def _line(reader: BufferedReader) -> str:
    line = reader.readline(MAX_LINE)
    if not line.endswith(b"\n"):
        raise WireError("the server closed the connection" if not line else "a line of the answer is cut off")
    return line.decode("latin-1").rstrip("\r\n")


def _status(line: str) -> tuple[str, int]:
    version, _, rest = line.partition(" ")
    code = rest.partition(" ")[0]
    if not version.startswith("HTTP/1.") or not code.isdigit() or len(code) != 3:
        raise WireError("the answer is not HTTP")
    return version, int(code)


def _headers(reader: BufferedReader) -> dict[str, str]:
    headers: dict[str, str] = {}
    while line := _line(reader):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
        if len(headers) > MAX_HEADERS:
            raise WireError("the answer has too many headers")
    return headers


def _body(reader: BufferedReader, headers: Mapping[str, str], into: memoryview | None) -> bytes:
    """The body, or nothing where it went `into`: it does only when it has just that size."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        content = _chunks(reader)
        if into is None or len(into) != len(content):
            return content
        into[:] = content
        return b""
    length = headers.get("content-length")
    if length is None:
        return reader.read()
    if not (length.isascii() and length.isdigit()):
        raise WireError("the length of the answer is no number")
    size = int(length)
    if into is None or len(into) != size:
        content = reader.read(size)
        if len(content) != size:
            raise WireError("the answer is cut off")
        return content
    done = 0
    while done < size:
        count = reader.readinto(into[done:])
        if not count:
            raise WireError("the answer is cut off")
        done += count
    return b""


def _chunks(reader: BufferedReader) -> bytes:
    chunks = []
    while True:
        text = _line(reader).partition(";")[0].strip()
        try:
            size = int(text, 16)
        except ValueError:
            raise WireError("a chunk of the answer has no length") from None
        if size == 0:
            break
        chunk = reader.read(size)
        if len(chunk) != size or _line(reader):
            raise WireError("a chunk of the answer is cut off")
        chunks.append(chunk)
    while _line(reader):
        pass  # trailers
    return b"".join(chunks)
