"""What EventBridge Scheduler does at certain times: its schedules, and the roles that it takes for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sls_ml.intent.model import Deployment, Function
from sls_ml.provider.aws import iam, names
from sls_ml.provider.aws.cloudformation import Resource, Value, attribute, resource
from sls_ml.spec.model import Schedule
from sls_ml_runtime.aws_pending import PENDING

FLEXIBLE_MINUTES = 15
"""What comes each hour may come so much later: not all stacks of the world at the same second."""


def hourly(deployment: Deployment, function: str) -> Iterator[tuple[str, Resource]]:
    """A call of a function of the stack's own, each hour.

    Args:
        deployment: The deployment.
        function: Logical id of the function.
    """
    stack = names.stack_name(deployment.project, deployment.stage)
    role = f"{function}Caller"
    yield (
        role,
        iam.role(
            names.role_name(stack, "-hourly", deployment.region),
            "scheduler.amazonaws.com",
            iam.policy([may_call(attribute(function, "Arn"))]),
            boundary=deployment.aws.permissions_boundary,
            function=None,
        ),
    )
    yield (
        f"{function}Hourly",
        resource(
            "AWS::Scheduler::Schedule",
            {
                "FlexibleTimeWindow": {"MaximumWindowInMinutes": FLEXIBLE_MINUTES, "Mode": "FLEXIBLE"},
                "ScheduleExpression": "rate(1 hour)",
                "Target": _target(attribute(function, "Arn"), role, "{}"),
            },
        ),
    )


def pending(deployment: Deployment, function: Function, schedule: Schedule) -> Iterator[tuple[str, Resource]]:
    """A message to the queue of a batch function at its times, which has it look for objects that wait."""
    stack = names.stack_name(deployment.project, deployment.stage)
    role = names.logical_id(function.name, "ScheduleAccess")
    queue = names.logical_id(function.name, "Queue")
    key = deployment.aws.kms
    yield (
        role,
        iam.role(
            names.part_role_name(stack, function.name, "schedule", deployment.region),
            "scheduler.amazonaws.com",
            iam.policy([iam.send_messages(queue), *([iam.use_key(key, writes=True)] if key else [])]),
            boundary=deployment.aws.permissions_boundary,
            function=function.name,
        ),
    )
    yield (
        names.logical_id(function.name, "Schedule"),
        resource(
            "AWS::Scheduler::Schedule",
            {
                "Description": f"Objects that wait for {function.name}",
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "ScheduleExpression": schedule.at,
                "ScheduleExpressionTimezone": schedule.timezone,
                "Target": _target(attribute(queue, "Arn"), role, json.dumps(PENDING)),
            },
            function=function.name,
        ),
    )


def _target(arn: Value, role: str, content: str) -> dict[str, Any]:
    """Whom to call, as which role, and with what; what cannot be delivered in an hour is left."""
    return {
        "Arn": arn,
        "Input": content,
        "RetryPolicy": {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 3},
        "RoleArn": attribute(role, "Arn"),
    }


def may_call(function: Value) -> iam.Statement:
    """What the scheduler may do for the watch."""
    return iam.Statement(
        sid="CallEachHour",
        actions=("lambda:InvokeFunction",),
        resource=function,
        reason="The scheduler calls this one function.",
    )
