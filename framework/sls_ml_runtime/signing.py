"""Sign requests to AWS with the role's credentials; no SDK."""

from __future__ import annotations

import hmac
import json
import os
import time
from hashlib import sha256

from sls_ml_runtime.errors import CredentialsError
from sls_ml_runtime.wire import Connection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

CREDENTIALS_TIMEOUT = 5
TRANSIENT = {429, 500, 502, 503, 504}
"""Statuses after which the same request may go well."""


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
        CredentialsError: There are none.
    """
    env = os.environ
    if "AWS_ACCESS_KEY_ID" in env:
        token = env.get("AWS_SESSION_TOKEN", "")
        return Credentials(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], token)
    uri = env.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    if uri is None:
        raise CredentialsError("there are no AWS credentials in the environment")
    headers = {"authorization": env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")}
    connection = Connection(uri, CREDENTIALS_TIMEOUT)
    path = "/" + uri.partition("://")[2].partition("/")[2]
    status, _, body = connection.request("GET", path, headers)
    connection.close()
    if status != 200:
        raise CredentialsError(f"the credentials endpoint answered {status}")
    found = json.loads(body)
    return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["Token"])


def region() -> str:
    """The function's region."""
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION", "us-east-1")


def endpoint(service: str) -> str | None:
    """The address that the environment names for a service, without a slash at its end.

    Args:
        service: As the variable spells it, ``S3`` or ``SECRETS_MANAGER``.
    """
    found = os.environ.get(f"AWS_ENDPOINT_URL_{service}") or os.environ.get("AWS_ENDPOINT_URL")
    return found.rstrip("/") if found else None


def sign(
    method: str,
    host: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    service: str,
    region: str,
    credentials: Credentials,
    now: time.struct_time,
) -> dict[str, str]:
    """Headers of a request without query, signed with AWS Signature Version 4.

    Args:
        method: HTTP method.
        host: The host header's value.
        path: The path, percent-encoded once: all services but S3 want it so only where that changes nothing.
        headers: Further headers to send and sign, with lower-case names.
        body: The body; empty where there is none.
        service: Its name in signatures, ``s3``.
        region: The region of the endpoint.
        credentials: The caller's.
        now: The time in UTC.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", now)
    digest = sha256(body).hexdigest()
    signed = {**headers, "host": host, "x-amz-content-sha256": digest, "x-amz-date": stamp}
    if credentials.token:
        signed["x-amz-security-token"] = credentials.token
    names = ";".join(sorted(signed))
    lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
    canonical = f"{method}\n{path}\n\n{lines}\n{names}\n{digest}"
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{credentials.secret}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.new(key, part.encode(), sha256).digest()
    signed["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.key}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
    )
    return signed
