"""What a function tells about itself: health, readiness, metadata, its OpenAPI document, the model page."""

from __future__ import annotations

from sls_ml_runtime.dialects.rows import CONTENT_TYPE, write_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sls_ml_runtime.call import Call

_JSON = {"content-type": CONTENT_TYPE}


def health(_: Call) -> tuple[dict[str, str], bytes]:
    """Answer GET /health."""
    return {**_JSON}, write_json({"status": "ok"})


def ready(call: Call) -> tuple[dict[str, str], bytes]:
    """Answer GET /ready: the models are loaded, or the function would not have started."""
    digests = {name: model.artifact.digest[:12] for name, model in call.service.models.items()}
    return {**_JSON}, write_json({"status": "ready", "models": digests})


def metadata(call: Call) -> tuple[dict[str, str], bytes]:
    """Answer GET /metadata: what each model is, takes and returns."""
    keys = ("kind", "inputs", "outputs", "classes", "example", "source")
    models = {
        name: {"digest": model.artifact.digest, "engine": model.engine.name}
        | {key: model.artifact.manifest.get(key) for key in keys}
        for name, model in call.service.models.items()
    }
    return {**_JSON}, write_json({"function": call.service.config["function"], "models": models})


def openapi(call: Call) -> tuple[dict[str, str], bytes]:
    """Answer GET /openapi.json."""
    from sls_ml_runtime.openapi import document

    return {**_JSON}, write_json(document(call.service))


def page(call: Call) -> tuple[dict[str, str], bytes]:
    """Answer GET / with the model page, where a browser asks."""
    if "text/html" not in call.headers.get("accept", ""):
        from sls_ml_runtime.dialects.kserve_v1 import live

        return live(call)
    from sls_ml_runtime.page import render

    return render(call.service)


OPERATIONS = {
    "health": health,
    "ready": ready,
    "metadata": metadata,
    "openapi": openapi,
    "page": page,
}
