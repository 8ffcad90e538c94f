"""The models and engines of the suite: a new engine is one row of ENGINES, a new model one of MODELS."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sls_ml.artifact.lite import compile_lite
from sls_ml_runtime.artifact import Artifact
from sls_ml_runtime.engines import load

ELEMENTS = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "int64": TensorProto.INT64,
    "int32": TensorProto.INT32,
    "bool": TensorProto.BOOL,
    "string": TensorProto.STRING,
}
OPSET = {"": 18, "ai.onnx.ml": 3}
VALUES: dict[str, list[Any]] = {
    "float32": [0.1, -0.0, 3e38, float("nan"), float("-inf"), 7, 1e-45],
    "float64": [0.1, -0.0, 1e308, float("nan"), float("inf"), 7, 5e-324],
    "int64": [0, -1, 2**63 - 1, -(2**63), 5, 6, 7],
    "int32": [0, -1, 2**31 - 1, -(2**31), 5, 6, 7],
    "bool": [True, False, True, True, False, False, True],
    "string": ["a", "", "\N{SNOWMAN}", "\N{PILE OF POO}x", "\n", "a" * 1000, "\u00eb"],
}


@dataclass(frozen=True)
class Model:
    """A graph, the part of its manifest that engines read, and rows: a list of values per input."""

    onnx: bytes
    manifest: dict[str, Any]
    table: dict[str, list[Any]]


def manifest(
    inputs: dict[str, str],
    tensors: list[tuple[str, str, list[int], int]],
    outputs: list[tuple[str, str, int | None]],
) -> dict[str, Any]:
    """The manifest of inputs by name and dtype, tensors as (name, dtype, columns, rank), outputs likewise."""
    return {
        "inputs": [
            {"name": name, "dtype": dtype, "nullable": True, "finite": False}
            for name, dtype in inputs.items()
        ],
        "tensors": [
            {"name": name, "dtype": dtype, "columns": columns, "rank": rank}
            for name, dtype, columns, rank in tensors
        ],
        "outputs": [
            {"key": name, "tensor": name, "dtype": dtype, "columns": columns}
            for name, dtype, columns in outputs
        ],
        "source": {"library": "scikit-learn"},
    }


def echo(dtype: str, columns: int, rank: int) -> Model:
    """A graph that gives its input back."""
    shape = ["N", columns] if rank == 2 else ["N"]
    element = ELEMENTS[dtype]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "echo",
        [helper.make_tensor_value_info("x", element, shape)],
        [helper.make_tensor_value_info("y", element, shape)],
    )
    opsets = [helper.make_opsetid("", 18)]
    names = [f"f{position}" for position in range(columns)]
    outputs = [("y", dtype, columns if rank == 2 else None)]
    tensors = [("x", dtype, list(range(columns)), rank)]
    column_type = "int64" if dtype == "int32" else dtype
    return Model(
        helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString(),
        manifest(dict.fromkeys(names, column_type), tensors, outputs),
        {name: VALUES[dtype][position:] + VALUES[dtype][:position] for position, name in enumerate(names)},
    )


def numbers(rows: int, columns: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(columns).normal(size=(rows, columns))


def table(values: np.ndarray[Any, Any]) -> dict[str, list[Any]]:
    return {f"f{position}": values[:7, position].tolist() for position in range(values.shape[1])}


def classifier() -> Model:
    """Two outputs, labels as positions."""
    features = numbers(100, 30)
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(features, features[:, 0] > 0)
    graph = to_onnx(
        fitted,
        initial_types=[("x", DoubleTensorType([None, 30]))],
        options={"zipmap": False},
        target_opset=OPSET,
    )
    inputs = {f"f{position}": "float64" for position in range(30)}
    outputs = [("label", "int64", None), ("probabilities", "float64", 2)]
    return Model(
        graph.SerializeToString(),
        manifest(inputs, [("x", "float64", list(range(30)), 2)], outputs),
        table(features),
    )


def regressor() -> Model:
    """Several values per row."""
    features = numbers(100, 3)
    fitted = LinearRegression().fit(features, features @ [[1, 2], [3, 4], [5, 6]])
    graph = to_onnx(fitted, initial_types=[("x", DoubleTensorType([None, 3]))], target_opset=OPSET)
    return Model(
        graph.SerializeToString(),
        manifest(
            dict.fromkeys(("f0", "f1", "f2"), "float64"),
            [("x", "float64", [0, 1, 2], 2)],
            [("variable", "float64", 2)],
        ),
        table(features),
    )


def classifying(graph: onnx.ModelProto, classes: int) -> list[tuple[str, str, int | None]]:
    """The outputs of a classifier as the graph has them, whichever converters are registered."""
    names = {number: name for name, number in ELEMENTS.items()}
    label, probabilities = graph.graph.output
    return [
        (label.name, names[label.type.tensor_type.elem_type], None),
        (probabilities.name, names[probabilities.type.tensor_type.elem_type], classes),
    ]


def forest() -> Model:
    """Texts as labels, and doubles of the user that become the graph's float32."""
    features = numbers(100, 4)
    labels = np.array(["low", "middle", "high"])[np.digitize(features[:, 0], [-0.5, 0.5])]
    fitted = RandomForestClassifier(5, random_state=0).fit(features, labels)
    graph = to_onnx(
        fitted,
        initial_types=[("x", FloatTensorType([None, 4]))],
        options={"zipmap": False},
        target_opset=OPSET,
    )
    inputs = {f"f{position}": "float64" for position in range(4)}
    return Model(
        graph.SerializeToString(),
        manifest(inputs, [("x", "float32", list(range(4)), 2)], classifying(graph, 3)),
        table(features),
    )


