"""One kept-alive connection to an endpoint, and patience with a busy one."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from threading import Lock
from urllib.parse import SplitResult, urlsplit

from sls_ml.client.refusal import BUSY
from sls_ml.client.signing import Sign
from sls_ml.errors import ExternalError, UsageError

Answer = tuple[int, Mapping[str, str], bytes]
"""Status, headers with lower-case names, and body."""

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 20.0


class Connection:
    """Sends requests to an endpoint, one at a time.

    Args:
        endpoint: Its URL.
        headers: Sent with every request.
        sign: Adds a signature to the headers, or None.
        timeout: Seconds to wait for one answer.
        retries: How often a request is sent again.

    Attributes:
        endpoint: The URL without a slash at its end.

    Raises:
        UsageError: The endpoint is no URL.
    """

    def __init__(
        self, endpoint: str, *, headers: Mapping[str, str], sign: Sign | None, timeout: float, retries: int
    ) -> None:
        parts, host, port = _parsed(endpoint)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._connection = kind(host, port, timeout=timeout)
        self._base = parts.path.rstrip("/")
        self.endpoint = f"{parts.scheme}://{parts.netloc}{self._base}"
        self._headers = headers
        self._sign = sign
        self._retries = retries
        self._lock = Lock()

    def send(self, method: str, path: str, body: bytes) -> Answer:
        """Send a request, and send it again while the function is busy or out of reach.

        Predictions change nothing, so that a request may arrive twice.

        Raises:
            ExternalError: The endpoint does not answer.
        """
        pause = FIRST_PAUSE
        for _ in range(self._retries):
            try:
                status, headers, content = self._exchange(method, path, body)
            except (OSError, HTTPException):
                asked = 0.0
            else:
                if status not in BUSY:
                    return status, headers, content
                after = headers.get("retry-after", "")
                asked = float(after) if after.isdecimal() else 0.0
            jittered = pause * (0.5 + random.random() / 2)  # noqa: S311 - spreads callers, keeps no secret
            time.sleep(min(max(asked, jittered), LONGEST_PAUSE))
            pause *= 2
        try:
            return self._exchange(method, path, body)
        except (OSError, HTTPException) as error:
            raise ExternalError(
                "the endpoint does not answer",
                code="endpoint-unreachable",
                where=self.endpoint,
                why=f"{type(error).__name__}: {error}",
                mend="check the URL and the network",
            ) from error

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        with self._lock:
            self._connection.close()

    def _exchange(self, method: str, path: str, body: bytes) -> Answer:
        headers = {"accept": "application/json", **self._headers}
        if body:
            headers["content-type"] = "application/json"
        if self._sign is not None:
            headers = self._sign(method, self.endpoint + path, headers, body)
        with self._lock:
            kept = self._connection.sock is not None
            try:
                return self._once(method, path, headers, body)
            except ConnectionError:
                if not kept:
                    raise
                return self._once(method, path, headers, body)  # the other side had closed it meanwhile

    def _once(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        try:
            self._connection.request(method, self._base + path, body or None, headers)
            answer = self._connection.getresponse()
            content = answer.read()
        except BaseException:
            self._connection.close()
            raise
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, content


def _parsed(endpoint: str) -> tuple[SplitResult, str, int | None]:
    try:
        parts = urlsplit(endpoint)
        if parts.hostname and parts.scheme in {"https", "http"}:
            return parts, parts.hostname, parts.port
    except ValueError:
        pass  # a port that is no number
    raise UsageError(
        f"{endpoint!r} is not the URL of an endpoint",
        code="endpoint-not-a-url",
        mend="give the one that `sls-ml status` prints, with its https://",
    )
