"""Lambda's resource types."""

# ruff: noqa: ARG002 - every kind has the same methods

from __future__ import annotations

import io
import zipfile
from contextlib import suppress
from typing import Any

from sls_ml.local.cloudformation.kind import (
    Kind,
    Made,
    Properties,
    PutWhole,
    ResourceError,
    Site,
    numbers,
    picked,
    tag_map,
)

_CONFIGURATION = (
    "Description",
    "EphemeralStorage",
    "Environment",
    "Handler",
    "LoggingConfig",
    "MemorySize",
    "Role",
    "Runtime",
    "SnapStart",
    "Timeout",
    "TracingConfig",
)


def _configuration(properties: Properties) -> dict[str, Any]:
    values = numbers(picked(properties, *_CONFIGURATION), "MemorySize", "Timeout")
    if variables := (values.get("Environment") or {}).get("Variables"):
        values["Environment"] = {"Variables": {name: _text(value) for name, value in variables.items()}}
    return values


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _code(properties: Properties) -> dict[str, Any]:
    code = properties["Code"]
    if "ZipFile" in code:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("index.py", code["ZipFile"])
        return {"ZipFile": buffer.getvalue()}
    return picked(code, "S3Bucket", "S3Key", "S3ObjectVersion")


class Function(Kind):
    """``AWS::Lambda::Function``."""

    carried = frozenset(
        {"Architectures", "Code", "FunctionName", "PackageType", "ReservedConcurrentExecutions", "Tags"}
        | (set(_CONFIGURATION) - {"TracingConfig"})
    )
    passed_over = frozenset(
        {
            "DeadLetterConfig",
            "KmsKeyArn",
            "RecursiveLoop",
            "RuntimeManagementConfig",
            "TracingConfig",
            "VpcConfig",
        }
    )
    replaces = frozenset({"FunctionName", "PackageType"})

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Create the function, and set aside its reserved concurrency."""
        function = properties.get("FunctionName", name)
        answer = site.client("lambda").create_function(
            FunctionName=function,
            Code=_code(properties),
            Tags=tag_map(properties),
            **picked(properties, "Architectures", "PackageType"),
            **_configuration(properties),
        )
        made = Made(function, {"Arn": answer["FunctionArn"]})
        try:
            self._reserve(site, function, properties)
        except Exception:
            self.delete(site, made, properties)
            raise
        return made

    def live(self, site: Site, made: Made, properties: Properties) -> dict[str, Any] | None:
        """The configuration, of what the template gives."""
        client = site.client("lambda")
        try:
            found = client.get_function_configuration(FunctionName=made.physical)
        except client.exceptions.ResourceNotFoundException:
            return None
        compared = {"Environment", "Handler", "MemorySize", "Role", "Runtime", "Timeout"}
        return {name: found[name] for name in sorted(compared & set(properties))}

    def update(self, site: Site, made: Made, old: Properties, new: Properties) -> Made:
        """Update configuration, code, concurrency and tags."""
        client = site.client("lambda")
        if _configuration(old) != _configuration(new):
            defaults = {
                "Description": "",
                "EphemeralStorage": {"Size": 512},
                "Environment": {"Variables": {}},
                "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{made.physical}"},
                "MemorySize": 128,
                "SnapStart": {"ApplyOn": "None"},
                "Timeout": 3,
                "TracingConfig": {"Mode": "PassThrough"},
            }
            client.update_function_configuration(
                FunctionName=made.physical, **{**defaults, **_configuration(new)}
            )
        if old["Code"] != new["Code"] or old.get("Architectures") != new.get("Architectures"):
            client.update_function_code(
                FunctionName=made.physical, **_code(new), **picked(new, "Architectures")
            )
        if old.get("ReservedConcurrentExecutions") != new.get("ReservedConcurrentExecutions"):
            self._reserve(site, made.physical, new)
        arn = made.attributes["Arn"]
        if gone := sorted(set(tag_map(old)) - set(tag_map(new))):
            client.untag_resource(Resource=arn, TagKeys=gone)
        if tags := tag_map(new):
            client.tag_resource(Resource=arn, Tags=tags)
        return made

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Delete the function with all its versions."""
        client = site.client("lambda")
        with suppress(client.exceptions.ResourceNotFoundException):
            client.delete_function(FunctionName=made.physical)

    @staticmethod
    def _reserve(site: Site, function: str, properties: Properties) -> None:
        client = site.client("lambda")
        if "ReservedConcurrentExecutions" in properties:
            count = int(properties["ReservedConcurrentExecutions"])
            client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=count)
        else:
            client.delete_function_concurrency(FunctionName=function)


