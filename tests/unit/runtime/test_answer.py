"""Arrays become the plain answer, with the keys of the manifest's outputs."""

from __future__ import annotations

import math
from array import array
from typing import Any

import pytest

from sls_ml_runtime.answer import answer

DIGEST = "0123456789abcdef" * 4


def manifest(*outputs: dict[str, Any], classes: list[Any] | None = None) -> dict[str, Any]:
    return {"name": "m", "classes": classes, "outputs": list(outputs)}


def output(key: str, dtype: str = "float64", columns: int | None = None, **more: Any) -> dict[str, Any]:
    return {"key": key, "tensor": f"t-{key}", "dtype": dtype, "columns": columns} | more


@pytest.mark.parametrize(
    ("outputs", "classes", "arrays", "expected"),
    [
        (
            [output("label", "int64", positions=True), output("probability", columns=2)],
            ["no", "yes"],
            {
                "t-label": ("int64", (2,), array("q", [1, 0])),
                "t-probability": ("float64", (2, 2), array("d", [0.25, 0.75, 1.0, 0.0])),
            },
            {
                "classes": ["no", "yes"],
                "label": ["yes", "no"],
                "probability": [[0.25, 0.75], [1.0, 0.0]],
            },
        ),
        (
            [output("value")],
            None,
            {"t-value": ("float64", (2, 1), array("d", [1, 2]))},
            {"value": [1.0, 2.0]},
        ),
        (
            [output("value", columns=2)],
            None,
            {"t-value": ("float32", (1, 2), array("f", [1, 2]))},
            {"value": [[1.0, 2.0]]},
        ),
        (
            [output("label", "string")],
            ["a", "b"],
            {"t-label": ("string", (2,), ["b", "a"])},
            {"classes": ["a", "b"], "label": ["b", "a"]},
        ),
        (
            [output("label", "int64"), output("score")],
            None,
            {
                "t-label": ("int64", (1,), array("q", [-1])),
                "t-score": ("float64", (1, 1), array("d", [-0.5])),
            },
            {"label": [-1], "score": [-0.5]},
        ),
        (
            [output("label", "bool")],
            None,
            {"t-label": ("bool", (2,), array("b", [1, 0]))},
            {"label": [True, False]},
        ),
        (
            [output("transformed", columns=3)],
            None,
            {"t-transformed": ("float64", (0, 3), array("d"))},
            {"transformed": []},
        ),
        (
            [output("value")],
            None,
            {"t-value": ("float64", (3,), array("d", [math.nan, -math.inf, 1.0]))},
            {"value": [None, None, 1.0]},
        ),
    ],
)
def test_has_the_keys_of_the_outputs(
    outputs: list[dict[str, Any]], classes: list[Any] | None, arrays: Any, expected: dict[str, Any]
) -> None:
    # GIVEN an engine's arrays WHEN they are answered
    result = answer(manifest(*outputs, classes=classes), DIGEST, arrays)

    # THEN the answer starts with the model and twelve digits of its digest, and goes on with its outputs
    assert result == {"model": "m", "digest": "0123456789ab"} | expected
    assert list(result) == ["model", "digest", *expected]
