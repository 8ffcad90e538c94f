"""The routes of a function: which method, path and media type is answered by which dialect.

A new dialect is one module beside this one, its rows here and its case in `_dialect`. Its ``OPERATIONS`` are
functions ``(call: Call) -> (headers, body)``: one takes the rows out of ``call.body``, asks
``call.predict(rows_or_table)`` for the plain answer, and writes that in its own shape. A `Refusal` raised
inside is written by the module's ``refusal(refused) -> (status, headers, body)``. A module is imported with
the first request that needs it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from sls_ml_runtime.call import Call
    from sls_ml_runtime.errors import Refusal

    Operation = Callable[[Call], tuple[dict[str, str], bytes]]
    WriteRefusal = Callable[[Refusal], tuple[int, dict[str, str], bytes]]

JSON = ("application/json",)
CSV = ("text/csv",)
LINES = ("application/jsonlines", "application/x-ndjson", "application/jsonl")
TENSORS = ("application/json", "application/octet-stream")

ROUTES: tuple[tuple[str, str, tuple[str, ...] | None, str], ...] = (
    # method, path, media types of the body (None: there is no body), operation. In a path "*" is a model's
    # name and "@" the version that is served of it; a POST without "*" needs a function with one model.
    ("POST", "/predict", JSON, "rows.predict"),
    ("POST", "/predict", CSV, "delimited.predict_csv"),
    ("POST", "/predict", LINES, "delimited.predict_lines"),
    ("POST", "/", JSON, "rows.predict"),
    ("POST", "/", CSV, "delimited.predict_csv"),
    ("POST", "/", LINES, "delimited.predict_lines"),
    ("POST", "/models/*/predict", JSON, "rows.predict"),
    ("POST", "/models/*/predict", CSV, "delimited.predict_csv"),
    ("POST", "/models/*/predict", LINES, "delimited.predict_lines"),
    ("GET", "/health", None, "about.health"),
    ("GET", "/ready", None, "about.ready"),
    ("GET", "/metadata", None, "about.metadata"),
    ("GET", "/openapi.json", None, "about.openapi"),
    ("GET", "/v2", None, "inference_v2.server"),
    ("GET", "/v2/health/live", None, "inference_v2.live"),
    ("GET", "/v2/health/ready", None, "inference_v2.ready"),
    ("GET", "/v2/models/*", None, "inference_v2.model"),
    ("GET", "/v2/models/*/ready", None, "inference_v2.model_ready"),
    ("POST", "/v2/models/*/infer", TENSORS, "inference_v2.infer"),
    ("GET", "/v2/models/*/versions/@", None, "inference_v2.model"),
    ("GET", "/v2/models/*/versions/@/ready", None, "inference_v2.model_ready"),
    ("POST", "/v2/models/*/versions/@/infer", TENSORS, "inference_v2.infer"),
    ("GET", "/", None, "kserve_v1.live"),
    ("GET", "/v1/models", None, "kserve_v1.models"),
    ("GET", "/v1/models/*", None, "kserve_v1.model"),
    ("POST", "/v1/models/*:predict", JSON, "kserve_v1.predict"),
    ("GET", "/ping", None, "invocations.ping"),
    ("GET", "/version", None, "invocations.version"),
    ("POST", "/invocations", JSON, "invocations.invoke"),
    ("POST", "/invocations", CSV, "invocations.invoke_csv"),
    ("POST", "/invocations", LINES, "invocations.invoke_lines"),
    ("POST", "/endpoints/*/invocations", JSON, "invocations.invoke"),
    ("POST", "/endpoints/*/invocations", CSV, "invocations.invoke_csv"),
    ("POST", "/endpoints/*/invocations", LINES, "invocations.invoke_lines"),
)

PAGE = ("GET", "/", None, "about.page")
"""The route of the model page, where config.json asks for it; comes before the other at this path."""


def load(operation: str) -> tuple[Operation, WriteRefusal]:
    """The functions of an operation: the one that answers, and the one that writes its refusals."""
    dialect, _, name = operation.partition(".")
    operations, refusal = _dialect(dialect)
    return operations[name], refusal


def refusal_at(path: str) -> WriteRefusal:
    """How refusals are written at a path that has no route."""
    if path.startswith("/v2/"):
        return load("inference_v2.server")[1]
    if path.startswith("/v1/"):
        return load("kserve_v1.models")[1]
    return load("rows.predict")[1]


def foreign(document: dict[str, Any]) -> str:
    """The operation that reads a document whose keys are those of another dialect than plain rows."""
    inputs = document.get("inputs")
    if type(inputs) is list and inputs and type(inputs[0]) is dict and "datatype" in inputs[0]:
        return "inference_v2.infer"
    return "invocations.invoke"


def _dialect(name: str) -> tuple[Mapping[str, Operation], WriteRefusal]:
    match name:
        case "rows":
            from sls_ml_runtime.dialects import rows

            return rows.OPERATIONS, rows.refusal
        case "delimited":
            from sls_ml_runtime.dialects import delimited, rows

            return delimited.OPERATIONS, rows.refusal
        case "inference_v2":
            from sls_ml_runtime.dialects import inference_v2

            return inference_v2.OPERATIONS, inference_v2.refusal
        case "kserve_v1":
            from sls_ml_runtime.dialects import kserve_v1

            return kserve_v1.OPERATIONS, kserve_v1.refusal
        case "invocations":
            from sls_ml_runtime.dialects import invocations

            return invocations.OPERATIONS, invocations.refusal
        case "about":
            from sls_ml_runtime.dialects import about, rows

            return about.OPERATIONS, rows.refusal
        case _:
            raise ValueError(name)
