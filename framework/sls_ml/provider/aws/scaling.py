"""Warm capacity that follows the traffic and the clock: Application Auto Scaling on the alias."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sls_ml.intent.model import Function
from sls_ml.provider.aws import names
from sls_ml.provider.aws.cloudformation import Resource, ref, resource
from sls_ml.spec.model import Concurrency, Period


def resources(function: Function, name: str) -> Iterator[tuple[str, Resource]]:
    """Scaling between the environments that always wait and the reserved concurrency, and by the schedule.

    It follows the traffic where there is room. Without a reservation or a `max` nothing bounds the cost, so
    the capacity stays as it is given.

    Args:
        function: The function.
        name: Its name on AWS.
    """
    if function.start != "provisioned":
        return
    concurrency = function.concurrency
    least, most = _bounds(concurrency, concurrency.provisioned or 0)
    actions = [_action(number, period, concurrency) for number, period in enumerate(concurrency.schedule, 1)]
    follows = least < most or any(
        action["ScalableTargetAction"]["MinCapacity"] < action["ScalableTargetAction"]["MaxCapacity"]
        for action in actions
    )
    if not actions and not follows:
        return
    target = names.logical_id(function.name, "WarmCapacity")
    yield (
        target,
        resource(
            "AWS::ApplicationAutoScaling::ScalableTarget",
            {
                "MaxCapacity": most,
                "MinCapacity": least,
                "ResourceId": f"function:{name}:{names.ALIAS}",
                "ScalableDimension": "lambda:function:ProvisionedConcurrency",
                **({"ScheduledActions": actions} if actions else {}),
                "ServiceNamespace": "lambda",
            },
            function=function.name,
            depends_on=names.logical_id(function.name, "Alias"),
        ),
    )
    if follows:
        yield _policy(function, target)


def _bounds(concurrency: Concurrency, provisioned: int, most: int | None = None) -> tuple[int, int]:
    """Between how many environments the capacity follows the traffic; both are equal where it does not.

    Args:
        concurrency: The function's.
        provisioned: How many wait at least.
        most: How many at most; None for the reserved ones, where any are to wait.
    """
    if most is None:
        most = concurrency.reserved if provisioned else None
    return provisioned, max(provisioned, most or 0)


def _action(number: int, period: Period, concurrency: Concurrency) -> dict[str, Any]:
    least, most = _bounds(concurrency, period.provisioned, period.max)
    return {
        "ScalableTargetAction": {"MaxCapacity": most, "MinCapacity": least},
        "Schedule": period.at,
        "ScheduledActionName": f"period-{number}",
        "Timezone": period.timezone,
    }


def _policy(function: Function, target: str) -> tuple[str, Resource]:
    """More wait as soon as the share of busy ones is above the target."""
    return (
        names.logical_id(function.name, "WarmCapacityTarget"),
        resource(
            "AWS::ApplicationAutoScaling::ScalingPolicy",
            {
                "PolicyName": "utilization",
                "PolicyType": "TargetTrackingScaling",
                "ScalingTargetId": ref(target),
                "TargetTrackingScalingPolicyConfiguration": {
                    "PredefinedMetricSpecification": {
                        "PredefinedMetricType": "LambdaProvisionedConcurrencyUtilization"
                    },
                    "TargetValue": function.concurrency.target,
                },
            },
            function=function.name,
        ),
    )
