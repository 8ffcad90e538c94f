"""The Open Inference Protocol, as its text has it: metadata, tensors in JSON and in bytes, errors."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest

from sls_ml_runtime.serve import Service

INFER = "/v2/models/species/infer"
TENSOR = {
    "type": "object",
    "required": ["name", "shape", "datatype", "data"],
    "properties": {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer"}},
        "datatype": {"enum": ["BOOL", "INT64", "FP32", "FP64", "BYTES"]},
        "data": {"type": "array"},
    },
}
RESPONSE = {  # the protocol's $inference_response
    "type": "object",
    "required": ["model_name", "outputs"],
    "properties": {
        "model_name": {"type": "string"},
        "model_version": {"type": "string"},
        "id": {"type": "string"},
        "outputs": {"type": "array", "items": TENSOR},
    },
}
METADATA = {  # the protocol's $metadata_model_response
    "type": "object",
    "required": ["name", "platform", "inputs", "outputs"],
    "properties": {
        "versions": {"type": "array", "items": {"type": "string"}},
        "inputs": {"type": "array", "items": TENSOR | {"required": ["name", "shape", "datatype"]}},
        "outputs": {"type": "array", "items": TENSOR | {"required": ["name", "shape", "datatype"]}},
    },
}


@pytest.fixture(scope="session")
def species(built: SimpleNamespace) -> Service:
    """Texts and numbers that may be missing in, a label and three probabilities out."""
    service: Service = built.service_of("species")
    return service


def columns(service: Service, name: str, **changes: dict[str, Any]) -> list[dict[str, Any]]:
    """One input per column of a model's example rows."""
    manifest = service.models[name].artifact.manifest
    rows = manifest["example"]
    return [
        {
            "name": field["name"],
            "shape": [len(rows)],
            "datatype": "BYTES" if field["dtype"] == "string" else "FP64",
            "data": [row[field["name"]] for row in rows],
        }
        | changes.get(field["name"], {})
        for field in manifest["inputs"]
    ]


def matrix(service: Service) -> list[list[float]]:
    """The example rows of the only model, each with its values in the model's order."""
    (model,) = service.models.values()
    return [
        [row[field.name] for field in model.signature.inputs] for row in model.artifact.manifest["example"]
    ]


def plain(service: Service, name: str) -> dict[str, Any]:
    rows = service.models[name].artifact.manifest["example"]
    body = json.dumps(rows).encode()
    answer: dict[str, Any] = json.loads(service.respond("POST", f"/models/{name}/predict", {}, body).body)
    return answer


def test_tells_server_and_health(tumour: Service, ask: Callable[..., Any]) -> None:
    # GIVEN a service WHEN the protocol's own paths are got THEN they are as it says
    server = ask(tumour, "GET", "/v2").json
    assert server == {"name": "predict", "version": "1.2.3", "extensions": ["binary_tensor_data"]}
    assert ask(tumour, "GET", "/v2/").json == server
    assert ask(tumour, "GET", "/v2/health/live").status == 200
    assert ask(tumour, "GET", "/v2/health/ready").status == 200
    assert ask(tumour, "GET", "/v2/models/tumour/ready").json == {"name": "tumour", "ready": True}
    assert ask(tumour, "GET", "/v2/models/other/ready").status == 404


def test_tells_the_tensors_of_a_model(species: Service, ask: Callable[..., Any]) -> None:
    # GIVEN a model WHEN its metadata is got, with and without its version
    about = ask(species, "GET", "/v2/models/species").json
    version = species.models["species"].artifact.digest[:12]

    # THEN it has the protocol's form, and names and types of the model
    jsonschema.validate(about, METADATA)
    assert ask(species, "GET", f"/v2/models/species/versions/{version}").json == about
    assert ask(species, "GET", "/v2/models/species/versions/1").status == 404
    assert (about["versions"], about["inputs"][0]) == (
        [version],
        {"name": "island", "datatype": "BYTES", "shape": [-1]},
    )
    assert [(each["name"], each["datatype"], each["shape"]) for each in about["outputs"]] == [
        ("label", "BYTES", [-1]),
        ("probability", "FP64", [-1, 3]),
    ]


def test_answers_columns_as_the_plain_dialect_does(species: Service, ask: Callable[..., Any]) -> None:
    # GIVEN one tensor per column WHEN they are inferred
    request = {"id": "42", "parameters": {"anything": 1}, "inputs": columns(species, "species")}
    answer = ask(species, "POST", INFER, request).json

    # THEN the outputs are the plain answer, flat, and the id is the same
    expected = plain(species, "species")
    jsonschema.validate(answer, RESPONSE)
    label, probability = answer["outputs"]
    assert answer["id"] == "42"
    assert (label["data"], label["shape"]) == (expected["label"], [len(expected["label"])])
    assert probability["data"] == [share for row in expected["probability"] for share in row]


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("name", ["input-0", "predict"])
def test_a_matrix_holds_all_columns(
    tumour: Service, ask: Callable[..., Any], name: str, nested: bool
) -> None:
    # GIVEN the rows as one matrix, flat or nested WHEN it is inferred
    rows = matrix(tumour)
    data = rows if nested else [value for row in rows for value in row]
    tensor = {"name": name, "shape": [len(rows), 30], "datatype": "FP64", "data": data}
    answer = ask(tumour, "POST", "/v2/models/tumour/infer", {"inputs": [tensor]}).json

    # THEN the answer is the plain one
    assert answer["outputs"][0]["data"] == plain(tumour, "tumour")["label"]


