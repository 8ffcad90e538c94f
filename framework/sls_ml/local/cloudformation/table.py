"""The two tables of resource types: those carried out, and those accepted but not emulated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sls_ml.local.cloudformation import (
    codedeploy_kinds,
    event_kinds,
    gateway_kinds,
    iam_kinds,
    lambda_kinds,
    message_kinds,
    s3_kinds,
    secret_kinds,
    watch_kinds,
)
from sls_ml.local.cloudformation.kind import Kind
from sls_ml.local.cloudformation.template import parse

CARRIED_OUT: Final[Mapping[str, Kind]] = {
    "AWS::ApiGatewayV2::Api": gateway_kinds.Api(),
    "AWS::ApiGatewayV2::Authorizer": gateway_kinds.Authorizer(),
    "AWS::ApiGatewayV2::Integration": gateway_kinds.Integration(),
    "AWS::ApiGatewayV2::Route": gateway_kinds.Route(),
    "AWS::ApiGatewayV2::Stage": gateway_kinds.Stage(),
    "AWS::CloudWatch::Alarm": watch_kinds.Alarm(),
    "AWS::CloudWatch::Dashboard": watch_kinds.Dashboard(),
    "AWS::CodeDeploy::Application": codedeploy_kinds.Application(),
    "AWS::CodeDeploy::DeploymentGroup": codedeploy_kinds.DeploymentGroup(),
    "AWS::Events::Rule": event_kinds.Rule(),
    "AWS::IAM::ManagedPolicy": iam_kinds.ManagedPolicy(),
    "AWS::IAM::OIDCProvider": iam_kinds.OIDCProvider(),
    "AWS::IAM::Role": iam_kinds.Role(),
    "AWS::Lambda::Alias": lambda_kinds.Alias(),
    "AWS::Lambda::EventInvokeConfig": lambda_kinds.EventInvokeConfig(),
    "AWS::Lambda::EventSourceMapping": lambda_kinds.EventSourceMapping(),
    "AWS::Lambda::Function": lambda_kinds.Function(),
    "AWS::Lambda::Permission": lambda_kinds.Permission(),
    "AWS::Lambda::Url": lambda_kinds.Url(),
    "AWS::Lambda::Version": lambda_kinds.Version(),
    "AWS::Logs::LogGroup": watch_kinds.LogGroup(),
    "AWS::S3::Bucket": s3_kinds.Bucket(),
    "AWS::S3::BucketPolicy": s3_kinds.BucketPolicy(),
    "AWS::Scheduler::Schedule": event_kinds.Schedule(),
    "AWS::SecretsManager::Secret": secret_kinds.Secret(),
    "AWS::SNS::Topic": message_kinds.Topic(),
    "AWS::SQS::Queue": message_kinds.Queue(),
    "AWS::SQS::QueuePolicy": message_kinds.QueuePolicy(),
}

NOT_EMULATED: Final[frozenset[str]] = frozenset(
    {
        "AWS::ApiGatewayV2::ApiMapping",
        "AWS::ApiGatewayV2::DomainName",
        "AWS::ApplicationAutoScaling::ScalableTarget",
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        "AWS::CloudFormation::WaitConditionHandle",
        "AWS::CodeDeploy::DeploymentConfig",
        "AWS::Logs::MetricFilter",
        "AWS::Logs::QueryDefinition",
        "AWS::SNS::Subscription",
        "AWS::SNS::TopicPolicy",
        "AWS::Route53::RecordSet",
        "AWS::Scheduler::ScheduleGroup",
    }
)
"""Types that a deploy accepts and does nothing for. What depends on one reads its logical id."""


def not_emulated(template: str) -> tuple[tuple[str, str], ...]:
    """What of a template the embedded cloud accepts without carrying it out, in the template's order.

    Args:
        template: The template's text.

    Returns:
        Logical id and type of each such resource; for a single property, ``type.property``.

    Raises:
        TemplateError: The text is not a template.
    """
    found: list[tuple[str, str]] = []
    for name, body in parse(template)["Resources"].items():
        kind = body["Type"]
        if kind in NOT_EMULATED:
            found.append((name, kind))
        elif kind in CARRIED_OUT:
            found.extend((name, f"{kind}.{part}") for part in _parts(kind, body))
    return tuple(found)


def _parts(kind: str, body: Mapping[str, Any]) -> Iterator[str]:
    properties = body.get("Properties") or {}
    yield from sorted(set(properties) & CARRIED_OUT[kind].passed_over)
    if kind == "AWS::S3::BucketPolicy":
        statements = properties["PolicyDocument"]["Statement"]
        if any(s.get("Condition") == s3_kinds.SECURE_TRANSPORT for s in statements):
            yield "PolicyDocument aws:SecureTransport"
