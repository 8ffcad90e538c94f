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
OPTIONS: Schema = {"type": ["object", "null"]}
LIST: Schema = {"type": "array"}

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
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "maxItems": 2},
        "datatype": {
            "enum": [
                "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
                "FP16", "FP32", "FP64", "BYTES",
            ]
        },
        "parameters": OPTIONS,
        "data": LIST,
    },
    "required": ["name", "shape", "datatype"],
}  # fmt: skip


def of_manifest(manifest: Mapping[str, Any]) -> Schema:
    """The schemas of a model by name; that columns have one length is beyond them."""
    start = prefix(manifest["name"])
    row = row_schema(manifest)
    values = [*row["properties"].values()]
    columns = {**row, "properties": dict(zip(row["properties"], map(list_of, values), strict=True))}
    columns.pop("examples", None)
    forms = [ref(f"{start}Row"), _tuple(values), *([] if values[1:] else values)]
    return {
        f"{start}Row": row,
        f"{start}Columns": columns,
        f"{start}Rows": {"anyOf": [*map(list_of, forms)]},
        f"{start}Inputs": {"anyOf": [ref(f"{start}Rows"), ref(f"{start}Columns")]},
        f"{start}Answer": answer_schema(manifest),
    }


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
            value = list_of(_value(output, classes), count)
        else:
            value = _value(output, classes)
        properties[output["key"]] = {**list_of(value), "description": "One entry per row."}
    return {"type": "object", "properties": properties, "required": list(properties)}


def _of_labels(key: str, classes: list[list[Any]]) -> Schema:
    """One entry for each of several labels: its class, or the probabilities of its classes."""
    if key == "label":
        each = [{"enum": names} for names in classes]
    else:
        each = [list_of({"type": ["number", "null"]}, len(names)) for names in classes]
    return _tuple(each)


def _tuple(each: list[Schema]) -> Schema:
    return {"type": "array", "prefixItems": each, "minItems": len(each), "maxItems": len(each)}


def list_of(value: Schema, count: int | None = None) -> Schema:
    """A list of any length, or of `count` entries."""
    length = {} if count is None else {"minItems": count, "maxItems": count}
    return {"type": "array", "items": value, **length}


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
        if nullable and field.get("null"):
            schema["not"] = {"const": field["null"]}
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
