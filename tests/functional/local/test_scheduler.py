"""Schedules call functions and send messages at their times, as their role."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from sls_ml.local.cloudformation.table import not_emulated

GROUP = "arn:aws:scheduler:eu-west-1:123456789012:schedule-group/default"

NOTE = """
import boto3, json
def handler(event, context):
    boto3.client("s3").put_object(Bucket="BUCKET", Key="called", Body=json.dumps(event))
"""


def scheduled(target: Any, action: str, *, group: str = GROUP, expression: str = "rate(1 day)") -> Any:
    """Resources of a schedule and its role."""
    condition = {"ArnEquals": {"aws:SourceArn": group}, "StringEquals": {"aws:SourceAccount": "123456789012"}}
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "scheduler.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": condition,
    }
    statement = {"Effect": "Allow", "Action": action, "Resource": target}
    return {
        "Caller": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
                "Policies": [
                    {
                        "PolicyName": "own",
                        "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]},
                    }
                ],
            },
        },
        "Schedule": {
            "Type": "AWS::Scheduler::Schedule",
            "Properties": {
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "ScheduleExpression": expression,
                "Target": {
                    "Arn": target,
                    "Input": '{"from": "the schedule"}',
                    "RoleArn": {"Fn::GetAtt": ["Caller", "Arn"]},
                },
            },
        },
    }


def received(cloud: Any, queue: str, seconds: int) -> list[str]:
    answer = cloud.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=seconds)
    return [message["Body"] for message in answer.get("Messages", [])]


def test_a_rate_begins_at_once_and_a_change_of_the_schedule_begins_anew(cloud: Any) -> None:
    # GIVEN a queue, and a schedule that may send to it WHEN they are deployed
    arn = {"Fn::GetAtt": ["Queue", "Arn"]}
    queue = {"Queue": {"Type": "AWS::SQS::Queue"}}
    resources = queue | scheduled(arn, "sqs:SendMessage")
    assert not_emulated(json.dumps({"Resources": resources})) == ()
    stack = cloud.deploy(resources, Queue={"Ref": "Queue"})
    # THEN the message comes
    assert received(cloud, stack.outputs["Queue"], 10) == ['{"from": "the schedule"}']
    # WHEN the rate changes THEN it begins anew
    changed = queue | scheduled(arn, "sqs:SendMessage", expression="rate(2 days)")
    updated = cloud.deploy(changed, name=stack.name, Queue={"Ref": "Queue"})
    assert updated.status == "UPDATE_COMPLETE"
    assert received(cloud, stack.outputs["Queue"], 10) == ['{"from": "the schedule"}']
    # WHEN the schedule is deleted THEN it is gone
    cloud.deploy(queue, name=stack.name, Queue={"Ref": "Queue"})
    found = cloud.client("scheduler").list_schedules()["Schedules"]
    assert not [each for each in found if each["Name"].startswith(stack.name)]


@pytest.mark.parametrize(
    ("action", "group"), [("sqs:ReceiveMessage", GROUP), ("sqs:SendMessage", f"{GROUP}-of-others")]
)
def test_a_role_that_may_not_send_or_not_be_taken_sends_nothing(cloud: Any, action: str, group: str) -> None:
    # GIVEN a role that allows something else, or does not trust this schedule WHEN it is deployed
    arn = {"Fn::GetAtt": ["Queue", "Arn"]}
    resources = {"Queue": {"Type": "AWS::SQS::Queue"}} | scheduled(arn, action, group=group)
    stack = cloud.deploy(resources, Queue={"Ref": "Queue"})
    assert stack.status == "CREATE_COMPLETE"
    # THEN nothing comes
    assert received(cloud, stack.outputs["Queue"], 1) == []


def test_a_function_is_called(cloud: Any, function: Callable[..., dict[str, Any]]) -> None:
    # GIVEN a schedule that may call a function WHEN it is deployed
    bucket = "called-by-the-clock"
    where = {"LocationConstraint": cloud.endpoint.region}
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
    write = [{"Action": ["s3:PutObject"], "Resource": f"arn:aws:s3:::{bucket}/*"}]
    arn = {"Fn::GetAtt": ["Function", "Arn"]}
    code = NOTE.replace("BUCKET", bucket)
    resources = function(code, policies=write, Timeout=60) | scheduled(arn, "lambda:InvokeFunction")
    assert cloud.deploy(resources).status == "CREATE_COMPLETE"
    # THEN it gets what the schedule says
    s3.get_waiter("object_exists").wait(Bucket=bucket, Key="called", WaiterConfig={"Delay": 1})
    assert json.loads(s3.get_object(Bucket=bucket, Key="called")["Body"].read()) == {"from": "the schedule"}
