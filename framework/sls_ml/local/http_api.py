"""HTTP APIs of API Gateway: routes, authorizers, throttling and CORS in front of functions.

moto keeps what an API is made of; this serves it, on a loopback port each.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from sls_ml.local.api_authorizers import Authorizers, Known, RefusedError
from sls_ml.local.api_calls import FunctionCalls, within
from sls_ml.local.api_throttle import Throttle
from sls_ml.local.authorisation import Request
from sls_ml.local.front_door import FrontDoors
from sls_ml.local.functions import LambdaError
from sls_ml.local.payload import (
    JSON,
    Answer,
    answer_of,
    cors_headers,
    event_of,
    preflight_headers,
    without_cors,
)

REQUEST_BYTES = 10 << 20
"""Bytes of a request's body at most: API Gateway's quota. What Lambda takes is less, see `function_host`."""

STAGE = "$default"


def said(status: int, message: str, *headers: tuple[str, str]) -> Answer:
    """An answer of the API itself."""
    return status, json.dumps({"message": message}, separators=(",", ":")).encode(), [JSON, *headers]


_FORBIDDEN = said(403, "Forbidden")
_TOO_LARGE = said(413, "Request Entity Too Large")


class HttpApis:
    """All HTTP APIs.

    Args:
        account: Account number.
        region: Region of every ARN.
        calls: Runs functions in the name of API Gateway.
        doors: Where the APIs are served.
    """

    def __init__(self, *, account: str, region: str, calls: FunctionCalls, doors: FrontDoors) -> None:
        self._arn = f"arn:aws:execute-api:{region}:{account}"
        self._account = account
        self._calls = calls
        self._authorizers = Authorizers(account=account, arn=self._arn, calls=calls)
        self._doors = doors
        self._throttles: dict[tuple[str, str], Throttle] = {}

    def open(self, api: Any) -> str:
        """Serve an API as moto keeps it; gives back its address, without a slash at the end."""
        return self._doors.open(
            f"api:{api.name}",
            lambda request, source: self.answer(api, request, source),
            limit=REQUEST_BYTES,
            too_large=_TOO_LARGE,
            forbidden=_FORBIDDEN,
        )

    def close(self, api: Any) -> None:
        """Stop serving an API."""
        self._doors.close(api.api_endpoint)

    def answer(self, api: Any, request: Request, source: str) -> Answer:
        """Answer a request as the API is set up at this moment."""
        id_ = str(uuid.uuid4())
        cors = {key[:1].upper() + key[1:]: value for key, value in (api.cors_configuration or {}).items()}
        origin = request.headers.get("origin")
        if request.method == "OPTIONS" and origin and cors:
            return 204, b"", [*preflight_headers(cors, origin), ("Apigw-Requestid", id_)]
        status, body, headers = self._routed(api, request, source, id_)
        if cors:  # the API's own settings take the place of what the function says
            headers = without_cors(headers) + cors_headers(cors, origin)
        return status, body, [*headers, ("Apigw-Requestid", id_)]

    def _routed(self, api: Any, request: Request, source: str, id_: str) -> Answer:
        path = request.target.partition("?")[0]
        found = route_for(api.routes.values(), request.method, path)
        stage = api.stages.get(STAGE)
        if found is None or stage is None:
            return said(404, "Not Found")
        route, parameters = found
        if not self._lets_through(api, stage, route):
            return said(429, "Too Many Requests")
        try:
            known = self._authorizers.ask(api, route, request, source, id_, parameters)
        except RefusedError as refused:
            return said(refused.status, str(refused), *refused.headers)
        return self._integrated(api, route, request, source, id_, parameters, known)

    def _lets_through(self, api: Any, stage: Any, route: Any) -> bool:
        """Whether the stage's throttle has room; each route has a bucket of its own."""
        settings = stage.route_settings.get(route.route_key) or stage.default_route_settings or {}
        rate, burst = settings.get("throttlingRateLimit"), settings.get("throttlingBurstLimit")
        if rate is None or burst is None:
            return True
        key = (api.api_id, route.route_key)
        throttle = self._throttles.get(key)
        if throttle is None or (throttle.rate, throttle.burst) != (float(rate), int(burst)):
            throttle = self._throttles[key] = Throttle(float(rate), int(burst))
        return throttle.take()

    def _integrated(
        self,
        api: Any,
        route: Any,
        request: Request,
        source: str,
        id_: str,
        parameters: Mapping[str, str],
        known: Known,
    ) -> Answer:
        integration = api.integrations.get(str(route.target).removeprefix("integrations/"))
        if integration is None:
            return said(500, "Internal Server Error")
        event = event_of(
            request,
            api=api.api_id,
            account=self._account,
            source=source,
            request_id=id_,
            route=route.route_key,
            path_parameters=parameters,
            authorizer=known,
        )
        source_arn = f"{self._arn}:{api.api_id}/{STAGE}/{source_of(route.route_key)}"
        answered = within(
            integration.timeout_in_millis / 1000,
            lambda: self._run(integration.integration_uri, event, source_arn, id_),
        )
        return answered or said(503, "Service Unavailable")

    def _run(self, function: str, event: Mapping[str, Any], source_arn: str, id_: str) -> Answer:
        try:
            outcome = self._calls.call(function, event, source_arn=source_arn, request_id=id_)
        except LambdaError as error:
            if error.code == "RequestTooLargeException":
                return _TOO_LARGE
            if error.code == "TooManyRequestsException":
                return said(503, "Service Unavailable")
            return said(500, "Internal Server Error")
        answer = None if outcome.failed else answer_of(outcome.payload)
        return answer or said(500, "Internal Server Error")


def route_for(routes: Any, method: str, path: str) -> tuple[Any, dict[str, str]] | None:
    """The route that takes a request, and what its path leaves open.

    A full match comes before a greedy one, and any before ``$default``.
    """
    best: tuple[tuple[int, int, int], Any, dict[str, str]] | None = None
    for route in routes:
        if route.route_key == STAGE:
            rank, parameters = (0, 0, 0), {}
        else:
            verb, _, pattern = route.route_key.partition(" ")
            matched = _match(pattern, path) if verb in (method, "ANY") else None
            if matched is None:
                continue
            parameters = matched
            literal = sum(not part.startswith("{") for part in pattern.split("/"))
            rank = (1 if pattern.endswith("+}") else 2, literal, int(verb != "ANY"))
        if best is None or rank > best[0]:
            best = rank, route, parameters
    return best[1:] if best else None


def _match(pattern: str, path: str) -> dict[str, str] | None:
    """The parameters of a path, or None where the pattern does not fit."""
    wanted, given = pattern.strip("/").split("/"), path.strip("/").split("/")
    found: dict[str, str] = {}
    for position, part in enumerate(wanted):
        rest = given[position:]
        if part.endswith("+}"):
            if not rest or rest == [""]:
                return None
            return found | {part[1:-2]: unquote("/".join(rest))}
        if not rest:
            return None
        if part.startswith("{"):
            found[part[1:-1]] = unquote(rest[0])
        elif part != rest[0]:
            return None
    return found if len(given) == len(wanted) else None


def source_of(route: str) -> str:
    """A route as it stands in ARNs: ``POST/{proxy+}``."""
    return "$default" if route == STAGE else route.replace(" ", "", 1)
