"""The graph pass takes away what says nothing, and leaves every answer as it is."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from sls_ml.artifact.slim import slim


def graph_of(nodes: list[onnx.NodeProto], **constants: np.ndarray) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "long name",
        [helper.make_tensor_value_info("rows", TensorProto.DOUBLE, [None, 2])],
        [helper.make_tensor_value_info("made", TensorProto.DOUBLE, [None, 2])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


def test_names_are_short_and_equal_constants_are_one() -> None:
    # GIVEN a graph with long names, identities and a constant twice
    model = graph_of(
        [
            helper.make_node("Identity", ["rows"], ["rows_again"]),
            helper.make_node("Add", ["rows_again", "first_constant"], ["sum_of_rows"]),
            helper.make_node("Identity", ["sum_of_rows"], ["sum_again"]),
            helper.make_node("Mul", ["sum_again", "second_constant"], ["product"]),
            helper.make_node("Identity", ["product"], ["made"]),
        ],
        first_constant=np.asarray([0.5, 2.0]),
        second_constant=np.asarray([0.5, 2.0]),
    )
    rows = {"rows": np.asarray([[1.0, -2.0]])}
    before = ReferenceEvaluator(model).run(None, rows)
    # WHEN it is slimmed
    slim(model, outputs={"made": "value"})
    # THEN only the sum, the product and one constant are left, and the answer is the same
    onnx.checker.check_model(model)
    assert [(node.op_type, *node.input, *node.output) for node in model.graph.node] == [
        ("Add", "rows", "0", "1"),
        ("Mul", "1", "0", "value"),
    ]
    np.testing.assert_array_equal(ReferenceEvaluator(model).run(None, rows), before)


@pytest.mark.parametrize("chosen", [1.0, -1.0])
def test_what_branches_read_keeps_its_name(chosen: float) -> None:
    # GIVEN a graph whose branches read a value from around them
    branches = {
        side: helper.make_graph(
            [helper.make_node(operator, ["doubled", "two"], [side])],
            side,
            [],
            [helper.make_tensor_value_info(side, TensorProto.DOUBLE, [None, 2])],
        )
        for side, operator in (("then", "Add"), ("other", "Sub"))
    }
    model = graph_of(
        [
            helper.make_node("Mul", ["rows", "two"], ["doubled"]),
            helper.make_node("ReduceMax", ["rows"], ["largest"], keepdims=0),
            helper.make_node("Greater", ["largest", "zero"], ["positive"]),
            helper.make_node(
                "If", ["positive"], ["found"], then_branch=branches["then"], else_branch=branches["other"]
            ),
            helper.make_node("Identity", ["found"], ["made"]),
        ],
        two=np.asarray(2.0),
        zero=np.asarray(0.0),
    )
    rows = {"rows": np.asarray([[chosen, -2.0]])}
    before = ReferenceEvaluator(model).run(None, rows)
    # WHEN it is slimmed
    slim(model, outputs={"made": "made"})
    # THEN the branches find what they read
    onnx.checker.check_model(model)
    np.testing.assert_array_equal(ReferenceEvaluator(model).run(None, rows), before)


@pytest.mark.parametrize(("mode", "kept"), [("TF", False), ("IDF", True), ("TFIDF", True)])
def test_weights_of_counted_words_are_dropped(mode: str, kept: bool) -> None:
    # GIVEN a graph that counts the numbers 7 and 9, with weights
    node = helper.make_node(
        "TfIdfVectorizer",
        ["rows"],
        ["made"],
        mode=mode,
        min_gram_length=1,
        max_gram_length=1,
        max_skip_count=0,
        ngram_counts=[0],
        ngram_indexes=[0, 1],
        pool_int64s=[7, 9],
        weights=[0.5, 2.0],
    )
    graph = helper.make_graph(
        [node],
        "counts",
        [helper.make_tensor_value_info("rows", TensorProto.INT64, [None, 3])],
        [helper.make_tensor_value_info("made", TensorProto.FLOAT, [None, 2])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    rows = {"rows": np.asarray([[7, 7, 9], [1, 9, 2]])}
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    before = session.run(None, rows)
    # WHEN it is slimmed
    slim(model, outputs={"made": "made"})
    # THEN the weights are gone where they are not read, and the answer is the same
    assert ("weights" in [each.name for each in model.graph.node[0].attribute]) == kept
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    np.testing.assert_array_equal(session.run(None, rows), before)
