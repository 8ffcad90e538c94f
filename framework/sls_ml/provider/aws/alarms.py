"""The alarms of a function, and whom they tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

from sls_ml.intent.model import Alarm, Deployment, Function
from sls_ml.provider.aws import metrics, names
from sls_ml.provider.aws.cloudformation import ACCOUNT, PARTITION, REGION, Resource, ref, resource, sub
from sls_ml.provider.aws.iam import POLICY_VERSION

TOPIC: Final = "AlarmTopic"
RUNBOOK: Final = "docs/runbook.md"

_MISSING: dict[Literal["fine", "unchanged"], str] = {"fine": "notBreaching", "unchanged": "ignore"}


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
        properties: dict[str, Any] = {
            "AlarmDescription": description(deployment, function, alarm),
            "AlarmName": name(deployment, function, alarm),
            "ComparisonOperator": "GreaterThanThreshold",
            "DatapointsToAlarm": alarm.breaching,
            "EvaluationPeriods": alarm.periods,
            "Threshold": alarm.threshold,
            "TreatMissingData": _MISSING[alarm.missing],
            **_watched(watch.series(alarm.measure), alarm.seconds),
        }
        if deployment.notify:
            properties |= {"AlarmActions": [ref(TOPIC)], "OKActions": [ref(TOPIC)]}
        yield (
            logical_id(function, alarm),
            resource("AWS::CloudWatch::Alarm", properties, function=function.name),
        )


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


def description(deployment: Deployment, function: Function, alarm: Alarm) -> str:
    """What the mail says: what has happened, what to do, where to read on."""
    return (
        f"{function.name} of {deployment.project}, stage {deployment.stage}: {alarm.what}. "
        f"{alarm.mend} {RUNBOOK}#{alarm.anchor}"
    )


def logical_id(function: Function, alarm: Alarm) -> str:
    """Id of an alarm in the template."""
    return names.logical_id(function.name, f"{names.logical_id(_kebab(alarm))}Alarm")


def name(deployment: Deployment, function: Function, alarm: Alarm) -> str:
    """Name of an alarm on AWS."""
    stack = names.stack_name(deployment.project, deployment.stage)
    return names.alarm_name(stack, function.name, _kebab(alarm))


def arn(deployment: Deployment, function: Function, alarm: Alarm) -> str:
    """ARN of an alarm, with holes.

    By its name, not by its id: a rollback may take a template back to where the function had fewer alarms.
    """
    return f"arn:{PARTITION}:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name(deployment, function, alarm)}"


def _kebab(alarm: Alarm) -> str:
    return alarm.measure.signal.replace("_", "-")
