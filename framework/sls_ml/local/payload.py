"""Payload format 2.0: the event that a request becomes, and the answer that a function's result becomes.

Function URLs and HTTP APIs share it.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from sls_ml.local.authorisation import Caller, Request

Answer = tuple[int, bytes, list[tuple[str, str]]]
"""Status, body and headers."""

JSON = ("Content-Type", "application/json")
DEFAULT_ROUTE = "$default"

_TEXT = ("application/json", "application/javascript", "application/xml")


def event_of(
    request: Request,
    *,
    api: str,
    account: str,
    source: str,
    request_id: str,
    route: str = DEFAULT_ROUTE,
    path_parameters: Mapping[str, str] | None = None,
    authorizer: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The event that a request becomes.

    Args:
        request: The request.
        api: Id of the URL or of the API.
        account: Whose it is; ``anonymous`` where nobody signed.
        source: The caller's address.
        request_id: Id of the request.
        route: Key of the route that takes it.
        path_parameters: What the route's path left open.
        authorizer: What is known of the caller.
    """
    path, _, query = request.target.partition("?")
    now = time.time()
    headers = {name: value for name, value in request.headers.items() if name != "cookie"}
    headers |= {"x-forwarded-for": source, "x-forwarded-proto": "http"}
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
    context: dict[str, Any] = {
        "accountId": account,
        "apiId": api,
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
        "routeKey": route,
        "stage": "$default",
        "time": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "timeEpoch": int(now * 1000),
    }
    if authorizer is not None:
        context["authorizer"] = dict(authorizer)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": context,
        "isBase64Encoded": False,
    }
    if parameters:
        event["queryStringParameters"] = parameters
    if path_parameters:
        event["pathParameters"] = dict(path_parameters)
    if "cookie" in request.headers:
        event["cookies"] = [part.strip() for part in request.headers["cookie"].split(";")]
    if request.body:
        event |= _body(request.body, request.headers.get("content-type", ""))
    return event


def signed_by(caller: Caller) -> dict[str, Any]:
    """What an event says of who signed the request."""
    return {
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


def _body(body: bytes, content_type: str) -> dict[str, Any]:
    kind = content_type.partition(";")[0].strip().lower()
    if kind.startswith("text/") or kind in _TEXT or kind.endswith(("+json", "+xml")):
        try:
            return {"body": body.decode(), "isBase64Encoded": False}
        except UnicodeDecodeError:
            pass
    return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}


def answer_of(payload: bytes) -> Answer | None:
    """The answer that a function's result becomes; None where it cannot become one."""
    try:
        result = json.loads(payload)
        if not isinstance(result, dict) or "statusCode" not in result:
            return 200, payload, [JSON]
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
        return None


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


def without_cors(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers of a function's answer where settings outside of it take the place of its own CORS."""
    return [each for each in headers if not each[0].lower().startswith("access-control-")]
