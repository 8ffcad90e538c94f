"""A deployed function finds the values of its secrets, and IAM of the embedded cloud decides which."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from command_line import copy_sample, run

HOOKS = '''"""Tells digests of what the environment held when this module was imported."""

import hashlib
import os

import boto3
from botocore.exceptions import ClientError

FOUND = {name: hashlib.sha256(os.environ[name].encode()).hexdigest() for name in ("TOKEN", "PASSWORD")}


def after(result):
    try:
        boto3.client("secretsmanager").get_secret_value(SecretId="foreign")
        foreign = "allowed"
    except ClientError as error:
        foreign = error.response["Error"]["Code"]
    return result | FOUND | {"foreign": foreign}
'''
SETTINGS = """    start: START
    environment:
      TOKEN: {secret: credit/token}
      PASSWORD: {secret: "credit/db#password"}
"""


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def sample(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Path, Any]]:
    """A project whose function names secrets, with an embedded cloud and a client of its secrets."""
    folder = copy_sample("breast-cancer", tmp_path)
    spec = folder / "sls-ml.yaml"
    settings = SETTINGS.replace("START", request.param)
    spec.write_text(spec.read_text().replace("    memory: 512\n", f"    memory: 512\n{settings}"))
    (tmp_path / "handlers" / "breast-cancer" / "aws" / "predict" / "hooks.py").write_text(HOOKS)
    try:
        cloud = run(folder, "local", "up", "--json").document
        client = boto3.client(
            "secretsmanager",
            endpoint_url=cloud["endpoint_url"],
            region_name=cloud["region"],
            aws_access_key_id=cloud["access_key"],
            aws_secret_access_key=cloud["secret_key"],
        )
        yield folder, client
    finally:
        run(folder, "local", "down")


@pytest.mark.parametrize("sample", ["plain", "snapstart"], indirect=True)
def test_hooks_find_values_and_the_role_reads_no_other_secret(sample: tuple[Path, Any]) -> None:
    # GIVEN secrets that the function names, and one that it does not
    folder, secrets = sample
    secrets.create_secret(Name="credit/token", SecretString="t0ken-value")
    secrets.create_secret(Name="credit/db", SecretString=json.dumps({"password": "passw0rd-value"}))
    secrets.create_secret(Name="foreign", SecretString="x")
    # WHEN it is deployed and asked
    done = run(folder, "deploy", "--stage", "local", "--json")
    assert done.code == 0, done.out + done.err
    answer = run(folder, "invoke", "predict", "--stage", "local", "--sample", "1", "--json").document
    # THEN its hooks had the values
    assert answer["TOKEN"] == digest("t0ken-value")
    assert answer["PASSWORD"] == digest("passw0rd-value")
    # AND its role cannot read another secret
    assert answer["foreign"] in {"AccessDeniedException", "403"}  # moto refuses with a bare 403
    # AND no value is in the log, in what the deploy says, or in the generated code
    log = run(folder, "logs", "predict", "--stage", "local", "--json").out
    written = [path.read_bytes() for path in (folder.parents[1] / "handlers").rglob("*") if path.is_file()]
    for value in ("t0ken-value", "passw0rd-value"):
        assert value not in done.out + done.err + log
        assert not any(value.encode() in text for text in written)


@pytest.mark.parametrize("sample", ["plain"], indirect=True)
def test_a_secret_that_is_not_there_fails_the_release_by_name(sample: tuple[Path, Any]) -> None:
    # GIVEN a deployed function whose secrets are deleted before it starts
    folder, secrets = sample
    made = [secrets.create_secret(Name=f"credit/{name}", SecretString="x")["ARN"] for name in ("db", "token")]
    assert run(folder, "deploy", "--stage", "local", "--json").code == 0
    for arn in made:
        secrets.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    # WHEN it is asked
    run(folder, "invoke", "predict", "--stage", "local", "--sample", "1", "--json")
    # THEN its log says which, and what may be missing
    log = run(folder, "logs", "predict", "--stage", "local", "--json").out
    assert "access to the secret credit/db is denied" in log  # the first by the name of its variable
    assert "no such secret" in log


@pytest.mark.parametrize("sample", ["plain"], indirect=True)
def test_a_plan_warns_of_secrets_without_a_value_and_a_deploy_refuses(sample: tuple[Path, Any]) -> None:
    # GIVEN a function that names a secret which is there, and one that nobody made
    folder, secrets = sample
    secrets.create_secret(Name="credit/token", SecretString="x")
    command = 'eval "$(sls-ml local env)"; aws secretsmanager'
    region = "--region eu-west-1"
    # WHEN it is planned
    said = run(folder, "plan", "--stage", "local").err
    # THEN secret, function and command are named, and the other secret is not
    make = f"{command} create-secret --name credit/db {region} --secret-string file://FILE"
    assert f"the secret credit/db of predict does not exist: {make}" in " ".join(said.split())
    assert "credit/token" not in said
    # THEN a deploy refuses, and nothing is deployed
    done = run(folder, "deploy", "--stage", "local", "--json")
    error = done.document["error"]
    assert (done.code, error["code"], error["mend"]) == (8, "secret-unreadable", make)
    assert error["what"] == "the secret credit/db does not exist"
    assert error["where"] == "the environment of predict"
    assert run(folder, "status", "--stage", "local").code != 0
    # THEN a secret without a value is refused too
    secrets.create_secret(Name="credit/db")
    error = run(folder, "deploy", "--stage", "local", "--json").document["error"]
    assert error["what"] == "the secret credit/db has no value"
    assert (
        error["mend"]
        == f"{command} put-secret-value --secret-id credit/db {region} --secret-string file://FILE"
    )
    # THEN so is one that is to be deleted
    secrets.put_secret_value(SecretId="credit/db", SecretString='{"password": "x"}')
    secrets.delete_secret(SecretId="credit/db")
    error = run(folder, "deploy", "--stage", "local", "--json").document["error"]
    assert error["what"] == "the secret credit/db is to be deleted"
    assert error["mend"] == f"{command} restore-secret --secret-id credit/db {region}"


@pytest.mark.parametrize("sample", ["plain"], indirect=True)
def test_who_may_not_look_at_secrets_is_warned_and_goes_on(sample: tuple[Path, Any]) -> None:
    # GIVEN an account, and a user who may do everything but look at secrets
    folder, _ = sample
    variables = run(folder, "local", "env", "--json").document
    iam = boto3.client(
        "iam",
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        region_name=variables["AWS_DEFAULT_REGION"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )
    iam.create_user(UserName="blind")
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "secretsmanager:DescribeSecret", "Resource": "*"},
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName="blind", PolicyName="blind", PolicyDocument=document)
    key = iam.create_access_key(UserName="blind")["AccessKey"]
    user = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    # WHEN the user plans and deploys
    assert run(folder, "bootstrap", variables=variables).code == 0
    for words in (("plan",), ("deploy", "--yes")):
        done = run(folder, *words, variables={**variables, **user})
        # THEN it goes on, with a warning for each secret
        assert done.code == 0, done.err
        for name in ("credit/db", "credit/token"):
            told = f"secret {name} of predict exists; it is missing, or may not be looked at"
            assert told in " ".join(done.err.split())
