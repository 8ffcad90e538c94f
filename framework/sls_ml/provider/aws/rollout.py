"""A canary rollout: CodeDeploy checks a new version, gives it a part of the traffic, and watches alarms."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from string import Template
from typing import Any, Final

from sls_ml.intent.model import Deployment, Function
from sls_ml.provider.aws import alarms, iam, names, release_checks
from sls_ml.provider.aws.cloudformation import (
    ACCOUNT,
    PARTITION,
    REGION,
    Resource,
    Value,
    attribute,
    ref,
    resource,
    sub,
)
from sls_ml.provider.aws.limits import LIMITS
from sls_ml.spec.model import Canary

APPLICATION: Final = "RolloutApplication"
STEPS: Final = "RolloutSteps"

_READY_MADE = {(10, 5), (10, 10), (10, 15), (10, 30)}
"""Percent and minutes of the canaries that CodeDeploy knows by name."""

_HANDLER = files("sls_ml.provider.aws") / "templates" / "pretraffic_handler.py"


def shared(canary: Canary, stack: str) -> Iterator[tuple[str, Resource]]:
    """What all functions of a stack share: the application, and the steps."""
    yield (
        APPLICATION,
        resource(
            "AWS::CodeDeploy::Application",
            {"ApplicationName": names.rollout_name(stack), "ComputePlatform": "Lambda"},
        ),
    )
    yield from own_steps(canary)


def own_steps(canary: Canary) -> Iterator[tuple[str, Resource]]:
    """The steps of a canary, where CodeDeploy has none like them."""
    if (canary.percent, canary.minutes) not in _READY_MADE:
        yield (
            STEPS,
            resource(
                "AWS::CodeDeploy::DeploymentConfig",
                {
                    "ComputePlatform": "Lambda",
                    "TrafficRoutingConfig": {
                        "TimeBasedCanary": {
                            "CanaryInterval": canary.minutes,
                            "CanaryPercentage": canary.percent,
                        },
                        "Type": "TimeBasedCanary",
                    },
                },
            ),
        )


def steps(canary: Canary) -> Value:
    """The name of a canary's steps."""
    if (canary.percent, canary.minutes) in _READY_MADE:
        return f"CodeDeployDefault.LambdaCanary{canary.percent}Percent{canary.minutes}Minutes"
    return ref(STEPS)


def shifted_alias(function: Function, properties: Mapping[str, Any]) -> Resource:
    """The alias, whose updates CodeDeploy carries out."""
    group, check = names.logical_id(function.name, "Shift"), names.logical_id(function.name, "Check")
    body = resource("AWS::Lambda::Alias", properties, function=function.name)
    body["UpdatePolicy"] = {
        "CodeDeployLambdaAliasUpdate": {
            "ApplicationName": ref(APPLICATION),
            "BeforeAllowTrafficHook": ref(check),
            "DeploymentGroupName": ref(group),
        }
    }
    return body


def resources(
    deployment: Deployment, function: Function, canary: Canary, version: str
) -> Iterator[tuple[str, Resource]]:
    """The check that runs before traffic moves, and the group that says how it moves and what takes it back.

    Args:
        deployment: The deployment.
        function: One of its functions.
        canary: The share that moves first, and for how long.
        version: Logical id of the version that this deployment publishes.
    """
    stack = names.stack_name(deployment.project, deployment.stage)
    yield from _check(deployment, function, canary, version, stack)
    role = names.logical_id(function.name, "ShiftAccess")
    yield (
        role,
        iam.role(
            names.part_role_name(stack, function.name, "shift", deployment.region),
            "codedeploy.amazonaws.com",
            iam.policy(may_shift(names.function_name(stack, function.name), function)),
            boundary=deployment.aws.permissions_boundary,
            function=function.name,
        ),
    )
    watched = [ref(alarms.logical_id(function.name, alarm)) for alarm in function.alarms if alarm.release]
    yield (
        names.logical_id(function.name, "Shift"),
        resource(
            "AWS::CodeDeploy::DeploymentGroup",
            {
                "AlarmConfiguration": {"Alarms": [{"Name": alarm} for alarm in watched], "Enabled": True},
                "ApplicationName": ref(APPLICATION),
                "AutoRollbackConfiguration": {
                    "Enabled": True,
                    "Events": [
                        "DEPLOYMENT_FAILURE",
                        "DEPLOYMENT_STOP_ON_ALARM",
                        "DEPLOYMENT_STOP_ON_REQUEST",
                    ],
                },
                "DeploymentConfigName": steps(canary),
                "DeploymentGroupName": function.name,
                "DeploymentStyle": {
                    "DeploymentOption": "WITH_TRAFFIC_CONTROL",
                    "DeploymentType": "BLUE_GREEN",
                },
                "ServiceRoleArn": attribute(role, "Arn"),
            },
            function=function.name,
        ),
    )


