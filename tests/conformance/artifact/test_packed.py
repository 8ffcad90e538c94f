"""A graph is written with packed numbers: smaller, and the same to every reader of protobuf."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from sklearn.ensemble import RandomForestRegressor

from sls_ml.artifact import build, packed


def _model(ints: list[int], floats: list[float]) -> onnx.ModelProto:
    inner = helper.make_graph(
        [helper.make_node("Constant", [], ["z"], value_ints=ints, name="inside")],
        "branch",
        [],
        [helper.make_tensor_value_info("z", TensorProto.INT64, [None])],
    )
    nodes = [
        helper.make_node("Constant", [], ["i"], value_ints=ints),
        helper.make_node("Constant", [], ["f"], value_floats=floats),
        helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.BOOL, [])],
        [helper.make_tensor_value_info("y", TensorProto.INT64, [None])],
        [helper.make_tensor("w", TensorProto.FLOAT, [2], [0.5, -1.0])],
        doc_string="told",
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@given(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=40),
    st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=40),
)
def test_every_number_is_read_back(ints: list[int], floats: list[float]) -> None:
    # GIVEN a graph with lists of numbers, in a branch too
    model = _model(ints, floats)

    # WHEN it is written packed
    data = packed.serialized(model)

    # THEN protobuf reads the same graph from fewer bytes
    assert onnx.load_from_string(data) == model
    assert len(data) <= len(model.SerializeToString())


@pytest.mark.parametrize(
    ("numbers", "smaller"),
    [
        (np.arange(300), True),
        (np.asarray([[1, -1], [300, 2**62]]), True),
        (np.asarray([-1]), False),
        (np.asarray([-1, -2], dtype=np.int32), False),
        (np.arange(40, dtype=np.int32), True),
        (np.arange(5.0), False),
    ],
)
def test_whole_numbers_of_constants_are_packed_where_that_is_smaller(
    numbers: np.ndarray[Any, Any], smaller: bool
) -> None:
    # GIVEN a graph with a constant, in a node too
    stored = onnx.numpy_helper.from_array(numbers, "w")
    shape = [None, *numbers.shape]
    graph = helper.make_graph(
        [
            helper.make_node("Constant", [], ["c"], value=stored),
            helper.make_node("Max", ["x", "c", "w"], ["y"]),
        ],
        "graph",
        [helper.make_tensor_value_info("x", stored.data_type, shape)],
        [helper.make_tensor_value_info("y", stored.data_type, shape)],
        [stored],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    before = model.ByteSize()

    # WHEN its constants are packed
    packed.pack_tensors(model.graph)

    # THEN it is smaller where that helps, and says the same to the checker, to onnx and to ONNX Runtime
    assert (model.ByteSize() < before) == smaller
    onnx.checker.check_model(model)
    data = packed.serialized(model)
    again = onnx.load_from_string(data)
    for tensor in (again.graph.initializer[0], again.graph.node[0].attribute[0].t):
        np.testing.assert_array_equal(onnx.numpy_helper.to_array(tensor), numbers)
    fed = {"x": np.zeros((1, *numbers.shape), dtype=numbers.dtype)}
    (said,) = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]).run(None, fed)
    np.testing.assert_array_equal(said[0], np.maximum(numbers, 0))


def test_leaves_that_say_the_same_are_written_once() -> None:
    # GIVEN a forest of deep trees: its leaves repeat the values of the training rows
    chance = np.random.default_rng(0)
    x, y = chance.normal(size=(300, 4)), chance.normal(size=300)
    model = RandomForestRegressor(n_estimators=20, n_jobs=1, random_state=0).fit(x, y)

    # WHEN it is built
    artifact = build(model, x, name="forest")

    # THEN no leaf is there twice, and the answers are those of the forest
    graph = onnx.load_from_string(artifact.files["model.onnx"]).graph
    trees = next(node for node in graph.node if node.op_type == "TreeEnsemble")
    values = {attribute.name: helper.get_attribute_value(attribute) for attribute in trees.attribute}
    weights = onnx.numpy_helper.to_array(values["leaf_weights"])
    assert len(np.unique(weights)) == len(weights) <= 2 * len(y)
    fresh = chance.normal(size=(50, 4))
    assert np.allclose(artifact.predict(fresh)["value"], model.predict(fresh), rtol=0, atol=1e-12)
