"""What the compiler refuses, and what it makes of a graph."""

from __future__ import annotations

import json

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from sls_ml.artifact.lite import NotCovered, compile_lite

FLOAT = TensorProto.FLOAT


def model(nodes, *, output=(FLOAT, [None, None]), constants=None, width=4):
    """A graph from x [N, width] to y."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", FLOAT, [None, width])],
        [helper.make_tensor_value_info("y", *output)],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in (constants or {}).items()],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def manifest(width=4):
    return {
        "tensors": [{"name": "x", "dtype": "float32", "columns": list(range(width)), "rank": 2}],
        "outputs": [{"tensor": "y"}],
    }


def steps(content):
    """The operations of a compiled file."""
    length = int.from_bytes(content[24:28], "little")
    return [step[0] for step in json.loads(content[32 : 32 + length])["steps"]]


ACROSS_ROWS = {
    "a sum over the batch": ([helper.make_node("ReduceSum", ["x", "zero"], ["y"])], {"zero": [0]}),
    "the largest of the batch": ([helper.make_node("ArgMax", ["x"], ["y"], axis=0)], {}),
    "softmax over the batch": ([helper.make_node("Softmax", ["x"], ["y"], axis=0)], {}),
    "a running sum over the batch": ([helper.make_node("CumSum", ["x", "zero"], ["y"])], {"zero": [0]}),
    "rows times rows": (
        [helper.make_node("Transpose", ["x"], ["t"]), helper.make_node("MatMul", ["x", "t"], ["y"])],
        {},
    ),
    "a constant for each row": (
        [helper.make_node("Add", ["x", "c"], ["y"])],
        {"c": np.ones((3, 4), np.float32)},
    ),
    "a fixed number of rows": ([helper.make_node("Reshape", ["x", "s"], ["y"])], {"s": [1, 4]}),
    "rows mixed by a reshape": (
        [helper.make_node("Transpose", ["x"], ["t"]), helper.make_node("Reshape", ["t", "s"], ["y"])],
        {"s": [-1, 4]},
    ),
    "the first row": ([helper.make_node("Gather", ["x", "zero"], ["y"], axis=0)], {"zero": [0]}),
    "some of the rows": (
        [helper.make_node("Slice", ["x", "zero", "two"], ["y"])],
        {"zero": [0], "two": [2]},
    ),
    "rows along the second dimension": ([helper.make_node("Transpose", ["x"], ["y"])], {}),
    "rows repeated": ([helper.make_node("Tile", ["x", "s"], ["y"])], {"s": [2, 1]}),
}


@pytest.mark.parametrize("case", ACROSS_ROWS)
def test_refuses_what_works_across_rows(case):
    # GIVEN a graph whose answer for a row depends on the other rows, or on their number
    nodes, constants = ACROSS_ROWS[case]
    # WHEN it is compiled THEN it is refused
    with pytest.raises(NotCovered):
        compile_lite(model(nodes, constants=constants), manifest())


def test_names_the_operator_that_is_not_covered():
    # GIVEN a graph with an operator that has no lowering
    graph = model([helper.make_node("Det", ["x"], ["y"])])
    # WHEN it is compiled
    with pytest.raises(NotCovered) as caught:
        compile_lite(graph, manifest())
    # THEN the operator is named
    assert caught.value.operator == "Det"


def test_leaves_out_what_no_output_needs():
    # GIVEN a graph with a part of no use, not even covered
    graph = model([helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Det", ["x"], ["d"])])
    # WHEN it is compiled THEN that part is left out
    assert steps(compile_lite(graph, manifest())) == ["values.unary"]


def test_moving_values_costs_nothing():
    # GIVEN a graph that flattens, reshapes and squeezes on its way
    graph = model(
        [
            helper.make_node("Reshape", ["x", "s"], ["a"]),
            helper.make_node("Flatten", ["a"], ["b"]),
            helper.make_node("Unsqueeze", ["b", "one"], ["c"]),
            helper.make_node("Squeeze", ["c", "one"], ["d"]),
            helper.make_node("Relu", ["d"], ["y"]),
        ],
        constants={"s": [-1, 2, 2], "one": [1]},
    )
    # WHEN it is compiled THEN only the computation is left
    assert steps(compile_lite(graph, manifest())) == ["values.unary"]


def test_computes_constants_and_equal_steps_once():
    # GIVEN a graph with arithmetic on constants, and the same computation twice
    graph = model(
        [
            helper.make_node("Sqrt", ["v"], ["deviation"]),
            helper.make_node("Div", ["x", "deviation"], ["a"]),
            helper.make_node("Div", ["x", "deviation"], ["b"]),
            helper.make_node("Mul", ["a", "b"], ["y"]),
        ],
        constants={"v": np.full(4, 4.0, np.float32)},
    )
    # WHEN it is compiled THEN one division and one product are left
    assert steps(compile_lite(graph, manifest())) == ["values.binary_constant", "values.binary"]


def test_refuses_what_takes_too_long():
    # GIVEN a product that takes many milliseconds in Python
    weights = np.ones((4000, 400), np.float32)
    graph = model([helper.make_node("MatMul", ["x", "w"], ["y"])], constants={"w": weights}, width=4000)
    # WHEN it is compiled THEN it is refused, unless any time will do
    with pytest.raises(NotCovered, match="ms"):
        compile_lite(graph, manifest(4000))
    assert compile_lite(graph, manifest(4000), row_budget=None)


def test_refuses_another_type_than_the_manifest_says():
    # GIVEN a manifest that disagrees with the graph
    described = manifest()
    described["tensors"][0]["dtype"] = "float64"
    # WHEN it is compiled THEN it is refused
    with pytest.raises(NotCovered, match="type"):
        compile_lite(model([helper.make_node("Relu", ["x"], ["y"])]), described)
