"""Read objects of an S3 bucket over HTTP, signed with the environment's credentials; no SDK."""

from __future__ import annotations

import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urlsplit

from sls_ml_runtime import signing
from sls_ml_runtime.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RANGE = 8 << 20
"""Bytes of one request: large enough that its start-up does not count, small enough to run several."""
CONNECTIONS = 4
ATTEMPTS = 5
FIRST_DELAY = 0.05
TIMEOUT = 20


class Bucket:
    """A bucket, or a prefix in it, as a store of artifacts.

    Args:
        name: The bucket's name.
        prefix: Key prefix without slashes at its ends; may be empty.
    """

    def __init__(self, name: str, prefix: str = "") -> None:
        self._name = name
        self._prefix = f"{prefix}/" if prefix else ""
        self._region = signing.region()
        endpoint = signing.endpoint("S3")
        if endpoint or "." in name:  # a dot in the name does not match the host's certificate
            self._root = endpoint or f"https://s3.{self._region}.amazonaws.com"
            self._path = f"/{name}/"
        else:
            self._root = f"https://{name}.s3.{self._region}.amazonaws.com"
            self._path = "/"
        self._credentials = signing.credentials()
        self._idle: list[http.client.HTTPConnection] = []

    def read(self, key: str, size: int | None) -> Iterator[bytes]:
        """The bytes of an object, in order; with a size in ranges, several of them under way at a time.

        Raises:
            StoreError: The object cannot be had.
        """
        if size is None or size <= RANGE:
            yield self._get(key, {})
            return
        ranges = [f"bytes={start}-{min(start + RANGE, size) - 1}" for start in range(0, size, RANGE)]
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            waiting = [pool.submit(self._get, key, {"range": part}) for part in ranges[: CONNECTIONS + 1]]
            try:
                for position in range(len(ranges)):
                    yield waiting.pop(0).result()
                    if position + CONNECTIONS + 1 < len(ranges):  # bounds what waits in memory
                        part = ranges[position + CONNECTIONS + 1]
                        waiting.append(pool.submit(self._get, key, {"range": part}))
            finally:
                for future in waiting:
                    future.cancel()

    def read_if_changed(self, key: str, etag: str | None) -> tuple[str, bytes] | None:
        """ETag and bytes of a small object; None where it still has this ETag.

        Raises:
            StoreError: The object cannot be had.
        """
        status, answered, body = self._answer(key, {"if-none-match": etag} if etag else {})
        return None if status == 304 else (answered["etag"], body)

    def close(self) -> None:
        """Close the connections that are kept for the next request."""
        while self._idle:
            self._idle.pop().close()

    def _get(self, key: str, headers: Mapping[str, str]) -> bytes:
        return self._answer(key, headers)[2]

    def _answer(self, key: str, headers: Mapping[str, str]) -> tuple[int, Mapping[str, str], bytes]:
        path = self._path + quote(self._prefix + key, safe="/~")
        failure = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(FIRST_DELAY * 2**attempt)
            connection = self._idle.pop() if self._idle else signing.connect(self._root, TIMEOUT)
            host = urlsplit(self._root).netloc
            signed = signing.sign(
                "GET",
                host,
                path,
                headers,
                b"",
                service="s3",
                region=self._region,
                credentials=self._credentials,
                now=time.gmtime(),
            )
            try:
                status, answered, body = signing.send(connection, "GET", path, signed)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                failure = f"{type(error).__name__}: {error}"
                continue
            self._idle.append(connection)
            if status in {200, 206, 304}:
                return status, answered, body
            if status not in signing.TRANSIENT:
                raise self._refused(status, answered, key)
            failure = f"status {status}"
        raise StoreError(f"s3://{self._name}/{self._prefix}{key}: {failure}, {ATTEMPTS} times")

    def _refused(self, status: int, headers: Mapping[str, str], key: str) -> StoreError:
        """An error that says what to grant or mend."""
        arn = f"arn:aws:s3:::{self._name}/{self._prefix}{key}"
        uri = f"s3://{self._name}/{self._prefix}{key}"
        region = headers.get("x-amz-bucket-region")
        match status:
            case 301 | 307 | 400 if region and region != self._region:
                return StoreError(f"the bucket {self._name} is in {region}, the function in {self._region}")
            case 403:
                return StoreError(
                    f"access to {uri} is denied: the function's role needs s3:GetObject on {arn} "
                    "(and kms:Decrypt on its key, where the bucket is encrypted with one)"
                )
            case 404:
                return StoreError(f"{uri} does not exist: upload the artifact, or check SLS_ML_STORE")
            case _:
                return StoreError(f"{uri}: S3 answered {status}")
