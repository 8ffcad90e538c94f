"""The OpenAPI 3.1 document of a function: its paths, with the names, types and examples of its own models."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from sls_ml_runtime.model import Model
    from sls_ml_runtime.serve import Service

    Schema = dict[str, Any]

_JSON = "application/json"
_TYPES = {"float64": "number", "float32": "number", "int64": "integer", "bool": "boolean", "string": "string"}
_FORMATS = {"float64": "double", "float32": "float", "int64": "int64"}
_TEXT: Schema = {"type": "string"}
_INTEGER: Schema = {"type": "integer"}
_OBJECT: Schema = {"type": "object"}

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

_ERRORS: Mapping[str, Schema] = {
    "Error": {
        "type": "object",
        "properties": {
            "error": {
                "type": "object",
                "properties": {"code": _TEXT, "message": _TEXT, "field": _TEXT, "row": _INTEGER},
                "required": ["code", "message"],
            }
        },
        "required": ["error"],
    },
    "ProtocolError": {
        "description": "An error of the Open Inference Protocol and of KServe V1.",
        "type": "object",
        "properties": {"error": _TEXT, "code": _TEXT, "field": _TEXT, "row": _INTEGER},
        "required": ["error"],
    },
    "InvocationsError": {
        "description": "An error of MLflow's scoring server.",
        "type": "object",
        "properties": {
            "error_code": _TEXT,
            "message": _TEXT,
            "code": _TEXT,
            "field": _TEXT,
            "row": _INTEGER,
        },
        "required": ["error_code", "message"],
    },
}

_TENSOR: Schema = {
    "type": "object",
    "properties": {
        "name": _TEXT,
        "shape": {"type": "array", "items": _INTEGER},
        "datatype": {
            "enum": [
                "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
                "FP16", "FP32", "FP64", "BYTES",
            ]
        },
        "parameters": _OBJECT,
        "data": {"type": "array", "items": {}},
    },
    "required": ["name", "shape", "datatype"],
}  # fmt: skip


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
    paths: Schema = {}
    schemas: Schema = {**_ERRORS, "Tensor": _TENSOR}
    for name, model in service.models.items():
        prefix = _prefix(name)
        manifest = model.artifact.manifest
        schemas[f"{prefix}Row"] = row_schema(manifest)
        schemas[f"{prefix}Answer"] = answer_schema(manifest)
        _model_paths(paths, name, model)
        if len(service.models) == 1:
            paths["/"] = paths["/predict"] = paths[f"/models/{name}/predict"]
            paths["/invocations"] = paths[f"/endpoints/{name}/invocations"]
    _service_paths(paths, http.get("page", False))
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


def row_schema(manifest: Mapping[str, Any]) -> Schema:
    """The JSON Schema of one plain row: every input with its type, and what the model refuses."""
    inputs = manifest["inputs"]
    schema: Schema = {
        "type": "object",
        "properties": {field["name"]: _field(field) for field in inputs},
        "required": [field["name"] for field in inputs if not field.get("nullable")],
        "additionalProperties": False,
    }
    if manifest["example"]:
        schema["examples"] = manifest["example"][:1]
    return schema


def answer_schema(manifest: Mapping[str, Any]) -> Schema:
    """The JSON Schema of the plain answer."""
    classes = manifest.get("classes")
    properties: Schema = {
        "model": {"const": manifest["name"]},
        "digest": {"type": "string", "pattern": "^[0-9a-f]{12}$"},
    }
    if classes is not None:
        properties["classes"] = {"const": classes}
    for output in manifest["outputs"]:
        count = output["columns"]
        if classes and type(classes[0]) is list and output["key"] in {"label", "probability"}:
            value = _of_labels(output["key"], classes)
        elif count is not None:
            value = _list_of(count, _value(output, classes))
        else:
            value = _value(output, classes)
        properties[output["key"]] = {"type": "array", "items": value, "description": "One entry per row."}
    return {"type": "object", "properties": properties, "required": list(properties)}


def _of_labels(key: str, classes: list[list[Any]]) -> Schema:
    """One entry for each of several labels: its class, or the probabilities of its classes."""
    if key == "label":
        each = [{"enum": names} for names in classes]
    else:
        each = [_list_of(len(names), {"type": ["number", "null"]}) for names in classes]
    return {"type": "array", "prefixItems": each, "minItems": len(each), "maxItems": len(each)}


def _list_of(count: int, value: Schema) -> Schema:
    return {"type": "array", "items": value, "minItems": count, "maxItems": count}


def _field(field: Mapping[str, Any]) -> Schema:
    dtype = field["dtype"]
    nullable = field.get("nullable", False) and dtype not in {"int64", "bool"}
    kind = _TYPES[dtype]
    schema: Schema = {"type": [kind, "null"] if nullable else kind}
    if dtype in _FORMATS:
        schema["format"] = _FORMATS[dtype]
    if field.get("range"):
        schema["minimum"], schema["maximum"] = field["range"]
    elif dtype == "int64":
        schema["minimum"], schema["maximum"] = -(1 << 63), (1 << 63) - 1
    elif dtype == "string":
        schema["pattern"] = "^[^\\u0000]*$"
    if field.get("categories") is not None:
        schema["enum"] = [*field["categories"], *([None] if nullable else [])]
        schema.pop("pattern", None)
    return schema


def _value(output: Mapping[str, Any], classes: list[Any] | None) -> Schema:
    if output["key"] == "label" and classes is not None:
        return {"enum": classes}
    kind = _TYPES.get(output["dtype"], "integer")
    return {"type": [kind, "null"] if kind == "number" else kind}


def _model_paths(paths: Schema, name: str, model: Model) -> None:
    prefix = _prefix(name)
    row, answer = _ref(f"{prefix}Row"), _ref(f"{prefix}Answer")
    names = [field.name for field in model.signature.inputs]
    rows = {"type": "array", "items": row}
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
    paths[f"/models/{name}/predict"] = {
        "post": {
            "summary": f"Predictions of {name} for rows of plain JSON, CSV or JSON lines",
            "requestBody": {
                "required": True,
                "content": {
                    _JSON: {"schema": plain, "example": {"rows": example}},
                    "text/csv": {"schema": _TEXT, "example": _csv(names, example)},
                    "application/jsonlines": {"schema": _TEXT},
                },
            },
            "responses": _responses(answer, "Error", "text/csv", "application/jsonlines"),
        }
    }
    instances = {"type": "array", "items": {"anyOf": [row, {"type": "array", "items": {}}]}}
    paths[f"/v1/models/{name}"] = _get(f"State of {name} (KServe V1)", _OBJECT, "ProtocolError")
    paths[f"/v1/models/{name}:predict"] = {
        "post": {
            "summary": f"Predictions of {name} (KServe V1, TensorFlow Serving)",
            "requestBody": {
                "required": True,
                "content": {
                    _JSON: {
                        "schema": {
                            "type": "object",
                            "properties": {"instances": instances},
                            "required": ["instances"],
                        },
                        "example": {"instances": example},
                    }
                },
            },
            "responses": _responses(_predictions(), "ProtocolError"),
        }
    }
    paths[f"/endpoints/{name}/invocations"] = _invocations(prefix, model)
    for base in (f"/v2/models/{name}", f"/v2/models/{name}/versions/{model.artifact.digest[:12]}"):
        paths[base] = _get(f"Tensors of {name} (Open Inference Protocol)", _OBJECT, "ProtocolError")
        paths[f"{base}/ready"] = _get(f"Readiness of {name}", _OBJECT, "ProtocolError")
        paths[f"{base}/infer"] = _infer(name)


def _infer(name: str) -> Schema:
    request = {
        "type": "object",
        "properties": {
            "id": _TEXT,
            "parameters": _OBJECT,
            "inputs": {"type": "array", "items": _ref("Tensor"), "minItems": 1},
            "outputs": {"type": "array", "items": {"type": "object", "required": ["name"]}},
        },
        "required": ["inputs"],
    }
    answer = {
        "type": "object",
        "properties": {
            "model_name": {"const": name},
            "model_version": _TEXT,
            "id": _TEXT,
            "outputs": {"type": "array", "items": _ref("Tensor")},
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
                    _JSON: {"schema": request},
                    "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
                },
            },
            "responses": _responses(answer, "ProtocolError", "application/octet-stream"),
        }
    }


def _invocations(prefix: str, model: Model) -> Schema:
    row = _ref(f"{prefix}Row")
    rows = {"type": "array", "items": row}
    names = [field.name for field in model.signature.inputs]
    example = model.artifact.manifest["example"][:1]
    split = {
        "type": "object",
        "properties": {
            "columns": {"type": "array", "items": _TEXT},
            "data": {"type": "array", "items": {"type": "array", "items": {}}},
        },
        "required": ["data"],
    }
    anything: Schema = {"anyOf": [rows, {"type": "array", "items": {}}]}
    forms: Mapping[str, Schema] = {
        "dataframe_split": split,
        "dataframe_records": rows,
        "instances": anything,
        "inputs": {"anyOf": [_OBJECT, {"type": "array", "items": {}}]},
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
                    _JSON: {"schema": content, "example": {"dataframe_records": example}},
                    "text/csv": {"schema": _TEXT, "example": _csv(names, example)},
                    "application/jsonlines": {"schema": _TEXT},
                },
            },
            "responses": _responses(_predictions(), "InvocationsError", "text/csv", "application/jsonlines"),
        }
    }


def _service_paths(paths: Schema, page: bool) -> None:
    paths["/health"] = _get("Whether the function runs", _OBJECT)
    paths["/ready"] = _get("Digests of the models that are loaded", _OBJECT)
    paths["/metadata"] = _get("What each model is, takes and returns", _OBJECT)
    paths["/openapi.json"] = _get("This document", _OBJECT)
    paths["/v1/models"] = _get("Names of the models (KServe V1)", _OBJECT, "ProtocolError")
    paths["/v2"] = _get("What serves (Open Inference Protocol)", _OBJECT, "ProtocolError")
    paths["/v2/health/live"] = _get("Whether the function runs", _OBJECT, "ProtocolError")
    paths["/v2/health/ready"] = _get("Whether the models are loaded", _OBJECT, "ProtocolError")
    paths["/ping"] = _get("Whether the function runs (MLflow, SageMaker)", _TEXT, kind="text/plain")
    paths["/version"] = _get("Version of the runtime (MLflow)", _TEXT, kind="text/plain")
    alive = _get("Whether the function runs (KServe V1)", _OBJECT)
    if page:
        alive = _get(
            "A page to try the models; without text/html in accept, whether the function runs", _OBJECT
        )
        alive["get"]["responses"]["200"]["content"]["text/html"] = {"schema": _TEXT}
    paths["/"] = {**paths.get("/", {}), **alive}


def _get(summary: str, schema: Schema, error: str = "Error", *, kind: str = _JSON) -> Schema:
    answered = {"description": "Answered.", "content": {kind: {"schema": schema}}}
    return {"get": {"summary": summary, "responses": {"200": answered, **_refused(error)}}}


def _responses(answer: Schema, error: str, *others: str) -> Schema:
    content = {_JSON: {"schema": answer}} | {other: {"schema": {}} for other in others}
    return {"200": {"description": "Predictions.", "content": content}, **_refused(error)}


def _refused(error: str) -> Schema:
    content = {_JSON: {"schema": _ref(error)}}
    return {"4XX": {"description": "Refused; the error tells what to mend.", "content": content}}


def _predictions() -> Schema:
    return {
        "type": "object",
        "properties": {"predictions": {"type": "array", "items": {}}},
        "required": ["predictions"],
    }


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


def _csv(names: list[str], example: list[dict[str, Any]]) -> str:
    from sls_ml_runtime.dialects.csv_rows import write_record

    lines: list[list[Any]] = [names, *[[row.get(name) for name in names] for row in example]]
    return "".join(write_record(line) + "\n" for line in lines)


def _prefix(name: str) -> str:
    return "".join(word.capitalize() for word in name.replace("_", "-").split("-"))


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
