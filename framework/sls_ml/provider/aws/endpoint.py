"""The HTTP side of a function: its URL, and who may call it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, assert_never

from sls_ml.errors import UnsupportedError
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
        "AuthType": _auth_type(function.name, http),
        "InvokeMode": "BUFFERED",
        "Qualifier": names.ALIAS,
        "TargetFunctionArn": ref(names.logical_id(function.name, "Function")),
    }
    if http.cors:
        url["Cors"] = {
            "AllowHeaders": [
                "authorization",
                "content-type",
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
            resource(
                "AWS::IAM::ManagedPolicy",
                {
                    "Description": f"Call the endpoint of {function.name} in {stack}",
                    "ManagedPolicyName": names.invoke_policy_name(stack, function.name, region),
                    "PolicyDocument": iam.invoke_policy(alias),
                },
                function=function.name,
            ),
        )


def _auth_type(function: str, http: Http) -> str:
    match http.auth:
        case "iam":
            return "AWS_IAM"
        case "public":
            return "NONE"
        case "jwt" | "key":
            raise UnsupportedError(
                f"auth: {http.auth} is not supported on aws",
                code="auth-unsupported",
                where=f"functions.{function}.http.auth",
                why="a Lambda function URL knows IAM or nothing",
                mend="use auth: iam, or auth: public",
            )
        case _:
            assert_never(http.auth)


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