def _check(
    deployment: Deployment, function: Function, canary: Canary, version: str, stack: str
) -> Iterator[tuple[str, Resource]]:
    """The function that CodeDeploy asks before it moves traffic."""
    log_group = names.log_group_name(f"{names.function_name(stack, function.name)}/check")
    logs, role = names.logical_id(function.name, "CheckLogs"), names.logical_id(function.name, "CheckAccess")
    key = deployment.aws.kms
    yield (
        logs,
        resource(
            "AWS::Logs::LogGroup",
            {
                "LogGroupName": log_group,
                "RetentionInDays": function.log_retention,
                **({"KmsKeyId": key} if key else {}),
            },
            function=function.name,
        ),
    )
    yield (
        role,
        iam.role(
            names.part_role_name(stack, function.name, "check", deployment.region),
            "lambda.amazonaws.com",
            iam.policy(may_check(function, log_group, names.rollout_name(stack))),
            boundary=deployment.aws.permissions_boundary,
            function=function.name,
        ),
    )
    checks = list(release_checks.of(function, canary))
    yield (
        names.logical_id(function.name, "Check"),
        resource(
            "AWS::Lambda::Function",
            {
                "Code": {"ZipFile": _code(function, checks)},
                "Description": f"Checks a new version of {function.name} before traffic moves",
                "Environment": {"Variables": {"VERSION": ref(version)}},
                "Handler": "index.handler",
                "LoggingConfig": {"LogFormat": "JSON", "LogGroup": ref(logs)},
                "MemorySize": 256,
                "Role": attribute(role, "Arn"),
                "Runtime": f"python{function.python}",
                "Timeout": min(LIMITS["timeout_seconds"].value, len(checks) * (function.timeout + 20)),
            },
            function=function.name,
        ),
    )


def _code(function: Function, checks: list[dict[str, Any]]) -> str:
    """The check's only file. JSON never holds three quotes in a row, so it fits into a raw string."""
    text = json.dumps(checks, sort_keys=True, separators=(",", ":"))
    return Template(_HANDLER.read_text("utf-8")).substitute(function=function.name, checks=text)


def may_check(function: Function, log_group: str, application: str) -> Iterator[iam.Statement]:
    """What the check of a function may do."""
    yield iam.write_logs(log_group)
    yield iam.Statement(
        sid="CallVersions",
        actions=("lambda:InvokeFunction",),
        resource=sub(f"${{{names.logical_id(function.name, 'Function')}.Arn}}:*"),
        reason="A version has no number before it is published, and the role must be there by then.",
    )
    yield iam.Statement(
        sid="TellVerdict",
        actions=("codedeploy:PutLifecycleEventHookExecutionStatus",),
        resource=sub(
            f"arn:{PARTITION}:codedeploy:{REGION}:{ACCOUNT}:deploymentgroup:{application}/{function.name}"
        ),
        reason="CodeDeploy waits for the check's verdict.",
    )


def may_shift(name: str, function: Function) -> Iterator[iam.Statement]:
    """What CodeDeploy may do in the name of a function's role for shifting."""
    arn = f"arn:{PARTITION}:lambda:{REGION}:{ACCOUNT}:function:{name}"
    yield iam.Statement(
        sid="MoveTraffic",
        actions=("lambda:GetAlias", "lambda:GetProvisionedConcurrencyConfig", "lambda:UpdateAlias"),
        resource=[sub(arn), sub(f"{arn}:{names.ALIAS}")],
        reason="CodeDeploy sets the weights of the alias, and waits for its warm capacity.",
    )
    yield iam.Statement(
        sid="RunCheck",
        actions=("lambda:InvokeFunction",),
        resource=attribute(names.logical_id(function.name, "Check"), "Arn"),
        reason="It asks the check before any traffic moves.",
    )
    yield iam.Statement(
        sid="SeeAlarms",
        actions=("cloudwatch:DescribeAlarms",),
        resource=sub(f"arn:{PARTITION}:cloudwatch:{REGION}:{ACCOUNT}:alarm:*"),
        reason="It asks for the states of several alarms in one call; it reads, and changes none.",
    )
