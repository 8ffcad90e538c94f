"""``/invocations`` as clients of MLflow and SageMaker call it, and KServe's V1."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from sls_ml_runtime.serve import Service

V1 = "/v1/models/tumour:predict"


@pytest.fixture(scope="session")
def names(tumour: Service) -> list[str]:
    """The inputs of the model."""
    return [field.name for field in tumour.models["tumour"].signature.inputs]


@pytest.fixture(scope="session")
def rows(tumour: Service) -> list[dict[str, float]]:
    """Example rows."""
    found: list[dict[str, float]] = tumour.models["tumour"].artifact.manifest["example"]
    return found


@pytest.fixture(scope="session")
def matrix(names: list[str], rows: list[dict[str, float]]) -> list[list[float]]:
    """Example rows as lists."""
    return [[row[name] for name in names] for row in rows]


@pytest.fixture(scope="session")
def plain(tumour: Service, rows: list[dict[str, float]]) -> dict[str, Any]:
    """The plain answer for the example rows."""
    answer: dict[str, Any] = json.loads(
        tumour.respond("POST", "/predict", {}, json.dumps(rows).encode()).body
    )
    return answer


@pytest.fixture
def forms(names: list[str], rows: list[dict[str, float]], matrix: list[list[float]]) -> dict[str, Any]:
    """The example rows in all forms of MLflow and SageMaker."""
    columns = {name: [row[name] for row in rows] for name in names}
    return {
        "split": {"dataframe_split": {"columns": names, "index": [0, 1, 2], "data": matrix}},
        "split in another order": {
            "dataframe_split": {"columns": names[::-1], "data": [row[::-1] for row in matrix]}
        },
        "split without names": {"dataframe_split": {"data": matrix}},
        "records": {"dataframe_records": rows},
        "instances": {"instances": rows},
        "instances without names": {"instances": matrix},
        "columns": {"inputs": columns},
        "columns of lists": {"inputs": {name: [[value] for value in columns[name]] for name in names}},
        "matrix": {"inputs": matrix, "params": {}},
        "features": {"instances": [{"features": row} for row in matrix]},
        "values": {"instances": [{"data": {"features": {"values": row}}} for row in matrix]},
    }


FORMS = (
    "split", "split in another order", "split without names", "records", "instances",
    "instances without names", "columns", "columns of lists", "matrix", "features", "values",
)  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("path", ["/invocations", "/predict", "/", "/models/tumour/predict"])
def test_every_form_is_known_at_every_path(
    tumour: Service,
    ask: Callable[..., Any],
    forms: dict[str, Any],
    plain: dict[str, Any],
    form: str,
    path: str,
) -> None:
    # GIVEN the rows in a form of MLflow or SageMaker WHEN they are posted THEN the labels are the predictions
    answer = ask(tumour, "POST", path, forms[form])
    assert (answer.status, answer.json) == (200, {"predictions": plain["label"]})


def test_params_choose_an_output_and_nothing_else(
    tumour: Service, ask: Callable[..., Any], rows: list[Any], plain: dict[str, Any]
) -> None:
    # GIVEN params WHEN they name an output, and something that the model does not know
    def posted(params: Any) -> Any:
        return ask(tumour, "POST", "/invocations", {"instances": rows, "params": params})

    # THEN the one is given, the other refused
    assert posted({"output": "probability"}).json == {"predictions": plain["probability"]}
    for params in ({"temperature": 1}, {"output": "odds"}, {"output": []}, [1], [], 0, "x"):
        assert (posted(params).status, posted(params).json["field"]) == (400, "params")


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({}, "wrong-form"),
        ([], "not-an-object"),
        ({"inputs": [], "instances": []}, "wrong-form"),
        ({"rows": []}, "wrong-form"),
        ({"dataframe_split": []}, "wrong-form"),
        ({"dataframe_split": {"columns": [1], "data": [[1]]}}, "wrong-form"),
        ({"dataframe_split": {"columns": ["a"], "data": [1]}}, "not-a-list"),
        ({"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}, "value-count"),
        ({"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}, "duplicate-column"),
        ({"dataframe_records": {}}, "not-a-list"),
        ({"instances": 3}, "not-a-list"),
        ({"instances": [{}, []]}, "not-an-object"),
        ({"instances": [[], {}]}, "value-count"),
        ({"instances": [1, 2]}, "value-count"),
        ({"inputs": {"mean radius": 3}}, "not-a-list"),
        ({"inputs": {}}, "missing-field"),
    ],
)
def test_refuses_as_mlflow_does(tumour: Service, ask: Callable[..., Any], document: Any, code: str) -> None:
    # GIVEN a document with something wrong WHEN it is posted THEN the error has MLflow's form
    answer = ask(tumour, "POST", "/invocations", document)
    assert (answer.status, answer.json["code"]) == (400, code)
    assert answer.json["error_code"] in {"BAD_REQUEST", "INVALID_PARAMETER_VALUE"}
    assert answer.json["message"]


def test_names_field_and_row(tumour: Service, ask: Callable[..., Any], rows: list[Any]) -> None:
    # GIVEN a text in a column of numbers WHEN it is posted THEN field and row are told
    wrong = [*rows[:1], rows[1] | {"mean area": "big"}]
    mlflow = ask(tumour, "POST", "/invocations", {"dataframe_records": wrong}).json
    v1 = ask(tumour, "POST", V1, {"instances": wrong}).json
    assert (mlflow["field"], mlflow["row"], mlflow["error_code"]) == (
        "mean area",
        1,
        "INVALID_PARAMETER_VALUE",
    )
    assert v1["error"] == "row 1: mean area must be a number, not text"


def test_answers_what_servers_are_asked_for(tumour: Service, ask: Callable[..., Any]) -> None:
    # GIVEN a service WHEN the paths of MLflow and SageMaker are got THEN they are there
    assert [ask(tumour, "GET", path).status for path in ("/ping", "/health", "/version")] == [200] * 3
    assert ask(tumour, "GET", "/version").body == b"1.2.3"


def csv_of(matrix: list[list[float]], names: list[str] | None = None) -> bytes:
    lines = ([",".join(names)] if names else []) + [",".join(map(repr, row)) for row in matrix]
    return "\n".join(lines).encode()


@pytest.mark.parametrize("header", [False, True])
def test_csv_comes_with_a_header_or_without(
    tumour: Service,
    ask: Callable[..., Any],
    matrix: list[list[float]],
    names: list[str],
    plain: dict[str, Any],
    header: bool,
) -> None:
    # GIVEN rows as CSV, with MLflow's header or SageMaker's none WHEN they are posted
    body = csv_of(matrix, names if header else None)
    answer = ask(tumour, "POST", "/invocations", body=body, content_type="text/csv")
    unlike = ask(tumour, "POST", "/predict", body=body, content_type="text/csv; charset=utf-8")

    # THEN the answer is that of the path
    assert answer.json == {"predictions": plain["label"]}
    assert unlike.json == plain


def test_csv_goes_back_where_it_is_accepted(
    tumour: Service, ask: Callable[..., Any], matrix: list[list[float]], names: list[str]
) -> None:
    # GIVEN a client that accepts CSV WHEN it posts rows with and without a header
    bodies = [
        ask(tumour, "POST", "/invocations", body=body, content_type="text/csv", accept="text/csv").body
        for body in (csv_of(matrix), csv_of(matrix, names))
    ]

    # THEN the columns are those of a batch, with a header where there was one
    lines = bodies[0].decode().splitlines()
    assert bodies[1].decode().splitlines() == ["label,probability_benign,probability_malignant", *lines]
    assert [line.split(",")[0] for line in lines] == ["benign", "benign", "malignant"]


def test_json_lines_go_both_ways(
    tumour: Service,
    ask: Callable[..., Any],
    matrix: list[list[float]],
    rows: list[Any],
    plain: dict[str, Any],
) -> None:
    # GIVEN rows as lines, as SageMaker and as everybody else writes them
    kind = "application/jsonlines"
    sagemaker = b"\n".join(json.dumps({"features": row}).encode() for row in matrix)
    others = b"".join(json.dumps(row).encode() + b"\r\n" for row in rows) + b"\n"

    # WHEN they are posted THEN each row has a line
    answers = [
        ask(tumour, "POST", "/invocations", body=body, content_type=kind, accept=kind).body
        for body in (sagemaker, others)
    ]
    lines = [json.loads(line) for line in answers[0].splitlines()]
    assert answers[0] == answers[1]
    assert [line["label"] for line in lines] == plain["label"]
    assert lines[0]["probability"] == plain["probability"][0]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/csv;q=0.5, application/jsonlines", "application/jsonlines"),
        ("text/*", "text/csv"),
        ("application/*, text/csv;q=0.9", "application/json"),
        ("*/*;q=0.1, text/csv", "text/csv"),
        ("text/csv;q=nonsense, */*;q=0.1", "application/json"),
    ],
)
def test_accept_is_honoured(
    tumour: Service, ask: Callable[..., Any], rows: list[Any], accept: str, kind: str
) -> None:
    # GIVEN what a client accepts WHEN it posts JSON THEN the answer is what it likes best
    answer = ask(tumour, "POST", "/invocations", {"instances": rows}, accept=accept)
    assert answer.headers["content-type"].partition(";")[0] == kind


@pytest.mark.parametrize("accept", ["application/x-npy", "text/html", "application/json;q=0"])
def test_what_cannot_be_given_is_not_acceptable(
    tumour: Service, ask: Callable[..., Any], rows: list[Any], accept: str
) -> None:
    # GIVEN a client that accepts another thing WHEN it posts THEN it is told what there is
    answer = ask(tumour, "POST", "/invocations", {"instances": rows}, accept=accept)
    assert (answer.status, answer.json["code"]) == (406, "not-acceptable")


@pytest.mark.parametrize(
    ("kind", "body", "row", "code"),
    [
        ("text/csv", b"", None, "empty-body"),
        ("text/csv", b"1,2\n", 0, "cell-count"),
        ("text/csv", b'"1', None, "broken-csv"),
        ("text/csv", b"\xff\xfe1", None, "not-utf8"),
        ("text/csv; header=present", b"a,b\n1,2\n", None, "missing-field"),
        ("text/csv; header=absent", b"mean radius\n", 0, "cell-count"),
        ("text/csv", b"mean radius,mean radius\n1,2\n", None, "duplicate-column"),
        ("application/jsonlines", b"{}\n{", 1, "malformed-json"),
        ("application/jsonlines", b"\xff", None, "not-utf8"),
        ("application/jsonlines", b"[" * 100 + b"]" * 100, None, "too-deep"),
        ("application/jsonlines", b'["]",' * 100_000, 0, "too-deep"),
    ],
)
def test_refuses_lines_with_their_row(
    tumour: Service, ask: Callable[..., Any], kind: str, body: bytes, row: int | None, code: str
) -> None:
    # GIVEN lines with something wrong WHEN they are posted THEN the row is told where there is one
    answer = ask(tumour, "POST", "/invocations", body=body, content_type=kind)
    assert (answer.status, answer.json["code"], answer.json.get("row")) == (400, code, row)


def test_a_text_with_commas_and_lines_is_one_cell(built: SimpleNamespace, ask: Callable[..., Any]) -> None:
    # GIVEN a text of several lines WHEN it is posted as CSV and as JSON THEN the answers are equal
    service = built.service_of("topic")
    text = 'An invoice, "twice"\nplease'
    quoted = '"' + text.replace('"', '""') + '"'
    as_csv = ask(service, "POST", "/predict", body=quoted.encode(), content_type="text/csv")
    assert as_csv.json == ask(service, "POST", "/predict", [{"text": text}]).json


def test_a_single_input_needs_no_lists(built: SimpleNamespace, ask: Callable[..., Any]) -> None:
    # GIVEN a model with one input WHEN its values are sent bare THEN each is a row
    answer = ask(built.service_of("topic"), "POST", "/v1/models/topic:predict", {"instances": ["a", "b"]})
    assert len(answer.json["predictions"]) == 2


def test_kserve_v1(
    tumour: Service,
    ask: Callable[..., Any],
    rows: list[Any],
    names: list[str],
    matrix: list[list[float]],
    plain: dict[str, Any],
) -> None:
    # GIVEN a model WHEN it is asked as KServe and TensorFlow Serving ask
    by_row = [ask(tumour, "POST", V1, {"instances": given}).json for given in (rows, matrix)]
    columns = {name: [row[name] for row in rows] for name in names}
    by_column = [ask(tumour, "POST", V1, {"inputs": given}).json for given in (columns, matrix)]
    escaped = ask(tumour, "POST", "/v1/models/tumour%3Apredict", {"instances": rows}).json

    # THEN rows give predictions, columns outputs, and the model is there
    assert by_row == [{"predictions": plain["label"]}] * 2
    assert by_column == [{"outputs": plain["label"]}] * 2
    assert escaped == by_row[0]
    assert ask(tumour, "GET", "/v1/models").json == {"models": ["tumour"]}
    state = ask(tumour, "GET", "/v1/models/tumour").json
    assert (state["ready"], state["model_version_status"][0]["state"]) == (True, "AVAILABLE")


@pytest.mark.parametrize(
    "document", [{}, [], {"instances": [], "inputs": []}, {"instances": 3}, {"inputs": 3}]
)
def test_refuses_as_kserve_does(tumour: Service, ask: Callable[..., Any], document: Any) -> None:
    # GIVEN a document that is none of V1 WHEN it is posted THEN the error is text
    answer = ask(tumour, "POST", V1, document)
    assert (answer.status, type(answer.json["error"])) == (400, str)


def test_an_unknown_path_refuses_in_the_form_of_its_protocol(
    tumour: Service, ask: Callable[..., Any]
) -> None:
    # GIVEN models that are not there WHEN they are asked THEN each protocol's client can read the error
    v2 = ask(tumour, "POST", "/v2/models/other/infer", {})
    v1 = ask(tumour, "POST", "/v1/models/other:predict", {})
    assert [(answer.status, type(answer.json["error"])) for answer in (v2, v1)] == [(404, str)] * 2


def test_a_regressor_predicts_its_value(built: SimpleNamespace, ask: Callable[..., Any]) -> None:
    # GIVEN a regressor WHEN it is invoked THEN the predictions are its values
    service = built.service_of("progress")
    rows = service.models["progress"].artifact.manifest["example"]
    value = ask(service, "POST", "/predict", rows).json["value"]
    assert ask(service, "POST", "/invocations", {"instances": rows}).json == {"predictions": value}


def test_hooks_may_answer_what_they_like(
    built: SimpleNamespace, ask: Callable[..., Any], rows: list[Any]
) -> None:
    # GIVEN a hook that answers with another key WHEN the function is invoked THEN there are rows of it
    hooks = SimpleNamespace(
        after=lambda result: {"model": "x", "call": [each[0] for each in result["label"]]}
    )
    service = built.service_of("tumour", hooks=hooks)
    answer = ask(service, "POST", "/invocations", {"instances": rows})
    assert answer.json == {"predictions": [{"call": "b"}, {"call": "b"}, {"call": "m"}]}
