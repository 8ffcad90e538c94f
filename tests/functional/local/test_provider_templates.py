"""What the AWS provider renders is carried out as it stands."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).parents[2] / "golden" / "aws"
PACKAGE_BUCKET = "sls-ml-packages-123456789012-eu-west-1"
HANDLER = "def handler(event, context):\n    return {'statusCode': 200, 'body': 'well'}\n"


def package_keys(value: Any) -> set[str]:
    """Keys of all packages in a template."""
    if isinstance(value, list):
        return {key for item in value for key in package_keys(item)}
    if not isinstance(value, dict):
        return set()
    own = {value["S3Key"]} if "S3Key" in value else set()
    return own | {key for item in value.values() for key in package_keys(item)}


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.json")), ids=lambda file: file.stem)
def test_a_rendered_template_deploys_and_is_deleted(cloud: Any, file: Path) -> None:
    # GIVEN a template as the provider renders it, and its packages in their bucket
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("handler.py", HANDLER)
    template = json.loads(file.read_text())
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Version":
            digest = hashlib.sha256(package.getvalue()).digest()
            resource["Properties"]["CodeSha256"] = base64.b64encode(digest).decode()
    s3 = cloud.client("s3")
    keys = package_keys(template)
    if keys:
        where = {"LocationConstraint": cloud.endpoint.region}
        s3.create_bucket(Bucket=PACKAGE_BUCKET, CreateBucketConfiguration=where)
    for key in keys:
        s3.put_object(Bucket=PACKAGE_BUCKET, Key=key, Body=package.getvalue())
    cloudformation = cloud.client("cloudformation")
    try:
        # WHEN it is deployed
        made = cloudformation.create_stack(StackName=file.stem, TemplateBody=json.dumps(template))
        stack = cloud.stack(made["StackId"])
        events = cloudformation.describe_stack_events(StackName=made["StackId"])["StackEvents"]
        # THEN all of it is there, and gives what the template promises
        failed = [e["ResourceStatusReason"] for e in events if e["ResourceStatus"].endswith("FAILED")]
        assert (stack.status, failed) == ("CREATE_COMPLETE", [])
        assert set(stack.outputs) == set(template.get("Outputs", {}))
        # AND it can be deleted
        cloudformation.delete_stack(StackName=made["StackId"])
        assert cloud.stack(made["StackId"]).status == "DELETE_COMPLETE"
    finally:
        empty(s3, keys)


def empty(s3: Any, keys: set[str]) -> None:
    """Remove the buckets that a stack keeps, for the next template names them too."""
    for key in keys:
        s3.delete_object(Bucket=PACKAGE_BUCKET, Key=key)
    for bucket in s3.list_buckets()["Buckets"]:
        if bucket["Name"].startswith("sls-ml-"):
            s3.delete_bucket(Bucket=bucket["Name"])
