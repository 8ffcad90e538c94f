"""The Open Inference Protocol V2 over REST, with its binary tensors, as KServe, Triton and MLServer speak it.

    GET  /v2                              GET  /v2/models/<model>[/versions/<version>][/ready]
    GET  /v2/health/live, /v2/health/ready    POST /v2/models/<model>[/versions/<version>]/infer

A version is the first 12 digits of the model's digest. Outputs are the keys of the plain answer: ``label``,
``probability``, ``value`` ... Tensors travel as JSON, or behind the JSON as little-endian bytes; then the
header ``inference-header-content-length`` tells where they begin.
"""

from __future__ import annotations

from sls_ml_runtime.dialects import tensors
from sls_ml_runtime.dialects.rows import CONTENT_TYPE, details, parse_json, write_json
from sls_ml_runtime.errors import HookError, Refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sls_ml_runtime.call import Call

_JSON = {"content-type": CONTENT_TYPE}
_LENGTH = "inference-header-content-length"
_ABOUT = {"model", "digest", "classes"}


def infer(call: Call) -> tuple[dict[str, str], bytes]:
    """Answer POST .../infer."""
    document, tail = _parts(call)
    identifier = document.get("id")
    if identifier is not None and type(identifier) is not str:
        raise Refusal(400, "wrong-id", "the id of a request is text")
    parameters = _parameters(document, "the request")
    wanted = _wanted(document.get("outputs"), parameters.get("binary_data_output", False))
    answer = call.predict(tensors.read_table(document.get("inputs"), tail, call.model.signature))
    artifact = call.model.artifact
    head: dict[str, Any] = {"model_name": artifact.name, "model_version": artifact.digest[:12]}
    if identifier is not None:
        head["id"] = identifier
    outputs, blobs = [], []
    for name, binary in _chosen(wanted, answer).items():
        output, values = _output(name, answer[name], call)
        if binary:
            blobs.append(tensors.to_bytes(output["datatype"], values))
            output["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            output["data"] = tensors.to_json(output["datatype"], values)
        outputs.append(output)
    text = write_json({**head, "outputs": outputs})
    if not blobs:
        return {**_JSON}, text
    headers = {"content-type": "application/octet-stream", _LENGTH: str(len(text))}
    return headers, b"".join([text, *blobs])


def server(call: Call) -> tuple[dict[str, str], bytes]:
    """Answer GET /v2."""
    service = call.service
    about = {
        "name": service.config["function"],
        "version": service.version,
        "extensions": ["binary_tensor_data"],
    }
    return {**_JSON}, write_json(about)


def live(_: Call) -> tuple[dict[str, str], bytes]:
    """Answer GET /v2/health/live."""
    return {**_JSON}, write_json({"live": True})


def ready(_: Call) -> tuple[dict[str, str], bytes]:
    """Answer GET /v2/health/ready: the models are loaded, or the function would not have started."""
    return {**_JSON}, write_json({"ready": True})


def model_ready(call: Call) -> tuple[dict[str, str], bytes]:
    """Answer GET /v2/models/<model>/ready."""
    return {**_JSON}, write_json({"name": call.model.artifact.name, "ready": True})


def model(call: Call) -> tuple[dict[str, str], bytes]:
    """Answer GET /v2/models/<model>: its tensors; ``-1`` is the number of rows."""
    artifact, manifest = call.model.artifact, call.model.artifact.manifest
    inputs = [
        {"name": field.name, "datatype": tensors.DATATYPES[field.dtype], "shape": [-1]}
        for field in call.model.signature.inputs
    ]
    outputs = []
    for output in manifest["outputs"]:
        shape = [-1] if output["columns"] is None else [-1, output["columns"]]
        tensor: dict[str, Any] = {"name": output["key"], "datatype": _datatype(output, manifest)}
        tensor["shape"] = shape
        if output["key"] == "probability":
            tensor["parameters"] = {"classes": manifest["classes"]}
        outputs.append(tensor)
    about = {
        "name": artifact.name,
        "versions": [artifact.digest[:12]],
        "platform": "sls-ml_lite" if call.model.engine.name == "lite" else "onnxruntime_onnx",
        "inputs": inputs,
        "outputs": outputs,
    }
    return {**_JSON}, write_json(about)


def refusal(refused: Refusal) -> tuple[int, dict[str, str], bytes]:
    """``{"error": "...", "code", "field"?, "row"?}``; a wrong value is a 400, as the protocol has it."""
    error = details(refused)
    message = error.pop("message")
    where = "" if refused.row is None else f"row {refused.row}: "
    status = 400 if refused.status == 422 else refused.status
    return status, {**_JSON}, write_json({"error": where + message, **error})


def _parts(call: Call) -> tuple[dict[str, Any], bytes]:
    """The JSON of a request, parsed, and the bytes behind it."""
    text, tail = call.body, b""
    given = call.headers.get(_LENGTH)
    if given is not None:
        given = given.strip()
        if not (given.isascii() and given.isdigit() and len(given) < 12) or int(given) > len(text):
            message = f"{_LENGTH} must be the number of bytes of the JSON at the start of the body"
            raise Refusal(400, "wrong-size", message)
        text, tail = text[: int(given)], text[int(given) :]
    document = parse_json(text)
    if type(document) is not dict:
        raise Refusal(400, "not-an-object", "the request must be an object with inputs")
    return document, tail


def _parameters(holder: dict[str, Any], what: str) -> dict[str, Any]:
    parameters = holder.get("parameters") or {}
    if type(parameters) is not dict:
        raise Refusal(400, "wrong-parameters", f"the parameters of {what} must be an object")
    for name in ("binary_data", "binary_data_output"):
        if type(parameters.get(name, False)) is not bool:
            raise Refusal(400, "wrong-parameters", f"{name} must be true or false")
    return parameters


def _wanted(outputs: Any, binary: bool) -> dict[str, bool] | bool:
    """Names of the requested outputs and whether each is wanted as bytes; a bool when all are wanted."""
    if outputs is None or outputs == []:
        return binary
    if type(outputs) is not list:
        raise Refusal(400, "wrong-output", "outputs must be a list")
    wanted = {}
    for output in outputs:
        if type(output) is not dict or type(output.get("name")) is not str:
            raise Refusal(400, "wrong-output", "an output must be an object with a name")
        parameters = _parameters(output, "an output")
        if parameters.get("classification"):
            raise Refusal(400, "wrong-parameters", "outputs are not given as classifications; ask for label")
        wanted[output["name"]] = parameters.get("binary_data", binary)
    return wanted


def _chosen(wanted: dict[str, bool] | bool, answer: dict[str, Any]) -> dict[str, bool]:
    known = [key for key in answer if key not in _ABOUT]
    if isinstance(wanted, bool):
        return dict.fromkeys(known, wanted)
    for name in wanted:
        if name not in known:
            message = f"the model has no output {name[:80]!a}; it has {', '.join(known)}"
            raise Refusal(400, "unknown-output", message, name[:80])
    return wanted


def _output(name: str, values: Any, call: Call) -> tuple[dict[str, Any], list[Any]]:
    """One output without its data, and its values, flat."""
    if not isinstance(values, list) or len(values) != call.rows:
        raise HookError(f"after(result) must give one value for each row in {name!a}")
    shape: list[int] = [len(values)]
    manifest = call.model.artifact.manifest
    given = next((output for output in manifest["outputs"] if output["key"] == name), None)
    columns = given["columns"] if given else None
    if columns is not None or (values and isinstance(values[0], list)):
        if values and values[0] and type(values[0][0]) is list:  # the probabilities of several labels
            values = [[share for each in row for share in each] for row in values]
        shape.append(len(values[0]) if values else columns or 0)
        values = [value for row in values for value in row]
    if given is not None and call.service.after is None:
        datatype = _datatype(given, manifest)
    else:
        datatype = tensors.datatype_of(values)
    return {"name": name, "datatype": datatype, "shape": shape}, values


def _datatype(output: dict[str, Any], manifest: dict[str, Any]) -> str:
    if output.get("positions") and manifest.get("classes"):
        return tensors.datatype_of(manifest["classes"])
    return tensors.DATATYPES[output["dtype"]]


OPERATIONS = {
    "server": server,
    "live": live,
    "ready": ready,
    "model": model,
    "model_ready": model_ready,
    "infer": infer,
}
