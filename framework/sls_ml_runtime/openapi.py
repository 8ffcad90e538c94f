"""The OpenAPI 3.1 document of a function: its paths, with the names, types and examples of its own models."""

from __future__ import annotations

from sls_ml_runtime import openapi_paths
from sls_ml_runtime.openapi_schemas import ERRORS, TENSOR, answer_schema, prefix, row_schema

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from sls_ml_runtime.openapi_schemas import Schema
    from sls_ml_runtime.serve import Service

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
    paths = openapi_paths.of_service(http.get("page", False))
    schemas: Schema = {**ERRORS, "Tensor": TENSOR}
    for name, model in service.models.items():
        manifest = model.artifact.manifest
        schemas[f"{prefix(name)}Row"] = row_schema(manifest)
        schemas[f"{prefix(name)}Answer"] = answer_schema(manifest)
        paths |= openapi_paths.of_model(name, model)
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
