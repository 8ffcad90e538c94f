"""Objects become events, events become messages, messages become calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

Make = Callable[..., dict[str, Any]]

COPY = """
import boto3, json, os
s3 = boto3.client("s3")
def handler(event, context):
    failed = []
    for record in event["Records"]:
        detail = json.loads(record["body"])["detail"]
        bucket, key = detail["bucket"]["name"], detail["object"]["key"]
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        if b"bad" in body:
            failed.append({"itemIdentifier": record["messageId"]})
        else:
            s3.put_object(Bucket=bucket, Key="out/" + key, Body=body.upper())
    return {"batchItemFailures": failed}
"""


def batch(*, receives: int = 2) -> dict[str, Any]:
    """Resources from a bucket that announces its objects to a function that is called with them."""
    arn = {"Fn::GetAtt": ["Queue", "Arn"]}
    return {
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "Properties": {
                "NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
            },
        },
        "DeadLetters": {"Type": "AWS::SQS::Queue"},
        "Queue": {
            "Type": "AWS::SQS::Queue",
            "Properties": {
                "VisibilityTimeout": 1,
                "RedrivePolicy": {
                    "deadLetterTargetArn": {"Fn::GetAtt": ["DeadLetters", "Arn"]},
                    "maxReceiveCount": receives,
                },
            },
        },
        "QueuePolicy": {
            "Type": "AWS::SQS::QueuePolicy",
            "Properties": {
                "Queues": [{"Ref": "Queue"}],
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "events.amazonaws.com"},
                            "Action": "sqs:SendMessage",
                            "Resource": arn,
                            "Condition": {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["Rule", "Arn"]}}},
                        }
                    ],
                },
            },
        },
        "Rule": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "EventPattern": {
                    "source": ["aws.s3"],
                    "detail-type": ["Object Created"],
                    "detail": {
                        "bucket": {"name": [{"Ref": "Bucket"}]},
                        "object": {"key": [{"prefix": "in/"}]},
                    },
                },
                "Targets": [{"Id": "queue", "Arn": arn}],
            },
        },
        "Mapping": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {
                "EventSourceArn": arn,
                "FunctionName": {"Ref": "Alias"},
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
            },
        },
    }


POLICIES = [
    {"Action": ["s3:GetObject"], "Resource": {"Fn::Sub": "${Bucket.Arn}/in/*"}},
    {"Action": ["s3:PutObject"], "Resource": {"Fn::Sub": "${Bucket.Arn}/out/*"}},
    {
        "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
        "Resource": {"Fn::GetAtt": ["Queue", "Arn"]},
    },
]
OUTPUTS = {
    "Bucket": {"Ref": "Bucket"},
    "Queue": {"Ref": "Queue"},
    "DeadLetters": {"Ref": "DeadLetters"},
    "Function": {"Ref": "Function"},
}


def test_an_object_that_arrives_is_scored_and_a_bad_one_becomes_a_dead_letter(
    cloud: Any, function: Make
) -> None:
    # GIVEN a batch function on its own bucket
    resources = function(COPY, policies=POLICIES, Timeout=1, MemorySize=512) | batch()
    # moto's SDK takes most of a second to import on a busy machine
    resources["Function"]["Properties"]["Timeout"] = 30
    resources["Queue"]["Properties"]["VisibilityTimeout"] = 30
    stack = cloud.deploy(resources, **OUTPUTS)
    assert stack.status == "CREATE_COMPLETE"
    s3, sqs = cloud.client("s3"), cloud.client("sqs")
    bucket = stack.outputs["Bucket"]
    # WHEN a good object, and one that the function refuses, arrive
    sqs.set_queue_attributes(QueueUrl=stack.outputs["Queue"], Attributes={"VisibilityTimeout": "1"})
    s3.put_object(Bucket=bucket, Key="in/good one.csv", Body=b"good")
    s3.put_object(Bucket=bucket, Key="in/bad.csv", Body=b"bad")
    # THEN the first is written to the output
    s3.get_waiter("object_exists").wait(
        Bucket=bucket, Key="out/in/good one.csv", WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    written = s3.get_object(Bucket=bucket, Key="out/in/good one.csv")["Body"].read()
    assert written == b"GOOD"
    # AND the second is a dead letter after its two tries
    letters: list[Any] = []
    while not letters:
        answer = sqs.receive_message(
            QueueUrl=stack.outputs["DeadLetters"], WaitTimeSeconds=1, AttributeNames=["All"]
        )
        letters = answer.get("Messages", [])
    story = json.loads(letters[0]["Body"])["detail"]["object"]
    assert set(story) == {"key", "size", "etag", "sequencer"}
    assert story["key"] == "in/bad.csv"
    keys = [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert "out/in/bad.csv" not in keys


def test_a_role_that_may_not_receive_fails_the_mapping(cloud: Any, function: Make) -> None:
    # GIVEN a batch function whose role knows nothing of its queue
    resources = function(COPY, policies=POLICIES[:2], Timeout=1) | batch()
    # WHEN it is deployed
    stack = cloud.deploy(resources)
    # THEN the stack fails as on AWS
    assert stack.status == "ROLLBACK_COMPLETE"
    events = cloud.client("cloudformation").describe_stack_events(StackName=stack.name)["StackEvents"]
    (reason,) = [e["ResourceStatusReason"] for e in events if e["ResourceStatus"] == "CREATE_FAILED"]
    assert "does not have permissions to call ReceiveMessage on SQS" in reason


def test_a_queue_policy_decides_whether_events_arrive(cloud: Any, function: Make) -> None:
    # GIVEN a rule to a queue whose policy names another rule
    resources = {name: batch()[name] for name in ("Bucket", "DeadLetters", "Queue", "QueuePolicy", "Rule")}
    (statement,) = resources["QueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    statement["Condition"] = {
        "ArnEquals": {"aws:SourceArn": "arn:aws:events:eu-west-1:123456789012:rule/other"}
    }
    stack = cloud.deploy(resources, Bucket={"Ref": "Bucket"}, Queue={"Ref": "Queue"})
    # WHEN an object arrives
    cloud.client("s3").put_object(Bucket=stack.outputs["Bucket"], Key="in/x", Body=b"x")
    # THEN no message does
    answer = cloud.client("sqs").receive_message(QueueUrl=stack.outputs["Queue"])
    assert "Messages" not in answer


@pytest.mark.parametrize("timeout", [2, 900])
def test_a_queue_must_hide_messages_as_long_as_the_function_runs(
    cloud: Any, function: Make, timeout: int
) -> None:
    # GIVEN a queue that hides a message for one second
    resources = function(COPY, policies=POLICIES, Timeout=timeout) | batch()
    # WHEN a slower function is mapped to it
    stack = cloud.deploy(resources)
    # THEN the mapping is refused
    assert stack.status == "ROLLBACK_COMPLETE"
