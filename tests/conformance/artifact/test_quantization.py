"""Quantised networks: smaller, told with their errors, held to the stated tolerance; others refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.ensemble import RandomForestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sls_ml.artifact import build
from sls_ml.artifact.page import render
from sls_ml.errors import ModelError, ParityError
from sls_ml.spec.model import Tolerance

LOOSE = Tolerance(probability=0.2)


@pytest.fixture(scope="module")
def rows() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).normal(size=(300, 8))


@pytest.fixture(scope="module")
def network(rows: np.ndarray[Any, Any]) -> Any:
    labels = (rows[:, 0] * rows[:, 1] > 0).astype(int) + (rows[:, 2] > 1)
    model = MLPClassifier((64, 32), max_iter=40, early_stopping=True, random_state=0)
    return make_pipeline(StandardScaler(), model).fit(rows, labels)


def test_a_perceptron_becomes_smaller_and_says_what_that_costs(
    network: Any, rows: np.ndarray[Any, Any]
) -> None:
    # GIVEN a perceptron, and a tolerance that admits what quantising costs
    whole = build(network, rows, name="net")

    # WHEN its weights are quantised
    artifact = build(network, rows, name="net", tolerance=LOOSE, quantize="dynamic")

    # THEN it is much smaller, and served by ONNX Runtime alone
    told = artifact.report["quantization"]
    assert len(artifact.files["model.onnx"]) * 3 < len(whole.files["model.onnx"])
    assert artifact.manifest["engines"] == ["ort_capi", "ort_python"]
    assert artifact.manifest["quantized"] == "dynamic"

    # AND the report has the errors of both, as the page has
    assert told["bytes"]["after"] == len(artifact.files["model.onnx"])
    assert told["worst"]["before"]["probability"] < 1e-9 < told["worst"]["after"]["probability"] < 0.2
    assert "integers of eight bits" in render(artifact)

    # AND it answers as both engines say
    answers = [artifact.predict(rows[:40], engine=engine) for engine in ("ort_capi", "ort_python")]
    assert answers[0] == answers[1]


def test_the_same_network_gives_the_same_bytes(network: Any, rows: np.ndarray[Any, Any]) -> None:
    # GIVEN a network
    # WHEN it is quantised twice
    made = [build(network, rows, name="net", tolerance=LOOSE, quantize="dynamic") for _ in range(2)]

    # THEN both have one address
    assert made[0].digest == made[1].digest


def test_the_default_tolerance_refuses_it(network: Any, rows: np.ndarray[Any, Any]) -> None:
    # GIVEN a network whose user states no tolerance
    # WHEN it is quantised
    with pytest.raises(ParityError) as caught:
        build(network, rows, name="net", quantize="dynamic")

    # THEN the gate refuses it with its errors
    assert caught.value.code == "parity-quantized"
    assert "probability" in str(caught.value.why)
    assert "tolerance" in str(caught.value.mend)


def test_a_forest_is_refused_by_name(rows: np.ndarray[Any, Any]) -> None:
    # GIVEN a model without products
    forest = RandomForestClassifier(3, n_jobs=1, random_state=0).fit(rows, rows[:, 0] > 0)

    # WHEN it is to be quantised
    with pytest.raises(ModelError) as caught:
        build(forest, rows, name="forest", tolerance=LOOSE, quantize="dynamic")

    # THEN it is named
    assert caught.value.code == "quantize-unfit"
    assert "RandomForestClassifier" in caught.value.what


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_small_network_is_refused(rows: np.ndarray[Any, Any]) -> None:
    # GIVEN a network of few weights
    small = MLPClassifier((2,), max_iter=5, early_stopping=True, random_state=0).fit(rows, rows[:, 0] > 0)

    # WHEN it is to be quantised
    with pytest.raises(ModelError) as caught:
        build(small, rows, name="net", tolerance=LOOSE, quantize="dynamic")

    # THEN the sizes are said: scales and casts would take more than the weights give
    assert caught.value.code == "quantize-larger"


def test_a_ready_graph_is_quantised(rows: np.ndarray[Any, Any], tmp_path: Path) -> None:
    # GIVEN a graph of float32
    chance = np.random.default_rng(1)
    weights = [chance.normal(size=size).astype(np.float32) / 8 for size in ((8, 64), (64, 3))]
    nodes = [
        helper.make_node("MatMul", ["x", "w0"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Gemm", ["b", "w1"], ["c"]),
        helper.make_node("Softmax", ["c"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 8])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["rows", 3])],
        [numpy_helper.from_array(one, f"w{at}") for at, one in enumerate(weights)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, tmp_path / "model.onnx")

    # WHEN it is quantised
    artifact = build(
        tmp_path / "model.onnx",
        rows.astype(np.float32),
        name="net",
        tolerance=LOOSE,
        quantize="dynamic",
    )

    # THEN no weights of float32 are left
    stored = onnx.load_from_string(artifact.files["model.onnx"]).graph.initializer
    assert all(len(one.dims) < 2 or one.data_type == TensorProto.INT8 for one in stored)
