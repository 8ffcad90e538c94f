"""Function URLs: AWS's events, answers, authentication and CORS, on a loopback port each."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sls_ml.local.authorisation import Caller, DeniedError, Request, allows, authenticate
from sls_ml.local.front_door import FrontDoors
from sls_ml.local.function_host import REQUEST_BYTES, FunctionHost
from sls_ml.local.functions import Function, Functions, LambdaError, Url
from sls_ml.local.payload import (
    JSON,
    Answer,
    answer_of,
    cors_headers,
    event_of,
    preflight_headers,
    signed_by,
    without_cors,
)

_FORBIDDEN: Answer = (
    403,
    b'{"Message":"Forbidden"}',
    [JSON, ("x-amzn-ErrorType", "AccessDeniedException")],
)
_TOO_LARGE: Answer = (413, b'{"Message":"Request Entity Too Large"}', [JSON])
_FAILED: Answer = (502, b"Internal Server Error", [JSON])


class FunctionUrls:
    """All function URLs.

    Args:
        account: Account number.
        functions: The functions.
        host: What runs them.
        doors: Where they are served.
    """

    def __init__(self, *, account: str, functions: Functions, host: FunctionHost, doors: FrontDoors) -> None:
        self._account = account
        self._functions = functions
        self._host = host
        self._doors = doors

    def open(self, function: Function, qualifier: str | None, auth: str, cors: Mapping[str, Any]) -> Url:
        """Serve a URL."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
        url = Url(function.latest.name, qualifier, "", auth, cors, now)
        address = self._doors.open(
            f"{function.latest.name}:{qualifier or ''}",
            lambda request, source: self.answer(url, request, source),
            limit=REQUEST_BYTES,
            too_large=_TOO_LARGE,
            forbidden=_FORBIDDEN,
        )
        url.address = f"{address}/"
        return url

    def close(self, url: Url) -> None:
        """Stop serving a URL."""
        self._doors.close(url.address.rstrip("/"))

    def answer(self, url: Url, request: Request, source: str) -> Answer:
        """Authorise a request, run the function, and translate what it returned."""
        origin = request.headers.get("origin")
        shared = cors_headers(url.cors, origin)
        if request.method == "OPTIONS" and origin and url.cors:
            return 200, b"", preflight_headers(url.cors, origin)
        function = self._functions.get(url.function)
        arn = function.latest.function_arn + (f":{url.qualifier}" if url.qualifier else "")
        try:
            caller = self._authorise(url, function, arn, request)
        except DeniedError:
            status, body, headers = _FORBIDDEN
            return status, body, headers + shared
        id_ = str(uuid.uuid4())
        event = event_of(
            request,
            api=request.host.rpartition(":")[2],
            account=self._account if caller else "anonymous",
            source=source,
            request_id=id_,
            authorizer=signed_by(caller) if caller else None,
        )
        try:
            version = function.version(url.qualifier)
            outcome = self._host.invoke(
                function,
                version,
                json.dumps(event).encode(),
                qualifier=url.qualifier,
                request_id=id_,
            )
        except LambdaError as error:
            status = {"TooManyRequestsException": 429, "RequestTooLargeException": 413}.get(error.code, 502)
            return status, json.dumps({"Message": str(error)}).encode(), [JSON, *shared]
        answer = None if outcome.failed else answer_of(outcome.payload)
        status, body, headers = answer or _FAILED
        if shared:
            headers = without_cors(headers)
        return status, body, [*headers, *shared, ("x-amzn-RequestId", id_)]

    def _authorise(self, url: Url, function: Function, arn: str, request: Request) -> Caller | None:
        caller = None
        if url.auth == "AWS_IAM":
            caller = authenticate(request, account=self._account, service="lambda")
        context = {"lambda:FunctionUrlAuthType": url.auth, "lambda:InvokedViaFunctionUrl": "true"}
        policy = [s for s in function.policy if s["Resource"] == arn]
        for action in ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction"):
            if not allows(
                action,
                arn,
                identity=caller.statements if caller else (),
                resource_policy=policy,
                principal=caller.arn if caller else None,
                context=context,
            ):
                raise DeniedError("AccessDenied", f"{action} is not allowed")
        return caller
