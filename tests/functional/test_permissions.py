"""A deployed function may do what its grants say, and nothing else: enforced by the embedded cloud."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from command_line import copy_sample, run

STACK = "sls-ml-breast-cancer-local"
DENIED = {"AccessDenied", "AccessDeniedException", "403"}
"""How a call is refused; moto's SQS does it with a bare 403."""

HOOKS = '''"""Tries, with the function's own role, what it may and may not do."""

import os

import boto3
from botocore.exceptions import ClientError


def after(result):
    s3, bucket = boto3.client("s3"), os.environ["SLS_ML_STORE"].removeprefix("s3://")
    own = f"tumour/{os.environ['DIGEST']}/manifest.json"
    return result | {
        "read own": tried(s3.get_object, Bucket=bucket, Key=own),
        "read foreign": tried(s3.get_object, Bucket=bucket, Key="other/secret.onnx"),
        "write own": tried(s3.put_object, Bucket=bucket, Key=own, Body=b"x"),
        "delete own": tried(s3.delete_object, Bucket=bucket, Key=own),
        "list": tried(s3.list_objects_v2, Bucket=bucket),
        "queue": tried(boto3.client("sqs").send_message, QueueUrl=os.environ["QUEUE"], MessageBody="x"),
    }


def tried(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "allowed"
'''


def test_a_function_reads_its_own_model_and_nothing_else(tmp_path: Path) -> None:
    # GIVEN a function whose hooks try things, another model in the store, and a queue of somebody else
    sample = copy_sample("breast-cancer", tmp_path)
    try:
        cloud = run(sample, "local", "up", "--json").document
        keys = {
            "endpoint_url": cloud["endpoint_url"],
            "region_name": cloud["region"],
            "aws_access_key_id": cloud["access_key"],
            "aws_secret_access_key": cloud["secret_key"],
        }
        queue = boto3.client("sqs", **keys).create_queue(QueueName="foreign")["QueueUrl"]
        digest = next((tmp_path / "artifacts" / "tumour").iterdir()).name
        spec = sample / "sls-ml.yaml"
        environment = f"    environment: {{DIGEST: {digest}, QUEUE: '{queue}'}}\n"
        spec.write_text(spec.read_text().replace("    memory: 512\n", f"    memory: 512\n{environment}"))
        (tmp_path / "handlers" / "breast-cancer" / "aws" / "predict" / "hooks.py").write_text(HOOKS)
        done = run(sample, "deploy", "--stage", "local", "--json")
        assert done.code == 0, done.out + done.err
        boto3.client("s3", **keys).put_object(
            Bucket=f"sls-ml-store-{cloud['account']}-{cloud['region']}", Key="other/secret.onnx", Body=b"x"
        )
        # WHEN it is asked
        answer = run(sample, "invoke", "predict", "--stage", "local", "--sample", "1", "--json").document
    finally:
        run(sample, "local", "down")
    # THEN it can read its own model, and everything else is denied by IAM
    assert answer.get("read own") == "allowed", answer
    for denied in ("read foreign", "write own", "delete own", "list", "queue"):
        assert answer[denied] in DENIED, (denied, answer[denied])


