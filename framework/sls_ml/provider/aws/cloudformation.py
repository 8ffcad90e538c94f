"""The few words of CloudFormation that every part of the template uses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

Resource = dict[str, Any]
Value = str | dict[str, Any]
"""A string, or an intrinsic function that gives one."""

ACCOUNT = "${AWS::AccountId}"
REGION = "${AWS::Region}"
PARTITION = "${AWS::Partition}"

FUNCTION_METADATA: Final = "sls-ml:function"
"""Metadata key of a resource that belongs to one function: a rollback exchanges exactly these."""

FOLLOW_METADATA: Final = "sls-ml:follow"
"""Metadata key of a function that follows an alias: the alias, and what is in the package."""


def ref(logical_id: str) -> Value:
    """The physical id of another resource."""
    return {"Ref": logical_id}


def attribute(logical_id: str, name: str) -> Value:
    """An attribute of another resource, such as its ARN."""
    return {"Fn::GetAtt": [logical_id, name]}


def sub(text: str) -> Value:
    """Text with ``${...}`` holes that CloudFormation fills; plain text stays plain."""
    return {"Fn::Sub": text} if "${" in text else text


def resource(
    kind: str,
    properties: Mapping[str, Any],
    *,
    function: str | None = None,
    depends_on: str | None = None,
    keep: bool = False,
) -> Resource:
    """One resource of the template.

    Args:
        kind: Its type, such as ``AWS::SQS::Queue``.
        properties: Its properties.
        function: The function it belongs to; None where several share it.
        depends_on: Logical id of a resource that must exist before and is not referred to.
        keep: Whether it outlives the stack. When the operation that creates it fails, it goes nevertheless:
            a kept bucket or version would stand in the way of the next try.
    """
    body: Resource = {"Type": kind, "Properties": dict(properties)}
    if function is not None:
        body["Metadata"] = {FUNCTION_METADATA: function}
    if depends_on is not None:
        body["DependsOn"] = depends_on
    if keep:
        body["DeletionPolicy"] = "RetainExceptOnCreate"
        body["UpdateReplacePolicy"] = "Retain"
    return body


def private_bucket(
    bucket: str, properties: Mapping[str, Any], policy: str, *, key: str | None = None
) -> dict[str, Resource]:
    """A bucket that nobody reaches from outside the account or without TLS, and outlives its stack.

    Args:
        bucket: Logical id of the bucket.
        properties: What this bucket has beyond that.
        policy: Logical id of its policy.
        key: ARN of the key that its objects are encrypted with; None for S3's own.
    """
    encryption: dict[str, Any] = {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    if key is not None:
        encryption = {
            "BucketKeyEnabled": True,
            "ServerSideEncryptionByDefault": {"KMSMasterKeyID": key, "SSEAlgorithm": "aws:kms"},
        }
    return {
        bucket: resource(
            "AWS::S3::Bucket",
            {
                "BucketEncryption": {"ServerSideEncryptionConfiguration": [encryption]},
                "LifecycleConfiguration": {
                    "Rules": [
                        {
                            "Id": "AbandonedUploads",
                            "Status": "Enabled",
                            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
                        }
                    ]
                },
                "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
                "PublicAccessBlockConfiguration": {
                    "BlockPublicAcls": True,
                    "BlockPublicPolicy": True,
                    "IgnorePublicAcls": True,
                    "RestrictPublicBuckets": True,
                },
                **properties,
            },
            keep=True,
        ),
        policy: resource(
            "AWS::S3::BucketPolicy",
            {
                "Bucket": ref(bucket),
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Sid": "OnlyTls",
                            "Effect": "Deny",
                            "Principal": "*",
                            "Action": "s3:*",
                            "Resource": [
                                attribute(bucket, "Arn"),
                                sub(f"${{{bucket}.Arn}}/*"),
                            ],
                            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                        }
                    ],
                },
            },
        ),
    }


def text(template: Mapping[str, Any]) -> str:
    """The template as the bytes that go to AWS: indented, keys sorted, one newline at the end."""
    return json.dumps(template, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
