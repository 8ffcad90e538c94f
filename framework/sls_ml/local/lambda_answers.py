"""Lambda's things as the members of its API's answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sls_ml.local.event_sources import Mapped
from sls_ml.local.functions import Alias, Configuration, Function, Url


def configuration(c: Configuration) -> dict[str, Any]:
    """A version, as GetFunctionConfiguration answers."""
    logging_ = {"LogFormat": c.log_format, "LogGroup": c.log_group}
    names = {"application": "ApplicationLogLevel", "system": "SystemLogLevel"}
    logging_ |= {names[kind]: level for kind, level in c.log_levels.items()}
    return {
        "Architectures": [c.architecture],
        "CodeSha256": c.code.sha256_base64,
        "CodeSize": c.code.size,
        "Description": c.description,
        "Environment": {"Variables": dict(c.environment)},
        "EphemeralStorage": {"Size": c.storage},
        "FunctionArn": c.arn,
        "FunctionName": c.name,
        "Handler": c.handler,
        "LastModified": c.modified,
        "LastUpdateStatus": "Successful",
        "LoggingConfig": logging_,
        "MemorySize": c.memory,
        "PackageType": "Zip",
        "RevisionId": c.revision,
        "Role": c.role,
        "Runtime": c.runtime,
        "SnapStart": {
            "ApplyOn": "PublishedVersions" if c.snap_start else "None",
            "OptimizationStatus": "On" if c.snap_start and c.version != "$LATEST" else "Off",
        },
        "State": "Active",
        "Timeout": c.timeout,
        "TracingConfig": {"Mode": c.tracing},
        "Version": c.version,
    }


def alias(function: Function, alias: Alias) -> dict[str, Any]:
    """An alias."""
    answer: dict[str, Any] = {
        "AliasArn": f"{function.latest.function_arn}:{alias.name}",
        "Name": alias.name,
        "FunctionVersion": alias.version,
        "Description": alias.description,
        "RevisionId": alias.revision,
    }
    if alias.weights:
        answer["RoutingConfig"] = {"AdditionalVersionWeights": dict(alias.weights)}
    return answer


def url(function: Function, url: Url) -> dict[str, Any]:
    """A function URL."""
    arn = function.latest.function_arn + (f":{url.qualifier}" if url.qualifier else "")
    return {
        "FunctionUrl": url.address,
        "FunctionArn": arn,
        "AuthType": url.auth,
        "Cors": dict(url.cors),
        "CreationTime": url.created,
        "LastModifiedTime": url.created,
        "InvokeMode": "BUFFERED",
    }


def statement(params: Mapping[str, Any], arn: str, qualifier: str | None) -> dict[str, Any]:
    """The statement of a resource policy that AddPermission makes."""
    principal = params["Principal"]
    if principal != "*":
        principal = {"Service" if principal.endswith(".amazonaws.com") else "AWS": principal}
    condition: dict[str, dict[str, str]] = {}
    for name, operator, key in (
        ("SourceArn", "ArnLike", "AWS:SourceArn"),
        ("SourceAccount", "StringEquals", "AWS:SourceAccount"),
        ("PrincipalOrgID", "StringEquals", "aws:PrincipalOrgID"),
        ("EventSourceToken", "StringEquals", "lambda:EventSourceToken"),
        ("FunctionUrlAuthType", "StringEquals", "lambda:FunctionUrlAuthType"),
        ("InvokedViaFunctionUrl", "Bool", "lambda:InvokedViaFunctionUrl"),
    ):
        if name in params:
            value = str(params[name]).lower() if isinstance(params[name], bool) else params[name]
            condition.setdefault(operator, {})[key] = value
    statement: dict[str, Any] = {
        "Sid": params["StatementId"],
        "Effect": "Allow",
        "Principal": principal,
        "Action": params["Action"],
        "Resource": f"{arn}:{qualifier}" if qualifier else arn,
    }
    return statement | ({"Condition": condition} if condition else {})


def mapping(mapping: Mapped) -> dict[str, Any]:
    """An event source mapping."""
    answer = {
        "UUID": mapping.uuid,
        "EventSourceMappingArn": mapping.arn,
        "EventSourceArn": mapping.queue_arn,
        "FunctionArn": mapping.function,
        "BatchSize": mapping.batch_size,
        "MaximumBatchingWindowInSeconds": mapping.window,
        "FunctionResponseTypes": ["ReportBatchItemFailures"] if mapping.partial else [],
        "State": "Enabled" if mapping.enabled else "Disabled",
        "StateTransitionReason": "USER_INITIATED",
        "LastModified": datetime.now(UTC),
    }
    if mapping.concurrency is not None:
        answer["ScalingConfig"] = {"MaximumConcurrency": mapping.concurrency}
    return answer
