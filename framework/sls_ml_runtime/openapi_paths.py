"""The paths of an OpenAPI document: what each dialect asks and answers."""

from __future__ import annotations

from sls_ml_runtime.openapi_schemas import OBJECT, TEXT, prefix, ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from sls_ml_runtime.model import Model
    from sls_ml_runtime.openapi_schemas import Schema

JSON = "application/json"


def of_model(name: str, model: Model) -> Schema:
    """The paths that name a model, in every dialect."""
    paths = {
        f"/models/{name}/predict": _predict(name, model),
        f"/v1/models/{name}": _get(f"State of {name} (KServe V1)", OBJECT, "ProtocolError"),
        f"/v1/models/{name}:predict": _predict_v1(name, model),
        f"/endpoints/{name}/invocations": _invocations(name, model),
    }
    for base in (f"/v2/models/{name}", f"/v2/models/{name}/versions/{model.artifact.digest[:12]}"):
        paths[base] = _get(f"Tensors of {name} (Open Inference Protocol)", OBJECT, "ProtocolError")
        paths[f"{base}/ready"] = _get(f"Readiness of {name}", OBJECT, "ProtocolError")
        paths[f"{base}/infer"] = _infer(name)
    return paths


def _predict(name: str, model: Model) -> Schema:
    row = ref(f"{prefix(name)}Row")
    rows = {"type": "array", "items": row}
    names = [field.name for field in model.signature.inputs]
    example = model.artifact.manifest["example"][:1]
    table = {"type": "object", "properties": {field: {"type": "array", "items": {}} for field in names}}
    plain = {
        "anyOf": [
            {"type": "object", "properties": {"rows": rows}, "required": ["rows"]},
            {"type": "object", "properties": {"columns": table}, "required": ["columns"]},
            rows,
            row,
        ]
    }
    answer = ref(f"{prefix(name)}Answer")
    return {
        "post": {
            "summary": f"Predictions of {name} for rows of plain JSON, CSV or JSON lines",
            "requestBody": {
                "required": True,
                "content": {
                    JSON: {"schema": plain, "example": {"rows": example}},
                    "text/csv": {"schema": TEXT, "example": _csv(names, example)},
                    "application/jsonlines": {"schema": TEXT},
                },
            },
            "responses": _responses(answer, "Error", "text/csv", "application/jsonlines"),
        }
    }


def _predict_v1(name: str, model: Model) -> Schema:
    row = ref(f"{prefix(name)}Row")
    instances = {"type": "array", "items": {"anyOf": [row, {"type": "array", "items": {}}]}}
    asked = {"type": "object", "properties": {"instances": instances}, "required": ["instances"]}
    example = {"instances": model.artifact.manifest["example"][:1]}
    return {
        "post": {
            "summary": f"Predictions of {name} (KServe V1, TensorFlow Serving)",
            "requestBody": {"required": True, "content": {JSON: {"schema": asked, "example": example}}},
            "responses": _responses(_predictions(), "ProtocolError"),
        }
    }


def _infer(name: str) -> Schema:
    request = {
        "type": "object",
        "properties": {
            "id": TEXT,
            "parameters": OBJECT,
            "inputs": {"type": "array", "items": ref("Tensor"), "minItems": 1},
            "outputs": {"type": "array", "items": {"type": "object", "required": ["name"]}},
        },
        "required": ["inputs"],
    }
    answer = {
        "type": "object",
        "properties": {
            "model_name": {"const": name},
            "model_version": TEXT,
            "id": TEXT,
            "outputs": {"type": "array", "items": ref("Tensor")},
        },
        "required": ["model_name", "outputs"],
    }
    return {
        "post": {
            "summary": f"Predictions of {name} (Open Inference Protocol)",
            "description": "Tensors are JSON, or bytes behind it as inference-header-content-length tells.",
            "requestBody": {
                "required": True,
                "content": {
                    JSON: {"schema": request},
                    "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
                },
            },
            "responses": _responses(answer, "ProtocolError", "application/octet-stream"),
        }
    }


