"""The lite engine and ONNX Runtime answer alike at the ends of what a double can say, and with many rows."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

LARGEST = float(np.finfo(np.float32).max)
EXTREMES = [
    math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, -5e-324, 2.2e-308, 1e-45, 1e-39, LARGEST, -LARGEST,
    1.7976931348623157e308, -1.7976931348623157e308, 1.0, math.nextafter(1.0, 2.0), 2.0**53 + 2,
]  # fmt: skip
MODELS = ["classifier", "regressor", "forest"]
ROWS_OF_MANY = 100_000


def columns(model: Any, flat: list[float]) -> list[tuple[str, array[float]]]:
    """Values row by row as an engine gets them, unchecked."""
    width = len(model.manifest["inputs"])
    return [("float64", array("d", flat[place::width])) for place in range(width)]


def differences(found: Any, expected: Any) -> list[tuple[str, Any, Any]]:
    """The values of two answers that are neither both NaN nor as near as their dtype carries."""
    assert [(key, *value[:2]) for key, value in found.items()] == [
        (key, *value[:2]) for key, value in expected.items()
    ]
    apart = []
    for key, (dtype, _, flat) in found.items():
        other = expected[key][2]
        if dtype.startswith("float"):
            near = np.isclose(
                flat, other, rtol=2e-6 if dtype == "float32" else 1e-12, atol=1e-7, equal_nan=True
            )
            apart += [(key, flat[place], other[place]) for place in np.flatnonzero(~near)]
        else:
            apart += [(key, *pair) for pair in zip(flat, other, strict=True) if pair[0] != pair[1]]
    return apart


def thresholds(content: bytes) -> list[float]:
    """What the nodes of trees compare with, and the numbers beside it."""
    found: list[float] = []
    for node in onnx.load_from_string(content).graph.node:
        for attribute in node.attribute:
            if attribute.name == "nodes_values":
                found += attribute.floats
    return [math.nextafter(each, end) for each in found[:40] for end in (each, math.inf, -math.inf)]


@pytest.mark.parametrize("name", MODELS)
@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    print_blob=True,
)
@given(data=st.data())
def test_extremes(
    build: Callable[[str], Any], load_engine: Callable[..., Any], name: str, data: st.DataObject
) -> None:
    # GIVEN rows of extreme numbers among usual ones; the thresholds of trees among them
    model = build(name)
    width = len(model.manifest["inputs"])
    usual = [value for values in model.table.values() for value in values]
    value = st.sampled_from([*EXTREMES, *usual, *thresholds(model.onnx)]) | st.floats(-1e6, 1e6)
    flat = data.draw(st.lists(value, min_size=width, max_size=6 * width))
    flat = flat[: len(flat) // width * width]

    # WHEN both engines run them THEN they answer alike
    given = columns(model, flat)
    assert differences(load_engine("lite", model).run(given), load_engine("ort_capi", model).run(given)) == []


@pytest.mark.parametrize("name", MODELS)
def test_many_rows(build: Callable[[str], Any], load_engine: Callable[..., Any], name: str) -> None:
    # GIVEN a hundred thousand rows
    model = build(name)
    width = len(model.manifest["inputs"])
    flat = np.random.default_rng(1).normal(size=ROWS_OF_MANY * width).tolist()

    # WHEN both engines run them THEN they answer alike
    given = columns(model, flat)
    assert differences(load_engine("lite", model).run(given), load_engine("ort_capi", model).run(given)) == []
