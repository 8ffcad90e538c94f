"""The HTTP side of a function: its URL, and who may call it. Other ways in need `gateway`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sls_ml.intent.model import Function
from sls_ml.provider.aws import iam, names
from sls_ml.provider.aws.cloudformation import Resource, ref, resource
from sls_ml.spec.model import Http

CORS_SECONDS = 3600
"""How long a browser may remember the answer to its preflight request."""


def resources(function: Function, http: Http, stack: str, region: str) -> Iterator[tuple[str, Resource]]:
    """The resources that make a function reachable over HTTP.

    A public URL is opened by two permissions on the alias. A URL with IAM needs none for principals of the
    same account: it is their own policies that must allow the call, and the template offers a managed
    policy that does, to be attached to whoever calls.
    """
    alias = names.logical_id(function.name, "Alias")
    url: dict[str, Any] = {
        "AuthType": "NONE" if http.auth == "public" else "AWS_IAM",
        "InvokeMode": "BUFFERED",
        "Qualifier": names.ALIAS,
        "TargetFunctionArn": ref(names.logical_id(function.name, "Function")),
    }
    if http.cors:
        url["Cors"] = {
            "AllowHeaders": [
                "authorization",
                "content-encoding",
                "content-type",
                "inference-header-content-length",
                "x-amz-content-sha256",
                "x-amz-date",
                "x-amz-security-token",
            ],
            "AllowMethods": ["GET", "POST"],
            "AllowOrigins": list(http.cors),
            "MaxAge": CORS_SECONDS,
        }
    yield (
        names.logical_id(function.name, "Url"),
        resource("AWS::Lambda::Url", url, function=function.name, depends_on=alias),
    )
    if http.auth == "public":
        yield from _open_to_all(function.name, alias)
    else:
        yield (
            names.logical_id(function.name, "InvokePolicy"),
            iam.callers_policy(
                names.invoke_policy_name(stack, function.name, region),
                function.name,
                stack,
                iam.call_url(alias),
            ),
        )


def _open_to_all(function: str, alias: str) -> Iterator[tuple[str, Resource]]:
    permissions: dict[str, dict[str, Any]] = {
        "UrlPermission": {"Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"},
        "FunctionPermission": {"Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": True},
    }
    for suffix, permission in permissions.items():
        yield (
            names.logical_id(function, suffix),
            resource(
                "AWS::Lambda::Permission",
                {**permission, "FunctionName": ref(alias), "Principal": "*"},
                function=function,
            ),
        )