def _invocations(name: str, model: Model) -> Schema:
    row = ref(f"{prefix(name)}Row")
    rows = {"type": "array", "items": row}
    names = [field.name for field in model.signature.inputs]
    example = model.artifact.manifest["example"][:1]
    split = {
        "type": "object",
        "properties": {
            "columns": {"type": "array", "items": TEXT},
            "data": {"type": "array", "items": {"type": "array", "items": {}}},
        },
        "required": ["data"],
    }
    anything: Schema = {"anyOf": [rows, {"type": "array", "items": {}}]}
    forms: Mapping[str, Schema] = {
        "dataframe_split": split,
        "dataframe_records": rows,
        "instances": anything,
        "inputs": {"anyOf": [OBJECT, {"type": "array", "items": {}}]},
    }
    content = {
        "oneOf": [
            {"type": "object", "properties": {form: schema}, "required": [form]}
            for form, schema in forms.items()
        ]
    }
    return {
        "post": {
            "summary": "Predictions for MLflow's and SageMaker's clients",
            "requestBody": {
                "required": True,
                "content": {
                    JSON: {"schema": content, "example": {"dataframe_records": example}},
                    "text/csv": {"schema": TEXT, "example": _csv(names, example)},
                    "application/jsonlines": {"schema": TEXT},
                },
            },
            "responses": _responses(_predictions(), "InvocationsError", "text/csv", "application/jsonlines"),
        }
    }


def of_service(page: bool) -> Schema:
    """The paths that name no model, without the short ones of a function that has one model.

    Args:
        page: Whether ``/`` shows a page to try the models.
    """
    alive = _get("Whether the function runs (KServe V1)", OBJECT)
    if page:
        alive = _get(
            "A page to try the models; without text/html in accept, whether the function runs", OBJECT
        )
        alive["get"]["responses"]["200"]["content"]["text/html"] = {"schema": TEXT}
    return {
        "/": alive,
        "/health": _get("Whether the function runs", OBJECT),
        "/ready": _get("Digests of the models that are loaded", OBJECT),
        "/metadata": _get("What each model is, takes and returns", OBJECT),
        "/openapi.json": _get("This document", OBJECT),
        "/v1/models": _get("Names of the models (KServe V1)", OBJECT, "ProtocolError"),
        "/v2": _get("What serves (Open Inference Protocol)", OBJECT, "ProtocolError"),
        "/v2/health/live": _get("Whether the function runs", OBJECT, "ProtocolError"),
        "/v2/health/ready": _get("Whether the models are loaded", OBJECT, "ProtocolError"),
        "/ping": _get("Whether the function runs (MLflow, SageMaker)", TEXT, kind="text/plain"),
        "/version": _get("Version of the runtime (MLflow)", TEXT, kind="text/plain"),
    }


def _get(summary: str, schema: Schema, error: str = "Error", *, kind: str = JSON) -> Schema:
    answered = {"description": "Answered.", "content": {kind: {"schema": schema}}}
    return {"get": {"summary": summary, "responses": {"200": answered, **_refused(error)}}}


def _responses(answer: Schema, error: str, *others: str) -> Schema:
    content = {JSON: {"schema": answer}} | {other: {"schema": {}} for other in others}
    return {"200": {"description": "Predictions.", "content": content}, **_refused(error)}


def _refused(error: str) -> Schema:
    content = {JSON: {"schema": ref(error)}}
    return {"4XX": {"description": "Refused; the error tells what to mend.", "content": content}}


def _predictions() -> Schema:
    return {
        "type": "object",
        "properties": {"predictions": {"type": "array", "items": {}}},
        "required": ["predictions"],
    }


def _csv(names: list[str], example: list[dict[str, Any]]) -> str:
    from sls_ml_runtime.dialects.csv_rows import write_record

    lines: list[list[Any]] = [names, *[[row.get(name) for name in names] for row in example]]
    return "".join(write_record(line) + "\n" for line in lines)
