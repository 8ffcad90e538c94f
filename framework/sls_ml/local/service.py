"""A service of the embedded cloud that is ours: mounted in moto's server in place of moto's own.

moto still reads the request and writes the answer by botocore's model; who calls, whether they may, and what
then happens is ours.
"""

from __future__ import annotations

import io
import logging
import uuid
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse

from sls_ml.local.authorisation import DeniedError, Request, allows, authenticate

Operation = Callable[[dict[str, Any]], Any]
"""Takes the parsed parameters, gives the members of the answer."""


class ServiceError(ServiceException):
    """An error that the service answers: its code in botocore's model, and a message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)


_log = logging.getLogger("sls_ml.local")

BODY = "sls_ml.body"
"""Where the body lies in the WSGI environment as it came: reading a form consumes it."""

_mounted: set[str] = set()
_ACTIONS = {"Invoke": "InvokeFunction"}
"""Operations whose name in policies is another."""


def keep_body(environ: dict[str, Any]) -> None:
    """Keep the body of a request to a mounted service, whose signature covers it."""
    if any(f"/{service}/aws4_request" in environ.get("HTTP_AUTHORIZATION", "") for service in _mounted):
        environ[BODY] = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(environ[BODY])


def _everything(_params: Mapping[str, Any]) -> str:
    return "*"


def mount(
    service: str,
    module: str,
    operations: Mapping[str, Operation],
    account: str,
    resource: Callable[[Mapping[str, Any]], str] = _everything,
) -> None:
    """Answer a service's calls with our operations.

    Args:
        service: Its name in boto3, such as ``lambda``.
        module: moto's package for it, such as ``awslambda``.
        operations: By the operation's name in botocore's model; any other is refused by name.
        account: Account of the callers.
        resource: The ARN that a call with these parameters is about, for policies.
    """

    class Response(BaseResponse):
        def __init__(self) -> None:
            super().__init__(service_name=service)
            self.automated_parameter_parsing = True

        def call_action(self) -> Any:
            action = self._get_action()
            refused = False
            try:
                if action not in operations:
                    raise ServiceError("NotImplemented", f"The embedded cloud has no {service}:{action}")
                params = {**self.uri_match, **self.params}
                try:
                    self._authorise(action, resource(params))
                except DeniedError as error:
                    refused = True
                    raise ServiceError(error.code, str(error)) from error
                result: object = operations[action](params)
            except ServiceException as error:
                result = error
            except OSError as error:  # a full disk, above all
                _log.exception("%s:%s", service, action)
                result = ServiceError("EmbeddedCloudFailed", f"the embedded cloud cannot go on: {error}")
            status, headers, body = self.serialized(ActionResult(result))
            if isinstance(result, Mapping):  # Lambda's Invoke tells by the status; moto's serializer does not
                status = result.get("StatusCode", status)
            answered = {name: str(value) for name, value in headers.items()}
            answered["x-amzn-RequestId"] = str(uuid.uuid4())
            return 403 if refused else status, answered, body

        def _authorise(self, action: str, arn: str) -> None:
            environ = self.normalized_request.environ
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = environ.get(BODY, b"")
            target = environ.get("RAW_URI") or environ["PATH_INFO"]
            signed = Request(self.method, headers.get("host", ""), target, headers, body)
            caller = authenticate(signed, account=account, service=service)
            name = f"{service}:{_ACTIONS.get(action, action)}"
            if not allows(name, arn, identity=caller.statements):
                raise DeniedError(
                    "AccessDeniedException", f"User: {caller.arn} is not authorized to perform: {name}"
                )

    _mounted.add(service)
    urls: Any = import_module(f"moto.{module}.urls")
    urls.url_paths = {r"{0}/(?P<path>.*)$": Response.dispatch, "{0}/$": Response.dispatch}
