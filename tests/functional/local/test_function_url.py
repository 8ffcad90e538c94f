"""Function URLs answer, authenticate and translate as AWS's do."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

Make = Callable[..., dict[str, Any]]

ECHO = """
import base64
def handler(event, context):
    match event["rawPath"]:
        case "/event":
            return event
        case "/teapot":
            return {"statusCode": 418, "headers": {"X-Tea": "yes"}, "cookies": ["a=1", "b=2"],
                    "body": "short"}
        case "/binary":
            return {"statusCode": 200, "headers": {"content-type": "application/octet-stream"},
                    "isBase64Encoded": True, "body": base64.b64encode(bytes(range(256))).decode()}
        case "/text":
            return "only text"
        case "/error":
            raise ValueError("wrong")
"""


@pytest.fixture(scope="session")
def open_url(cloud: Any, make_function: Make) -> str:
    """A URL that anybody may call, from pages of one origin."""
    cors = {
        "AllowOrigins": ["https://page.example"],
        "AllowMethods": ["POST"],
        "AllowHeaders": ["content-type"],
    }
    return deployed(cloud, make_function, "NONE", Cors=cors)


@pytest.fixture(scope="session")
def closed_url(cloud: Any, make_function: Make) -> str:
    """A URL for signed requests."""
    return deployed(cloud, make_function, "AWS_IAM")


def deployed(cloud: Any, make_function: Make, auth: str, **properties: Any) -> str:
    resources = make_function(ECHO) | cloud.url(auth, **properties)
    stack = cloud.deploy(resources, Url={"Fn::GetAtt": ["Url", "FunctionUrl"]})
    assert stack.status == "CREATE_COMPLETE"
    return str(stack.outputs["Url"])


def test_a_request_becomes_an_event_of_format_2(open_url: str) -> None:
    # GIVEN an open URL
    # WHEN a request with repeated parameters, cookies and a JSON body arrives
    answer = httpx.post(
        f"{open_url}event?a=1&a=2&b=",
        content=b'{"rows": []}',
        headers={"Content-Type": "application/json", "X-Two": "x", "Cookie": "c=1; d=2"},
    )
    event = answer.json()
    # THEN the function sees it as AWS writes it
    assert answer.headers["content-type"] == "application/json"
    assert (event["version"], event["routeKey"], event["rawPath"]) == ("2.0", "$default", "/event")
    assert event["rawQueryString"] == "a=1&a=2&b="
    assert event["queryStringParameters"] == {"a": "1,2", "b": ""}
    assert event["cookies"] == ["c=1", "d=2"]
    assert event["headers"]["x-two"] == "x"
    assert event["body"] == '{"rows": []}'
    assert event["isBase64Encoded"] is False
    assert event["requestContext"]["accountId"] == "anonymous"
    http = event["requestContext"]["http"]
    assert (http["method"], http["path"], http["protocol"]) == ("POST", "/event", "HTTP/1.1")


def test_a_body_that_is_no_text_comes_in_base64(open_url: str) -> None:
    # GIVEN a binary body
    body = bytes(range(256))
    # WHEN it is sent
    event = httpx.post(
        f"{open_url}event", content=body, headers={"Content-Type": "application/octet-stream"}
    ).json()
    # THEN the event says so
    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == body


def test_an_answer_with_a_status_is_taken_at_its_word(open_url: str) -> None:
    # WHEN the function answers with status, headers and cookies
    answer = httpx.get(f"{open_url}teapot")
    # THEN these are the answer's
    assert (answer.status_code, answer.text, answer.headers["x-tea"]) == (418, "short", "yes")
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]


def test_a_binary_answer_is_decoded(open_url: str) -> None:
    # WHEN the function answers in base64
    # THEN the caller gets the bytes
    assert httpx.get(f"{open_url}binary").content == bytes(range(256))


def test_any_other_answer_is_json(open_url: str) -> None:
    # WHEN the function returns a text without a status
    answer = httpx.get(f"{open_url}text")
    # THEN it is the JSON body of a success
    assert (answer.status_code, answer.text) == (200, '"only text"')


def test_an_error_of_the_function_is_a_bad_gateway(open_url: str) -> None:
    # WHEN the function raises
    answer = httpx.get(f"{open_url}error")
    # THEN nothing of it gets out
    assert (answer.status_code, answer.text) == (502, "Internal Server Error")


def test_a_request_too_large_is_refused(open_url: str) -> None:
    # WHEN more than six megabytes are sent
    answer = httpx.post(f"{open_url}event", content=b" " * 6_291_457)
    # THEN they are refused before the function runs
    assert answer.status_code == 413


def test_a_name_that_points_to_loopback_is_refused(open_url: str) -> None:
    # WHEN a page of another host reaches the port by DNS
    answer = httpx.get(open_url, headers={"Host": "attacker.example"})
    # THEN it gets nothing
    assert (answer.status_code, answer.text) == (403, '{"Message":"Forbidden"}')


def test_cors_is_for_the_named_origin(open_url: str) -> None:
    # WHEN a browser asks before it posts, for the allowed page and for another
    asked = {"Access-Control-Request-Method": "POST"}
    allowed = httpx.options(open_url, headers={"Origin": "https://page.example", **asked})
    other = httpx.options(open_url, headers={"Origin": "https://other.example", **asked})
    # THEN the first may and the second may not
    assert allowed.headers["access-control-allow-origin"] == "https://page.example"
    assert allowed.headers["access-control-allow-methods"] == "POST"
    assert "access-control-allow-origin" not in other.headers


def test_a_signed_request_reaches_a_closed_url(cloud: Any, closed_url: str) -> None:
    # GIVEN a URL with IAM authentication
    # WHEN the administrator signs a request
    answer = cloud.signed(
        f"{closed_url}event?b=2&a=1", content=b"{}", headers={"Content-Type": "application/json"}
    )
    # THEN the function learns who calls
    assert answer.status_code == 200
    caller = answer.json()["requestContext"]["authorizer"]["iam"]
    assert caller["userArn"].endswith(":user/sls-ml")


def test_an_unsigned_request_is_refused(closed_url: str) -> None:
    # WHEN nobody signs
    answer = httpx.post(closed_url, content=b"{}")
    # THEN the answer is AWS's
    assert (answer.status_code, answer.text) == (403, '{"Message":"Forbidden"}')
    assert answer.headers["x-amzn-errortype"] == "AccessDeniedException"


def test_a_changed_body_is_refused(cloud: Any, closed_url: str) -> None:
    # GIVEN a request signed for another body
    keys = (cloud.endpoint.access_key, "wrong" + cloud.endpoint.secret_key)
    # WHEN it is sent
    # THEN it is refused
    assert cloud.signed(closed_url, keys=keys, content=b"{}").status_code == 403


def test_a_caller_needs_both_permissions(cloud: Any, closed_url: str) -> None:
    # GIVEN a user with the older of the two permissions
    iam = cloud.client("iam")
    iam.create_user(UserName="half")
    key = iam.create_access_key(UserName="half")["AccessKey"]
    keys = (key["AccessKeyId"], key["SecretAccessKey"])
    answers = []
    for actions in (["lambda:InvokeFunctionUrl"], ["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"]):
        statement = {"Effect": "Allow", "Action": actions, "Resource": "arn:aws:lambda:*:*:function:*:live"}
        iam.put_user_policy(
            UserName="half",
            PolicyName="own",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )
        # WHEN the user calls, before and after the other is added
        answers.append(cloud.signed(f"{closed_url}text", keys=keys, content=b"{}").status_code)
    # THEN only both together open the URL
    assert answers == [403, 200]


def test_an_open_url_needs_both_permissions(cloud: Any, function: Make) -> None:
    # GIVEN a URL without authentication and with one permission of two
    resources = function(ECHO) | cloud.url("NONE")
    del resources["FunctionPermission"]
    stack = cloud.deploy(resources, Url={"Fn::GetAtt": ["Url", "FunctionUrl"]})
    # WHEN anybody calls
    # THEN it stays closed
    assert httpx.get(stack.outputs["Url"]).status_code == 403
