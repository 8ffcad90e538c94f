"""The watch for drift: a function that adds up what functions have counted each hour, and its alarms."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from string import Template
from typing import Any, Final

from sls_ml.intent.model import Deployment, Drift, Watched
from sls_ml.provider.aws import alarms, iam, names, schedules
from sls_ml.provider.aws.cloudformation import (
    ACCOUNT,
    PARTITION,
    REGION,
    Resource,
    attribute,
    ref,
    resource,
    sub,
)
from sls_ml_runtime.follow import alias_key

FUNCTION: Final = "DriftWatch"
LOGS: Final = "DriftWatchLogs"

MEMORY = 512
TIMEOUT = 300
PYTHON = "python3.13"

_HANDLER = files("sls_ml.provider.aws") / "templates" / "drift_handler.py"


def resources(deployment: Deployment, drift: Drift, store: str) -> Iterator[tuple[str, Resource]]:
    """The function that watches, its schedule, and an alarm for each model.

    Args:
        deployment: The deployment.
        drift: What is watched.
        store: The store without ``s3://``, with holes for the account and the region.
    """
    stack = names.stack_name(deployment.project, deployment.stage)
    name, aws = names.drift_name(stack), deployment.aws
    log_group = names.log_group_name(name)
    yield (
        LOGS,
        resource(
            "AWS::Logs::LogGroup",
            {
                "LogGroupName": log_group,
                "RetentionInDays": max(function.log_retention for function in deployment.functions),
                **({"KmsKeyId": aws.kms} if aws.kms else {}),
            },
        ),
    )
    yield (
        "DriftWatchAccess",
        iam.role(
            names.role_name(stack, "-drift", deployment.region),
            "lambda.amazonaws.com",
            iam.policy(may_watch(deployment, drift, store)),
            boundary=aws.permissions_boundary,
            function=None,
        ),
    )
    yield (
        FUNCTION,
        resource(
            "AWS::Lambda::Function",
            {
                "Code": {"ZipFile": _code(deployment, drift)},
                "Description": f"Watches the models of {deployment.project} for drift",
                "Environment": {"Variables": {"SLS_ML_STORE": sub(f"s3://{store}")}},
                "FunctionName": name,
                "Handler": "index.handler",
                "LoggingConfig": {"LogFormat": "JSON", "LogGroup": ref(LOGS)},
                "MemorySize": MEMORY,
                "Role": attribute("DriftWatchAccess", "Arn"),
                "Runtime": PYTHON,
                "Timeout": TIMEOUT,
            },
        ),
    )
    yield from schedules.hourly(deployment, FUNCTION)
    for watched in drift.models:
        yield alarm(deployment, watched)


def alarm(deployment: Deployment, watched: Watched) -> tuple[str, Resource]:
    """The alarm about one model."""
    of_model = {
        "Dimensions": [{"Name": "model", "Value": watched.model}],
        "MetricName": "drift",
        "Namespace": names.metrics_namespace(deployment.project, deployment.stage),
        "Period": watched.alarm.seconds,
        "Statistic": "Maximum",
    }
    return (
        alarms.logical_id(watched.model, watched.alarm),
        alarms.resource_of(deployment, watched.alarm, watched.model, of_model),
    )


def _code(deployment: Deployment, drift: Drift) -> str:
    """The function's only file. JSON never holds three quotes in a row, so it fits into a raw string."""
    stack = names.stack_name(deployment.project, deployment.stage)
    serving = sorted({function for watched in drift.models for function in watched.functions})
    watch: dict[str, Any] = {
        "groups": {name: names.log_group_name(names.function_name(stack, name)) for name in serving},
        "hours": drift.hours,
        "least": drift.least,
        "models": [
            {
                "name": each.model,
                "digest": each.digest,
                "aliases": {name: alias_key(each.model, alias) for name, alias in _followed(each)},
            }
            for each in drift.models
        ],
        "namespace": names.metrics_namespace(deployment.project, deployment.stage),
        "reference": drift.reference,
    }
    text = json.dumps(watch, sort_keys=True, separators=(",", ":"))
    return Template(_HANDLER.read_text("utf-8")).substitute(project=deployment.project, watch=text)


def _followed(watched: Watched) -> Iterator[tuple[str, str]]:
    """The functions that follow an alias of the model, each with the alias."""
    yield from ((name, alias) for name, alias in watched.functions.items() if alias is not None)


def may_watch(deployment: Deployment, drift: Drift, store: str) -> Iterator[iam.Statement]:
    """What the watching function may do."""
    stack = names.stack_name(deployment.project, deployment.stage)
    own = names.log_group_name(names.drift_name(stack))
    serving = sorted({function for watched in drift.models for function in watched.functions})
    groups = [own, *(names.log_group_name(names.function_name(stack, name)) for name in serving)]
    yield iam.write_logs(own)
    yield iam.Statement(
        sid="ReadCounts",
        actions=("logs:FilterLogEvents",),
        resource=[sub(f"arn:{PARTITION}:logs:{REGION}:{ACCOUNT}:log-group:{group}:*") for group in groups],
        reason="Counts lie in the logs of the functions, and their sums in its own.",
    )
    yield iam.Statement(
        sid="ReadReferences",
        actions=("s3:GetObject",),
        resource=[
            sub(f"arn:{PARTITION}:s3:::{store}/{model}/*/manifest.json")
            for model in sorted({each.model for each in drift.models})
        ],
        reason="The manifest of a model says how its sample is spread; no other file is read.",
    )
    aliases = sorted({alias_key(each.model, alias) for each in drift.models for _, alias in _followed(each)})
    if aliases:
        yield iam.Statement(
            sid="LookUpAliases",
            actions=("s3:GetObject",),
            resource=[sub(f"arn:{PARTITION}:s3:::{store}/{key}") for key in aliases],
            reason="They say which artifact answers in functions that follow one.",
        )
