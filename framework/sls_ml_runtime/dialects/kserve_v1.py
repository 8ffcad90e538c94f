"""KServe's V1 protocol, which is TensorFlow Serving's: ``POST /v1/models/<model>:predict``.

``{"instances": [...]}`` gives ``{"predictions": [...]}``; columns in ``{"inputs": {...}}`` give
``{"outputs": [...]}``. A prediction is the label, or the value, of a row.
"""

from __future__ import annotations

from sls_ml_runtime.dialects import instances
from sls_ml_runtime.dialects.rows import CONTENT_TYPE, details, numbers, parse_json, write_json
from sls_ml_runtime.errors import Refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sls_ml_runtime.call import Call

_JSON = {"content-type": CONTENT_TYPE}


def predict(call: Call) -> tuple[dict[str, str], bytes]:
    """Answer instances with predictions, or inputs with outputs."""
    call.choose(CONTENT_TYPE)
    if (columns := numbers(call, (b"instances",))) is not None:
        return _written(call.predict_columns(columns), "predictions", call)
    document = parse_json(call.body)
    if type(document) is not dict or ("instances" in document) == ("inputs" in document):
        raise Refusal(400, "wrong-form", "the body must be an object with either instances or inputs")
    given: Any
    if "instances" in document:
        given, key = instances.read_rows(document["instances"], call.model.signature), "predictions"
    else:
        columns, key = document["inputs"], "outputs"
        if type(columns) is dict:
            given = instances.read_columns(columns)
        else:
            given = instances.read_rows(columns, call.model.signature)
    return _written(call.predict(given), key, call)


def _written(answer: dict[str, Any], key: str, call: Call) -> tuple[dict[str, str], bytes]:
    main = instances.main_key(answer)
    predictions = instances.records(answer, call.rows) if main is None else answer[main]
    return {**_JSON}, write_json({key: predictions})


def live(_: Call) -> tuple[dict[str, str], bytes]:
    """Answer GET /, by which KServe's client asks whether a server lives."""
    return {**_JSON}, write_json({"status": "alive"})


def models(call: Call) -> tuple[dict[str, str], bytes]:
    """Answer GET /v1/models."""
    return {**_JSON}, write_json({"models": list(call.service.models)})


def model(call: Call) -> tuple[dict[str, str], bytes]:
    """Answer GET /v1/models/<model>: its state, in the words of KServe and of TensorFlow Serving."""
    artifact = call.model.artifact
    status = {
        "version": artifact.digest[:12],
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }
    state = {"name": artifact.name, "ready": True, "model_version_status": [status]}
    return {**_JSON}, write_json(state)


def refusal(refused: Refusal) -> tuple[int, dict[str, str], bytes]:
    """``{"error": "...", "code", "field"?, "row"?}``; a wrong value is a 400, as in these servers."""
    error = details(refused)
    message = error.pop("message")
    where = "" if refused.row is None else f"row {refused.row}: "
    status = 400 if refused.status == 422 else refused.status
    return status, {**_JSON}, write_json({"error": where + message, **error})


OPERATIONS = {
    "live": live,
    "models": models,
    "model": model,
    "predict": predict,
}