def test_columns_may_have_a_second_dimension_of_one(species: Service, ask: Callable[..., Any]) -> None:
    # GIVEN columns of shape [rows, 1] WHEN they are inferred THEN nothing changes
    flat = columns(species, "species")
    square = [tensor | {"shape": [*tensor["shape"], 1]} for tensor in flat]
    answers = [ask(species, "POST", INFER, {"inputs": inputs}).json for inputs in (flat, square)]
    assert answers[0] == answers[1]


def test_a_missing_value_is_null_or_nan(species: Service, ask: Callable[..., Any]) -> None:
    # GIVEN a missing number as null in JSON, and as NaN in bytes
    count = len(plain(species, "species")["label"])
    missing = {"body_mass_g": {"data": [None] * count}}
    request = json.dumps({"inputs": columns(species, "species", **missing)})
    inputs = columns(species, "species")
    for tensor in inputs:
        if tensor["name"] == "body_mass_g":
            del tensor["data"]
            tensor["parameters"] = {"binary_data_size": 8 * count}
    text = json.dumps({"inputs": inputs}).encode()

    # WHEN both are inferred
    as_null = ask(species, "POST", INFER, body=request.encode())
    tail = struct.pack(f"<{count}d", *[float("nan")] * count)
    as_nan = ask(
        species,
        "POST",
        INFER,
        body=text + tail,
        inference_header_content_length=str(len(text)),
        content_type="application/octet-stream",
    )

    # THEN they are the same
    assert as_null.status == 200
    assert as_null.json == as_nan.json


def test_outputs_can_be_chosen_and_come_as_bytes(tumour: Service, ask: Callable[..., Any]) -> None:
    # GIVEN a request for one output as bytes WHEN it is inferred
    wanted = [{"name": "probability", "parameters": {"binary_data": True}}]
    request = {"inputs": columns(tumour, "tumour"), "outputs": wanted}
    answer = ask(tumour, "POST", "/v2/models/tumour/infer", request)

    # THEN it alone is there, behind the JSON
    length = int(answer.headers["inference-header-content-length"])
    (output,) = json.loads(answer.body[:length])["outputs"]
    expected = [share for row in plain(tumour, "tumour")["probability"] for share in row]
    assert answer.headers["content-type"] == "application/octet-stream"
    assert output["parameters"] == {"binary_data_size": len(answer.body) - length}
    assert list(struct.unpack(f"<{len(expected)}d", answer.body[length:])) == expected


def test_single_precision_is_the_same_in_json_and_bytes(tumour: Service, ask: Callable[..., Any]) -> None:
    # GIVEN decimals that no float is equal to WHEN they are sent as FP32 in JSON and in bytes
    rows = matrix(tumour)
    data = [value for row in rows for value in row]
    tensor = {"name": "x", "shape": [len(rows), 30], "datatype": "FP32"}
    path = "/v2/models/tumour/infer"
    in_json = ask(tumour, "POST", path, {"inputs": [tensor | {"data": data}]})
    text = json.dumps({"inputs": [tensor | {"parameters": {"binary_data_size": 4 * len(data)}}]}).encode()
    tail = struct.pack(f"<{len(data)}f", *data)
    in_bytes = ask(tumour, "POST", path, body=text + tail, inference_header_content_length=str(len(text)))

    # THEN the answers are equal, and not those of doubles
    assert in_json.json == in_bytes.json
    assert (
        in_json.json["outputs"][1]["data"]
        != ask(tumour, "POST", path, {"inputs": [tensor | {"datatype": "FP64", "data": data}]}).json[
            "outputs"
        ][1]["data"]
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"datatype": "FLOAT"}, "datatype of 'island' must be one of BOOL"),
        ({"shape": [2]}, "'island' has 3 elements, its shape says 2"),
        ({"shape": [10**300]}, "its shape says more than can be"),
        ({"shape": [-1]}, "shape of 'island' must be a list of sizes"),
        ({"shape": [1, 1, 3]}, "has 3 dimensions"),
        ({"shape": "3"}, "must be a list of sizes"),
        ({"data": None}, "must be a list"),
        ({"data": ["Biscoe", 1, "Dream"]}, "row 1: 'island' holds an element that is not BYTES"),
        ({"datatype": "INT8", "data": [1, 2, 300]}, "row 2: 'island' holds a number that INT8 cannot"),
        ({"datatype": "BOOL", "data": [1, 0, 2]}, "row 2: 'island' holds a number that BOOL cannot"),
        ({"parameters": {"content_type": "base64"}}, "content_type of 'island' may be np, pd, str"),
        ({"parameters": [1]}, "parameters of 'island' must be an object"),
        ({"parameters": {"binary_data_size": 4}}, "has both data and binary_data_size"),
        ({"name": "planet"}, "the model has no input 'planet'"),
        ({"name": "sex"}, "'sex' is there more than once"),
        ({"name": 3}, "an input must be an object"),
    ],
)
def test_a_wrong_input_is_refused_in_the_protocols_form(
    species: Service, ask: Callable[..., Any], change: dict[str, Any], message: str
) -> None:
    # GIVEN one input with something wrong WHEN it is inferred
    answer = ask(species, "POST", INFER, {"inputs": columns(species, "species", island=change)})

    # THEN the error is text that says what, and the status that of the protocol
    assert (answer.status, message in answer.json["error"]) == (400, True)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "must be an object"),
        ({}, "at least one tensor"),
        ({"inputs": []}, "at least one tensor"),
        ({"inputs": [3]}, "an input must be an object"),
        ({"inputs": [{}], "id": 3}, "the id of a request is text"),
        ({"inputs": [{}], "outputs": 3}, "outputs must be a list"),
        ({"inputs": [{}], "outputs": [{}]}, "an output must be an object with a name"),
        ({"inputs": [{}], "parameters": {"binary_data_output": 1}}, "must be true or false"),
        ({"inputs": [{}], "outputs": [{"name": "label", "parameters": {"classification": 2}}]}, "ask for"),
    ],
)
def test_a_wrong_request_is_refused(
    species: Service, ask: Callable[..., Any], document: Any, message: str
) -> None:
    # GIVEN a document that is no request WHEN it is inferred THEN the error says why
    answer = ask(species, "POST", INFER, document)
    assert (answer.status, message in answer.json["error"]) == (400, True)


