"""With `style: chalice` a function answers as a native one does, behind a function URL."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.functional.styles.conftest import CONTEXT, ROW, Handler, url_event

from sls_ml.spec.model import Http

Start = Callable[..., Handler]

PREDICTION = json.dumps({"rows": [ROW, ROW]})

INPUTS = [
    {"name": "age", "shape": [1, 1], "datatype": "FP64", "data": [47.0]},
    {"name": "income", "shape": [1, 1], "datatype": "FP64", "data": [38_880.0]},
    {"name": "city", "shape": [1, 1], "datatype": "BYTES", "data": ["Bern"]},
]
TENSORS = json.dumps({"inputs": INPUTS})
BINARY = json.dumps({"inputs": INPUTS, "parameters": {"binary_data_output": True}})

REQUESTS = {
    "prediction": url_event(body=PREDICTION),
    "prediction at the root": url_event(path="/", body=PREDICTION),
    "prediction by the model's name": url_event(path="/models/linear-1/predict", body=PREDICTION),
    "slash at the end": url_event(path="/predict/", body=PREDICTION),
    "double slash": url_event(path="//predict", body=PREDICTION),
    "body in base64": url_event(body=base64.b64encode(PREDICTION.encode()).decode())
    | {"isBase64Encoded": True},
    "tensors": url_event(path="/v2/models/linear-1/infer", body=TENSORS),
    "binary tensors": url_event(path="/v2/models/linear-1/infer", body=BINARY, accept="*/*"),
    "lines": url_event(body=json.dumps(ROW), content_type="application/jsonlines"),
    "refused value": url_event(body=json.dumps([ROW | {"income": "much"}])),
    "no JSON": url_event(body='{"rows":'),
    "other media type": url_event(body="<row/>", content_type="text/xml"),
    "unknown encoding": url_event(body=PREDICTION, content_encoding="br"),
    "health": url_event("GET", "/health"),
    "head": url_event("HEAD", "/health"),
    "preflight": url_event("OPTIONS", "/predict", origin="https://example.org"),
    "unknown path": url_event("GET", "/nothing/here"),
    "path longer than any": url_event("GET", "/1/2/3/4/5/6/7"),
    "wrong method": url_event("DELETE", "/predict"),
}


def seen(answer: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body as a caller gets them."""
    headers = {name.lower(): value for name, value in answer["headers"].items()}
    body = answer["body"].encode()
    return answer["statusCode"], headers, base64.b64decode(body) if answer["isBase64Encoded"] else body


@pytest.mark.parametrize("http", [Http(), Http(cors=("https://example.org",))], ids=["plain", "cors"])
def test_answers_are_the_native_ones(start: Start, capsys: pytest.CaptureFixture[str], http: Http) -> None:
    # GIVEN the same function in either style
    answers: list[dict[str, Any]] = []
    counted: list[int] = []
    for style in ("function", "chalice"):
        handler = start(style=style, http=http)
        # WHEN each answers the same requests
        answers.append({name: seen(handler(event, CONTEXT)) for name, event in REQUESTS.items()})
        counted.append(capsys.readouterr().out.count('{"_aws"'))
    # THEN status, headers and body are the same
    assert answers[1] == answers[0]
    assert {answers[1][name][0] for name in ("prediction", "tensors", "binary tensors", "lines")} == {200}
    assert answers[1]["binary tensors"][1]["content-type"] == "application/octet-stream"
    # AND each request was counted once
    assert counted == [len(REQUESTS), len(REQUESTS)]


APP = """
from chalice import Chalice, Response
from chalicelib.model import model

app = Chalice(app_name="mine")
app.register_blueprint(model, url_prefix="/credit")


@app.middleware("http")
def mark(event, get_response):
    response = get_response(event)
    response.headers["x-mine"] = "yes"
    return response


@app.route("/greet/{name}")
def greet(name):
    request = app.current_request
    said = {"name": name, "query": request.query_params.getlist("q"), "cookie": request.headers["cookie"]}
    return Response(said, {"Set-Cookie": ["a=1", "b=2"]})
"""


def test_an_app_of_the_users_own_mounts_the_blueprint(start: Start) -> None:
    # GIVEN an app with a route and middleware of its own, and the model under a prefix
    handler = start(style="chalice", app=APP)
    # WHEN both are asked
    predicted = handler(url_event(path="/credit/predict", body=PREDICTION), CONTEXT)
    greeted = handler(
        url_event("GET", "/greet/Zo%C3%AB") | {"rawQueryString": "q=1&q=2", "cookies": ["c=3", "d=4"]},
        CONTEXT,
    )
    # THEN each answers, through the middleware
    assert json.loads(predicted["body"])["model"] == "linear-1"
    assert predicted["headers"]["x-mine"] == greeted["headers"]["x-mine"] == "yes"
    assert json.loads(greeted["body"]) == {"name": "Zoë", "query": ["1", "2"], "cookie": "c=3; d=4"}
    assert greeted["cookies"] == ["a=1", "b=2"]
