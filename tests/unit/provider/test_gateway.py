"""Endpoints behind an HTTP API: tokens, keys, throttling.

The authorizer's code is run as rendered, against stubs of botocore.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from sls_ml.errors import UnsupportedError
from sls_ml.provider.aws import render
from sls_ml.spec.model import Domain, Http, Jwt, Throttle

CERTIFICATE = "arn:aws:acm:eu-west-1:123456789012:certificate/1234abcd-12ab-34cd-56ef-1234567890ab"
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:PredictApiKey-a1B2c3"
TOKENS = Http(auth="jwt", jwt=Jwt(issuer="https://login.example.org/", audience=("risk",)))
KEY = Http(auth="key")
NEAR = "http://127.0.0.1:8000/realms/test"
SLOW = Http(throttle=Throttle(rate=10, burst=20))


def template(make: Any, http: Http) -> dict[str, Any]:
    deployment = make.deployment(make.function(http=http))
    found: dict[str, Any] = json.loads(render(deployment, {"predict": make.package("predict")}).template)
    return found


@pytest.mark.parametrize(
    ("http", "kind"), [(TOKENS, "JWT"), (KEY, "CUSTOM"), (SLOW, "AWS_IAM"), (Http(auth="public"), None)]
)
def test_an_api_stands_there_only_where_a_url_does_not_do(make: Any, http: Http, kind: str | None) -> None:
    # GIVEN an endpoint
    # WHEN it is rendered
    resources = template(make, http)["Resources"]
    # THEN it has a function URL, or an API of which every route asks for the same
    kinds = {
        body["Properties"]["AuthorizationType"]
        for body in resources.values()
        if body["Type"] == "AWS::ApiGatewayV2::Route"
    }
    assert kinds == ({kind} if kind else set())
    assert ("PredictUrl" in resources) is (kind is None)


def test_the_endpoint_is_the_api(make: Any) -> None:
    outputs = template(make, KEY)["Outputs"]
    assert outputs["PredictEndpoint"]["Value"] == {"Fn::GetAtt": ["PredictApi", "ApiEndpoint"]}
    assert outputs["PredictApiKey"]["Value"] == {"Ref": "PredictApiKey"}


@pytest.mark.parametrize(
    ("stage", "endpoint"),
    [
        ("dev", "https://risk.example.org"),
        ("local", {"Fn::GetAtt": ["PredictApi", "ApiEndpoint"]}),
    ],
)
def test_a_domain_is_the_endpoint_where_there_is_dns(make: Any, stage: str, endpoint: Any) -> None:
    # GIVEN an endpoint with a name of its own
    http = Http(auth="public", domain=Domain(name="risk.example.org", certificate=CERTIFICATE))
    deployment = make.deployment(make.function(http=http), stage=stage)
    # WHEN it is rendered for an account, and for the embedded cloud
    rendered = json.loads(render(deployment, {"predict": make.package("predict")}).template)
    # THEN the name is where it is reached, but in the embedded cloud, and the output says where it must lead
    assert rendered["Outputs"]["PredictEndpoint"]["Value"] == endpoint
    target = {"Fn::GetAtt": ["PredictApiDomain", "RegionalDomainName"]}
    assert rendered["Outputs"]["PredictDomainTarget"]["Value"] == target
    assert "PredictApiRecord" not in rendered["Resources"]


def test_tokens_are_of_this_issuer_and_for_this_audience(make: Any) -> None:
    authorizer = template(make, TOKENS)["Resources"]["PredictApiAuthorizer"]["Properties"]
    assert authorizer["JwtConfiguration"] == {"Issuer": "https://login.example.org/", "Audience": ["risk"]}


def test_throttling_holds_for_all_routes(make: Any) -> None:
    stage = template(make, SLOW)["Resources"]["PredictApiStage"]["Properties"]
    assert stage["DefaultRouteSettings"] == {"ThrottlingBurstLimit": 20, "ThrottlingRateLimit": 10}


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"http": KEY, "timeout": 31}, "gateway-timeout"),
        ({"http": Http(auth="jwt", jwt=Jwt(issuer=NEAR, audience=("risk",)))}, "issuer-not-https"),
    ],
)
def test_what_an_api_cannot_do_is_refused(make: Any, changed: dict[str, Any], code: str) -> None:
    # GIVEN an endpoint with a timeout beyond an API's, or with tokens of an issuer on this machine
    deployment = make.deployment(make.function(**changed), stage="dev")
    # WHEN it is rendered
    with pytest.raises(UnsupportedError) as caught:
        render(deployment, {"predict": make.package("predict")})
    # THEN it is refused
    assert caught.value.code == code


@pytest.fixture
def allowed(make: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[bool]]:
    """Runs the authorizer as rendered, on the keys at the stages of the secret and what callers bring."""

    def run(keys: dict[str, str], *brought: str | None) -> list[bool]:
        code = template(make, KEY)["Resources"]["PredictApiKeyReader"]["Properties"]["Code"]["ZipFile"]
        monkeypatch.setenv("SECRET", SECRET)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", boto3.Session("AKIAIOSFODNN7EXAMPLE", "none"))
        module: dict[str, Any] = {"__name__": "index"}
        exec(compile(code, "index.py", "exec"), module)  # noqa: S102 - the code under test
        with Stubber(module["SECRETS"]) as secrets:
            for stage in ("AWSCURRENT", "AWSPREVIOUS"):
                asked = {"SecretId": SECRET, "VersionStage": stage}
                if stage in keys:
                    secrets.add_response("get_secret_value", {"SecretString": keys[stage]}, asked)
                else:
                    missing = "ResourceNotFoundException"
                    secrets.add_client_error("get_secret_value", missing, expected_params=asked)
            headers = [{} if key is None else {"x-api-key": key} for key in brought]
            return [module["handler"]({"headers": each}, None)["isAuthorized"] for each in headers]

    return run


def test_only_the_key_lets_callers_in(allowed: Callable[..., list[bool]]) -> None:
    # GIVEN a key that was never changed
    # WHEN callers bring it, another, none at all, or an empty one
    # THEN only the first is let in, and the secret is read once
    assert allowed({"AWSCURRENT": "good"}, "good", "bad", None, "", "good") == [
        True,
        False,
        False,
        False,
        True,
    ]


def test_the_key_before_a_change_stays_good(allowed: Callable[..., list[bool]]) -> None:
    keys = {"AWSCURRENT": "new", "AWSPREVIOUS": "old"}
    assert allowed(keys, "new", "old", "older") == [True, True, False]
