"""The alarms of a function, and whom they tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from sls_ml.intent.model import Alarm, Deployment, Function
from sls_ml.provider.aws import metrics, names
from sls_ml.provider.aws.cloudformation import ACCOUNT, PARTITION, REGION, Resource, ref, resource, sub
from sls_ml.provider.aws.iam import POLICY_VERSION

TOPIC: Final = "AlarmTopic"
RUNBOOK: Final = "docs/runbook.md"

_MISSING: Mapping[Literal["fine", "unchanged", "wrong"], str] = {
    "fine": "notBreaching",
    "unchanged": "ignore",
    "wrong": "breaching",
}
_COMPARED: Mapping[Literal["above", "below"], str] = {
    "above": "GreaterThanThreshold",
    "below": "LessThanThreshold",
}


def topic(addresses: tuple[str, ...], stack: str) -> Iterator[tuple[str, Resource]]:
    """The topic that alarms are sent to, and a subscription for each address, which its owner must confirm.

    It is not encrypted with a key: CloudWatch may not use the one that AWS manages for SNS, and a message
    holds nothing but the alarm's own text and numbers.
    """
    yield TOPIC, resource("AWS::SNS::Topic", {})
    yield (
        f"{TOPIC}Policy",
        resource(
            "AWS::SNS::TopicPolicy",
            {
                "PolicyDocument": {
                    "Version": POLICY_VERSION,
                    "Statement": [
                        {
                            "Sid": "Alarms",
                            "Effect": "Allow",
                            "Principal": {"Service": "cloudwatch.amazonaws.com"},
                            "Action": "sns:Publish",
                            "Resource": ref(TOPIC),
                            "Condition": {
                                "ArnLike": {
                                    "aws:SourceArn": sub(
                                        f"arn:{PARTITION}:cloudwatch:{REGION}:{ACCOUNT}:alarm:{stack}-*"
                                    )
                                },
                                "StringEquals": {"aws:SourceAccount": sub(ACCOUNT)},
                            },
                        }
                    ],
                },
                "Topics": [ref(TOPIC)],
            },
        ),
    )
    for address in addresses:
        yield (
            f"AlarmMail{names.short_hash(address)}",
            resource(
                "AWS::SNS::Subscription", {"Endpoint": address, "Protocol": "email", "TopicArn": ref(TOPIC)}
            ),
        )


def resources(deployment: Deployment, function: Function) -> Iterator[tuple[str, Resource]]:
    """Every alarm of a function."""
    watch = metrics.Watch(deployment, function)
    for alarm in function.alarms:
        watched = _watched(watch.series(alarm.measure), alarm.seconds)
        yield (
            logical_id(function.name, alarm),
            resource_of(deployment, alarm, function.name, watched, function=function.name),
        )


def resource_of(
    deployment: Deployment, alarm: Alarm, about: str, watched: Mapping[str, Any], function: str | None = None
) -> Resource:
    """One alarm.

    Args:
        deployment: The deployment.
        alarm: When it is raised.
        about: The function or model that it is about.
        watched: The metric, or the query, as properties.
        function: The function that it belongs to; None where it is about a model.
    """
    properties: dict[str, Any] = {
        "AlarmDescription": description(deployment, about, alarm),
        "AlarmName": name(deployment, about, alarm),
        "ComparisonOperator": _COMPARED[alarm.raised],
        "DatapointsToAlarm": alarm.breaching,
        "EvaluationPeriods": alarm.periods,
        "Threshold": alarm.threshold,
        "TreatMissingData": _MISSING[alarm.missing],
        **watched,
    }
    if deployment.notify:
        properties |= {"AlarmActions": [ref(TOPIC)], "OKActions": [ref(TOPIC)]}
    return resource("AWS::CloudWatch::Alarm", properties, function=function)


def _watched(series: metrics.Series, seconds: int) -> dict[str, Any]:
    if series.expression is not None:
        return {"Metrics": metrics.query(series, seconds)}
    (metric,) = series.metrics.values()
    statistic = "ExtendedStatistic" if metric.statistic.startswith("p") else "Statistic"
    return {
        "Dimensions": metrics.dimensions(metric),
        "MetricName": metric.name,
        "Namespace": metric.namespace,
        "Period": seconds,
        statistic: metric.statistic,
    }


def description(deployment: Deployment, about: str, alarm: Alarm) -> str:
    """What the mail says: what has happened, what to do, where to read on."""
    return (
        f"{about} of {deployment.project}, stage {deployment.stage}: {alarm.what}. "
        f"{alarm.mend} {RUNBOOK}#{alarm.anchor}"
    )


def logical_id(about: str, alarm: Alarm) -> str:
    """Id of an alarm in the template."""
    return names.logical_id(about, f"{names.logical_id(_kebab(alarm))}Alarm")


def name(deployment: Deployment, about: str, alarm: Alarm) -> str:
    """Name of an alarm on AWS."""
    stack = names.stack_name(deployment.project, deployment.stage)
    return names.alarm_name(stack, about, _kebab(alarm))


def arn(deployment: Deployment, about: str, alarm: Alarm) -> str:
    """ARN of an alarm, with holes.

    By its name, not by its id: a rollback may take a template back to where the function had fewer alarms.
    """
    return f"arn:{PARTITION}:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name(deployment, about, alarm)}"


def _kebab(alarm: Alarm) -> str:
    return alarm.name or alarm.measure.signal.replace("_", "-")
