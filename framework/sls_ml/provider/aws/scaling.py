"""Warm capacity that follows the traffic: Application Auto Scaling on the alias."""

from __future__ import annotations

from collections.abc import Iterator

from sls_ml.intent.model import Function
from sls_ml.provider.aws import names
from sls_ml.provider.aws.cloudformation import Resource, ref, resource


def resources(function: Function, name: str) -> Iterator[tuple[str, Resource]]:
    """Scaling between the environments that always wait and the reserved concurrency, where there is room.

    Without a reservation nothing bounds the cost, so the capacity stays as it is given.

    Args:
        function: The function.
        name: Its name on AWS.
    """
    least, most = function.concurrency.provisioned, function.concurrency.reserved
    if least is None or most is None or most <= least:
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
                "ServiceNamespace": "lambda",
            },
            function=function.name,
            depends_on=names.logical_id(function.name, "Alias"),
        ),
    )
    yield (
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
