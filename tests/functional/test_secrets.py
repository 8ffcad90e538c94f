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
    # GIVEN a function that names secrets which nobody made
    folder, _ = sample
    # WHEN it is deployed and asked
    run(folder, "deploy", "--stage", "local", "--json")
    run(folder, "invoke", "predict", "--stage", "local", "--sample", "1", "--json")
    # THEN its log says which, and what may be missing
    log = run(folder, "logs", "predict", "--stage", "local", "--json").out
    assert "access to the secret credit/db is denied" in log  # the first by the name of its variable
    assert "no such secret" in log
