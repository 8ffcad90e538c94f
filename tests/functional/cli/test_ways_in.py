"""Endpoints behind an HTTP API in the embedded cloud, from spec to answer: keys, throttles, domains."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from command_line import run
from sls_ml.client import Client, Key
from sls_ml.errors import ExternalError
from sls_ml.local import control

LOCAL = ("--stage", "local")
SPEC = """\
project: fruit
region: eu-west-1
vendor: false
models:
  ripe: {source: model.skops, sample: sample.csv}
functions:
  predict:
    model: ripe
    timeout: 30s
    http: {auth: key}
  slow:
    model: ripe
    http:
      throttle: {rate: 50, burst: 100}
      domain:
        name: fruit.example.org
        certificate: "arn:aws:acm:eu-west-1:123456789012:certificate/1234abcd-12ab-34cd-56ef-1234567890ab"
"""


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[tuple[Path, str]]:
    """A project in a cloud of its own, and what its deploy said."""
    folder = tmp_path_factory.mktemp("ways-in")
    for file in ("model.skops", "sample.csv"):
        (folder / file).write_bytes((models / file).read_bytes())
    (folder / "sls-ml.yaml").write_text(SPEC)
    done = run(folder, "deploy", *LOCAL)
    assert done.code == 0, done.err
    yield folder, done.out + done.err
    run(folder, "local", "down")


@pytest.fixture(scope="module")
def key(deployed: tuple[Path, str]) -> str:
    """The key that the cloud made up."""
    endpoint = control.status(deployed[0])
    assert endpoint
    cloud = {
        "endpoint_url": endpoint.url,
        "region_name": endpoint.region,
        "aws_access_key_id": endpoint.access_key,
        "aws_secret_access_key": endpoint.secret_key,
    }
    (stack,) = boto3.client("cloudformation", **cloud).describe_stacks()["Stacks"][-1:]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    secret = boto3.client("secretsmanager", **cloud).get_secret_value(SecretId=outputs["PredictApiKey"])
    return str(secret["SecretString"])


def test_a_deploy_says_what_stays_away(deployed: tuple[Path, str]) -> None:
    # GIVEN a project with a name of its own, deployed to the embedded cloud
    _, said = deployed
    # THEN the name is listed, and the lines to paste bring what each endpoint wants
    assert "not emulated: SlowApiDomain (AWS::ApiGatewayV2::DomainName)" in said
    assert "not emulated: SlowApiDomainMap (AWS::ApiGatewayV2::ApiMapping)" in said
    assert '-H "x-api-key: $API_KEY"' in said
    assert "--aws-sigv4 aws:amz:eu-west-1:execute-api" in said


def test_invoke_brings_the_key(deployed: tuple[Path, str], key: str, tmp_path: Path) -> None:
    # GIVEN an endpoint with a key
    folder, _ = deployed
    ask = ("invoke", "predict", "--sample", "1", *LOCAL)
    # WHEN it is asked with the key, as an option and as a variable, with another, and without
    good = run(folder, *ask, "--key", key)
    kept = run(folder, *ask, variables={"SLS_ML_KEY": key})
    bad = run(folder, *ask, "--key", "no")
    none = run(folder, *ask)
    # THEN only the key gets an answer, and the others are told what to bring
    assert (good.code, kept.code) == (0, 0)
    assert "ripe" in good.out
    assert (bad.code, none.code) == (2, 2)
    assert "Forbidden" in bad.err
    assert "Unauthorized" in none.err
    assert "SLS_ML_KEY" in none.err


def test_invoke_signs_for_the_api(deployed: tuple[Path, str]) -> None:
    # GIVEN an endpoint with IAM that is an API, because it is throttled
    # WHEN it is asked
    done = run(deployed[0], "invoke", "slow", "--sample", "1", *LOCAL)
    # THEN the signature is good
    assert done.code == 0, done.err


def test_the_client_brings_the_key(deployed: tuple[Path, str], key: str) -> None:
    # GIVEN the endpoint's URL
    folder, _ = deployed
    url = run(folder, "status", "--json", *LOCAL).document["functions"]["predict"]["endpoint"]
    # WHEN a client asks with the key, and with another
    with Client(url, auth=Key(key)) as client:
        label = client.predict([{"weight": 1.0, "colour": 0.0, "sugar": 2.0}]).label
    with Client(url, auth=Key("no")) as client, pytest.raises(ExternalError) as caught:
        client.health()
    # THEN only the first is answered
    assert label == [True]
    assert caught.value.code == "endpoint-denied"
