"""What callers bring: the signature of their AWS credentials (version 4), a key or a token."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from sls_ml.errors import ExternalError, UsageError

Sign = Callable[[str, str, Mapping[str, str], bytes], dict[str, str]]
"""Method, URL, headers and body of a request to its headers with the signature among them."""

Service = Literal["lambda", "execute-api"]
"""What stands at an endpoint: a function URL, or an HTTP API."""

_REGION = re.compile(r"\.(?:lambda-url|execute-api)\.([a-z0-9-]+)\.")


class Session(Protocol):
    """Where credentials come from: a session of boto3 or of botocore."""

    def get_credentials(self) -> Any:
        """The credentials, or None."""


@dataclass(frozen=True)
class Key:
    """The key of an endpoint with ``http.auth: key``."""

    key: str = field(repr=False)

    def send_along(self, _method: str, _url: str, headers: Mapping[str, str], _body: bytes) -> dict[str, str]:
        """The headers with the key among them."""
        return {**headers, "x-api-key": self.key}


@dataclass(frozen=True)
class Token:
    """A token for an endpoint with ``http.auth: jwt``: itself, or what gives one that has not expired."""

    token: str | Callable[[], str] = field(repr=False)

    def send_along(self, _method: str, _url: str, headers: Mapping[str, str], _body: bytes) -> dict[str, str]:
        """The headers with the token among them."""
        token = self.token if isinstance(self.token, str) else self.token()
        return {**headers, "authorization": f"Bearer {token}"}


def signer(
    endpoint: str, region: str | None, session: Session | None, service: Service | None = None
) -> Sign:
    """What signs the requests to an endpoint.

    Args:
        endpoint: A function URL or the URL of an HTTP API; each is signed for its own service.
        region: Its region, where neither the URL nor the environment tells.
        session: Whose credentials; by default those of the environment, the profile or the machine.
        service: The service, where the URL does not tell: a domain of your own, or the embedded cloud.

    Raises:
        UsageError: Nobody tells the region.
        ExternalError: There is no botocore, or there are no credentials.
    """
    try:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.session import get_session
    except ImportError as error:
        raise ExternalError(
            "signing requests needs botocore", code="botocore-missing", mend="pip install 'sls-ml[aws]'"
        ) from error
    found = _REGION.search(endpoint)
    region = (
        region or (found and found[1]) or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    )
    if not region:
        raise UsageError(
            "the endpoint does not tell its region",
            code="region-unknown",
            where=endpoint,
            mend="give region=...",
        )
    credentials = (session or get_session()).get_credentials()
    if credentials is None:
        raise ExternalError(
            "there are no AWS credentials to sign with",
            code="no-credentials",
            mend="log in (aws sso login), set AWS_PROFILE, or give session=...",
        )
    service = service or ("execute-api" if ".execute-api." in endpoint else "lambda")

    def sign(method: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        request = AWSRequest(method, url, dict(headers), body)
        SigV4Auth(credentials.get_frozen_credentials(), service, region).add_auth(request)
        return dict(request.headers.items())

    return sign
