"""Who is let into an HTTP API: signatures, tokens of an issuer, or what a function says of a request."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from sls_ml.local.api_calls import FunctionCalls, function_of
from sls_ml.local.api_tokens import Issuers, TokenRefusedError
from sls_ml.local.authorisation import DeniedError, Request, allows, authenticate
from sls_ml.local.functions import LambdaError
from sls_ml.local.payload import event_of, signed_by

Known = Mapping[str, Any] | None
"""What is known of a caller: the event's ``requestContext.authorizer``."""


class RefusedError(Exception):
    """The caller is not let in; the message is what the API says."""

    def __init__(self, status: int, message: str, *headers: tuple[str, str]) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


class Authorizers:
    """Asks whatever a route names for its authorization.

    Args:
        account: Account number.
        arn: Beginning of the ARN of every API, up to the account.
        calls: Runs functions in the name of API Gateway.
    """

    def __init__(self, *, account: str, arn: str, calls: FunctionCalls) -> None:
        self._account = account
        self._arn = arn
        self._calls = calls
        self._issuers = Issuers()
        self._remembered: dict[tuple[str, ...], tuple[float, Mapping[str, Any]]] = {}

    def ask(
        self, api: Any, route: Any, request: Request, source: str, id_: str, parameters: Mapping[str, str]
    ) -> Known:
        """What is known of a caller who may come in.

        Args:
            api: The API, as moto keeps it.
            route: The route, as moto keeps it.
            request: The request.
            source: The caller's address.
            id_: Id of the request.
            parameters: What the route's path left open.

        Raises:
            RefusedError: The caller may not.
        """
        kind = route.authorization_type or "NONE"
        if kind == "NONE":
            return None
        if kind == "AWS_IAM":
            return self._signed(api, request)
        authorizer = api.authorizers[route.authorizer_id]
        identity = identity_of(authorizer.identity_source, request)
        if kind == "JWT":
            return self._token(authorizer, identity)
        event = event_of(
            request,
            api=api.api_id,
            account=self._account,
            source=source,
            request_id=id_,
            route=route.route_key,
            path_parameters=parameters,
        )
        return self._custom(api, authorizer, identity, event, id_)

    def _signed(self, api: Any, request: Request) -> Known:
        path = request.target.partition("?")[0]
        arn = f"{self._arn}:{api.api_id}/$default/{request.method}{path}"
        try:
            caller = authenticate(request, account=self._account, service="execute-api")
        except DeniedError as error:
            raise RefusedError(403, "Forbidden") from error
        if not allows("execute-api:Invoke", arn, identity=caller.statements, principal=caller.arn):
            raise RefusedError(403, "Forbidden")
        return signed_by(caller)

    def _token(self, authorizer: Any, identity: list[str] | None) -> Known:
        if identity is None:
            raise RefusedError(401, "Unauthorized", ("www-authenticate", "Bearer"))
        settings = authorizer.jwt_config
        try:
            claims = self._issuers.claims(identity[0], settings["issuer"], settings.get("audience") or [])
        except TokenRefusedError as error:
            why = f'Bearer scope="" error="invalid_token" error_description="{error}"'
            raise RefusedError(401, "Unauthorized", ("www-authenticate", why)) from error
        return {"jwt": {"claims": claims, "scopes": None}}

    def _custom(
        self, api: Any, authorizer: Any, identity: list[str] | None, event: Mapping[str, Any], id_: str
    ) -> Known:
        if identity is None:
            raise RefusedError(401, "Unauthorized")
        key = (api.api_id, authorizer.id, *identity)
        seconds = int(authorizer.auth_result_ttl or 0)
        until, said = self._remembered.get(key, (0.0, {}))
        if time.monotonic() >= until:
            said = self._verdict(api, authorizer, identity, event, id_)
            if seconds:
                self._remembered[key] = (time.monotonic() + seconds, said)
        if said.get("isAuthorized") is not True:
            raise RefusedError(403, "Forbidden")
        return {"lambda": said["context"]} if said.get("context") else None

    def _verdict(
        self, api: Any, authorizer: Any, identity: list[str], event: Mapping[str, Any], id_: str
    ) -> Mapping[str, Any]:
        """What the authorizer's function says, in its simple form."""
        function = function_of(str(authorizer.authorizer_uri))
        failed = RefusedError(500, "Internal Server Error")
        if function is None or not authorizer.enable_simple_response:
            raise failed
        method, path = event["requestContext"]["http"]["method"], event["rawPath"]
        asked = {
            **event,
            "type": "REQUEST",
            "routeArn": f"{self._arn}:{api.api_id}/$default/{method}{path}",
            "identitySource": identity,
        }
        for left_out in ("body", "isBase64Encoded"):
            asked.pop(left_out, None)
        source_arn = f"{self._arn}:{api.api_id}/authorizers/{authorizer.id}"
        try:
            outcome = self._calls.call(function, asked, source_arn=source_arn, request_id=id_)
        except LambdaError as error:
            raise failed from error
        if outcome.failed:
            raise failed
        said: Any = json.loads(outcome.payload)
        if not isinstance(said, dict) or not isinstance(said.get("isAuthorized"), bool):
            raise failed
        return said


def identity_of(sources: Any, request: Request) -> list[str] | None:
    """What a request brings of the headers that an authorizer names; None where one is missing."""
    found = []
    for source in sources or ():
        name = str(source).removeprefix("$request.header.").lower()
        if not request.headers.get(name):
            return None
        found.append(request.headers[name])
    return found
