"""Ready graphs: read whatever their form, and judged by ONNX's reference."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from conformance.sources.conftest import Data
from conformance.sources.graphs import dense, matrix_of, saved
from sls_ml.artifact import build
from sls_ml.errors import ModelError

SETS = {"": 18, "ai.onnx.ml": 3}


CASES: dict[str, tuple[Callable[[], Any], str, str, list[Any] | None]] = {
    "forest": (lambda: RandomForestClassifier(5, random_state=0), "three", "classifier", [0, 1, 2]),
    "linear": (LogisticRegression, "three", "classifier", [0, 1, 2]),
    "margins": (LinearSVC, "three", "classifier", [0, 1, 2]),
    "regressor": (LinearRegression, "values", "regressor", None),
    "outliers": (
        lambda: IsolationForest(n_estimators=5, random_state=0),
        "values",
        "outlier_detector",
        None,
    ),
    "clusters": (lambda: KMeans(3, n_init=1, random_state=0), "values", "clusterer", None),
}


@pytest.mark.parametrize("case", CASES)
def test_kind_and_classes_are_read_from_the_graph(case: str, data: Data, tmp_path: Path) -> None:
    # GIVEN a graph that another tool wrote
    make, target, kind, classes = CASES[case]
    rows = matrix_of(data)
    path = saved(to_onnx(make().fit(rows, getattr(data, target)), rows[:1], target_opset=SETS), tmp_path)
    # WHEN it is converted
    artifact = build(path, rows, name="m")
    # THEN kind and classes are found, and ONNX's reference was the judge
    assert artifact.manifest["kind"] == kind
    assert artifact.manifest["classes"] == classes
    assert artifact.report["judge"] == "onnx.reference"
    assert [entry["name"] for entry in artifact.manifest["inputs"]] == ["x0", "x1", "x2", "x3"]


def test_a_map_of_probabilities_becomes_a_table(data: Data, tmp_path: Path) -> None:
    # GIVEN a classifier of texts whose graph ends in a map for each row
    rows = matrix_of(data)
    model = LogisticRegression().fit(rows, np.asarray(["low", "mid", "top"])[data.three])
    graph = to_onnx(model, rows[:1], target_opset=SETS)
    assert any(node.op_type == "ZipMap" for node in graph.graph.node)
    # WHEN it is converted
    artifact = build(saved(graph, tmp_path), rows, name="m")
    # THEN it answers with the table, in the order of the classes
    answer = artifact.predict(rows[:9])
    assert answer["classes"] == ["low", "mid", "top"]
    assert answer["label"] == model.predict(rows[:9]).tolist()
    np.testing.assert_allclose(answer["probability"], model.predict_proba(rows[:9]), atol=1e-5)


def test_an_input_for_each_column(data: Data, tmp_path: Path) -> None:
    # GIVEN a graph with an input for each column, texts among them
    frame = data.frame[["x", "y", "city"]].assign(city=data.frame["city"].astype(str)).fillna(0.0)
    columns = make_column_transformer(
        (StandardScaler(), ["x", "y"]), (OneHotEncoder(handle_unknown="ignore"), ["city"])
    )
    model = make_pipeline(columns, LogisticRegression()).fit(frame, data.two)
    graph = to_onnx(model, frame[:1], target_opset=SETS, options={"zipmap": False})
    # WHEN it is converted with a sample in another order, with the target
    sample = frame[["city", "y", "x"]].assign(target=data.two)
    artifact = build(saved(graph, tmp_path), sample, name="m")
    # THEN columns are found by name; a missing text is refused, as no tensor holds one
    assert [entry["name"] for entry in artifact.manifest["inputs"]] == ["x", "y", "city"]
    with pytest.raises(ModelError):
        artifact.predict([{"x": 1.0, "y": 1.0, "city": None}])


def test_pictures_arrive_as_columns(tmp_path: Path) -> None:
    # GIVEN a graph that takes a cube of half precision for each row
    weights = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float16)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["x"], ["flat"]),
            helper.make_node("MatMul", ["flat", "w"], ["half"]),
            helper.make_node("Cast", ["half"], ["y"], to=TensorProto.FLOAT),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT16, ["n", 3, 2, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    rows = np.random.default_rng(1).integers(0, 4, size=(20, 12)).astype(float)
    # WHEN it is converted, with the tolerance of half precision
    artifact = build(saved(model, tmp_path), rows, name="m", tolerance=loose())
    # THEN each of the twelve numbers is an input, and a row gives three values
    assert len(artifact.manifest["inputs"]) == 12
    assert len(artifact.predict(rows[:2])["value"][0]) == 3


def loose() -> Any:
    from sls_ml.spec.model import Tolerance

    return Tolerance(value=1e-2)


def test_probabilities_alone_give_labels_too(data: Data, tmp_path: Path) -> None:
    # GIVEN a network that ends in a softmax
    # WHEN it is converted
    artifact = build(saved(dense(), tmp_path), matrix_of(data), name="m")
    # THEN the label is the likeliest class's number
    answer = artifact.predict(matrix_of(data)[:9])
    assert answer["label"] == np.argmax(answer["probability"], axis=1).tolist()


def test_branches_keep_what_they_take_from_around_them(data: Data, tmp_path: Path) -> None:
    # GIVEN a graph with a branch that reads a tensor of the graph around it
    model = dense()
    outer = model.graph
    result = [helper.make_tensor_value_info("r", TensorProto.FLOAT, None)]
    double = helper.make_graph([helper.make_node("Add", ["scores", "scores"], ["r"])], "t", [], result)
    same = helper.make_graph([helper.make_node("Identity", ["scores"], ["r"])], "e", [], result)
    outer.node[1].CopyFrom(helper.make_node("ReduceSumSquare", ["x"], ["size"], keepdims=0))
    outer.node.append(helper.make_node("Cast", ["size"], ["yes"], to=TensorProto.BOOL))
    outer.node.append(helper.make_node("If", ["yes"], ["answer"], then_branch=double, else_branch=same))
    # WHEN it is converted
    artifact = build(saved(model, tmp_path), matrix_of(data), name="m")
    # THEN it answers with the branch that was taken
    rows = matrix_of(data)[:5]
    want = 2 * rows @ np.arange(12, dtype=np.float32).reshape(4, 3) / 10
    np.testing.assert_allclose(artifact.predict(rows)["value"], want, rtol=1e-5)


def test_fractions_are_no_integers(data: Data, tmp_path: Path) -> None:
    # GIVEN a graph that takes integers
    ends = [
        helper.make_tensor_value_info(name, kind, ["n", 1])
        for name, kind in (("count", TensorProto.INT32), ("y", TensorProto.FLOAT))
    ]
    node = helper.make_node("Cast", ["count"], ["y"], to=TensorProto.FLOAT)
    graph = helper.make_graph([node], "g", ends[:1], ends[1:])
    path = saved(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), tmp_path
    )
    # WHEN it is converted with whole numbers, and with fractions
    artifact = build(path, [{"count": 3}, {"count": 4}], name="m")
    with pytest.raises(ModelError) as caught:
        build(path, [{"count": 3.5}], name="m")
    # THEN the ones are answered, the others refused
    assert artifact.predict([{"count": 7}])["value"] == [7.0]
    assert caught.value.code == "sample-type"


def test_numbers_beyond_float32_are_refused(data: Data, tmp_path: Path) -> None:
    # GIVEN a graph of float32
    artifact = build(saved(dense(), tmp_path), matrix_of(data), name="m")
    # WHEN a number is beyond it
    # THEN it is refused, where a cast would make it infinite
    with pytest.raises(ModelError):
        artifact.predict([{"x0": 1e39, "x1": 0.0, "x2": 0.0, "x3": 0.0}])


def test_data_beside_the_graph_becomes_part_of_the_artifact(data: Data, tmp_path: Path) -> None:
    # GIVEN a graph with its weights in a file beside it, and the same with them inside
    (tmp_path / "whole").mkdir()
    whole = build(saved(dense(), tmp_path / "whole"), matrix_of(data), name="m")
    onnx.save(
        dense(),
        tmp_path / "model.onnx",
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    assert (tmp_path / "weights.bin").exists()
    # WHEN it is converted
    artifact = build(tmp_path / "model.onnx", matrix_of(data), name="m")
    # THEN both are the same artifact
    assert artifact.digest == whole.digest


def test_columns_must_be_as_many_as_the_graph_takes(data: Data, tmp_path: Path) -> None:
    # GIVEN a sample with a column too many and no names in the graph to choose by
    path = saved(dense(), tmp_path)
    # WHEN it is converted
    with pytest.raises(ModelError) as caught:
        build(path, data.frame[["a b", "x", "y", "z", "zone"]].fillna(0), name="m")
    # THEN both numbers are said
    assert caught.value.code == "sample-columns"


def test_integers_have_the_range_that_the_graph_takes(tmp_path: Path) -> None:
    # GIVEN a graph that looks its integers up in a table of ten, and one that takes 32 bits
    table = numpy_helper.from_array(np.arange(10, dtype=np.float32), "table")
    found = {}
    for case, node in {
        "looked up": helper.make_node("Gather", ["table", "x"], ["y"]),
        "32 bits": helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT),
    }.items():
        ends = [
            helper.make_tensor_value_info(name, kind, ["n", 2])
            for name, kind in (("x", TensorProto.INT32), ("y", TensorProto.FLOAT))
        ]
        stored = [table] if case == "looked up" else []
        graph = helper.make_graph([node], "g", ends[:1], ends[1:], stored)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        # WHEN they are converted
        found[case] = build(saved(model, tmp_path), [{"a": 3, "b": 4}, {"a": 0, "b": 9}], name="m")

    # THEN what the graph raises on is refused
    assert [entry["range"] for entry in found["looked up"].manifest["inputs"]] == [[-10, 9]] * 2
    assert [entry["range"] for entry in found["32 bits"].manifest["inputs"]] == [[-(2**31), 2**31 - 1]] * 2
    with pytest.raises(ModelError, match="outside -10 to 9"):
        found["looked up"].predict([{"a": 10, "b": 1}])
