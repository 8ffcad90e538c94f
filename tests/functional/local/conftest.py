"""A real embedded cloud, and small functions to deploy to it."""

from __future__ import annotations

import functools
import io
import json
import os
import secrets
import select
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from sls_ml.local import control
from sls_ml.local.files import Endpoint

PACKAGES = "test-packages"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


@dataclass(frozen=True)
class Cloud:
    """A running embedded cloud."""

    folder: Path
    endpoint: Endpoint

    @functools.cache  # noqa: B019 - one cloud for each session
    def client(self, service: str) -> Any:
        """A boto3 client with the administrator's keys."""
        return client(self.endpoint, service)

    def package(self, code: str) -> dict[str, str]:
        """Put a package with one module, ``handler.py``, into a bucket."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("handler.py", code)
        key = f"{secrets.token_hex(8)}.zip"
        self.client("s3").put_object(Bucket=PACKAGES, Key=key, Body=buffer.getvalue())
        return {"S3Bucket": PACKAGES, "S3Key": key}

    def deploy(self, resources: dict[str, Any], *, name: str | None = None, **outputs: Any) -> Stack:
        """Create a stack, or update the one of this name, by a change set."""
        cloudformation = self.client("cloudformation")
        kind = "UPDATE" if name else "CREATE"
        name = name or f"stack-{secrets.token_hex(4)}"
        template = {
            "Resources": resources,
            "Outputs": {key: {"Value": value} for key, value in outputs.items()},
        }
        change_set = cloudformation.create_change_set(
            StackName=name, ChangeSetName="change", ChangeSetType=kind, TemplateBody=json.dumps(template)
        )
        cloudformation.execute_change_set(ChangeSetName=change_set["Id"])
        return self.stack(change_set["StackId"])

    def stack(self, name: str) -> Stack:
        """A stack as it stands."""
        cloudformation = self.client("cloudformation")
        (raw,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
        outputs = {o["OutputKey"]: o["OutputValue"] for o in raw.get("Outputs", [])}
        return Stack(raw["StackName"], raw["StackStatus"], outputs)

    def invoke(self, function: str, event: Any = None, **options: Any) -> dict[str, Any]:
        """Call a function; the answer with its payload parsed."""
        payload = event if isinstance(event, bytes) else json.dumps(event or {}).encode()
        answer = self.client("lambda").invoke(FunctionName=function, Payload=payload, **options)
        return {**answer, "Payload": json.loads(answer["Payload"].read() or b"null")}

    def signed(
        self, url: str, *, keys: tuple[str, str] | None = None, service: str = "lambda", **request: Any
    ) -> httpx.Response:
        """Send a request to a function URL, or to an API, signed with SigV4."""
        built = httpx.Request(request.pop("method", "POST"), url, **request)
        signed = AWSRequest(
            method=built.method,
            url=str(built.url),
            data=built.content,
            headers={k: v for k, v in built.headers.items() if k == "content-type"},
        )
        credentials = Credentials(*(keys or (self.endpoint.access_key, self.endpoint.secret_key)))
        SigV4Auth(credentials, service, self.endpoint.region).add_auth(signed)
        return httpx.request(
            built.method, url, content=built.content, headers=dict(signed.headers), timeout=30
        )

    @staticmethod
    def url(auth: str, **properties: Any) -> dict[str, Any]:
        """The resources of a function's URL, with both permissions where it is open to all."""
        resources: dict[str, Any] = {
            "Url": {
                "Type": "AWS::Lambda::Url",
                "DependsOn": "Alias",
                "Properties": {
                    "AuthType": auth,
                    "Qualifier": "live",
                    "TargetFunctionArn": {"Ref": "Function"},
                    **properties,
                },
            }
        }
        if auth == "NONE":
            for name, action, condition in (
                ("UrlPermission", "lambda:InvokeFunctionUrl", {"FunctionUrlAuthType": "NONE"}),
                ("FunctionPermission", "lambda:InvokeFunction", {"InvokedViaFunctionUrl": True}),
            ):
                resources[name] = {
                    "Type": "AWS::Lambda::Permission",
                    "Properties": {
                        "Action": action,
                        "FunctionName": {"Ref": "Alias"},
                        "Principal": "*",
                        **condition,
                    },
                }
        return resources


@dataclass(frozen=True)
class Stack:
    """A stack as it stands."""

    name: str
    status: str
    outputs: dict[str, str]


def client(endpoint: Endpoint, service: str) -> Any:
    connect: Any = boto3.Session().client
    return connect(
        service,
        endpoint_url=endpoint.url,
        region_name=endpoint.region,
        aws_access_key_id=endpoint.access_key,
        aws_secret_access_key=endpoint.secret_key,
        config=Config(retries={"total_max_attempts": 1}, read_timeout=60),
    )


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("cloud")
    running = Cloud(folder, control.up(folder))
    running.client("s3").create_bucket(
        Bucket=PACKAGES, CreateBucketConfiguration={"LocationConstraint": running.endpoint.region}
    )
    yield running
    control.down(folder)


@pytest.fixture
def function(make_function: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Makes the resources of a function: Role, Function, Version, Alias."""
    return make_function


@pytest.fixture(scope="session")
def make_function(cloud: Cloud) -> Callable[..., dict[str, Any]]:
    """Makes the resources of a function: Role, Function, Version, Alias."""

    def make(code: str, *, policies: list[Any] | None = None, version: str = "One", **properties: Any) -> Any:
        statements = [{"Effect": "Allow", **statement} for statement in policies or []]
        role: dict[str, Any] = {"AssumeRolePolicyDocument": TRUST}
        if statements:
            document = {"Version": "2012-10-17", "Statement": statements}
            role["Policies"] = [{"PolicyName": "own", "PolicyDocument": document}]
        return {
            "Role": {"Type": "AWS::IAM::Role", "Properties": role},
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Code": cloud.package(code),
                    "Handler": "handler.handler",
                    "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                    "Runtime": "python3.12",
                    "Timeout": 10,
                    **properties,
                },
            },
            f"Version{version}": {
                "Type": "AWS::Lambda::Version",
                "DeletionPolicy": "RetainExceptOnCreate",
                "Properties": {"FunctionName": {"Ref": "Function"}},
            },
            "Alias": {
                "Type": "AWS::Lambda::Alias",
                "Properties": {
                    "FunctionName": {"Ref": "Function"},
                    "FunctionVersion": {"Fn::GetAtt": [f"Version{version}", "Version"]},
                    "Name": "live",
                },
            },
        }

    return make


@pytest.fixture
def connect() -> Callable[[Endpoint, str], Any]:
    """Makes a client of any embedded cloud."""
    return client


@pytest.fixture
def gone() -> Callable[[int], None]:
    """Waits until a process has ended."""

    def wait(pid: int) -> None:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        ended, _, _ = select.select([descriptor], [], [], 10)
        os.close(descriptor)
        assert ended

    return wait
