"""How large the answers of an endpoint may become."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sls_ml.intent.model import Function

NUMBER_BYTES = 20
"""A number in an answer, with its comma: most doubles take 17 digits, a sign or a point, and no exponent."""

TEXT_BYTES = 32
"""A text in an answer where no list of classes says how long it may be."""


def largest_answer(function: Function) -> int:
    """Bytes of the JSON answer to a request with as many rows as the spec allows, by the largest model.

    It is a good guess: short numbers make less, and a caller who accepts gzip gets much less.
    """
    if function.http is None:
        return 0
    return function.http.max_rows * max((_row(model.manifest) for model in function.models), default=0)


def _row(manifest: Mapping[str, Any]) -> int:
    """Bytes that a row adds to the answer."""
    return sum(_values(manifest, output) for output in manifest["outputs"])


def _values(manifest: Mapping[str, Any], output: Mapping[str, Any]) -> int:
    classes = manifest.get("classes")
    if output["key"] == "label" and classes:
        labels = classes if isinstance(classes[0], list) else [classes]
        return sum(
            max(len(json.dumps(name, ensure_ascii=False).encode()) + 1 for name in names) for names in labels
        )
    each = TEXT_BYTES if output["dtype"] == "string" else NUMBER_BYTES
    return each * (output["columns"] or 1)
