"""The buckets that a spec names: on AWS they exist before, in the embedded cloud they are made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from sls_ml.provider.aws.client import Client, MissingError, translated
from sls_ml.provider.base import Target

if TYPE_CHECKING:
    from mypy_boto3_s3.literals import BucketLocationConstraintType


def provide(target: Target, names: Iterable[str]) -> None:
    """Make the buckets that do not exist yet; they announce their objects as EventBridge events.

    Args:
        target: The embedded cloud.
        names: The buckets.
    """
    wanted = sorted(names)
    if not wanted:
        return
    storage = Client(target).s3
    for name in wanted:
        try:
            with translated(f"looking for the bucket {name}"):
                storage.head_bucket(Bucket=name)
        except MissingError:
            with translated(f"making the bucket {name}"):
                if target.region == "us-east-1":  # S3 takes its oldest region by no name
                    storage.create_bucket(Bucket=name)
                else:
                    where = cast("BucketLocationConstraintType", target.region)
                    storage.create_bucket(
                        Bucket=name, CreateBucketConfiguration={"LocationConstraint": where}
                    )
                storage.put_bucket_notification_configuration(
                    Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}}
                )
