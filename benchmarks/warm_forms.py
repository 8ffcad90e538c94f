"""Measures a request of a thousand rows in each form that the endpoint takes.

    python benchmarks/warm_forms.py [--calls 400]

Builds the package of StandardScaler and LogisticRegression on 30 numbers for ort_capi, and calls its handler
as benchmarks/warm.py does. Each form is held against the engine and what the standard library takes to parse
it: `json.loads` for JSON, `csv.reader` and `float` for CSV, `array` for binary tensors.
Prints Markdown, and ends with 1 when a form of objects misses the bar.
"""

from __future__ import annotations

import argparse
import base64
import csv
import io
import json
import sys
import tempfile
from array import array
from pathlib import Path
from typing import Any

from coldstart import row
from warm import ROWS_RATIO, inside, prepared

from sls_ml.measure.question import event

Rows = list[dict[str, float]]

OBJECTS = {
    "rows",
    "a bare list of rows",
    "MLflow, dataframe_records",
    "MLflow, instances of objects",
    "JSON lines of objects",
}
"""Forms with the names in each row, which take a JSON parser longest."""


def main() -> int:
    """Measure all forms."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=400, help="of each form")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sls-ml-bench-") as name:
        ours, rows = prepared(Path(name) / "project", "ort_capi")
        found = inside(ours, {"forms": forms(rows), "rows": rows, "calls": options.calls})
    row("form", "KB", "request ms", "engine ms", "parsing ms", "ratio", "bar")
    row(*["---"] * 7)
    missed = []
    for form, (whole, engine, parsing, size) in found["forms"].items():
        ratio = whole / (engine + parsing)
        bar = f"{ROWS_RATIO:g}" if form in OBJECTS else ""
        figures = (f"{number / 1e6:.2f}" for number in (whole, engine, parsing))
        row(form, f"{size / 1000:.0f}", *figures, f"{ratio:.2f}", bar)
        if bar and ratio > ROWS_RATIO:
            missed.append(f"{form}: {ratio:.2f} times engine and parsing, the bar is {bar}")
    for line in missed:
        print(f"missed: {line}")
    return 1 if missed else 0


def forms(rows: Rows) -> dict[str, dict[str, Any]]:
    """Form to the event that sends the rows in it, and to how its body is parsed."""
    names = list(rows[0])
    lists = [list(each.values()) for each in rows]
    columns = {name: [each[name] for each in rows] for name in names}
    flat = [value for values in lists for value in values]
    matrix = {"name": "x", "shape": [len(rows), len(names)], "datatype": "FP64"}
    tensors = [
        {"name": name, "shape": [len(rows)], "datatype": "FP64", "data": values}
        for name, values in columns.items()
    ]
    infer, invoke = "/v2/models/model/infer", "/invocations"
    split = {"columns": names, "data": lists}
    bodies: dict[str, tuple[str, Any]] = {
        "rows": ("/predict", {"rows": rows}),
        "a bare list of rows": ("/predict", rows),
        "columns": ("/predict", {"columns": columns}),
        "V2, one matrix": (infer, {"inputs": [matrix | {"data": flat}]}),
        "V2, one matrix, nested": (infer, {"inputs": [matrix | {"data": lists}]}),
        "V2, an input per column": (infer, {"inputs": tensors}),
        "KServe V1, instances of lists": ("/v1/models/model:predict", {"instances": lists}),
        "MLflow, dataframe_split": (invoke, {"dataframe_split": split}),
        "MLflow, dataframe_records": (invoke, {"dataframe_records": rows}),
        "MLflow, instances of lists": (invoke, {"instances": lists}),
        "MLflow, instances of objects": (invoke, {"instances": rows}),
        "MLflow, inputs of columns": (invoke, {"inputs": columns}),
    }
    found = {form: _sent(path, json.dumps(body), "json") for form, (path, body) in bodies.items()}
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([names, *lists])
    found["CSV"] = _sent("/predict", text.getvalue(), "csv", "text/csv")
    lines = "".join(json.dumps(each) + "\n" for each in rows)
    found["JSON lines of objects"] = _sent("/predict", lines, "lines", "application/jsonlines")
    lines = "".join(json.dumps(each) + "\n" for each in lists)
    found["JSON lines of lists"] = _sent("/predict", lines, "lines", "application/jsonlines")
    found["V2, bytes of one matrix"] = _binary(infer, [(matrix, flat)])
    found["V2, bytes per column"] = _binary(
        infer, [({**tensor, "data": None}, tensor["data"]) for tensor in tensors]
    )
    return found


def _sent(path: str, body: str, parsed: str, kind: str = "application/json") -> dict[str, Any]:
    sent = json.loads(event(path, body))
    sent["headers"]["content-type"] = kind
    return {"event": sent, "parsed": parsed}


def _binary(path: str, tensors: list[tuple[dict[str, Any], list[float]]]) -> dict[str, Any]:
    """A request whose tensors, and those of its answer, are bytes."""
    inputs = [
        {key: value for key, value in tensor.items() if key != "data"}
        | {"parameters": {"binary_data_size": 8 * len(values)}}
        for tensor, values in tensors
    ]
    head = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    body = b"".join([head, *(array("d", values).tobytes() for _, values in tensors)])
    found = _sent(path, base64.b64encode(body).decode(), "bytes", "application/octet-stream")
    found["event"]["isBase64Encoded"] = True
    found["event"]["headers"]["inference-header-content-length"] = str(len(head))
    return found


if __name__ == "__main__":
    sys.exit(main())
