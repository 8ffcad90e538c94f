"""A service answers each request with a prediction or with a refusal that says what to mend."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from sls_ml_runtime.artifact import open_folder
from sls_ml_runtime.call import Reply
from sls_ml_runtime.errors import HookError
from sls_ml_runtime.serve import RAW, Service

ROWS = b'{"rows":[{"age":60,"income":8},{"age":20,"income":1}]}'
JSON = {"content-type": "application/json"}


def post(service: Service, body: bytes = ROWS, path: str = "/predict", **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return service.respond("POST", path, JSON | named, body)


def error(reply: Reply) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(reply.body)["error"]
    return found


@pytest.mark.parametrize(
    "path",
    ["/predict", "/", "", "//predict", "/predict/", "/models/credit/predict", "//models//credit/predict//"],
)
def test_predicts_under_each_of_its_paths(service: Service, stored: Any, path: str) -> None:
    # GIVEN a function with one model
    # WHEN rows are posted
    status, headers, body = post(service, path=path)

    # THEN the answer is the plain one
    answer = json.loads(body)
    assert (status, headers) == (200, JSON)
    assert (answer["model"], answer["digest"], answer["classes"]) == (
        "credit",
        stored.digest[:12],
        ["no", "yes"],
    )
    assert answer["label"] == ["yes", "no"]
    assert [round(sum(row), 9) for row in answer["probability"]] == [1.0, 1.0]


@pytest.mark.parametrize(
    "body",
    [
        b'{"columns":{"age":[60,20],"income":[8,1]}}',
        b'[{"age":60.0,"income":8},{"income":1,"age":20}]',
    ],
)
def test_other_forms_give_the_same_answer(service: Service, body: bytes) -> None:
    # GIVEN the same rows in another form WHEN they are posted THEN the answer is the same
    assert post(service, body).body == post(service).body


def test_no_rows_are_an_answer_without_rows(service: Service) -> None:
    # GIVEN no rows WHEN they are posted THEN the lists are empty
    answer = json.loads(post(service, b'{"rows":[]}').body)
    assert (answer["label"], answer["probability"]) == ([], [])


def test_counts_what_is_worth_counting(service: Service) -> None:
    # GIVEN a request of two rows WHEN it is answered THEN the reply knows them, its model and its time
    reply = post(service)
    assert reply.model is service.models["credit"]
    assert (reply.method, reply.path, reply.rows, reply.refusal, reply.error) == (
        "POST",
        "/predict",
        2,
        None,
        None,
    )
    assert reply.milliseconds > 0


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "code"),
    [
        ("POST", "/nothing", JSON, ROWS, 404, "unknown-path"),
        ("POST", "/models/other/predict", JSON, ROWS, 404, "unknown-path"),
        ("GET", "/predict", {}, b"", 405, "wrong-method"),
        ("POST", "/health", JSON, b"", 405, "wrong-method"),
        ("PUT", "/predict", {}, b"", 405, "wrong-method"),
        ("OPTIONS", "/nothing", {}, b"", 404, "unknown-path"),
        ("POST", "/predict", {"content-type": "text/xml"}, ROWS, 415, "wrong-media-type"),
        (
            "POST",
            "/predict",
            {"content-type": "application/json; charset=latin-1"},
            ROWS,
            415,
            "wrong-charset",
        ),
        ("POST", "/predict", JSON | {"content-encoding": "br"}, ROWS, 415, "wrong-encoding"),
        ("POST", "/predict", JSON | {"accept": "text/html"}, ROWS, 406, "not-acceptable"),
        ("POST", "/predict", JSON, b" " * 2001, 413, "too-large"),
        ("POST", "/predict", JSON, b'{"rows":[' + b"{}," * 10 + b"{}]}", 413, "too-many-rows"),
        ("POST", "/predict", JSON, b"[", 400, "malformed-json"),
        ("POST", "/predict", JSON | {"content-encoding": "gzip"}, ROWS, 400, "bad-gzip"),
        (
            "POST",
            "/predict",
            JSON | {"content-encoding": "gzip"},
            gzip.compress(ROWS, mtime=0)[:-12],
            400,
            "bad-gzip",
        ),
        (
            "POST",
            "/predict",
            JSON | {"content-encoding": "gzip"},
            gzip.compress(b" " * 2001, mtime=0),
            413,
            "too-large",
        ),
    ],
)
def test_refuses_with_a_code(
    service: Service, method: str, path: str, headers: dict[str, str], body: bytes, status: int, code: str
) -> None:
    # GIVEN a request that cannot be answered WHEN it comes
    reply = service.respond(method, path, headers, body)

    # THEN status and code say why, as JSON
    assert (reply.status, error(reply)["code"]) == (status, code)
    assert reply.refusal is not None
    assert reply.headers["content-type"] == "application/json"


def test_names_field_and_row_of_a_bad_value(service: Service) -> None:
    # GIVEN a second row without income WHEN it is posted
    reply = post(service, b'{"rows":[{"age":60,"income":8},{"age":20,"income":null}]}')

    # THEN the refusal names both, and the rows are counted
    expected = "income is missing, and the model does not accept missing values here"
    assert error(reply) == {"code": "missing-value", "message": expected, "field": "income", "row": 1}
    assert (reply.status, reply.rows) == (422, 2)


def test_a_wrong_method_is_told_the_right_ones(service: Service) -> None:
    # GIVEN a path that only answers POST WHEN it is got THEN the header says so
    assert service.respond("GET", "/predict", {}, b"").headers["allow"] == "POST, OPTIONS"
    assert service.respond("POST", "/health", {}, b"").headers["allow"] == "GET, HEAD, OPTIONS"


def test_head_is_get_and_options_tells_the_methods(service: Service) -> None:
    # GIVEN paths WHEN their head and their options are asked THEN both are answered
    got, head = (service.respond(method, "/ready", {}, b"") for method in ("GET", "HEAD"))
    options = service.respond("OPTIONS", "/predict", {}, b"")
    assert (head.status, head.headers, head.body) == (got.status, got.headers, got.body)
    assert (options.status, options.headers, options.body) == (204, {"allow": "POST, OPTIONS"}, b"")


def test_an_unknown_path_is_told_where_the_known_ones_are_but_is_not_logged(service: Service) -> None:
    # GIVEN a path that is not there, with something private in it WHEN it is got
    reply = service.respond("GET", "/secret", {}, b"")

    # THEN the message tells where to look, and what is logged does not hold it
    assert "/openapi.json" in error(reply)["message"]
    assert reply.path == "(unknown)"


@pytest.mark.parametrize("kind", ["application/json", "APPLICATION/JSON; charset=UTF-8", None])
@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html, application/*;q=0.8", None])
def test_understands_common_headers(service: Service, kind: str | None, accept: str | None) -> None:
    # GIVEN headers as clients send them WHEN rows are posted THEN they are answered
    given = {"content-type": kind, "accept": accept}
    headers = {name: value for name, value in given.items() if value is not None}
    assert service.respond("POST", "/predict", headers, ROWS).status == 200


def test_inflates_a_compressed_body(service: Service) -> None:
    # GIVEN the rows compressed WHEN they are posted THEN the answer is the same
    assert post(service, gzip.compress(ROWS, mtime=0), content_encoding="gzip").body == post(service).body


def test_several_models_have_a_path_each(write: Callable[..., Any], runtime: SimpleNamespace) -> None:
    # GIVEN a function with two models
    service = runtime.make_service(write(name="a"), write(name="b", classes=["good", "bad"]))

    # WHEN each is asked by its path, and one without a name
    answers = [json.loads(post(service, path=f"/models/{name}/predict").body) for name in "ab"]
    unnamed = post(service)

    # THEN each answers for itself, and no model is guessed
    assert [answer["model"] for answer in answers] == ["a", "b"]
    assert answers[1]["label"] == ["bad", "good"]
    assert unnamed.status == 404


def test_tells_health_readiness_and_metadata(service: Service, stored: Any) -> None:
    # GIVEN a service WHEN its pages are got
    bodies = {
        path: json.loads(service.respond("GET", path, {}, b"").body)
        for path in ("/health", "/ready", "/metadata")
    }

    # THEN they say what is served
    assert bodies["/health"] == {"status": "ok"}
    assert bodies["/ready"] == {"status": "ready", "models": {"credit": stored.digest[:12]}}
    model = bodies["/metadata"]["models"]["credit"]
    assert (model["digest"], model["engine"], model["kind"]) == (stored.digest, "ort_capi", "classifier")
    assert model["inputs"] == stored.manifest["inputs"]


def test_a_models_own_answer_comes_before_hooks(stored: Any, runtime: SimpleNamespace) -> None:
    # GIVEN a service with hooks that change everything
    hooks = SimpleNamespace(before=lambda rows: rows[:1], after=lambda result: {"answer": 42})
    service = runtime.make_service(stored, hooks=hooks)
    # WHEN its model is asked for its own answer
    reply = service.respond(RAW, "/credit", {}, ROWS)
    # THEN that is what a service without hooks says; and nobody else, and no other model, is asked that way
    assert (reply.status, reply.body) == (200, post(runtime.make_service(stored)).body)
    assert service.respond(RAW.upper(), "/credit", {}, ROWS).status == 404
    assert service.respond(RAW, "/other", {}, ROWS).status == 404


def test_hooks_change_rows_and_results(stored: Any, runtime: SimpleNamespace) -> None:
    # GIVEN hooks that derive an input and decide
    hooks = SimpleNamespace(
        before=lambda rows: [{"age": row["years"], "income": 8} for row in rows],
        after=lambda result: {"granted": [label == "yes" for label in result["label"]]},
    )
    service = runtime.make_service(stored, hooks=hooks)

    # WHEN rows, or columns, come in the hook's own shape
    replies = [
        post(service, body) for body in (b'[{"years":60},{"years":1}]', b'{"columns":{"years":[60,1]}}')
    ]

    # THEN the answers are the hook's
    assert [json.loads(reply.body) for reply in replies] == [{"granted": [True, False]}] * 2


def test_a_hook_that_forgets_its_rows_is_told_so(stored: Any, runtime: SimpleNamespace) -> None:
    # GIVEN a hook without return WHEN rows are posted THEN the failure names the hook's contract
    reply = post(runtime.make_service(stored, hooks=SimpleNamespace(before=lambda rows: None)))
    assert (reply.status, type(reply.error)) == (500, HookError)


def test_a_failing_hook_is_a_500_without_its_message(stored: Any, runtime: SimpleNamespace) -> None:
    # GIVEN a hook that fails with a value in its message
    def before(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        raise ValueError(rows)

    service = runtime.make_service(stored, hooks=SimpleNamespace(before=before))

    # WHEN rows are posted
    reply = post(service)

    # THEN the caller learns nothing of it, and the reply keeps it
    assert (reply.status, error(reply)["code"]) == (500, "internal-error")
    assert b"60" not in reply.body
    assert isinstance(reply.error, ValueError)


@pytest.mark.parametrize(
    ("cors", "origin", "allowed"),
    [
        (["https://a.example"], "https://a.example", "https://a.example"),
        (["https://a.example"], "https://b.example", None),
        (["*"], "https://b.example", "*"),
        ([], "https://a.example", None),
    ],
)
def test_cors_allows_the_origins_of_the_spec(
    stored: Any, runtime: SimpleNamespace, cors: list[str], origin: str, allowed: str | None
) -> None:
    # GIVEN a function with these origins
    service = runtime.make_service(stored, cors=cors)

    # WHEN a page of an origin asks, and asks before it posts
    posted = post(service, origin=origin)
    preflight = service.respond("OPTIONS", "/predict", {"origin": origin}, b"")

    # THEN only a listed origin may read the answer
    assert posted.headers.get("access-control-allow-origin") == allowed
    assert preflight.headers.get("access-control-allow-origin") == allowed
    assert preflight.status == 204
    assert ("access-control-allow-headers" in preflight.headers) == (allowed is not None)


def test_warming_predicts_the_example(service: Service) -> None:
    # GIVEN a service WHEN it is warmed THEN nothing is refused
    service.warm()


def test_batch_service_has_no_limits(stored: Any, runtime: SimpleNamespace) -> None:
    # GIVEN the config of a function that scores objects
    config = runtime.config(stored) | {"http": None, "kind": "objects"}
    artifact = open_folder(stored.folder, stored.digest)

    # WHEN its service is made THEN a large body is not too large
    service = Service(
        config, {"credit": artifact}, {"credit": runtime.make_service(stored).models["credit"].engine}
    )
    assert post(service, ROWS + b" " * 10_000).status == 200
