"""CSV and JSON lines over HTTP, with the plain answer, CSV or JSON lines back.

CSV may come without its header, values in the model's order, as SageMaker sends it: its first line is taken
for a header when a cell of it is the name of an input, or as ``content-type: text/csv; header=present``
(or ``absent``) says. CSV goes back with a header when it came with one.
"""

from __future__ import annotations

import json
from io import BytesIO

from sls_ml_runtime.dialects import csv_rows, instances
from sls_ml_runtime.dialects.rows import CONTENT_TYPE, check_depth, numbers, write_json
from sls_ml_runtime.errors import HookError, Refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sls_ml_runtime.call import Call

CSV = "text/csv"
LINES = "application/jsonlines"


def predict_csv(call: Call) -> tuple[dict[str, str], bytes]:
    """Answer CSV with the plain answer, or as the client accepts it."""
    kind = call.choose(CONTENT_TYPE, CSV, LINES)
    table, header = read_csv(call)
    return write(call, call.predict(table), kind, header=header)


def predict_lines(call: Call) -> tuple[dict[str, str], bytes]:
    """Answer JSON lines with the plain answer, or as the client accepts it."""
    kind = call.choose(CONTENT_TYPE, LINES, CSV)
    return write(call, predict_rows(call), kind)


def read_csv(call: Call) -> tuple[dict[str, list[Any]], bool]:
    """The columns of a CSV body by name, and whether it has a header.

    Raises:
        Refusal: 422, it is not CSV in UTF-8, or a row has another number of cells.
    """
    inputs = {field.name: field.dtype for field in call.model.signature.inputs}
    source = csv_rows.Records(BytesIO(call.body))
    records = source.chunk(len(call.body) + 1, len(call.body) + 1)
    if source.broken:
        raise source.broken
    if not records:
        raise Refusal(422, "empty-body", "the body holds no rows")
    header = _has_header(call, records[0], inputs)
    names = records.pop(0) if header else list(inputs)
    found = csv_rows.faults(records, names, escaped=source.escaped, header=header)
    for row, fault in sorted(found.items()):
        raise Refusal(fault.status, fault.code, fault.message, fault.field, row)
    rows: list[Any] = records
    table: dict[str, Any] = instances.read_matrix(rows, names)
    for name in table.keys() & inputs.keys():
        table[name] = csv_rows.values(inputs[name], table[name])
    return table, header


def predict_rows(call: Call) -> dict[str, Any]:
    """The plain answer to a body of JSON lines.

    Raises:
        Refusal: As `read_lines`, and where the model refuses a row.
    """
    columns = numbers(call, lines=True)
    return call.predict(read_lines(call)) if columns is None else call.predict_columns(columns)


def read_lines(call: Call) -> list[dict[str, Any]] | dict[str, list[Any]]:
    """The rows of a body with one JSON value in each line.

    Raises:
        Refusal: 400 or 422, with the row.
    """
    check_depth(call.body)
    try:
        lines = call.body.decode().split("\n")
    except UnicodeDecodeError as error:
        raise Refusal(400, "not-utf8", f"the body is not UTF-8 at byte {error.start}") from error
    rows = []
    for line in lines:
        if line.strip():
            try:
                rows.append(json.loads(line))
            except RecursionError as error:  # brackets in texts hid the depth
                raise Refusal(400, "too-deep", "the line is nested too deeply", row=len(rows)) from error
            except ValueError as error:
                raise Refusal(400, "malformed-json", "the line is not JSON", row=len(rows)) from error
    return instances.read_rows(rows, call.model.signature)


def write(
    call: Call, answer: dict[str, Any], kind: str, *, header: bool = False
) -> tuple[dict[str, str], bytes]:
    """The plain answer as one of the three media types.

    Raises:
        HookError: A hook took away what CSV has a column for.
    """
    if kind == CONTENT_TYPE:
        return {"content-type": kind}, write_json(answer)
    if kind == LINES:
        records = instances.records(answer, call.rows)
        return {"content-type": kind}, b"".join(write_json(record) + b"\n" for record in records)
    manifest = call.model.artifact.manifest
    try:
        columns = csv_rows.columns_of_answer(manifest, answer)
    except (KeyError, TypeError, IndexError) as error:
        raise HookError("after(result) must keep the model's outputs for answers in CSV") from error
    rows: list[Any] = [csv_rows.output_columns(manifest)] if header else []
    rows += zip(*columns, strict=True)
    text = "".join(csv_rows.write_record(row) + "\n" for row in rows)
    return {"content-type": f"{kind}; charset=utf-8"}, text.encode()


def _has_header(call: Call, first: list[str], inputs: dict[str, str]) -> bool:
    parameters = call.headers.get("content-type", "").lower().replace(" ", "")
    if "header=present" in parameters:
        return True
    if "header=absent" in parameters:
        return False
    return not inputs.keys().isdisjoint(first)


OPERATIONS = {
    "predict_csv": predict_csv,
    "predict_lines": predict_lines,
}
