"""HTTP APIs let in, throttle and answer as API Gateway's do, deployed with the resources that we render."""

from __future__ import annotations

import base64
import json
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from sls_ml.intent.model import Deployment, Function, WriteLogs
from sls_ml.provider.aws import gateway
from sls_ml.spec.model import Concurrency, Http, Jwt, PythonVersion, Rollout, Throttle

PYTHON: PythonVersion = (
    "3.13" if sys.version_info >= (3, 13) else "3.12" if sys.version_info >= (3, 12) else "3.11"
)
ORIGIN = "https://page.example"
AUDIENCE = "credit-risk"
ECHO = """
def handler(event, context):
    match event["rawPath"]:
        case "/event":
            return event
        case "/wrong":
            return {"statusCode": "many"}
        case "/error":
            raise ValueError("wrong")
        case "/large":
            return {"statusCode": 200, "body": "x" * 6_300_000}
        case "/slow":
            import time
            time.sleep(3)
        case "/cors":
            return {"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "*"}, "body": ""}
    return {"statusCode": 200, "body": "{}"}
"""


class Issuer:
    """An issuer of tokens on loopback, with the two documents that verify them."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        issuer = self

        class Documents(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                documents: dict[str, Any] = {
                    "/.well-known/openid-configuration": {
                        "issuer": issuer.url,
                        "jwks_uri": f"{issuer.url}/keys",
                    },
                    "/keys": KeySet([issuer.key]).as_dict(private=False),
                }
                body = json.dumps(documents[self.path]).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Documents)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def token(self, key: RSAKey | None = None, header: dict[str, str] | None = None, **claims: Any) -> str:
        """A token, good but for what is given."""
        now = int(time.time())
        good = {
            "iss": self.url,
            "aud": AUDIENCE,
            "exp": now + 600,
            "iat": now,
            "sub": "me",
            "roles": ["a", "b"],
        }
        kept = {name: value for name, value in {**good, **claims}.items() if value is not None}
        return jwt.encode(header or {"alg": "RS256", "kid": "one"}, kept, key or self.key)


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    running = Issuer()
    yield running
    running.server.shutdown()
    running.server.server_close()


def resources(make_function: Callable[..., dict[str, Any]], http: Http, timeout: int = 10) -> dict[str, Any]:
    """A function that echoes, and the HTTP API that a deploy puts in front of it."""
    function = Function(
        name="predict",
        models=(),
        http=http,
        batch=None,
        memory=256,
        timeout=timeout,
        python=PYTHON,
        architecture="x86_64",
        start="plain",
        concurrency=Concurrency(),
        observability="native",
        style="function",
        environment={},
        grants=(WriteLogs(),),
        log_retention=30,
    )
    deployment = Deployment(
        project=f"api-{secrets.token_hex(4)}",
        stage="local",
        provider="aws",
        region="eu-west-1",
        store="auto",
        vendor=True,
        functions=(function,),
        rollout=Rollout(),
    )
    made = make_function(ECHO, Runtime=f"python{PYTHON}")
    made["PredictAlias"] = made.pop("Alias")
    return made | dict(gateway.resources(deployment, function, http))


@pytest.fixture(scope="module")
def api(cloud: Any, make_function: Callable[..., dict[str, Any]]) -> Callable[..., Any]:
    """Deploys an API; gives the stack."""

    def deploy(http: Http, timeout: int = 10, **outputs: Any) -> Any:
        stack = cloud.deploy(
            resources(make_function, http, timeout),
            Url={"Fn::GetAtt": ["PredictApi", "ApiEndpoint"]},
            Id={"Ref": "PredictApi"},
            **outputs,
        )
        assert stack.status == "CREATE_COMPLETE"
        return stack

    return deploy


@pytest.fixture(scope="module")
def open_url(api: Callable[..., Any]) -> str:
    """An API that anybody may call, with room for many, for pages of one origin."""
    http = Http(auth="public", throttle=Throttle(rate=1000, burst=1000), cors=(ORIGIN,))
    return str(api(http).outputs["Url"])


@pytest.fixture(scope="module")
def token_url(api: Callable[..., Any], issuer: Issuer) -> str:
    """An API for tokens of the issuer."""
    tokens = Jwt(issuer=issuer.url, audience=("other", AUDIENCE))
    return str(api(Http(auth="jwt", jwt=tokens)).outputs["Url"])


def test_a_request_becomes_an_event_of_its_route(open_url: str) -> None:
    # WHEN a request arrives
    event = httpx.post(f"{open_url}/event?a=1", json={"rows": []}).json()
    # THEN the function sees it as AWS writes it
    assert (event["version"], event["routeKey"], event["rawPath"]) == ("2.0", "POST /{proxy+}", "/event")
    assert event["pathParameters"] == {"proxy": "event"}
    assert event["queryStringParameters"] == {"a": "1"}
    assert json.loads(event["body"]) == {"rows": []}
    context = event["requestContext"]
    assert (context["stage"], context["accountId"]) == ("$default", "123456789012")
    assert "authorizer" not in context


def test_what_no_route_takes_is_not_found(open_url: str) -> None:
    # WHEN a request has a method that no route takes
    answer = httpx.delete(f"{open_url}/predict")
    # THEN the API answers itself
    assert (answer.status_code, answer.json()) == (404, {"message": "Not Found"})


@pytest.mark.parametrize("path", ["error", "wrong", "large"])
def test_a_function_that_fails_gives_away_nothing(open_url: str, path: str) -> None:
    # WHEN the function raises, answers nonsense, or more than Lambda takes
    answer = httpx.get(f"{open_url}/{path}")
    # THEN the API says no more than that
    assert (answer.status_code, answer.json()) == (500, {"message": "Internal Server Error"})


def test_the_longest_wait_is_the_integration_s(api: Callable[..., Any]) -> None:
    # GIVEN an API that waits a second, in front of a function that takes three
    url = api(Http(auth="public", throttle=Throttle(rate=9, burst=9)), timeout=1).outputs["Url"]
    httpx.get(f"{url}/event", timeout=30)  # a second is not enough for a cold start; the next one is warm
    # WHEN it is called
    answer = httpx.get(f"{url}/slow", timeout=30)
    # THEN the API gives up
    assert (answer.status_code, answer.json()) == (503, {"message": "Service Unavailable"})


@pytest.mark.parametrize("size", [6_291_457, (10 << 20) + 1])
def test_a_request_too_large_is_refused(open_url: str, size: int) -> None:
    # WHEN more is sent than Lambda takes, or than API Gateway takes
    answer = httpx.post(f"{open_url}/event", content=b" " * size, headers={"content-type": "text/plain"})
    # THEN it is refused
    assert (answer.status_code, answer.json()) == (413, {"message": "Request Entity Too Large"})


def test_a_page_of_the_named_origin_may_ask(open_url: str) -> None:
    # WHEN browsers ask before they post, from the named page and from another
    asked = {"Access-Control-Request-Method": "POST"}
    named = httpx.options(f"{open_url}/predict", headers={"Origin": ORIGIN, **asked})
    other = httpx.options(f"{open_url}/predict", headers={"Origin": "https://other.example", **asked})
    # THEN the API answers itself, for the first
    assert (named.status_code, other.status_code) == (204, 204)
    assert named.headers["access-control-allow-origin"] == ORIGIN
    assert "POST" in named.headers["access-control-allow-methods"]
    assert "access-control-allow-origin" not in other.headers


def test_the_api_s_cors_takes_the_place_of_the_function_s(open_url: str) -> None:
    # WHEN the function says that all pages may read its answer
    answer = httpx.get(f"{open_url}/cors", headers={"Origin": ORIGIN})
    # THEN the API's word counts
    assert answer.headers["access-control-allow-origin"] == ORIGIN


def test_a_good_token_lets_its_bearer_in(token_url: str, issuer: Issuer) -> None:
    # WHEN a token of the issuer is brought
    answer = httpx.get(f"{token_url}/event", headers={"authorization": f"Bearer {issuer.token()}"})
    # THEN the function learns what it says, as texts
    claims = answer.json()["requestContext"]["authorizer"]["jwt"]["claims"]
    assert (claims["sub"], claims["aud"], claims["roles"]) == ("me", AUDIENCE, "[a b]")
    assert claims["exp"].isdecimal()


def test_a_token_for_a_client_needs_no_audience(token_url: str, issuer: Issuer) -> None:
    # WHEN a token names a client in place of an audience, as Cognito's do
    token = issuer.token(aud=None, client_id=AUDIENCE)
    # THEN it is as good
    assert httpx.get(f"{token_url}/event", headers={"authorization": token}).status_code == 200


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"exp": int(time.time()) - 1}, "the token has expired"),
        ({"exp": None}, "exp"),
        ({"nbf": int(time.time()) + 600}, "not yet valid"),
        ({"aud": "somebody-else"}, "the token does not have a valid audience"),
        ({"iss": "https://other.example"}, "the token has an issuer that is not expected"),
    ],
)
def test_a_token_that_is_not_for_here_is_refused(
    token_url: str, issuer: Issuer, claims: dict[str, Any], why: str
) -> None:
    # WHEN a token of the issuer is too old, too new, for others, or says that it is another's
    answer = httpx.get(f"{token_url}/event", headers={"authorization": f"Bearer {issuer.token(**claims)}"})
    # THEN it is refused, and the answer says why
    assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})
    assert why in answer.headers["www-authenticate"]


def test_no_token_forged_or_unsigned_lets_anybody_in(token_url: str, issuer: Issuer) -> None:
    # GIVEN no token, no JWT, one of another key under the same name, one without a signature, and one signed
    # with the public key as if it were a secret
    forged = issuer.token(RSAKey.generate_key(2048, {"kid": "one"}))
    head, body, _ = issuer.token().split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","kid":"one"}').decode().rstrip("=")
    brought = [
        {},
        *(
            {"authorization": f"Bearer {value}"}
            for value in ("x", forged, f"{none}.{body}.", f"{head}.{body}.")
        ),
    ]
    # WHEN they are brought
    # THEN nobody is let in
    assert {httpx.get(f"{token_url}/event", headers=each).status_code for each in brought} == {401}


def test_an_issuer_out_of_reach_lets_nobody_in(api: Callable[..., Any], issuer: Issuer) -> None:
    # GIVEN an API whose issuer does not answer
    tokens = Jwt(issuer="http://127.0.0.1:9", audience=(AUDIENCE,))
    url = api(Http(auth="jwt", jwt=tokens)).outputs["Url"]
    # WHEN a token is brought
    answer = httpx.get(f"{url}/event", headers={"authorization": f"Bearer {issuer.token()}"})
    # THEN it is not believed
    assert answer.status_code == 401
    assert "discovery endpoint communication error" in answer.headers["www-authenticate"]


def test_an_issuer_may_change_its_keys(token_url: str, issuer: Issuer) -> None:
    # GIVEN an issuer whose keys are known, and who takes another
    httpx.get(f"{token_url}/event", headers={"authorization": f"Bearer {issuer.token()}"})
    issuer.key = RSAKey.generate_key(2048, {"kid": "two", "use": "sig", "alg": "RS256"})
    # WHEN a token of the new key is brought
    token = issuer.token(header={"alg": "RS256", "kid": "two"})
    # THEN the new keys are fetched
    assert httpx.get(f"{token_url}/event", headers={"authorization": f"Bearer {token}"}).status_code == 200
    issuer.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})


def test_only_the_key_opens(cloud: Any, api: Callable[..., Any]) -> None:
    # GIVEN an API with a key, which AWS made up, and the function that a deploy renders to compare it
    stack = api(Http(auth="key"), Secret={"Ref": "PredictApiKey"})
    url, secret = stack.outputs["Url"], stack.outputs["Secret"]
    secrets_manager = cloud.client("secretsmanager")
    key = secrets_manager.get_secret_value(SecretId=secret)["SecretString"]
    # WHEN it is brought, another, and none
    good = httpx.get(f"{url}/predict", headers={"x-api-key": key}, timeout=30)
    bad = httpx.get(f"{url}/predict", headers={"x-api-key": f"{key}x"}, timeout=30)
    none = httpx.get(f"{url}/predict", timeout=30)
    # THEN only the first gets through
    assert good.status_code == 200
    assert (bad.status_code, bad.json()) == (403, {"message": "Forbidden"})
    assert (none.status_code, none.json()) == (401, {"message": "Unauthorized"})


def test_signatures_are_for_the_api(cloud: Any, api: Callable[..., Any]) -> None:
    # GIVEN an API with IAM, because it is throttled, and a user with the policy that the stack offers
    stack = api(Http(throttle=Throttle(rate=100, burst=100)), Policy={"Ref": "PredictInvokePolicy"})
    iam, name = cloud.client("iam"), f"caller-{secrets.token_hex(4)}"
    iam.create_user(UserName=name)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    keys = (made["AccessKeyId"], made["SecretAccessKey"])
    url = f"{stack.outputs['Url']}/event"
    # WHEN the user signs for the API without the policy, with it, and for Lambda
    without = cloud.signed(url, keys=keys, service="execute-api", content=b"{}")
    iam.attach_user_policy(UserName=name, PolicyArn=stack.outputs["Policy"])
    allowed = cloud.signed(url, keys=keys, service="execute-api", content=b"{}")
    wrong = cloud.signed(url, keys=keys, content=b"{}")
    # THEN only the second is let in, and the function learns who it is
    assert (without.status_code, wrong.status_code, httpx.post(url).status_code) == (403, 403, 403)
    assert allowed.json()["requestContext"]["authorizer"]["iam"]["userArn"].endswith(f":user/{name}")


def test_too_fast_is_too_fast(api: Callable[..., Any]) -> None:
    # GIVEN an API that takes one request a second, and two at once
    url = api(Http(auth="public", throttle=Throttle(rate=1, burst=2))).outputs["Url"]
    # WHEN twenty come one after the other
    answers = [httpx.get(f"{url}/nothing-slow", timeout=30) for _ in range(20)]
    # THEN some are let through and the others told to wait
    codes = {answer.status_code for answer in answers}
    assert codes == {200, 429}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json() == {"message": "Too Many Requests"}


def test_the_function_must_let_the_api_in(cloud: Any, make_function: Callable[..., dict[str, Any]]) -> None:
    # GIVEN an API that the function does not let in
    made = resources(make_function, Http(auth="public", throttle=Throttle(rate=9, burst=9)))
    del made["PredictApiPermission"]
    url = cloud.deploy(made, Url={"Fn::GetAtt": ["PredictApi", "ApiEndpoint"]}).outputs["Url"]
    # WHEN it is called
    # THEN it cannot reach the function
    assert httpx.get(f"{url}/predict").status_code == 500


def test_an_update_keeps_the_address(cloud: Any, make_function: Callable[..., dict[str, Any]]) -> None:
    # GIVEN an API for pages of one origin, open to all
    made = resources(make_function, Http(auth="public", throttle=Throttle(rate=99, burst=99), cors=(ORIGIN,)))
    output = {"Url": {"Fn::GetAtt": ["PredictApi", "ApiEndpoint"]}}
    stack = cloud.deploy(made, **output)
    url = stack.outputs["Url"]
    # WHEN the origin goes and callers must sign
    del made["PredictApi"]["Properties"]["CorsConfiguration"]
    for body in made.values():
        if body["Type"] == "AWS::ApiGatewayV2::Route":
            body["Properties"]["AuthorizationType"] = "AWS_IAM"
    changed = cloud.deploy(made, name=stack.name, **output)
    # THEN the same address says so
    assert (changed.status, changed.outputs["Url"]) == ("UPDATE_COMPLETE", url)
    answer = httpx.get(f"{url}/predict", headers={"Origin": ORIGIN})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    # AND a deleted API answers nobody
    cloud.client("cloudformation").delete_stack(StackName=stack.name)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/predict")
