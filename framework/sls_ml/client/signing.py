"""Signs requests with the caller's AWS credentials (signature version 4)."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from sls_ml.errors import ExternalError, UsageError

Sign = Callable[[str, str, Mapping[str, str], bytes], dict[str, str]]
"""Method, URL, headers and body of a request to its headers with the signature among them."""

_REGION = re.compile(r"\.(?:lambda-url|execute-api)\.([a-z0-9-]+)\.")


class Session(Protocol):
    """Where credentials come from: a session of boto3 or of botocore."""

    def get_credentials(self) -> Any:
        """The credentials, or None."""


def signer(endpoint: str, region: str | None, session: Session | None) -> Sign:
    """What signs the requests to an endpoint.

    Args:
        endpoint: A function URL or the URL of an HTTP API; each is signed for its own service.
        region: Its region, where neither the URL nor the environment tells.
        session: Whose credentials; by default those of the environment, the profile or the machine.

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
    service = "execute-api" if ".execute-api." in endpoint else "lambda"

    def sign(method: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        request = AWSRequest(method, url, dict(headers), body)
        SigV4Auth(credentials.get_frozen_credentials(), service, region).add_auth(request)
        return dict(request.headers.items())

    return sign
