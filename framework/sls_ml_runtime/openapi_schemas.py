"""The JSON Schemas of an OpenAPI document: rows and answers of a model, tensors, and errors."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
OBJECT: Schema = {"type": "object"}

_TYPES = {"float64": "number", "float32": "number", "int64": "integer", "bool": "boolean", "string": "string"}
_FORMATS = {"float64": "double", "float32": "float", "int64": "int64"}
ERRORS: Mapping[str, Schema] = {
    "Error": {
        "type": "object",
        "properties": {
            "error": {
                "type": "object",
                "properties": {"code": TEXT, "message": TEXT, "field": TEXT, "row": INTEGER},
                "required": ["code", "message"],
            }
        },
        "required": ["error"],
    },
    "ProtocolError": {
        "description": "An error of the Open Inference Protocol and of KServe V1.",
        "type": "object",
        "properties": {"error": TEXT, "code": TEXT, "field": TEXT, "row": INTEGER},
        "required": ["error"],
    },
    "InvocationsError": {
        "description": "An error of MLflow's scoring server.",
        "type": "object",
        "properties": {
            "error_code": TEXT,
            "message": TEXT,
            "code": TEXT,
            "field": TEXT,
            "row": INTEGER,
        },
        "required": ["error_code", "message"],
    },
}

TENSOR: Schema = {
    "type": "object",
    "properties": {
        "name": TEXT,
        "shape": {"type": "array", "items": INTEGER},
        "datatype": {
            "enum": [
                "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
                "FP16", "FP32", "FP64", "BYTES",
            ]
        },
        "parameters": OBJECT,
        "data": {"type": "array", "items": {}},
    },
    "required": ["name", "shape", "datatype"],
}  # fmt: skip


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


def prefix(name: str) -> str:
    """What the names of a model's schemas begin with."""
    return "".join(word.capitalize() for word in name.replace("_", "-").split("-"))


def ref(name: str) -> Schema:
    """A reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}
