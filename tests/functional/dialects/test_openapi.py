"""The OpenAPI document is valid, says what the model takes, and what is served keeps to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from openapi_spec_validator import validate
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from sls_ml_runtime.dialects.table import PAGE, ROUTES
from sls_ml_runtime.openapi import document
from sls_ml_runtime.openapi_schemas import row_schema
from sls_ml_runtime.serve import Service

MANY = settings(
    max_examples=20, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
MODELS = ("tumour", "species", "topic", "progress")


@pytest.mark.parametrize("models", [*[(name,) for name in MODELS], MODELS])
@pytest.mark.parametrize("auth", ["iam", "jwt", "key", "public"])
def test_the_document_is_valid(
    built: SimpleNamespace, ask: Callable[..., Any], models: tuple[str, ...], auth: str
) -> None:
    # GIVEN a function with one model or several WHEN its document is got
    answer = ask(built.service_of(*models, auth=auth, page=True), "GET", "/openapi.json")

    # THEN it is OpenAPI 3.1, and says how to sign where that is needed
    found = answer.json
    validate(found)
    assert found["openapi"] == "3.1.0"
    assert found.get("security") == (None if auth == "public" else [{auth: []}])


@pytest.mark.parametrize("models", [("species",), MODELS])
def test_it_has_every_path_that_is_answered(built: SimpleNamespace, models: tuple[str, ...]) -> None:
    # GIVEN a function WHEN its document is made
    service = built.service_of(*models, page=True)
    described = {(method, path) for path, methods in document(service)["paths"].items() for method in methods}

    # THEN it has the routes of the table, with the names and versions of the models
    routes = {
        (method.lower(), pattern.replace("*", name).replace("@", model.artifact.digest[:12]))
        for method, pattern, _, _ in (*ROUTES, PAGE)
        for name, model in service.models.items()
        if len(models) == 1 or method == "GET" or "*" in pattern
    }
    assert described == routes


def test_rows_have_the_types_of_the_model() -> None:
    # GIVEN inputs of all kinds WHEN their schema is written
    manifest = {
        "inputs": [
            {"name": "age", "dtype": "int64", "nullable": False, "range": None, "categories": None},
            {"name": "size", "dtype": "float32", "nullable": True, "range": [-2.0, 2.0], "categories": None},
            {"name": "city", "dtype": "string", "nullable": True, "categories": ["Bern", "Rom"]},
            {"name": "open", "dtype": "bool", "nullable": False},
            {"name": "road", "dtype": "string", "nullable": True, "null": "nan"},
        ],
        "example": [{"age": 1, "size": None, "city": "Bern", "open": True}],
    }
    schema = row_schema(manifest)

    # THEN it takes what the model takes and refuses what it refuses
    check = jsonschema.Draft202012Validator(schema)
    good = manifest["example"][0]
    assert schema["properties"]["city"]["enum"] == ["Bern", "Rom", None]
    assert (schema["required"], schema["examples"]) == (["age", "open"], [good])
    assert check.is_valid(good)
    assert check.is_valid(good | {"road": None})
    for wrong in ({"age": 1.5}, {"age": None}, {"size": 3}, {"city": "Paris"}, {"open": 1}, {"more": 1}):
        assert not check.is_valid(good | wrong)
    for wrong in ({"road": "nan"}, {"road": "a\0b"}):
        assert not check.is_valid(good | wrong)


@pytest.mark.parametrize("name", MODELS)
def test_examples_are_answered_as_the_document_says(
    built: SimpleNamespace, ask: Callable[..., Any], name: str
) -> None:
    # GIVEN the examples of all bodies WHEN they are sent
    service = built.service_of(name)
    described = document(service)
    components = {"components": described["components"]}
    answers = []
    for path, methods in described["paths"].items():
        for kind, body in methods.get("post", {}).get("requestBody", {}).get("content", {}).items():
            if "example" in body:
                example = body["example"]
                content = example.encode() if isinstance(example, str) else json.dumps(example).encode()
                answer = ask(service, "POST", path, body=content, content_type=kind)
                schema = methods["post"]["responses"]["200"]["content"]["application/json"]["schema"]
                jsonschema.validate(answer.json, schema | components)
                answers.append(answer.status)

    # THEN each is answered
    assert answers == [200] * 11


@pytest.fixture(scope="module", params=[*[(name,) for name in MODELS], MODELS], ids=" ".join)
def address(built: SimpleNamespace, request: pytest.FixtureRequest) -> Iterator[str]:
    """A function over HTTP, of each sample and of all together."""
    with built.served(built.service_of(*request.param, page=True)) as address:
        yield f"http://{address}"


@pytest.fixture(scope="module")
def api(address: str) -> schemathesis.BaseSchema:
    """Its document."""
    return schemathesis.openapi.from_url(f"{address}/openapi.json")


def _is_exact(
    case: schemathesis.Case, mode: schemathesis.GenerationMode, answer: schemathesis.Response
) -> bool:
    """Whether JSON Schema can say all that decides if the function takes what was sent."""
    if case.media_type == "text/csv":
        return False  # no schema tells which texts are a table of the model's inputs
    if mode == schemathesis.GenerationMode.NEGATIVE or case.media_type is None:
        return True
    if case.path.endswith("/infer"):
        return False  # nor that there are as many data as shape says, nor which bytes are tensors
    if isinstance(case.body, dict) and "dataframe_split" in case.body:
        return False  # nor that cells are those of the columns named beside them
    return "ragged-columns" not in answer.text  # nor that columns have one length


@pytest.mark.parametrize("mode", schemathesis.GenerationMode)
def test_whatever_is_made_of_the_document_is_answered_as_it_says(
    api: schemathesis.BaseSchema, mode: schemathesis.GenerationMode
) -> None:
    # GIVEN what schemathesis makes of the document, within it and beyond it
    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
        unsupported_method,
    ]
    of_data = [negative_data_rejection, positive_data_acceptance]
    asked = set()
    for found in api.get_all_operations():
        operation = found.ok()
        if mode == schemathesis.GenerationMode.NEGATIVE and operation.method == "get":
            continue  # nothing of these can be wrong

        @MANY
        @given(case=operation.as_strategy(generation_mode=mode))
        def call(case: schemathesis.Case) -> None:
            answer = case.call()
            case.validate_response(answer, checks=checks + (of_data if _is_exact(case, mode, answer) else []))

        # WHEN it is sent THEN the answer is in the document
        call()
        asked.add(operation.path)
    assert {"/v2/models", "/v1/models"} <= {path[:10] for path in asked}


def test_a_services_document_names_its_own_model(tumour: Service) -> None:
    # GIVEN a model WHEN its function's document is made THEN title and text are of them
    about = document(tumour)["info"]
    assert about["title"] == "samples predict"
    assert about["version"] == tumour.models["tumour"].artifact.digest[:12]
    assert "LogisticRegression" in about["description"]
