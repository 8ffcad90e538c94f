"""The OpenAPI 3.1 document of a function: its paths, with the names, types and examples of its own models."""

from __future__ import annotations

from sls_ml_runtime.openapi_schemas import (
    ERRORS,
    LIST,
    OBJECT,
    OPTIONS,
    TENSOR,
    TEXT,
    list_of,
    of_manifest,
    prefix,
    ref,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from sls_ml_runtime.model import Model
    from sls_ml_runtime.openapi_schemas import Schema
    from sls_ml_runtime.serve import Service

JSON = "application/json"
_TABLES: Schema = {"text/csv": {}, "application/jsonlines": {}}
_SECURITY: Mapping[str, Schema] = {
    "iam": {
        "type": "apiKey",
        "in": "header",
        "name": "authorization",
        "description": "AWS Signature Version 4.",
        "x-amazon-apigateway-authtype": "awsSigv4",
    },
    "jwt": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}


def document(service: Service) -> Schema:
    """The document of a service.

    Args:
        service: The function; its config and the manifests of its models say everything.

    Returns:
        An OpenAPI 3.1 document. Paths are those that the service answers: without a model's name only when it
        has one model.
    """
    config = service.config
    http = config.get("http") or {}
    paths = _of_service(http.get("page", False))
    schemas: Schema = {**ERRORS, "Tensor": TENSOR}
    for name, model in service.models.items():
        schemas |= of_manifest(model.artifact.manifest)
        paths |= _of_model(name, model)
        if len(service.models) == 1:
            paths["/predict"] = paths[f"/models/{name}/predict"]
            paths["/"] = {**paths["/predict"], **paths["/"]}
            paths["/invocations"] = paths[f"/endpoints/{name}/invocations"]
    described: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": f"{config['project']} {config['function']}",
            "version": ", ".join(model.artifact.digest[:12] for model in service.models.values()),
            "description": _description(service),
        },
        "servers": [{"url": "/"}],
        "paths": {path: _identified(path, paths[path]) for path in sorted(paths)},
        "components": {"schemas": schemas},
    }
    if scheme := _SECURITY.get(http.get("auth", "public")):
        described["components"]["securitySchemes"] = {http["auth"]: scheme}
        described["security"] = [{http["auth"]: []}]
    return described


def _identified(path: str, methods: Schema) -> Schema:
    """Operations with an id of their own, made from method and path."""
    words = "".join(char if char.isalnum() else " " for char in path).split()
    return {
        method: {"operationId": "-".join([method, *words]), **operation}
        for method, operation in methods.items()
    }


def _description(service: Service) -> str:
    lines = []
    for name, model in service.models.items():
        manifest = model.artifact.manifest
        source = manifest["source"]
        lines.append(f"{name}: {manifest['kind']}, {source['estimator']} of {source['library']}.")
    return "\n\n".join(lines)


def _of_model(name: str, model: Model) -> Schema:
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
    start = prefix(name)
    row = ref(f"{start}Row")
    rows = list_of(row)
    forms = [
        {**_one_of({"rows": rows}), "additionalProperties": False},
        {**_one_of({"columns": ref(f"{start}Columns")}), "additionalProperties": False},
        rows,
        row,
    ]
    return _post(
        f"Predictions of {name} for rows of plain JSON, CSV or JSON lines",
        _bodies(model, {"anyOf": forms}, "rows"),
        _responses("Error", {JSON: ref(f"{start}Answer"), **_TABLES}),
    )


def _predict_v1(name: str, model: Model) -> Schema:
    start = prefix(name)
    forms = {"instances": ref(f"{start}Rows"), "inputs": ref(f"{start}Inputs")}
    return _post(
        f"Predictions of {name} (KServe V1, TensorFlow Serving)",
        {JSON: _bodies(model, _one_of(forms), "instances")[JSON]},
        _responses("ProtocolError", {JSON: _one_of({"predictions": LIST, "outputs": LIST})}),
    )


def _infer(name: str) -> Schema:
    tensors = list_of(ref("Tensor"))
    output = {"type": "object", "properties": {"name": TEXT, "parameters": OPTIONS}, "required": ["name"]}
    request = {
        "type": "object",
        "properties": {
            "id": {"type": ["string", "null"]},
            "parameters": OPTIONS,
            "inputs": {**tensors, "minItems": 1},
            "outputs": {"type": ["array", "null"], "items": output},
        },
        "required": ["inputs"],
    }
    answer = {
        "type": "object",
        "properties": {"model_name": {"const": name}, "model_version": TEXT, "id": TEXT, "outputs": tensors},
        "required": ["model_name", "outputs"],
    }
    binary = "application/octet-stream"
    return _post(
        f"Predictions of {name} (Open Inference Protocol); tensors are JSON, or bytes behind it as "
        "inference-header-content-length tells",
        {JSON: {"schema": request}, binary: {"schema": {"type": "string", "format": "binary"}}},
        _responses("ProtocolError", {JSON: answer, binary: {}}),
    )


def _invocations(name: str, model: Model) -> Schema:
    start = prefix(name)
    rows = ref(f"{start}Rows")
    split = {
        "type": "object",
        "properties": {"columns": list_of(TEXT), "data": list_of(LIST)},
        "required": ["data"],
    }
    content = _one_of(
        {
            "dataframe_split": split,
            "dataframe_records": rows,
            "instances": rows,
            "inputs": ref(f"{start}Inputs"),
        }
    )
    outputs = {"enum": [output["key"] for output in model.artifact.manifest["outputs"]]}
    content["properties"]["params"] = {
        **OPTIONS,
        "properties": {"output": outputs},
        "additionalProperties": False,
    }
    return _post(
        "Predictions for MLflow's and SageMaker's clients",
        _bodies(model, content, "dataframe_records"),
        _responses("InvocationsError", {JSON: _one_of({"predictions": LIST}), **_TABLES}),
    )


def _one_of(properties: Schema) -> Schema:
    """An object with exactly one of these properties, and whatever else."""
    required: list[Schema] = [{"required": [name]} for name in properties]
    return {"type": "object", "properties": properties, "oneOf": required}


def _bodies(model: Model, schema: Schema, key: str) -> Schema:
    """JSON, CSV or JSON lines, with the model's example, which JSON has under `key`."""
    from sls_ml_runtime.dialects.csv_rows import write_record

    names = [field.name for field in model.signature.inputs]
    example = model.artifact.manifest["example"][:1]
    text = write_record(names) + "\n"
    for row in example:
        text += write_record([*map(row.get, names)]) + "\n"
    return {
        JSON: {"schema": schema, "example": {key: example}},
        "text/csv": {"schema": TEXT, "example": text},
        "application/jsonlines": {"schema": TEXT},
    }


def _of_service(page: bool) -> Schema:
    """The paths that name no model; `page` is whether ``/`` shows a page to try the models."""
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
    return {"get": {"summary": summary, "responses": _responses(error, {kind: schema})}}


def _post(summary: str, bodies: Schema, responses: Schema) -> Schema:
    body = {"required": True, "content": bodies}
    return {"post": {"summary": summary, "requestBody": body, "responses": responses}}


def _responses(error: str, schemas: Schema) -> Schema:
    content = {kind: {"schema": schema} for kind, schema in schemas.items()}
    refused = {JSON: {"schema": ref(error)}}
    return {
        "200": {"description": "Answered.", "content": content},
        "4XX": {"description": "Refused; the error tells what to mend.", "content": refused},
    }