class Version(Kind):
    """``AWS::Lambda::Version``."""

    carried = frozenset({"FunctionName", "Description", "CodeSha256"})
    passed_over = frozenset({"ProvisionedConcurrencyConfig", "RuntimePolicy"})
    replaces = carried | passed_over

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Publish; unchanged code and configuration make no new version, which CloudFormation refuses."""
        client = site.client("lambda")
        function = properties["FunctionName"]
        before = {v["Version"] for v in client.list_versions_by_function(FunctionName=function)["Versions"]}
        answer = client.publish_version(
            FunctionName=function, **picked(properties, "Description", "CodeSha256")
        )
        if answer["Version"] in before:
            raise ResourceError(
                f"A version for this Lambda function exists ( {answer['Version']} ). "
                "Modify the function to create a new version."
            )
        arn = answer["FunctionArn"]
        return Made(arn, {"Version": answer["Version"], "FunctionArn": arn})

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Delete this one version."""
        client = site.client("lambda")
        with suppress(client.exceptions.ResourceNotFoundException):
            client.delete_function(FunctionName=made.physical)


class Alias(Kind):
    """``AWS::Lambda::Alias``."""

    carried = frozenset({"Name", "FunctionName", "FunctionVersion", "Description", "RoutingConfig"})
    passed_over = frozenset({"ProvisionedConcurrencyConfig"})
    replaces = frozenset({"Name", "FunctionName"})

    @staticmethod
    def _target(properties: Properties) -> dict[str, Any]:
        weights = (properties.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or []
        return {
            "FunctionName": properties["FunctionName"],
            "Name": properties["Name"],
            "FunctionVersion": str(properties["FunctionVersion"]),
            "Description": properties.get("Description", ""),
            "RoutingConfig": {
                "AdditionalVersionWeights": {
                    str(w["FunctionVersion"]): float(w["FunctionWeight"]) for w in weights
                }
            },
        }

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Create the alias."""
        arn = site.client("lambda").create_alias(**self._target(properties))["AliasArn"]
        return Made(arn, {"AliasArn": arn})

    def live(self, site: Site, made: Made, properties: Properties) -> dict[str, Any] | None:
        """The version that it sends the traffic to."""
        client = site.client("lambda")
        try:
            found = client.get_alias(FunctionName=properties["FunctionName"], Name=properties["Name"])
        except client.exceptions.ResourceNotFoundException:
            return None
        return {"FunctionVersion": found["FunctionVersion"]}

    def update(self, site: Site, made: Made, old: Properties, new: Properties) -> Made:
        """Move the alias, all at once."""
        site.client("lambda").update_alias(**self._target(new))
        return made

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Delete the alias."""
        client = site.client("lambda")
        with suppress(client.exceptions.ResourceNotFoundException):
            client.delete_alias(FunctionName=properties["FunctionName"], Name=properties["Name"])


class Url(Kind):
    """``AWS::Lambda::Url``."""

    carried = frozenset({"TargetFunctionArn", "Qualifier", "AuthType", "Cors", "InvokeMode"})
    replaces = frozenset({"TargetFunctionArn", "Qualifier"})

    @staticmethod
    def _values(properties: Properties) -> dict[str, Any]:
        values = picked(properties, "AuthType", "Qualifier", "InvokeMode")
        return values | {
            "Cors": properties.get("Cors") or {},
            "FunctionName": properties["TargetFunctionArn"],
        }

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Open the URL."""
        answer = site.client("lambda").create_function_url_config(**self._values(properties))
        attributes = {"FunctionArn": answer["FunctionArn"], "FunctionUrl": answer["FunctionUrl"]}
        return Made(answer["FunctionArn"], attributes)

    def update(self, site: Site, made: Made, old: Properties, new: Properties) -> Made:
        """Change authentication and CORS of the same URL."""
        site.client("lambda").update_function_url_config(**self._values(new))
        return made

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Close the URL."""
        client = site.client("lambda")
        where = {"FunctionName": properties["TargetFunctionArn"]} | picked(properties, "Qualifier")
        with suppress(client.exceptions.ResourceNotFoundException):
            client.delete_function_url_config(**where)


class Permission(Kind):
    """``AWS::Lambda::Permission``."""

    carried = frozenset(
        {
            "Action",
            "EventSourceToken",
            "FunctionName",
            "FunctionUrlAuthType",
            "InvokedViaFunctionUrl",
            "Principal",
            "PrincipalOrgID",
            "SourceAccount",
            "SourceArn",
        }
    )
    replaces = carried

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Add the statement, named as CloudFormation names it."""
        site.client("lambda").add_permission(StatementId=name, **properties)
        return Made(name, {"Id": name})

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Take the statement out."""
        client = site.client("lambda")
        with suppress(client.exceptions.ResourceNotFoundException):
            client.remove_permission(FunctionName=properties["FunctionName"], StatementId=made.physical)


class EventSourceMapping(Kind):
    """``AWS::Lambda::EventSourceMapping`` of a queue."""

    _changeable = (
        "BatchSize",
        "Enabled",
        "FunctionName",
        "FunctionResponseTypes",
        "MaximumBatchingWindowInSeconds",
        "ScalingConfig",
    )
    carried = frozenset({"EventSourceArn", *_changeable})
    passed_over = frozenset({"Tags", "MetricsConfig"})
    replaces = frozenset({"EventSourceArn"})

    def _values(self, properties: Properties) -> dict[str, Any]:
        values = picked(properties, *self._changeable)
        return numbers(values, "BatchSize", "MaximumBatchingWindowInSeconds")

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Start polling."""
        answer = site.client("lambda").create_event_source_mapping(
            EventSourceArn=properties["EventSourceArn"], **self._values(properties)
        )
        return Made(
            answer["UUID"], {"Id": answer["UUID"], "EventSourceMappingArn": answer["EventSourceMappingArn"]}
        )

    def update(self, site: Site, made: Made, old: Properties, new: Properties) -> Made:
        """Poll with other values."""
        defaults = {"Enabled": True, "FunctionResponseTypes": []}
        site.client("lambda").update_event_source_mapping(
            UUID=made.physical, **{**defaults, **self._values(new)}
        )
        return made

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Stop polling."""
        client = site.client("lambda")
        with suppress(client.exceptions.ResourceNotFoundException):
            client.delete_event_source_mapping(UUID=made.physical)


class EventInvokeConfig(PutWhole):
    """``AWS::Lambda::EventInvokeConfig``."""

    carried = frozenset({"FunctionName", "Qualifier", "MaximumEventAgeInSeconds", "MaximumRetryAttempts"})
    passed_over = frozenset({"DestinationConfig"})
    replaces = frozenset({"FunctionName", "Qualifier"})

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Set the retries of asynchronous calls."""
        values = numbers(
            picked(properties, *self.carried), "MaximumEventAgeInSeconds", "MaximumRetryAttempts"
        )
        site.client("lambda").put_function_event_invoke_config(**values)
        return Made(name)

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Back to Lambda's defaults."""
        client = site.client("lambda")
        with suppress(client.exceptions.ResourceNotFoundException):
            client.delete_function_event_invoke_config(**picked(properties, "FunctionName", "Qualifier"))