def test_an_output_that_is_not_there_is_refused(species: Service, ask: Callable[..., Any]) -> None:
    # GIVEN a wish for an unknown output WHEN it is inferred THEN the known ones are told
    request = {"inputs": columns(species, "species"), "outputs": [{"name": "odds"}]}
    answer = ask(species, "POST", INFER, request)
    assert (answer.status, answer.json["error"]) == (
        400,
        "the model has no output 'odds'; it has label, probability",
    )


@pytest.mark.parametrize("length", ["-1", "1e3", "²", "9999999", "", "0x10", "1" * 5000])
def test_a_wrong_length_of_the_json_is_refused(
    species: Service, ask: Callable[..., Any], length: str
) -> None:
    # GIVEN a header that is not the length of the JSON WHEN it comes THEN it is refused
    answer = ask(species, "POST", INFER, {"inputs": []}, inference_header_content_length=length)
    assert (answer.status, answer.json["code"]) == (400, "wrong-size")


@pytest.mark.parametrize("size", [-8, 7, 9, 10**30, "8", True, None, 1.0])
def test_a_wrong_size_of_bytes_is_refused(species: Service, ask: Callable[..., Any], size: Any) -> None:
    # GIVEN eight bytes of a tensor and another size in its parameters WHEN it is inferred
    tensor = {"name": "x", "shape": [1], "datatype": "FP64", "parameters": {"binary_data_size": size}}
    text = json.dumps({"inputs": [tensor]}).encode()
    body = text + b"\0" * 8
    answer = ask(species, "POST", INFER, body=body, inference_header_content_length=str(len(text)))

    # THEN it is refused
    assert (answer.status, answer.json["code"]) == (400, "wrong-size")


@pytest.mark.parametrize("tail", [b"\1", b"\xff\xff\xff\xffab", b"\2\0\0\0\xc3\x28", b"\0\0\0\0" * 2])
def test_broken_texts_in_bytes_are_refused(species: Service, ask: Callable[..., Any], tail: bytes) -> None:
    # GIVEN a BYTES tensor that is cut off, not UTF-8, or of too many elements WHEN it is inferred
    tensor = {"name": "island", "shape": [1], "datatype": "BYTES"}
    tensor |= {"parameters": {"binary_data_size": len(tail)}}
    text = json.dumps({"inputs": [tensor]}).encode()
    answer = ask(species, "POST", INFER, body=text + tail, inference_header_content_length=str(len(text)))

    # THEN it is refused with its name
    assert (answer.status, answer.json["field"]) == (400, "island")


def test_what_hooks_make_has_a_datatype_too(built: SimpleNamespace, ask: Callable[..., Any]) -> None:
    # GIVEN a hook that decides
    hooks = SimpleNamespace(
        after=lambda result: {"grave": [label == "malignant" for label in result["label"]]}
    )
    service = built.service_of("tumour", hooks=hooks)

    # WHEN columns are inferred THEN the decision is a tensor of truth values
    request = {"inputs": columns(service, "tumour")}
    (output,) = ask(service, "POST", "/v2/models/tumour/infer", request).json["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("grave", "BOOL", [3])