def test_a_batch_function_touches_its_own_places_and_nothing_else(tmp_path: Path) -> None:
    # GIVEN a deployed batch function with a schedule, objects in many places, and its own role
    sample = copy_sample("breast-cancer", tmp_path)
    spec = sample / "sls-ml.yaml"
    spec.write_text(spec.read_text().replace("    objects:", "    schedule: cron(0 2 1 1 ? *)\n    objects:"))
    try:
        done = run(sample, "deploy", "--stage", "local", "--json")
        assert done.code == 0, done.out + done.err
        cloud = run(sample, "local", "status", "--json").document
        place = {"endpoint_url": cloud["endpoint_url"], "region_name": cloud["region"]}
        owner = place | {
            "aws_access_key_id": cloud["access_key"],
            "aws_secret_access_key": cloud["secret_key"],
        }
        (stack,) = boto3.client("cloudformation", **owner).describe_stacks(StackName=STACK)["Stacks"]
        outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
        bucket, queue, dead = outputs["DataBucket"], outputs["ScoreQueue"], outputs["ScoreDeadLetters"]
        name = outputs["ScoreFunction"]
        role = boto3.client("lambda", **owner).get_function_configuration(FunctionName=name)["Role"]
        for key in ("score/in/a.csv.skip", "score/out/a", "else/a"):
            boto3.client("s3", **owner).put_object(Bucket=bucket, Key=key, Body=b"x")
        keys = place | taken(role, owner)
        s3, sqs = boto3.client("s3", **keys), boto3.client("sqs", **keys)
        # WHEN that user tries what the role may, and what it may not
        allowed = {
            "read input": tried(s3.get_object, Bucket=bucket, Key="score/in/a.csv.skip"),
            "write output": tried(s3.put_object, Bucket=bucket, Key="score/out/b", Body=b"x"),
            "read output": tried(s3.get_object, Bucket=bucket, Key="score/out/a"),
            "list input": tried(s3.list_objects_v2, Bucket=bucket, Prefix="score/in/"),
            "send": tried(sqs.send_message, QueueUrl=queue, MessageBody='{"sls-ml": "pending"}'),
            "send several": tried(
                sqs.send_message_batch,
                QueueUrl=queue,
                Entries=[{"Id": "0", "MessageBody": '{"sls-ml": "pending"}'}],
            ),
            "receive": tried(sqs.receive_message, QueueUrl=queue),
            "attributes": tried(sqs.get_queue_attributes, QueueUrl=queue, AttributeNames=["All"]),
        }
        denied = {
            "write input": tried(s3.put_object, Bucket=bucket, Key="score/in/b.csv", Body=b"x"),
            "delete input": tried(s3.delete_object, Bucket=bucket, Key="score/in/a.csv.skip"),
            "delete output": tried(s3.delete_object, Bucket=bucket, Key="score/out/a"),
            "read elsewhere": tried(s3.get_object, Bucket=bucket, Key="else/a"),
            "write elsewhere": tried(s3.put_object, Bucket=bucket, Key="else/b", Body=b"x"),
            "list": tried(s3.list_objects_v2, Bucket=bucket),
            "list output": tried(s3.list_objects_v2, Bucket=bucket, Prefix="score/out/"),
            "list part of the input": tried(s3.list_objects_v2, Bucket=bucket, Prefix="score/i"),
            "open the bucket": tried(s3.delete_public_access_block, Bucket=bucket),
            "change its policy": tried(s3.delete_bucket_policy, Bucket=bucket),
            "send to dead letters": tried(sqs.send_message, QueueUrl=dead, MessageBody="x"),
            "purge": tried(sqs.purge_queue, QueueUrl=queue),
            "delete the queue": tried(sqs.delete_queue, QueueUrl=queue),
            "receive dead letters": tried(sqs.receive_message, QueueUrl=dead),
        }
    finally:
        run(sample, "local", "down")
    # THEN IAM lets it do the former and none of the latter
    assert set(allowed.values()) == {"allowed"}, allowed
    assert all(said in DENIED for said in denied.values()), denied


def taken(role: str, owner: dict[str, str]) -> dict[str, str]:
    """Keys of a role, which only Lambda may take until the owner of the account trusts himself with it."""
    sts, iam = boto3.client("sts", **owner), boto3.client("iam", **owner)
    with pytest.raises(ClientError, match="is not authorized to perform: sts:AssumeRole"):
        sts.assume_role(RoleArn=role, RoleSessionName="test")
    trust = {"Effect": "Allow", "Principal": {"AWS": role.split(":")[4]}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.update_assume_role_policy(RoleName=role.rpartition("/")[2], PolicyDocument=document)
    given = sts.assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    return {
        "aws_access_key_id": given["AccessKeyId"],
        "aws_secret_access_key": given["SecretAccessKey"],
        "aws_session_token": given["SessionToken"],
    }


def tried(call: Callable[..., object], **arguments: object) -> str:
    """What came of a call: ``allowed``, or the code of the error."""
    try:
        call(**arguments)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "allowed"
