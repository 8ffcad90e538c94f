"""REST APIs of API Gateway: signatures and functions behind methods, at a host name of the cloud's own port.

moto keeps what an API is made of; this answers requests to ``<api>.execute-api.localhost``.
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote

from sls_ml.local.api_calls import FunctionCalls, function_of, within
from sls_ml.local.authorisation import Caller, DeniedError, Request, allows, authenticate
from sls_ml.local.functions import LambdaError
from sls_ml.local.http_api import REQUEST_BYTES, route_for, said
from sls_ml.local.payload import Answer, answer_of

HOST_PART = ".execute-api."
"""What stands in a host name between an API's id and where it is."""

SECONDS = 29.0
"""How long an answer may take: API Gateway's quota."""

_FORBIDDEN = said(403, "Forbidden")
_NO_ROUTE = said(403, "Missing Authentication Token")
_FAILED = said(502, "Internal server error")


@dataclass(frozen=True)
class _Route:
    route_key: str
    resource: str
    method: Any


class _RefusedError(Exception):
    def __init__(self, answer: Answer) -> None:
        super().__init__(answer[0])
        self.answer = answer


class RestApis:
    """All REST APIs.

    Args:
        account: Account number.
        region: Region of every ARN.
        calls: Runs functions in the name of API Gateway.
    """

    def __init__(self, *, account: str, region: str, calls: FunctionCalls) -> None:
        self._account = account
        self._region = region
        self._arn = f"arn:aws:execute-api:{region}:{account}"
        self._calls = calls

    def call(self, environ: Mapping[str, Any], start_response: Any) -> list[bytes]:
        """Answer over WSGI."""
        headers = {
            name.removeprefix("HTTP_").replace("_", "-").lower(): str(value)
            for name, value in environ.items()
            if name.startswith("HTTP_") or name in ("CONTENT_TYPE", "CONTENT_LENGTH")
        }
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length) if length <= REQUEST_BYTES else b""
        target = environ.get("RAW_URI") or environ["PATH_INFO"]
        request = Request(environ["REQUEST_METHOD"], environ["HTTP_HOST"], target, headers, body)
        status, content, given = (
            self.answer(request, environ.get("REMOTE_ADDR", ""))
            if length <= REQUEST_BYTES
            else said(413, "Request Too Long")
        )
        start_response(
            f"{status} {HTTPStatus(status).phrase}", [*given, ("Content-Length", str(len(content)))]
        )
        return [content]

    def answer(self, request: Request, source: str) -> Answer:
        """Answer a request by the API that its host names."""
        from moto.apigateway.models import apigateway_backends

        api = apigateway_backends[self._account][self._region].apis.get(request.host.partition(".")[0])
        path = request.target.partition("?")[0]
        stage, _, rest = path.removeprefix("/").partition("/")
        if api is None or stage not in api.stages:
            return _FORBIDDEN
        found = route_for(_routes(api), request.method, f"/{rest}")
        if found is None:
            return _NO_ROUTE
        route, parameters = found
        integration = route.method.method_integration
        if integration.integration_type == "MOCK":
            return 200, b"", _mock_headers(integration)
        place = f"{self._arn}:{api.id}/{stage}/{request.method}/{rest}"
        try:
            caller = self._let_in(route.method.authorization_type, place, request)
        except _RefusedError as refused:
            return refused.answer
        event = self._event(api, stage, route, parameters, request, source, caller)
        answered = within(SECONDS, lambda: self._run(api, integration.uri, event, place, request))
        return answered or said(504, "Endpoint request timed out")

    def _let_in(self, kind: str, place: str, request: Request) -> Caller | None:
        """Who calls, where a method wants to know."""
        if kind == "NONE":
            return None
        if kind != "AWS_IAM":
            raise _RefusedError(said(500, "the embedded cloud carries no authorizer of a REST API out"))
        try:
            caller = authenticate(request, account=self._account, service="execute-api")
        except DeniedError as error:
            raise _RefusedError(_FORBIDDEN if "authorization" in request.headers else _NO_ROUTE) from error
        if not allows("execute-api:Invoke", place, identity=caller.statements, principal=caller.arn):
            raise _RefusedError(_FORBIDDEN)
        return caller

    def _run(self, api: Any, uri: str, event: Mapping[str, Any], place: str, request: Request) -> Answer:
        function = function_of(uri)
        if function is None:
            return said(500, "Internal server error")
        id_ = event["requestContext"]["requestId"]
        try:
            outcome = self._calls.call(function, event, source_arn=place, request_id=id_)
        except LambdaError:
            return said(500, "Internal server error")
        if outcome.failed:
            return _FAILED
        result: Any = json.loads(outcome.payload)
        if not isinstance(result, dict) or "statusCode" not in result:
            return _FAILED
        wanted = request.headers.get("accept", "").partition(",")[0].partition(";")[0].strip()
        if not _binary(wanted, api.binaryMediaTypes):  # what is Base64 reaches the caller as it is
            result["isBase64Encoded"] = False
        several = {name: ",".join(values) for name, values in (result.get("multiValueHeaders") or {}).items()}
        result["headers"] = {**(result.get("headers") or {}), **several}
        answered = answer_of(json.dumps(result).encode())
        if answered is None:
            return _FAILED
        status, content, headers = answered
        return status, content, [*headers, ("x-amzn-RequestId", id_)]

    def _event(
        self,
        api: Any,
        stage: str,
        route: _Route,
        parameters: Mapping[str, str],
        request: Request,
        source: str,
        caller: Caller | None,
    ) -> dict[str, Any]:
        """The event of payload format 1.0 that a request becomes."""
        path, _, query = request.target.partition("?")
        queried: dict[str, list[str]] = {}
        for name, value in parse_qsl(query, keep_blank_values=True):
            queried.setdefault(name, []).append(value)
        headers = {**request.headers, "x-forwarded-for": source, "x-forwarded-proto": "http"}
        now = time.time()
        binary = _binary(request.headers.get("content-type", "").partition(";")[0], api.binaryMediaTypes)
        body = base64.b64encode(request.body).decode() if binary else request.body.decode(errors="replace")
        return {
            "resource": route.resource,
            "path": unquote(path.removeprefix(f"/{stage}")),
            "httpMethod": request.method,
            "headers": headers,
            "multiValueHeaders": {name: [value] for name, value in headers.items()},
            "queryStringParameters": {name: values[-1] for name, values in queried.items()} or None,
            "multiValueQueryStringParameters": queried or None,
            "pathParameters": dict(parameters) or None,
            "stageVariables": dict(api.stages[stage].variables) or None,
            "requestContext": {
                "accountId": self._account,
                "apiId": api.id,
                "domainName": request.host,
                "httpMethod": request.method,
                "identity": {
                    "sourceIp": source,
                    "userAgent": request.headers.get("user-agent"),
                    "userArn": caller.arn if caller else None,
                    "accessKey": caller.access_key if caller else None,
                },
                "path": path,
                "protocol": "HTTP/1.1",
                "requestId": str(uuid.uuid4()),
                "requestTime": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
                "requestTimeEpoch": int(now * 1000),
                "resourcePath": route.resource,
                "stage": stage,
            },
            "body": body if request.body else None,
            "isBase64Encoded": binary and bool(request.body),
        }


def _routes(api: Any) -> Iterable[_Route]:
    for resource in api.resources.values():
        path = resource.get_path()
        for verb, method in resource.resource_methods.items():
            if method.method_integration is not None:
                yield _Route(f"{verb} {path}", path, method)


def _binary(media_type: str, binary: Iterable[str]) -> bool:
    kind = media_type.strip().lower()
    return any(each in ("*/*", kind) or (kind == "*/*" and bool(each)) for each in binary)


def _mock_headers(integration: Any) -> list[tuple[str, str]]:
    """The headers that an integration without a function answers."""
    responses = (integration.integration_responses or {}).values()
    return [
        (name.removeprefix("method.response.header."), value.strip("'"))
        for response in responses
        for name, value in (response.response_parameters or {}).items()
    ]
