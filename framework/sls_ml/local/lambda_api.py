"""Lambda's API of functions, versions and calls; what hangs on a function is in lambda_attachments."""

# ruff: noqa: ARG002 - every operation takes the same

from __future__ import annotations

import base64
import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.s3.models import s3_backends

from sls_ml.local import lambda_answers as answers
from sls_ml.local.authorisation import allows, statements_of
from sls_ml.local.event_sources import EventSources
from sls_ml.local.function_host import FunctionHost, ThrottledError
from sls_ml.local.function_url import FunctionUrls
from sls_ml.local.functions import Configuration, Function, Functions, LambdaError, invalid
from sls_ml.local.lambda_attachments import LambdaAttachments
from sls_ml.local.service import Operation, ServiceError

EVENT_BYTES = 1_048_576
"""https://docs.aws.amazon.com/lambda/latest/dg/API_Invoke.html, read on 2026-11-24."""

RETRY_SECONDS = (60.0, 120.0)
"""How long an asynchronous call that failed waits before each further try."""

_RESERVED_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LambdaApi:
    """All of Lambda, for one account and region."""

    account: str
    region: str
    functions: Functions
    host: FunctionHost
    urls: FunctionUrls
    sources: EventSources
    stopping: threading.Event

    def operations(self) -> dict[str, Operation]:
        """Lambda's operations, by name."""
        named: dict[str, Operation] = {
            "CreateFunction": self._create_function,
            "DeleteFunction": self._delete_function,
            "GetFunction": self._get_function,
            "GetFunctionConfiguration": self._get_function_configuration,
            "Invoke": self._invoke,
            "ListFunctions": self._list_functions,
            "ListVersionsByFunction": self._list_versions_by_function,
            "PublishVersion": self._publish_version,
            "UpdateFunctionCode": self._update_function_code,
            "UpdateFunctionConfiguration": self._update_function_configuration,
        }
        attached = LambdaAttachments(self.functions, self.urls, self.sources).operations()
        return {name: _translated(operation) for name, operation in (named | attached).items()}

    def resource(self, params: Mapping[str, Any]) -> str:
        """The ARN that a call is about, for policies."""
        name = params.get("FunctionName")
        if not name:
            return "*"
        plain, qualifier = self.functions.split(name, params.get("Qualifier"))
        arn = f"arn:aws:lambda:{self.region}:{self.account}:function:{plain}"
        return f"{arn}:{qualifier}" if qualifier else arn

    # Functions and versions

    def _create_function(self, params: dict[str, Any]) -> Any:
        if params.get("PackageType", "Zip") != "Zip" or params.get("Layers"):
            raise invalid("The embedded cloud runs zip packages without layers.")
        self._check_role(params["Role"])
        values = {"runtime": params["Runtime"], "handler": params["Handler"], **self._values(params)}
        code = self.functions.unpack(self._package(params["Code"]))
        function = self.functions.create(
            params["FunctionName"], tags=params.get("Tags") or {}, code=code, **values
        )
        if params.get("Publish"):
            return answers.configuration(self._published(function.latest.name, None, None))
        return answers.configuration(function.latest)

    def _package(self, code: Mapping[str, Any]) -> bytes:
        if "ZipFile" in code:
            body = code["ZipFile"]
            return body if isinstance(body, bytes) else base64.b64decode(body)
        if "S3Bucket" not in code:
            raise invalid("The embedded cloud runs zip packages only.")
        try:
            found = s3_backends[self.account]["aws"].get_object(
                code["S3Bucket"], code["S3Key"], version_id=code.get("S3ObjectVersion")
            )
        except Exception as error:
            raise invalid(f"Error occurred while GetObject. S3 Error Message: {error}") from error
        if found is None:
            raise invalid(
                "Error occurred while GetObject. S3 Error Code: NoSuchKey. "
                "S3 Error Message: The specified key does not exist."
            )
        return bytes(found.value)

    def _check_role(self, arn: str) -> None:
        try:
            role = iam_backends[self.account]["aws"].get_role_by_arn(arn)
        except NotFoundException as error:
            raise invalid("The role defined for the function cannot be assumed by Lambda.") from error
        trust = statements_of(role.assume_role_policy_document)
        if not allows("sts:AssumeRole", arn, resource_policy=trust, service="lambda.amazonaws.com"):
            raise invalid("The role defined for the function cannot be assumed by Lambda.")

    def _values(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Fields of a configuration from the members that a call gives."""
        plain = {
            "Description": "description",
            "Handler": "handler",
            "MemorySize": "memory",
            "Role": "role",
            "Runtime": "runtime",
            "Timeout": "timeout",
        }
        values = {field: params[name] for name, field in plain.items() if name in params}
        if (runtime := values.get("runtime")) and not runtime.startswith("python3."):
            raise invalid(f"The embedded cloud runs Python, not {runtime}.")
        if "Architectures" in params:
            values["architecture"] = params["Architectures"][0]
        if "Environment" in params:
            variables = params["Environment"].get("Variables") or {}
            if taken := sorted(set(variables) & set(_RESERVED_VARIABLES)):
                raise invalid(
                    "Lambda was unable to configure your environment variables because the environment "
                    "variables you have provided contains reserved keys that are currently not supported for "
                    f"modification. Reserved keys used in this request: {', '.join(taken)}"
                )
            values["environment"] = dict(variables)
        if "EphemeralStorage" in params:
            values["storage"] = params["EphemeralStorage"]["Size"]
        if "TracingConfig" in params:
            values["tracing"] = params["TracingConfig"]["Mode"]
        if "SnapStart" in params:
            values["snap_start"] = params["SnapStart"]["ApplyOn"] == "PublishedVersions"
        if logging_ := params.get("LoggingConfig"):
            values["log_format"] = logging_.get("LogFormat", "Text")
            if group := logging_.get("LogGroup"):
                values["log_group"] = group
            levels = {"application": "ApplicationLogLevel", "system": "SystemLogLevel"}
            values["log_levels"] = {k: logging_[name] for k, name in levels.items() if name in logging_}
        return values

    def _update_function_code(self, params: dict[str, Any]) -> Any:
        code = self.functions.unpack(self._package(params))
        before = self.functions.get(params["FunctionName"]).latest
        function = self.functions.update(params["FunctionName"], code=code, **self._values(params))
        self.host.forget(before)
        if params.get("Publish"):
            return answers.configuration(self._published(function.latest.name, None, None))
        return answers.configuration(function.latest)

    def _update_function_configuration(self, params: dict[str, Any]) -> Any:
        if "Role" in params:
            self._check_role(params["Role"])
        before = self.functions.get(params["FunctionName"]).latest
        function = self.functions.update(params["FunctionName"], **self._values(params))
        self.host.forget(before)
        return answers.configuration(function.latest)

    def _get_function(self, params: dict[str, Any]) -> Any:
        function, configuration = self.functions.resolve(params["FunctionName"], params.get("Qualifier"))
        answer = {"Configuration": answers.configuration(configuration), "Tags": function.tags}
        if function.reserved is not None:
            answer["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved}
        return answer

    def _get_function_configuration(self, params: dict[str, Any]) -> Any:
        return answers.configuration(
            self.functions.resolve(params["FunctionName"], params.get("Qualifier"))[1]
        )

    def _list_functions(self, params: dict[str, Any]) -> Any:
        return {"Functions": [answers.configuration(function.latest) for function in self.functions.all()]}

    def _delete_function(self, params: dict[str, Any]) -> Any:
        name, qualifier = self.functions.split(params["FunctionName"], params.get("Qualifier"))
        function = self.functions.get(name)
        gone = self.functions.delete(name, qualifier)
        if qualifier is None:
            for url in function.urls.values():
                self.urls.close(url)
            self.sources.remove_function(name)
        self.host.forget(*gone)
        return {}

    def _publish_version(self, params: dict[str, Any]) -> Any:
        return answers.configuration(
            self._published(params["FunctionName"], params.get("Description"), params.get("CodeSha256"))
        )

    def _published(self, name: str, description: str | None, sha256: str | None) -> Configuration:
        """Publish a version; one with SnapStart only when it could be initialised."""
        before = set(self.functions.get(name).versions)
        version = self.functions.publish(name, description, sha256)
        if version.snapped and version.version not in before:
            try:
                self.host.snapshot(version)
            except LambdaError:
                self.functions.delete(name, version.version)
                raise
        return version

    def _list_versions_by_function(self, params: dict[str, Any]) -> Any:
        function = self.functions.get(params["FunctionName"])
        return {
            "Versions": [answers.configuration(c) for c in (function.latest, *function.versions.values())]
        }

    # Calls

    def _invoke(self, params: dict[str, Any]) -> Any:
        name, qualifier = self.functions.split(params["FunctionName"], params.get("Qualifier"))
        function, configuration = self.functions.resolve(name, qualifier)
        payload = params.get("Payload") or b"{}"
        payload = payload if isinstance(payload, bytes) else payload.encode()
        try:
            json.loads(payload)
        except ValueError as error:
            raise LambdaError(
                "InvalidRequestContentException", f"Could not parse request body into json: {error}"
            ) from error
        match params.get("InvocationType", "RequestResponse"):
            case "DryRun":
                return {"StatusCode": 204}
            case "Event":
                if len(payload) > EVENT_BYTES:
                    raise LambdaError(
                        "RequestTooLargeException",
                        f"Request must be smaller than {EVENT_BYTES} bytes for the InvokeFunction operation",
                    )
                arguments = (function, configuration, payload, qualifier)
                threading.Thread(target=self._later, args=arguments, daemon=True).start()
                return {"StatusCode": 202}
            case _:
                outcome = self.host.invoke(
                    function,
                    configuration,
                    payload,
                    qualifier=qualifier,
                    client_context=_client_context(params.get("ClientContext")),
                )
                answer: dict[str, Any] = {
                    "StatusCode": 200,
                    "ExecutedVersion": outcome.version,
                    "Payload": outcome.payload,
                }
                if outcome.failed:
                    answer["FunctionError"] = "Unhandled"
                if params.get("LogType") == "Tail":
                    answer["LogResult"] = base64.b64encode(outcome.log_tail).decode()
                return answer

    def _later(
        self, function: Function, configuration: Configuration, payload: bytes, qualifier: str | None
    ) -> None:
        """An asynchronous call with its retries."""
        tries = function.event_invoke.get(qualifier, {}).get("MaximumRetryAttempts", len(RETRY_SECONDS))
        for pause in (*RETRY_SECONDS[:tries], None):
            try:
                if not self.host.invoke(function, configuration, payload, qualifier=qualifier).failed:
                    return
            except ThrottledError as error:
                _log.warning("%s: an asynchronous call was throttled: %s", configuration.name, error)
            if pause is None or self.stopping.wait(pause):
                return


def _translated(operation: Operation) -> Operation:
    def call(params: dict[str, Any]) -> Any:
        try:
            return operation(params)
        except LambdaError as error:
            raise ServiceError(error.code, str(error)) from error

    return call


def _client_context(encoded: str | None) -> str | None:
    return base64.b64decode(encoded).decode() if encoded else None
