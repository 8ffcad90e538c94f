"""The one small stack that must exist in a region before the first deploy."""

from __future__ import annotations

from sls_ml.provider.aws import names
from sls_ml.provider.aws.cloudformation import ACCOUNT, REGION, private_bucket, ref, sub, text
from sls_ml.provider.aws.render import with_digest
from sls_ml.provider.base import Rendered

STACK = "sls-ml-bootstrap"


def bootstrap() -> Rendered:
    """A bucket for artifacts and one for packages; nothing in them ever expires by itself.

    Both have names that follow from account and region, so that templates need not be told; the stacks of
    all projects in the region share them. The store keeps old versions of objects: what production loads
    can be recovered even from a mistaken delete.
    """
    resources = {
        **private_bucket(
            "StoreBucket",
            {
                "BucketName": sub(names.store_bucket(ACCOUNT, REGION)),
                "VersioningConfiguration": {"Status": "Enabled"},
            },
            "StoreBucketPolicy",
        ),
        **private_bucket(
            "PackageBucket",
            {"BucketName": sub(names.package_bucket(ACCOUNT, REGION))},
            "PackageBucketPolicy",
        ),
    }
    outputs = {
        "StoreBucket": {"Description": "Bucket for artifacts", "Value": ref("StoreBucket")},
        "PackageBucket": {"Description": "Bucket for packages", "Value": ref("PackageBucket")},
    }
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "sls-ml: buckets shared by all projects in this region",
        "Outputs": outputs,
        "Resources": resources,
    }
    return with_digest(STACK, text(template))
