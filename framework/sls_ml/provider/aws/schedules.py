"""What EventBridge Scheduler does at certain times: its schedules, and the roles that it takes for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sls_ml.intent.model import Deployment
from sls_ml.provider.aws import iam, names
from sls_ml.provider.aws.cloudformation import Resource, Value, attribute, resource

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
