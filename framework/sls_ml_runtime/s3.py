"""Read objects of an S3 bucket over HTTP, signed with the environment's credentials; no SDK."""

from __future__ import annotations

import hmac
import http.client
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from urllib.parse import quote, urlsplit

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
EMPTY_SHA256 = sha256(b"").hexdigest()
TRANSIENT = {429, 500, 502, 503, 504}


class Credentials:
    """What signs a request; `token` is empty for long-lived keys."""

    __slots__ = ("key", "secret", "token")

    def __init__(self, key: str, secret: str, token: str) -> None:
        self.key = key
        self.secret = secret
        self.token = token


def credentials() -> Credentials:
    """The role's credentials: from the environment, or from the endpoint that SnapStart has instead.

    Raises:
        StoreError: There are none.
    """
    env = os.environ
    if "AWS_ACCESS_KEY_ID" in env:
        token = env.get("AWS_SESSION_TOKEN", "")
        return Credentials(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], token)
    uri = env.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    if uri is None:
        raise StoreError("there are no AWS credentials in the environment")
    headers = {"authorization": env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")}
    endpoint = urlsplit(uri)
    connection = _connect(f"{endpoint.scheme}://{endpoint.netloc}")
    status, _, body = _send(connection, endpoint.path, headers)
    connection.close()
    if status != 200:
        raise StoreError(f"the credentials endpoint answered {status}")
    found = json.loads(body)
    return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["Token"])


class Bucket:
    """A bucket, or a prefix in it, as a store of artifacts.

    Args:
        name: The bucket's name.
        prefix: Key prefix without slashes at its ends; may be empty.
    """

    def __init__(self, name: str, prefix: str = "") -> None:
        self._name = name
        self._prefix = f"{prefix}/" if prefix else ""
        self._region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION", "us-east-1")
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        if endpoint or "." in name:  # a dot in the name does not match the host's certificate
            self._root = (endpoint or f"https://s3.{self._region}.amazonaws.com").rstrip("/")
            self._path = f"/{name}/"
        else:
            self._root = f"https://{name}.s3.{self._region}.amazonaws.com"
            self._path = "/"
        self._credentials = credentials()
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

    def close(self) -> None:
        """Close the connections that are kept for the next request."""
        while self._idle:
            self._idle.pop().close()

    def _get(self, key: str, headers: Mapping[str, str]) -> bytes:
        path = self._path + quote(self._prefix + key, safe="/~")
        failure = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(FIRST_DELAY * 2**attempt)
            connection = self._idle.pop() if self._idle else _connect(self._root)
            host = urlsplit(self._root).netloc
            signed = sign("GET", host, path, headers, self._region, self._credentials, time.gmtime())
            try:
                status, answered, body = _send(connection, path, signed)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                failure = f"{type(error).__name__}: {error}"
                continue
            self._idle.append(connection)
            if status in {200, 206}:
                return body
            if status not in TRANSIENT:
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


def sign(
    method: str,
    host: str,
    path: str,
    headers: Mapping[str, str],
    region: str,
    credentials: Credentials,
    now: time.struct_time,
) -> dict[str, str]:
    """Headers of a request without body and query, signed with AWS Signature Version 4 for S3.

    Args:
        method: HTTP method.
        host: The host header's value.
        path: The path, percent-encoded.
        headers: Further headers to send and sign, with lower-case names.
        region: The bucket's region.
        credentials: The caller's.
        now: The time in UTC.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", now)
    signed = {**headers, "host": host, "x-amz-content-sha256": EMPTY_SHA256, "x-amz-date": stamp}
    if credentials.token:
        signed["x-amz-security-token"] = credentials.token
    names = ";".join(sorted(signed))
    lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
    canonical = f"{method}\n{path}\n\n{lines}\n{names}\n{EMPTY_SHA256}"
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{credentials.secret}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.new(key, part.encode(), sha256).digest()
    signed["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.key}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
    )
    return signed


def _connect(root: str) -> http.client.HTTPConnection:
    parts = urlsplit(root)
    if parts.scheme == "https":
        return http.client.HTTPSConnection(parts.netloc, timeout=TIMEOUT)
    return http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT)


def _send(
    connection: http.client.HTTPConnection, path: str, headers: Mapping[str, str]
) -> tuple[int, dict[str, str], bytes]:
    connection.request("GET", path, headers=dict(headers))
    response = connection.getresponse()
    answered = {name.lower(): value for name, value in response.getheaders()}
    return response.status, answered, response.read()
