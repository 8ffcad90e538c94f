"""Lambda's API: what callers send, over the functions, their host, their URLs and their event sources."""

# ruff: noqa: ARG002 - every operation takes the same

from __future__ import annotations

import base64
import json
import logging
import threading
import uuid
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
from sls_ml.local.functions import Alias, Configuration, Function, Functions, LambdaError, Url, invalid
from sls_ml.local.service import Operation, ServiceError

EVENT_BYTES = 1_048_576
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
            "AddPermission": self._add_permission,
            "CreateAlias": self._create_alias,
            "CreateEventSourceMapping": self._create_event_source_mapping,
            "CreateFunction": self._create_function,
            "CreateFunctionUrlConfig": self._create_function_url_config,
            "DeleteAlias": self._delete_alias,
            "DeleteEventSourceMapping": self._delete_event_source_mapping,
            "DeleteFunction": self._delete_function,
            "DeleteFunctionConcurrency": self._delete_function_concurrency,
            "DeleteFunctionEventInvokeConfig": self._delete_function_event_invoke_config,
            "DeleteFunctionUrlConfig": self._delete_function_url_config,
            "GetAlias": self._get_alias,
            "GetEventSourceMapping": self._get_event_source_mapping,
            "GetFunction": self._get_function,
            "GetFunctionConcurrency": self._get_function_concurrency,
            "GetFunctionConfiguration": self._get_function_configuration,
            "GetFunctionEventInvokeConfig": self._get_function_event_invoke_config,
            "GetFunctionUrlConfig": self._get_function_url_config,
            "GetPolicy": self._get_policy,
            "Invoke": self._invoke,
            "ListAliases": self._list_aliases,
            "ListEventSourceMappings": self._list_event_source_mappings,
            "ListFunctionUrlConfigs": self._list_function_url_configs,
            "ListFunctions": self._list_functions,
            "ListTags": self._list_tags,
            "ListVersionsByFunction": self._list_versions_by_function,
            "PublishVersion": self._publish_version,
            "PutFunctionConcurrency": self._put_function_concurrency,
            "PutFunctionEventInvokeConfig": self._put_function_event_invoke_config,
            "RemovePermission": self._remove_permission,
            "TagResource": self._tag_resource,
            "UntagResource": self._untag_resource,
            "UpdateAlias": self._update_alias,
            "UpdateEventSourceMapping": self._update_event_source_mapping,
            "UpdateFunctionCode": self._update_function_code,
            "UpdateFunctionConfiguration": self._update_function_configuration,
            "UpdateFunctionUrlConfig": self._update_function_url_config,
        }
        return {name: _translated(operation) for name, operation in named.items()}

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

    # Aliases

    def _create_alias(self, params: dict[str, Any]) -> Any:
        function = self.functions.get(params["FunctionName"])
        name = params["Name"]
        if name in function.aliases:
            raise LambdaError("ResourceConflictException", f"Alias already exists: {name}")
        return self._set_alias(function, name, params)

    def _update_alias(self, params: dict[str, Any]) -> Any:
        function = self.functions.get(params["FunctionName"])
        alias = _alias(function, params["Name"])
        return self._set_alias(
            function,
            alias.name,
            {
                "FunctionVersion": alias.version,
                "Description": alias.description,
                "RoutingConfig": {"AdditionalVersionWeights": alias.weights},
                **params,
            },
        )

    @staticmethod
    def _set_alias(function: Function, name: str, params: Mapping[str, Any]) -> Any:
        weights = (params.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        for number in (params["FunctionVersion"], *weights):
            if number != "$LATEST" and number not in function.versions:
                raise LambdaError(
                    "ResourceNotFoundException",
                    f"Function not found: {function.latest.function_arn}:{number}",
                )
        alias = Alias(
            name, params["FunctionVersion"], params.get("Description", ""), dict(weights), str(uuid.uuid4())
        )
        function.aliases[name] = alias
        return answers.alias(function, alias)

    def _get_alias(self, params: dict[str, Any]) -> Any:
        function = self.functions.get(params["FunctionName"])
        return answers.alias(function, _alias(function, params["Name"]))

    def _list_aliases(self, params: dict[str, Any]) -> Any:
        function = self.functions.get(params["FunctionName"])
        wanted = params.get("FunctionVersion")
        found = [a for a in function.aliases.values() if wanted in (None, a.version)]
        return {"Aliases": [answers.alias(function, alias) for alias in found]}

    def _delete_alias(self, params: dict[str, Any]) -> Any:
        self.functions.get(params["FunctionName"]).aliases.pop(params["Name"], None)
        return {}

    # URLs

    def _url_owner(self, params: Mapping[str, Any]) -> tuple[Function, str | None]:
        name, qualifier = self.functions.split(params["FunctionName"], params.get("Qualifier"))
        return self.functions.get(name), qualifier

    def _create_function_url_config(self, params: dict[str, Any]) -> Any:
        function, qualifier = self._url_owner(params)
        if params.get("InvokeMode", "BUFFERED") != "BUFFERED":
            raise invalid("The embedded cloud has no response streaming.")
        if qualifier is not None:
            _alias(function, qualifier)
        if qualifier in function.urls:
            raise LambdaError("ResourceConflictException", "Failed to create function url config: it exists")
        url = self.urls.open(function, qualifier, params["AuthType"], params.get("Cors") or {})
        function.urls[qualifier] = url
        return answers.url(function, url)

    def _url(self, params: Mapping[str, Any]) -> tuple[Function, Url]:
        function, qualifier = self._url_owner(params)
        if qualifier not in function.urls:
            raise LambdaError("ResourceNotFoundException", "The resource you requested does not exist.")
        return function, function.urls[qualifier]

    def _get_function_url_config(self, params: dict[str, Any]) -> Any:
        return answers.url(*self._url(params))

    def _list_function_url_configs(self, params: dict[str, Any]) -> Any:
        function = self.functions.get(params["FunctionName"])
        return {"FunctionUrlConfigs": [answers.url(function, url) for url in function.urls.values()]}

    def _update_function_url_config(self, params: dict[str, Any]) -> Any:
        function, url = self._url(params)
        url.auth = params.get("AuthType", url.auth)
        url.cors = params.get("Cors", url.cors)
        return answers.url(function, url)

    def _delete_function_url_config(self, params: dict[str, Any]) -> Any:
        function, url = self._url(params)
        del function.urls[url.qualifier]
        self.urls.close(url)
        return {}

    # Permissions, concurrency, tags

    def _add_permission(self, params: dict[str, Any]) -> Any:
        function, qualifier = self._url_owner(params)
        if any(s["Sid"] == params["StatementId"] for s in function.policy):
            raise LambdaError(
                "ResourceConflictException",
                f"The statement id ({params['StatementId']}) provided already exists.",
            )
        statement = answers.statement(params, function.latest.function_arn, qualifier)
        function.policy.append(statement)
        return {"Statement": json.dumps(statement)}

    def _remove_permission(self, params: dict[str, Any]) -> Any:
        function = self.functions.get(params["FunctionName"])
        kept = [s for s in function.policy if s["Sid"] != params["StatementId"]]
        if len(kept) == len(function.policy):
            raise LambdaError("ResourceNotFoundException", f"Statement {params['StatementId']} is not found")
        function.policy[:] = kept
        return {}

    def _get_policy(self, params: dict[str, Any]) -> Any:
        function, qualifier = self._url_owner(params)
        arn = function.latest.function_arn + (f":{qualifier}" if qualifier else "")
        statements = [s for s in function.policy if s["Resource"] == arn]
        if not statements:
            raise LambdaError("ResourceNotFoundException", "The resource you requested does not exist.")
        policy = {"Version": "2012-10-17", "Id": "default", "Statement": statements}
        return {"Policy": json.dumps(policy), "RevisionId": function.latest.revision}

    def _put_function_concurrency(self, params: dict[str, Any]) -> Any:
        function = self.functions.get(params["FunctionName"])
        function.reserved = params["ReservedConcurrentExecutions"]
        return {"ReservedConcurrentExecutions": function.reserved}

    def _get_function_concurrency(self, params: dict[str, Any]) -> Any:
        reserved = self.functions.get(params["FunctionName"]).reserved
        return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}

    def _delete_function_concurrency(self, params: dict[str, Any]) -> Any:
        self.functions.get(params["FunctionName"]).reserved = None
        return {}

    def _list_tags(self, params: dict[str, Any]) -> Any:
        return {"Tags": self.functions.get(params["Resource"]).tags}

    def _tag_resource(self, params: dict[str, Any]) -> Any:
        self.functions.get(params["Resource"]).tags.update(params["Tags"])
        return {}

    def _untag_resource(self, params: dict[str, Any]) -> Any:
        tags = self.functions.get(params["Resource"]).tags
        for key in params["TagKeys"]:
            tags.pop(key, None)
        return {}

    # Event sources

    def _create_event_source_mapping(self, params: dict[str, Any]) -> Any:
        return answers.mapping(self.sources.add(params))

    def _get_event_source_mapping(self, params: dict[str, Any]) -> Any:
        return answers.mapping(self.sources.get(params["UUID"]))

    def _list_event_source_mappings(self, params: dict[str, Any]) -> Any:
        name = params.get("FunctionName")
        wanted = self.functions.split(name)[0] if name else None
        arn = params.get("EventSourceArn")
        found = [
            m
            for m in self.sources.all()
            if wanted in (None, self.functions.split(m.function)[0]) and arn in (None, m.queue_arn)
        ]
        return {"EventSourceMappings": [answers.mapping(m) for m in found]}

    def _update_event_source_mapping(self, params: dict[str, Any]) -> Any:
        return answers.mapping(self.sources.update(params["UUID"], params))

    def _delete_event_source_mapping(self, params: dict[str, Any]) -> Any:
        return {**answers.mapping(self.sources.remove(params["UUID"])), "State": "Deleting"}

    def _put_function_event_invoke_config(self, params: dict[str, Any]) -> Any:
        function, qualifier = self._url_owner(params)
        names = ("MaximumEventAgeInSeconds", "MaximumRetryAttempts")
        function.event_invoke[qualifier] = {name: params[name] for name in names if name in params}
        return self._get_function_event_invoke_config(params)

    def _get_function_event_invoke_config(self, params: dict[str, Any]) -> Any:
        function, qualifier = self._url_owner(params)
        if qualifier not in function.event_invoke:
            raise LambdaError("ResourceNotFoundException", "The resource you requested does not exist.")
        arn = f"{function.latest.function_arn}:{qualifier or '$LATEST'}"
        return {"FunctionArn": arn, **function.event_invoke[qualifier]}

    def _delete_function_event_invoke_config(self, params: dict[str, Any]) -> Any:
        self._get_function_event_invoke_config(params)
        function, qualifier = self._url_owner(params)
        del function.event_invoke[qualifier]
        return {}

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


def _alias(function: Function, name: str) -> Alias:
    if name not in function.aliases:
        raise LambdaError(
            "ResourceNotFoundException", f"Cannot find alias arn: {function.latest.function_arn}:{name}"
        )
    return function.aliases[name]
