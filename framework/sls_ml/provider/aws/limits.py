"""The limits of AWS Lambda and its neighbours that sls-ml checks before AWS does."""

from __future__ import annotations

from typing import Final

from sls_ml.provider.base import Limit, Limits

_LAMBDA = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"
_READ = "2026-11-24"

LIMITS: Final[Limits] = {
    # The 50 MB of a zip hold for uploads to Lambda itself; ours go through S3, where only its contents count.
    "unpacked_bytes": Limit(250 << 20, "bytes", _LAMBDA, _READ),
    "image_bytes": Limit(10 << 30, "bytes", _LAMBDA, _READ),
    "request_bytes": Limit(6 << 20, "bytes", _LAMBDA, _READ),
    "response_bytes": Limit(6 << 20, "bytes", _LAMBDA, _READ),
    "environment_bytes": Limit(4 << 10, "bytes", _LAMBDA, _READ),
    "timeout_seconds": Limit(900, "seconds", _LAMBDA, _READ),
    "memory_mb": Limit(10240, "MB", _LAMBDA, _READ),
    "disk_mb": Limit(10240, "MB", _LAMBDA, _READ),
    "init_seconds": Limit(
        10, "seconds", "https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html", _READ
    ),
    "gateway_timeout_seconds": Limit(
        30,
        "seconds",
        "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html",
        _READ,
    ),
    "template_bytes": Limit(
        51_200,
        "bytes in the request; a larger template goes through a bucket",
        "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html",
        _READ,
    ),
}
