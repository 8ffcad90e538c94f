"""A graph is written with packed numbers: smaller, and the same to every reader of protobuf."""

from __future__ import annotations

import numpy as np
import onnx
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
