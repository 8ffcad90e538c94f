"""Plain JSON: rows as objects, or columns as lists, in; the plain answer out.

Four bodies are understood::

    {"rows": [{"age": 41, "city": "Bern"}, ...]}
    [{"age": 41, "city": "Bern"}, ...]
    {"age": 41, "city": "Bern"}
    {"columns": {"age": [41, ...], "city": ["Bern", ...]}}

A body with the keys of another dialect (Open Inference Protocol, MLflow) is handed to that one.
"""

from __future__ import annotations

import json

from sls_ml_runtime.errors import Refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sls_ml_runtime.call import Call
    from sls_ml_runtime.signature import Matrix

    Rows = list[dict[str, Any]]
    Table = dict[str, list[Any]]

MAX_DEPTH = 32
CONTENT_TYPE = "application/json"
LARGE = 16 << 10
"""From so many bytes on it pays to look whether a body is nothing but rows of numbers."""

_FOREIGN = {"inputs", "instances", "dataframe_split", "dataframe_records"}

encode = json.JSONEncoder(
    separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
).encode
_BRACKETS = b"[]{}"
_NOT_BRACKETS = bytes(code for code in range(256) if code not in _BRACKETS)


def predict(call: Call) -> tuple[dict[str, str], bytes]:
    """Answer a body of rows or columns with the plain answer."""
    if (columns := numbers(call)) is not None:
        call.choose(CONTENT_TYPE)
        return {"content-type": CONTENT_TYPE}, write_json(call.predict_columns(columns))
    document = parse_json(call.body)
    if type(document) is dict and not _FOREIGN.isdisjoint(document):
        foreign = document.keys() & _FOREIGN
        if not (foreign & call.model.signature.names or call.service.before):
            return call.hand_over(document)
    call.choose(CONTENT_TYPE)
    return {"content-type": CONTENT_TYPE}, write_json(call.predict(read(document)))


def raw(call: Call) -> tuple[dict[str, str], bytes]:
    """The model's own answer to rows, without hooks; uncounted, for a release is checked by it."""
    answer = call.model.predict(call.model.columns(read(parse_json(call.body))))
    return {"content-type": CONTENT_TYPE}, write_json(answer)


def numbers(call: Call, keys: tuple[bytes, ...] = (b"rows", b""), *, lines: bool = False) -> Matrix | None:
    """The columns of a large body that is rows of numbers and nothing else; None: read it as any other.

    Args:
        call: The request.
        keys: What may hold the rows, as `read_matrix` has it.
        lines: There is a row in each line instead.
    """
    signature = call.model.signature
    if len(call.body) <= LARGE or not signature.doubles or call.service.before is not None:
        return None
    from sls_ml_runtime.dialects.matrix import read_lines, read_matrix

    names = [field.name for field in signature.inputs]
    values = read_lines(call.body, names) if lines else read_matrix(call.body, names, keys)
    if values is None:
        return None
    call.count(len(values) // len(names))
    return signature.matrix(values)


def refusal(refused: Refusal) -> tuple[int, dict[str, str], bytes]:
    """``{"error": {"code", "message", "field"?, "row"?}}``."""
    return refused.status, {"content-type": CONTENT_TYPE}, write_json({"error": details(refused)})


def details(refused: Refusal) -> dict[str, Any]:
    """What a refusal says, as keys of an error."""
    error: dict[str, Any] = {"code": refused.code, "message": refused.message}
    if refused.field is not None:
        error["field"] = refused.field
    if refused.row is not None:
        error["row"] = refused.row
    return error


def read(document: Any) -> Rows | Table:
    """The rows, or the columns by name, of a parsed body.

    Raises:
        Refusal: 400 or 422, the document has none of the four forms.
    """
    if type(document) is dict:
        if len(document) == 1:
            if "rows" in document and type(document["rows"]) is list:
                return _objects(document["rows"])
            if "columns" in document and type(document["columns"]) is dict:
                return _lists(document["columns"])
        return [document]
    if type(document) is list:
        return _objects(document)
    raise Refusal(400, "not-rows", 'the body must be {"rows": [{...}]}, a list of objects, or one object')


def parse_json(body: bytes) -> Any:
    """Parse a JSON body, after a look at how deeply it is nested.

    NaN and Infinity are read as numbers, so that the signature can refuse them by field and row.

    Raises:
        Refusal: 400, the body is not JSON in UTF-8, or is nested too deeply.
    """
    check_depth(body)
    try:
        return json.loads(body.decode())
    except UnicodeDecodeError as error:
        raise Refusal(400, "not-utf8", f"the body is not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Refusal(400, "malformed-json", f"the body is not JSON: {error.msg} at {where}") from error
    except RecursionError as error:  # brackets in texts hid the depth
        raise Refusal(400, "too-deep", "the body is nested too deeply") from error
    except ValueError as error:  # an integer with more digits than Python converts
        raise Refusal(400, "malformed-json", "the body holds a number with too many digits") from error


def write_json(value: Any) -> bytes:
    """Compact JSON in UTF-8; half of a surrogate pair stays the escape that it came as."""
    return encode(value).encode("utf-8", "backslashreplace")


def _objects(rows: list[Any]) -> Rows:
    for position, row in enumerate(rows):
        if type(row) is not dict:
            raise Refusal(422, "not-an-object", "a row must be an object of names and values", row=position)
    return rows


def _lists(table: dict[str, Any]) -> Table:
    for name, values in table.items():
        if type(values) is not list:
            raise Refusal(422, "not-a-list", f"the values of {name[:80]!a} must be a list", name[:80])
    return table


def check_depth(body: bytes) -> None:
    """Refuse deep nesting: take away innermost pairs of brackets, and see how many are left."""
    if body.count(b"{") + body.count(b"[") <= MAX_DEPTH or _is_shallow(body):
        return
    import re

    # Brackets inside of texts do not nest: look again without the texts.
    if not _is_shallow(re.sub(rb'"(?:[^"\\]|\\.)*+"', b"", body)):
        raise Refusal(400, "too-deep", "the body is nested too deeply, or its brackets do not match")


def _is_shallow(body: bytes) -> bool:
    brackets = body.translate(None, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        fewer = brackets.replace(b"{}", b"").replace(b"[]", b"")
        if len(fewer) == len(brackets):
            break
        brackets = fewer
    return len(brackets) <= MAX_DEPTH


OPERATIONS = {
    "predict": predict,
    "raw": raw,
}