def mixed() -> Model:
    """Several tensors, of texts and of numbers, in another order than the columns."""
    import pandas as pd

    values = numbers(90, 2)
    frame = pd.DataFrame(
        {"city": ["Bern", "Z\u00fcrich", "Genf"] * 30, "f1": values[:, 0], "f2": values[:, 1]}
    )
    frame["city"] = frame["city"].astype(object)
    transformer = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["city"]),
        (StandardScaler(), ["f2", "f1"]),
    )
    fitted = make_pipeline(transformer, LogisticRegression()).fit(frame, values[:, 0] > 0)
    graph = to_onnx(
        fitted,
        initial_types=[
            ("city", StringTensorType([None, 1])),
            ("f1", FloatTensorType([None, 1])),
            ("f2", FloatTensorType([None, 1])),
        ],
        options={"zipmap": False},
        target_opset=OPSET,
    )
    city, one, two = graph.graph.input
    inputs = [copy.deepcopy(each) for each in (two, city, one)]
    del graph.graph.input[:]
    graph.graph.input.extend(inputs)
    tensors = [("f2", "float32", [2], 2), ("city", "string", [0], 2), ("f1", "float32", [1], 2)]
    rows = frame.head(7).to_dict("list")
    rows["city"][3] = "Atlantis"
    return Model(
        graph.SerializeToString(),
        manifest({"city": "string", "f1": "float64", "f2": "float64"}, tensors, classifying(graph, 2)),
        {str(name): values for name, values in rows.items()},
    )


MODELS: dict[str, Callable[[], Model]] = {
    "classifier": classifier,
    "regressor": regressor,
    "forest": forest,
    "mixed": mixed,
} | {
    f"echo-{dtype}-{columns}-{rank}": lambda dtype=dtype, columns=columns, rank=rank: echo(
        dtype, columns, rank
    )
    for dtype in ELEMENTS
    for columns, rank in ((3, 2), (1, 2), (1, 1))
}

ENGINES = ("lite", "ort_capi", "ort_python")
"""The engines under test; ort_python is also what the others are compared with."""


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine by its name."""
    return str(request.param)


@pytest.fixture(scope="session")
def build() -> Callable[[str], Model]:
    """Build a model by its name, once."""
    built: dict[str, Model] = {}

    def get(name: str) -> Model:
        if name not in built:
            built[name] = MODELS[name]()
        return built[name]

    return get


@pytest.fixture
def load_engine(tmp_path: Path) -> Callable[..., Any]:
    """Write a model as an artifact, cut in half or whole, and load it into an engine."""

    def get(engine: str, model: Model, threads: int = 1, *, halved: bool = False) -> Any:
        content = model.onnx
        if engine == "lite":
            content = compile_lite(model.onnx, model.manifest, row_budget=None)
        file = tmp_path / ("model.lite" if engine == "lite" else "model.onnx")
        file.write_bytes(content[: len(content) // 2] if halved else content)
        artifact = Artifact("m", "0" * 64, model.manifest, str(tmp_path))
        return load(artifact, engine=engine, threads=threads)

    return get


@pytest.fixture
def failing() -> Model:
    """A graph that loads, and fails on every row: it looks up what is not there."""
    graph = helper.make_graph(
        [helper.make_node("Gather", ["values", "x"], ["y"])],
        "failing",
        [helper.make_tensor_value_info("x", TensorProto.INT64, ["N"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N"])],
        [onnx.numpy_helper.from_array(np.zeros(3, np.float32), "values")],
    )
    opsets = [helper.make_opsetid("", 18)]
    return Model(
        helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString(),
        manifest({"f0": "int64"}, [("x", "int64", [0], 1)], [("y", "float32", None)]),
        {"f0": [0, 1, 2]},
    )
