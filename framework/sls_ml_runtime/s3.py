"""Read objects of an S3 bucket over HTTP, signed with the environment's credentials; no SDK."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from sls_ml_runtime import signing
from sls_ml_runtime.errors import ArtifactRefused, StoreError
from sls_ml_runtime.wire import Connection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SMALL_RANGE = 1 << 20
RANGE = 8 << 20
"""Bytes of one request: large enough that its start-up does not count, small enough to run several and to
look at what has come while others are under way."""
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
        self._idle: list[Connection] = []

    def read(self, key: str) -> bytes:
        """All bytes of an object.

        Raises:
            StoreError: The object cannot be had.
        """
        return self._get(key, {}, None)

    def fill(self, key: str, target: memoryview) -> Iterator[int]:
        """Fill memory with an object in ranges, several of them under way at a time.

        Yields:
            How many bytes from the start are there.

        Raises:
            StoreError: The object cannot be had.
            ArtifactRefused: It is not of this size.
        """
        size = len(target)
        length = max(SMALL_RANGE, min(RANGE, size // (2 * CONNECTIONS)))
        if size <= length:
            self._get(key, {}, target)
            yield size
            return
        ends = [min(start + length, size) for start in range(0, size, length)]
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            parts = [
                pool.submit(self._get, key, {"range": f"bytes={start}-{end - 1}"}, target[start:end])
                for start, end in zip([0, *ends], ends, strict=False)
            ]
            try:
                for part, end in zip(parts, ends, strict=True):
                    part.result()
                    yield end
            finally:
                for part in parts:
                    part.cancel()

    def read_if_changed(self, key: str, etag: str | None) -> tuple[str, bytes] | None:
        """ETag and bytes of a small object; None where it still has this ETag.

        Raises:
            StoreError: The object cannot be had.
        """
        status, answered, body = self._answer(key, {"if-none-match": etag} if etag else {}, None)
        return None if status == 304 else (answered["etag"], body)

    def close(self) -> None:
        """Close the connections that are kept for the next request."""
        while self._idle:
            self._idle.pop().close()

    def _get(self, key: str, headers: Mapping[str, str], into: memoryview | None) -> bytes:
        return self._answer(key, headers, into)[2]

    def _answer(
        self, key: str, headers: Mapping[str, str], into: memoryview | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        path = self._path + _quoted(self._prefix + key)
        failure = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(FIRST_DELAY * 2**attempt)
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = Connection(self._root, TIMEOUT)
            signed = signing.sign(
                "GET",
                connection.host,
                path,
                headers,
                b"",
                service="s3",
                region=self._region,
                credentials=self._credentials,
                now=time.gmtime(),
            )
            try:
                status, answered, body = connection.request("GET", path, signed, into=into)
            except OSError as error:
                failure = f"{type(error).__name__}: {error}"
                continue
            self._idle.append(connection)
            if status in {200, 206, 304} or (status == 416 and into is not None):
                if into is not None and (body or status == 416 or answered.get("content-length") == "0"):
                    raise ArtifactRefused(
                        f"{key} has another size than its manifest says: "
                        "delete it from its store, and sls-ml deploy puts it back"
                    )
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
                    "(and kms:Decrypt on its key, where the bucket is encrypted with one); "
                    "S3 says the same of what does not exist: sls-ml deploy puts back a missing artifact"
                )
            case 404:
                return StoreError(
                    f"{uri} does not exist: sls-ml deploy puts back a missing artifact; or check SLS_ML_STORE"
                )
            case _:
                return StoreError(f"{uri}: S3 answered {status}")


def _quoted(key: str) -> str:
    """A key, percent-encoded as a path."""
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in key.encode())


_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")
