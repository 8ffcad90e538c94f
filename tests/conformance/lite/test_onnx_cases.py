"""The node tests that ONNX ships, with the first dimension of their first input taken as that of the rows."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sls_ml.artifact.lite import NotCovered
from sls_ml.artifact.lite.graph import OPERATORS

ELEMENTS = (
    TensorProto.FLOAT,
    TensorProto.DOUBLE,
    TensorProto.INT64,
    TensorProto.BOOL,
    TensorProto.STRING,
)


def _by_rows(case: Any) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """The case's node with inputs made of [N, C] columns: the first, and those that have as many rows.

    Raises:
        NotCovered: The input has no rows, or a type that artifacts do not have.
    """
    node, inputs = case.model.graph.node[0], [np.asarray(values) for values in case.data_sets[0][0]]
    first = inputs[0]
    nodes, entries, constants, feeds = [], [], [], {}
    for place, (values, entry) in enumerate(zip(inputs, case.model.graph.input, strict=True)):
        element = entry.type.tensor_type.elem_type
        if element not in ELEMENTS or values.size == 0:
            raise NotCovered("case", "it has another type, or is empty")
        if place and (values.ndim != first.ndim or len(values) != len(first)):
            constants.append(numpy_helper.from_array(values, entry.name))
            continue
        if values.ndim == 0:
            raise NotCovered("case", "it has no rows")
        width = values.size // len(values)
        entries.append(helper.make_tensor_value_info(f"columns{place}", element, [None, width]))
        constants.append(numpy_helper.from_array(np.array([-1, *values.shape[1:]]), f"shape{place}"))
        nodes.append(helper.make_node("Reshape", [f"columns{place}", f"shape{place}"], [entry.name]))
        feeds[f"columns{place}"] = values.reshape(len(values), width)
    graph = helper.make_graph([*nodes, node], "case", entries, case.model.graph.output, constants)
    opsets = case.model.opset_import
    if not any(opset.domain == "" for opset in opsets):
        opsets = [*opsets, helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=case.model.ir_version), feeds


def _cases() -> list[Any]:
    """The cases of one node that has a lowering; ONNX computes them all while it collects them."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        cases = collect_testcases()
    return [
        case
        for case in cases
        for node in case.model.graph.node[:1]
        if len(case.model.graph.node) == 1
        and (node.domain, node.op_type) in OPERATORS
        and len(case.data_sets[0][0]) == len(node.input)
    ]


def test_node_cases(in_lite, alike):
    # GIVEN the cases of ONNX for operators that have a lowering, their rows along the first dimension
    covered, wrong = 0, {}
    for case in _cases():
        # WHEN the lite engine runs those that do not compute across rows or with other types
        try:
            model, feeds = _by_rows(case)
            got = in_lite(model, feeds)
        except NotCovered:
            continue
        covered += 1
        expected = {
            output.name: np.asarray(values)
            for output, values in zip(case.model.graph.output, case.data_sets[0][1], strict=True)
        }
        try:
            alike(got, expected, 1e-5)
        except AssertionError as error:
            wrong[case.name] = str(error)
    # THEN it gives what ONNX expects
    assert wrong == {}
    # AND no case was lost since this test was written
    assert covered >= 247
