"""Function URLs: a loopback port each, with AWS's events, answers, authentication and CORS."""

from __future__ import annotations

import base64
import binascii
import json
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from sls_ml.local.authorisation import Caller, DeniedError, Request, allows, authenticate
from sls_ml.local.function_host import REQUEST_BYTES, FunctionHost
from sls_ml.local.functions import Function, Functions, LambdaError, Url
from sls_ml.local.loopback import HOST, LoopbackHandler, LoopbackServer, on_a_port

Answer = tuple[int, bytes, list[tuple[str, str]]]

_JSON = ("Content-Type", "application/json")
_TEXT = ("application/json", "application/javascript", "application/xml")
_FORBIDDEN: Answer = (
    403,
    b'{"Message":"Forbidden"}',
    [_JSON, ("x-amzn-ErrorType", "AccessDeniedException")],
)


class FunctionUrls:
    """All function URLs, each served on its own port for as long as it exists.

    Args:
        account: Account number.
        functions: The functions.
        host: What runs them.
        ports: File that remembers which URL has which port.
    """

    def __init__(self, *, account: str, functions: Functions, host: FunctionHost, ports: Path) -> None:
        self._account = account
        self._functions = functions
        self._host = host
        self._ports = ports
        self._servers: dict[str, LoopbackServer] = {}

    def open(self, function: Function, qualifier: str | None, auth: str, cors: Mapping[str, Any]) -> Url:
        """Serve a URL, on the port that it had before where that is free."""
        key = f"{function.latest.name}:{qualifier or ''}"
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
        url = Url(function.latest.name, qualifier, "", auth, cors, now)
        urls = self

        class Handler(_Handler):
            def answer(self, request: Request, source: str) -> Answer:
                return urls.answer(url, request, source)

        remembered: dict[str, int] = json.loads(self._ports.read_text()) if self._ports.exists() else {}
        server = on_a_port(lambda port: LoopbackServer(Handler, port), remembered.get(key))
        self._ports.write_text(json.dumps({**remembered, key: server.port}, indent=1, sort_keys=True))
        url.address = f"http://{HOST}:{server.port}/"
        self._servers[url.address] = server
        return url

    def close(self, url: Url) -> None:
        """Stop serving a URL."""
        self._servers.pop(url.address).close()

    def close_all(self) -> None:
        """Stop serving all."""
        while self._servers:
            self._servers.popitem()[1].close()

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
        event = event_of(request, account=self._account, caller=caller, source=source, request_id=id_)
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
            return status, json.dumps({"Message": str(error)}).encode(), [_JSON, *shared]
        status, body, headers = (502, b"Internal Server Error", [_JSON])
        if not outcome.failed:
            status, body, headers = answer_of(outcome.payload)
        if shared:  # the URL's own settings take the place of what the function says
            headers = [each for each in headers if not each[0].lower().startswith("access-control-")]
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


class _Handler(LoopbackHandler):
    def answer(self, request: Request, source: str) -> Answer:
        raise NotImplementedError

    def _serve(self) -> None:
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            lower = name.lower()
            headers[lower] = f"{headers[lower]},{value}" if lower in headers else value
        host = headers.get("host", "")
        if host.rpartition(":")[0] not in (HOST, "localhost"):  # else any web page could reach it by DNS
            self.reply(*_FORBIDDEN)
            return
        body = self.read_body(REQUEST_BYTES)
        if body is None:
            self.reply(413, b'{"Message":"Request Entity Too Large"}', [_JSON])
            return
        request = Request(self.command, host, self.path, headers, body)
        self.reply(*self.answer(request, self.client_address[0]))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815


def event_of(
    request: Request, *, account: str, caller: Caller | None, source: str, request_id: str
) -> dict[str, Any]:
    """The event of payload format 2.0 that a function URL makes of a request."""
    path, _, query = request.target.partition("?")
    now = time.time()
    headers = {name: value for name, value in request.headers.items() if name != "cookie"}
    headers |= {"x-forwarded-for": source, "x-forwarded-proto": "http"}
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
    context: dict[str, Any] = {
        "accountId": account if caller else "anonymous",
        "apiId": request.host.rpartition(":")[2],
        "domainName": request.host,
        "domainPrefix": request.host.partition(".")[0],
        "http": {
            "method": request.method,
            "path": path,
            "protocol": "HTTP/1.1",
            "sourceIp": source,
            "userAgent": request.headers.get("user-agent", ""),
        },
        "requestId": request_id,
        "routeKey": "$default",
        "stage": "$default",
        "time": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "timeEpoch": int(now * 1000),
    }
    if caller is not None:
        context["authorizer"] = {
            "iam": {
                "accessKey": caller.access_key,
                "accountId": caller.account,
                "callerId": caller.access_key,
                "cognitoIdentity": None,
                "principalOrgId": None,
                "userArn": caller.arn,
                "userId": caller.access_key,
            }
        }
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": context,
        "isBase64Encoded": False,
    }
    if parameters:
        event["queryStringParameters"] = parameters
    if "cookie" in request.headers:
        event["cookies"] = [part.strip() for part in request.headers["cookie"].split(";")]
    if request.body:
        event |= _body(request.body, request.headers.get("content-type", ""))
    return event


def _body(body: bytes, content_type: str) -> dict[str, Any]:
    kind = content_type.partition(";")[0].strip().lower()
    if kind.startswith("text/") or kind in _TEXT or kind.endswith(("+json", "+xml")):
        try:
            return {"body": body.decode(), "isBase64Encoded": False}
        except UnicodeDecodeError:
            pass
    return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}


def answer_of(payload: bytes) -> Answer:
    """The HTTP answer that a function URL makes of what the function returned."""
    try:
        result = json.loads(payload)
        if not isinstance(result, dict) or "statusCode" not in result:
            return 200, payload, [_JSON]
        body = result.get("body") or ""
        content = (body if isinstance(body, str) else json.dumps(body)).encode()
        if result.get("isBase64Encoded"):
            content = base64.b64decode(content, validate=True)
        given = {str(k).lower(): str(v) for k, v in (result.get("headers") or {}).items()}
        given.pop("content-length", None)
        headers = list({"content-type": "application/json", **given}.items())
        headers += [("set-cookie", str(cookie)) for cookie in result.get("cookies") or []]
        return int(result["statusCode"]), content, headers
    except (ValueError, TypeError, AttributeError, binascii.Error):
        return 502, b"Internal Server Error", [_JSON]


def cors_headers(cors: Mapping[str, Any], origin: str | None) -> list[tuple[str, str]]:
    """Headers of an answer to a page of another origin."""
    allowed = cors.get("AllowOrigins") or []
    if origin is None or not ("*" in allowed or origin in allowed):
        return []
    headers = [("Access-Control-Allow-Origin", "*" if allowed == ["*"] else origin), ("Vary", "Origin")]
    if cors.get("AllowCredentials"):
        headers.append(("Access-Control-Allow-Credentials", "true"))
    if exposed := cors.get("ExposeHeaders"):
        headers.append(("Access-Control-Expose-Headers", ",".join(exposed)))
    return headers


def preflight_headers(cors: Mapping[str, Any], origin: str) -> list[tuple[str, str]]:
    """Headers of the answer to a browser that asks before it sends."""
    headers = cors_headers(cors, origin)
    if headers:
        for name, key in (("Methods", "AllowMethods"), ("Headers", "AllowHeaders")):
            if values := cors.get(key):
                headers.append((f"Access-Control-Allow-{name}", ",".join(values)))
        if "MaxAge" in cors:
            headers.append(("Access-Control-Max-Age", str(cors["MaxAge"])))
    return headers
