"""A deployed function may do what its grants say, and nothing else: enforced by the embedded cloud."""

from __future__ import annotations

from pathlib import Path

import boto3

from command_line import copy_sample, run

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
    assert answer["read own"] == "allowed"
    for denied in ("read foreign", "write own", "delete own", "list", "queue"):
        # moto's SQS refuses with a bare 403.
        assert answer[denied] in {"AccessDenied", "AccessDeniedException", "403"}, (denied, answer[denied])
