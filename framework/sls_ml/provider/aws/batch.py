"""The batch side of a function: object arrives -> event -> queue -> function, and what fails is kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sls_ml.intent.model import Batch, Function, Place
from sls_ml.provider.aws import iam, names
from sls_ml.provider.aws.cloudformation import (
    ACCOUNT,
    Resource,
    Value,
    attribute,
    private_bucket,
    ref,
    resource,
    sub,
)

BATCH_SIZE = 1
"""Objects per invocation: each has the function's whole time, and one that fails delays no other."""

VISIBILITY = 6
"""A message stays hidden for so many timeouts of the function, as AWS advises for Lambda."""

TRIES = 4
"""How often an object is tried before its event becomes a dead letter."""

CONCURRENCY = 10
"""Objects scored at the same time where the spec reserves nothing: a burst must starve no other function."""

LEAST_CONCURRENCY = 2
"""The smallest maximum that an event source mapping accepts."""

QUEUE_DAYS = 4
DEAD_LETTER_DAYS = 14
_DAY = 24 * 60 * 60


def data_bucket(key: str | None) -> dict[str, Resource]:
    """The stack's own bucket, for functions that name none: it announces its objects to EventBridge.

    CloudFormation makes up its name: it outlives the stack, and a given name would stand in the way when
    the stack is deployed again.

    Args:
        key: ARN of the key that encrypts it; None for S3's own.
    """
    return private_bucket(
        names.DATA_BUCKET,
        {"NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}},
        names.DATA_BUCKET_POLICY,
        key=key,
    )


def bucket(place: Place) -> Value:
    """Name of the bucket of a place."""
    return ref(names.DATA_BUCKET) if place.bucket is None else place.bucket


def uri(place: Place) -> Value:
    """The place as ``s3://bucket/prefix``."""
    name = f"${{{names.DATA_BUCKET}}}" if place.bucket is None else place.bucket
    return sub(f"s3://{name}/{place.prefix}")


def resources(function: Function, batch: Batch, key: str | None) -> Iterator[tuple[str, Resource]]:
    """The rule, the queues and the mapping that bring the objects of a place to a function.

    Queues have no names of their own either: SQS refuses a name for a minute after its queue is deleted.

    Args:
        function: The function.
        batch: What it scores.
        key: ARN of the key that encrypts the queues; None for that of SQS.
    """
    encryption = {"SqsManagedSseEnabled": True} if key is None else {"KmsMasterKeyId": key}
    queue = names.logical_id(function.name, "Queue")
    dead = names.logical_id(function.name, "DeadLetters")
    rule = names.logical_id(function.name, "Rule")
    yield (
        dead,
        resource(
            "AWS::SQS::Queue",
            {"MessageRetentionPeriod": DEAD_LETTER_DAYS * _DAY, **encryption},
            function=function.name,
        ),
    )
    yield (
        queue,
        resource(
            "AWS::SQS::Queue",
            {
                "MessageRetentionPeriod": QUEUE_DAYS * _DAY,
                "RedrivePolicy": {"deadLetterTargetArn": attribute(dead, "Arn"), "maxReceiveCount": TRIES},
                "VisibilityTimeout": VISIBILITY * function.timeout,
                **encryption,
            },
            function=function.name,
        ),
    )
    yield (
        names.logical_id(function.name, "QueuePolicy"),
        resource("AWS::SQS::QueuePolicy", _queue_policy(queue, dead, rule), function=function.name),
    )
    yield (
        rule,
        resource(
            "AWS::Events::Rule",
            {
                "Description": f"Objects that arrive for {function.name}",
                "EventPattern": _pattern(batch.source),
                "Targets": [
                    {
                        "Arn": attribute(queue, "Arn"),
                        "DeadLetterConfig": {"Arn": attribute(dead, "Arn")},
                        "Id": "queue",
                    }
                ],
            },
            function=function.name,
        ),
    )
    yield (
        names.logical_id(function.name, "Mapping"),
        resource(
            "AWS::Lambda::EventSourceMapping",
            {
                "BatchSize": BATCH_SIZE,
                "EventSourceArn": attribute(queue, "Arn"),
                "FunctionName": ref(names.logical_id(function.name, "Alias")),
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
                "ScalingConfig": {
                    "MaximumConcurrency": max(LEAST_CONCURRENCY, function.concurrency.reserved or CONCURRENCY)
                },
            },
            function=function.name,
        ),
    )


def _pattern(source: Place) -> dict[str, Any]:
    detail: dict[str, Any] = {"bucket": {"name": [bucket(source)]}}
    if source.prefix:
        detail["object"] = {"key": [{"prefix": source.prefix}]}
    return {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": detail}


def _queue_policy(queue: str, dead: str, rule: str) -> dict[str, Any]:
    return {
        "Queues": [ref(queue), ref(dead)],
        "PolicyDocument": {
            "Version": iam.POLICY_VERSION,
            "Statement": [
                {
                    "Sid": sid,
                    "Effect": "Allow",
                    "Principal": {"Service": "events.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": attribute(target, "Arn"),
                    "Condition": {
                        "ArnEquals": {"aws:SourceArn": attribute(rule, "Arn")},
                        "StringEquals": {"aws:SourceAccount": sub(ACCOUNT)},
                    },
                }
                for sid, target in (("Events", queue), ("UndeliveredEvents", dead))
            ],
        },
    }
