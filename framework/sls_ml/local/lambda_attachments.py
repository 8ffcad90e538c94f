"""Lambda's API of what hangs on a function: aliases, URLs, permissions, concurrency, tags, event sources."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sls_ml.local import lambda_answers as answers
from sls_ml.local.event_sources import EventSources
from sls_ml.local.function_url import FunctionUrls
from sls_ml.local.functions import Alias, Function, Functions, LambdaError, Url, invalid
from sls_ml.local.service import Operation


@dataclass(frozen=True)
class LambdaAttachments:
    """Operations on what hangs on a function, for one account and region."""

    functions: Functions
    urls: FunctionUrls
    sources: EventSources

    def operations(self) -> dict[str, Operation]:
        """The operations, by name; they raise LambdaError."""
        return {
            "AddPermission": self._add_permission,
            "CreateAlias": self._create_alias,
            "CreateEventSourceMapping": self._create_event_source_mapping,
            "CreateFunctionUrlConfig": self._create_function_url_config,
            "DeleteAlias": self._delete_alias,
            "DeleteEventSourceMapping": self._delete_event_source_mapping,
            "DeleteFunctionConcurrency": self._delete_function_concurrency,
            "DeleteFunctionEventInvokeConfig": self._delete_function_event_invoke_config,
            "DeleteFunctionUrlConfig": self._delete_function_url_config,
            "GetAlias": self._get_alias,
            "GetEventSourceMapping": self._get_event_source_mapping,
            "GetFunctionConcurrency": self._get_function_concurrency,
            "GetFunctionEventInvokeConfig": self._get_function_event_invoke_config,
            "GetFunctionUrlConfig": self._get_function_url_config,
            "GetPolicy": self._get_policy,
            "ListAliases": self._list_aliases,
            "ListEventSourceMappings": self._list_event_source_mappings,
            "ListFunctionUrlConfigs": self._list_function_url_configs,
            "ListTags": self._list_tags,
            "PutFunctionConcurrency": self._put_function_concurrency,
            "PutFunctionEventInvokeConfig": self._put_function_event_invoke_config,
            "RemovePermission": self._remove_permission,
            "TagResource": self._tag_resource,
            "UntagResource": self._untag_resource,
            "UpdateAlias": self._update_alias,
            "UpdateEventSourceMapping": self._update_event_source_mapping,
            "UpdateFunctionUrlConfig": self._update_function_url_config,
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


def _alias(function: Function, name: str) -> Alias:
    if name not in function.aliases:
        raise LambdaError(
            "ResourceNotFoundException", f"Cannot find alias arn: {function.latest.function_arn}:{name}"
        )
    return function.aliases[name]
