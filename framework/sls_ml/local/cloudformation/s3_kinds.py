"""S3's resource types."""

# ruff: noqa: ARG002 - every kind has the same methods

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from sls_ml.local.cloudformation.kind import Kind, Made, Properties, PutWhole, Site, tag_list

SECURE_TRANSPORT = {"Bool": {"aws:SecureTransport": "false"}}


class Bucket(Kind):
    """``AWS::S3::Bucket``."""

    carried = frozenset(
        {
            "BucketEncryption",
            "BucketName",
            "LifecycleConfiguration",
            "NotificationConfiguration",
            "OwnershipControls",
            "PublicAccessBlockConfiguration",
            "Tags",
            "VersioningConfiguration",
        }
    )
    passed_over = frozenset({"LoggingConfiguration", "MetricsConfigurations"})
    replaces = frozenset({"BucketName"})

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Create the bucket and configure it."""
        s3 = site.client("s3")
        bucket = properties.get("BucketName", name.lower()[-63:].lstrip("-"))
        where: dict[str, Any] = {}
        if site.region != "us-east-1":
            where = {"CreateBucketConfiguration": {"LocationConstraint": site.region}}
        s3.create_bucket(Bucket=bucket, **where)
        made = Made(
            bucket,
            {
                "Arn": f"arn:aws:s3:::{bucket}",
                "DomainName": f"{bucket}.s3.amazonaws.com",
                "RegionalDomainName": f"{bucket}.s3.{site.region}.amazonaws.com",
            },
        )
        try:
            self._configure(s3, bucket, properties)
        except Exception:
            s3.delete_bucket(Bucket=bucket)
            raise
        return made

    def update(self, site: Site, made: Made, old: Properties, new: Properties) -> Made:
        """Configure it anew."""
        s3 = site.client("s3")
        gone = set(old) - set(new)
        if "BucketEncryption" in gone:
            s3.delete_bucket_encryption(Bucket=made.physical)
        if "LifecycleConfiguration" in gone:
            s3.delete_bucket_lifecycle(Bucket=made.physical)
        if "OwnershipControls" in gone:
            s3.delete_bucket_ownership_controls(Bucket=made.physical)
        if "PublicAccessBlockConfiguration" in gone:
            s3.delete_public_access_block(Bucket=made.physical)
        if "NotificationConfiguration" in gone:
            s3.put_bucket_notification_configuration(Bucket=made.physical, NotificationConfiguration={})
        self._configure(s3, made.physical, new)
        return made

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Delete the bucket, which must be empty."""
        s3 = site.client("s3")
        with suppress(s3.exceptions.NoSuchBucket):
            s3.delete_bucket(Bucket=made.physical)

    @staticmethod
    def _configure(s3: Any, bucket: str, properties: Properties) -> None:
        if encryption := properties.get("BucketEncryption"):
            rules = [
                {"ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"]}
                for rule in encryption["ServerSideEncryptionConfiguration"]
            ]
            s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})
        if access := properties.get("PublicAccessBlockConfiguration"):
            s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=access)
        if ownership := properties.get("OwnershipControls"):
            s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=ownership)
        if versioning := properties.get("VersioningConfiguration"):
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=versioning)
        if lifecycle := properties.get("LifecycleConfiguration"):
            s3.put_bucket_lifecycle_configuration(
                Bucket=bucket, LifecycleConfiguration={"Rules": list(_lifecycle(lifecycle["Rules"]))}
            )
        if notification := properties.get("NotificationConfiguration"):
            s3.put_bucket_notification_configuration(
                Bucket=bucket, NotificationConfiguration=_notification(notification)
            )
        if tags := tag_list(properties):
            s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})


def _notification(given: Properties) -> dict[str, Any]:
    if unknown := set(given) - {"EventBridgeConfiguration"}:
        raise ValueError(
            f"the embedded cloud has no NotificationConfiguration of {', '.join(sorted(unknown))}"
        )
    on = str(given["EventBridgeConfiguration"].get("EventBridgeEnabled", True)).lower() == "true"
    return {"EventBridgeConfiguration": {}} if on else {}


def _lifecycle(rules: Iterable[Properties]) -> Iterable[dict[str, Any]]:
    """CloudFormation's rules in the words of the S3 API."""
    for rule in rules:
        given = dict(rule)
        out: dict[str, Any] = {"Status": given.pop("Status"), "Filter": {"Prefix": given.pop("Prefix", "")}}
        if "Id" in given:
            out["ID"] = given.pop("Id")
        if "ExpirationInDays" in given:
            out["Expiration"] = {"Days": int(given.pop("ExpirationInDays"))}
        for name in ("AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration"):
            if name in given:
                out[name] = {key: int(value) for key, value in given.pop(name).items()}
        if "NoncurrentVersionExpirationInDays" in given:
            days = int(given.pop("NoncurrentVersionExpirationInDays"))
            out["NoncurrentVersionExpiration"] = {"NoncurrentDays": days}
        if given:
            raise ValueError(f"the embedded cloud has no lifecycle rule with {', '.join(sorted(given))}")
        yield out


class BucketPolicy(PutWhole):
    """``AWS::S3::BucketPolicy``; a demand for TLS is left out, for loopback has none (and none is needed)."""

    carried = frozenset({"Bucket", "PolicyDocument"})
    replaces = frozenset({"Bucket"})

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Set the policy."""
        document = dict(properties["PolicyDocument"])
        statements = document["Statement"]
        statements = statements if isinstance(statements, list) else [statements]
        document["Statement"] = [s for s in statements if s.get("Condition") != SECURE_TRANSPORT]
        s3 = site.client("s3")
        if document["Statement"]:
            s3.put_bucket_policy(Bucket=properties["Bucket"], Policy=json.dumps(document))
        else:
            s3.delete_bucket_policy(Bucket=properties["Bucket"])
        return Made(properties["Bucket"])

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Take the policy off."""
        s3 = site.client("s3")
        with suppress(s3.exceptions.NoSuchBucket):
            s3.delete_bucket_policy(Bucket=made.physical)
