"""``/invocations`` of MLflow's scoring server and of SageMaker, with ``/ping`` and ``/version``.

JSON has exactly one of ``dataframe_split``, ``dataframe_records``, ``instances`` and ``inputs``; CSV and JSON
lines are read by `delimited`. The answer is ``{"predictions": [...]}`` with the label, or the value, of each
row, as the ``predict`` of the model's own library returns it; ``"params": {"output": "probability"}`` asks
for another output of the model instead. With ``Accept: text/csv`` or ``application/jsonlines`` all of the
outputs are sent, as SageMaker's batch jobs want them.
"""

from __future__ import annotations

from sls_ml_runtime.dialects import delimited, instances
from sls_ml_runtime.dialects.rows import CONTENT_TYPE, details, numbers, parse_json, write_json
from sls_ml_runtime.errors import Refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sls_ml_runtime.call import Call

    Given = list[dict[str, Any]] | dict[str, list[Any]]

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
_OF_ROWS = (b"dataframe_records", b"instances")
_CODES = {400: "BAD_REQUEST", 422: "INVALID_PARAMETER_VALUE", 500: "INTERNAL_ERROR"}


def invoke(call: Call) -> tuple[dict[str, str], bytes]:
    """Answer a JSON body."""
    kind = call.choose(CONTENT_TYPE, delimited.CSV, delimited.LINES)
    if (columns := numbers(call, _OF_ROWS)) is not None:
        return _write(call, call.predict_columns(columns), kind, None)
    document = parse_json(call.body)
    if type(document) is not dict:
        raise Refusal(400, "not-an-object", f"the body must be an object with one of {', '.join(FORMS)}")
    given = _read(document, call)
    output = _output(document.get("params"), call)
    return _write(call, call.predict(given), kind, output)


def invoke_csv(call: Call) -> tuple[dict[str, str], bytes]:
    """Answer CSV, with a header (MLflow) or without (SageMaker)."""
    kind = call.choose(CONTENT_TYPE, delimited.CSV, delimited.LINES)
    table, header = delimited.read_csv(call)
    return _write(call, call.predict(table), kind, None, header=header)


def invoke_lines(call: Call) -> tuple[dict[str, str], bytes]:
    """Answer JSON lines."""
    kind = call.choose(CONTENT_TYPE, delimited.LINES, delimited.CSV)
    return _write(call, delimited.predict_rows(call), kind, None)


def ping(_: Call) -> tuple[dict[str, str], bytes]:
    """Answer GET /ping: the function runs."""
    return {"content-type": "text/plain; charset=utf-8"}, b"\n"


def version(call: Call) -> tuple[dict[str, str], bytes]:
    """Answer GET /version: that of this runtime."""
    return {"content-type": "text/plain; charset=utf-8"}, call.service.version.encode()


def refusal(refused: Refusal) -> tuple[int, dict[str, str], bytes]:
    """``{"error_code", "message", "code", "field"?, "row"?}``, as MLflow does it; a wrong value is a 400."""
    status = 400 if refused.status == 422 else refused.status
    error = {"error_code": _CODES.get(refused.status, "BAD_REQUEST"), **details(refused)}
    return status, {"content-type": CONTENT_TYPE}, write_json(error)


def _read(document: dict[str, Any], call: Call) -> Given:
    given = [form for form in FORMS if form in document]
    if len(given) != 1:
        found = "none" if not given else ", ".join(given)
        message = f"the body must have exactly one of {', '.join(FORMS)}; it has {found}"
        raise Refusal(400, "wrong-form", message)
    content = document[given[0]]
    signature = call.model.signature
    match given[0]:
        case "dataframe_split":
            return _split(content, [field.name for field in signature.inputs])
        case "inputs" if type(content) is dict:
            return instances.read_columns(content)
        case _:
            return instances.read_rows(content, signature)


def _split(content: Any, inputs: list[str]) -> Given:
    if type(content) is not dict or type(content.get("data")) is not list:
        message = 'dataframe_split must be {"columns": [...], "data": [[...], ...]}'
        raise Refusal(400, "wrong-form", message)
    names = content.get("columns", inputs)
    if type(names) is not list or not all(type(name) is str for name in names):
        raise Refusal(400, "wrong-form", "the columns of dataframe_split must be a list of names")
    return instances.read_matrix(content["data"], names)


def _output(params: Any, call: Call) -> str | None:
    """The output that ``params`` ask for; whatever else they hold is refused, not passed over."""
    if params is None or params == {}:
        return None
    known = [output["key"] for output in call.model.artifact.manifest["outputs"]]
    if type(params) is not dict or params.keys() != {"output"} or params["output"] not in known:
        message = f"params may hold output, one of {', '.join(known)}, and nothing else"
        raise Refusal(422, "unknown-params", message, "params")
    output: str = params["output"]
    return output


def _write(
    call: Call, answer: dict[str, Any], kind: str, output: str | None, *, header: bool = False
) -> tuple[dict[str, str], bytes]:
    if kind != CONTENT_TYPE:
        return delimited.write(call, answer, kind, header=header)
    key = output or instances.main_key(answer)
    predictions = answer[key] if key in answer else instances.records(answer, call.rows)
    return {"content-type": CONTENT_TYPE}, write_json({"predictions": predictions})


OPERATIONS = {
    "invoke": invoke,
    "invoke_csv": invoke_csv,
    "invoke_lines": invoke_lines,
    "ping": ping,
    "version": version,
}
