"""REST APIs are imported from Swagger 2.0 and answer as API Gateway's do."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.functional.local.conftest import Cloud

ECHO = """
import base64

def handler(event, context):
    match event["path"]:
        case "/event/here":
            return {"statusCode": 200, "body": __import__("json").dumps(event)}
        case "/binary/here":
            headers = {"Content-Type": "application/octet-stream"}
            body = base64.b64encode(bytes([0, 255])).decode()
            return {"statusCode": 200, "headers": headers, "body": body, "isBase64Encoded": True}
        case "/wrong/here":
            return {"nothing": 1}
    raise ValueError("wrong")
"""
BINARY = "application/octet-stream"


@pytest.fixture(scope="module")
def api(cloud: Cloud, make_function: Callable[..., dict[str, Any]]) -> str:
    """Id of a REST API with a function, a page's question, and an authorizer of one's own."""
    arn = cloud.deploy(make_function(ECHO), Arn={"Fn::GetAtt": ["Function", "Arn"]}).outputs["Arn"]
    runs = {
        "type": "aws_proxy",
        "httpMethod": "POST",
        "uri": f"arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{arn}/invocations",
    }
    headers = {"method.response.header.Access-Control-Allow-Origin": "'https://page.example'"}
    asks = {"type": "mock", "responses": {"default": {"statusCode": "200", "responseParameters": headers}}}
    key = "x-amazon-apigateway-integration"
    responses = {"200": {"description": "200 response"}}
    document: dict[str, Any] = {
        "swagger": "2.0",
        "info": {"version": "1.0", "title": "rest"},
        "paths": {
            "/{a}/{b}": {
                "post": {"responses": responses, key: runs},
                "options": {"responses": responses, key: asks},
            },
            "/own": {"get": {"responses": responses, "security": [{"mine": []}], key: runs}},
        },
        "securityDefinitions": {"mine": {"type": "apiKey", "x-amazon-apigateway-authtype": "custom"}},
        "x-amazon-apigateway-binary-media-types": [BINARY],
    }
    gateway = cloud.client("apigateway")
    id_: str = gateway.import_rest_api(body=json.dumps(document))["id"]
    gateway.create_deployment(restApiId=id_, stageName="api")
    cloud.client("lambda").add_permission(
        FunctionName=arn,
        StatementId="rest",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:eu-west-1:123456789012:{id_}/*",
    )
    return id_


def ask(cloud: Cloud, api: str, method: str, path: str, **more: Any) -> httpx.Response:
    url = cloud.endpoint.url
    headers = {"host": f"{api}.execute-api.localhost:{url.rpartition(':')[2]}", **more.pop("headers", {})}
    return httpx.request(method, f"{url}{path}", headers=headers, timeout=60, **more)


def test_a_function_gets_the_event_of_a_rest_api(cloud: Cloud, api: str) -> None:
    # WHEN a request with a query and a binary body is sent
    answer = ask(
        cloud, api, "POST", "/api/event/here?q=1&q=2", content=b"\x00\xff", headers={"content-type": BINARY}
    )
    # THEN the function gets it in payload format 1.0
    event = answer.json()
    assert (event["resource"], event["path"], event["httpMethod"]) == ("/{a}/{b}", "/event/here", "POST")
    assert event["pathParameters"] == {"a": "event", "b": "here"}
    assert event["queryStringParameters"] == {"q": "2"}
    assert event["multiValueQueryStringParameters"] == {"q": ["1", "2"]}
    assert (base64.b64decode(event["body"]), event["isBase64Encoded"]) == (b"\x00\xff", True)
    assert (event["requestContext"]["apiId"], event["requestContext"]["stage"]) == (api, "api")


def test_binary_answers_go_to_who_wants_them(cloud: Cloud, api: str) -> None:
    wanted = ask(cloud, api, "POST", "/api/binary/here", headers={"accept": BINARY})
    other = ask(cloud, api, "POST", "/api/binary/here", headers={"accept": "text/plain"})
    assert (wanted.content, other.text) == (b"\x00\xff", "AP8=")


def test_what_no_function_answers(cloud: Cloud, api: str) -> None:
    # GIVEN an answer that is none, a failure, and a page's question
    assert ask(cloud, api, "POST", "/api/wrong/here").status_code == 502
    assert ask(cloud, api, "POST", "/api/fails/here").status_code == 502
    asked = ask(cloud, api, "OPTIONS", "/api/a/b")
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, "https://page.example")
    # AND what is not there, and what the embedded cloud does not carry out
    assert ask(cloud, api, "POST", "/api/alone").json() == {"message": "Missing Authentication Token"}
    assert ask(cloud, "nothing", "POST", "/api/a/b").json() == {"message": "Forbidden"}
    refused = ask(cloud, api, "GET", "/api/own")
    assert (refused.status_code, "no authorizer" in refused.text) == (500, True)
