"""Run a graph in ONNX Runtime and in the lite engine, and hold the answers side by side."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest

from sls_ml.artifact.lite import compile_lite
from sls_ml_runtime.artifact import Artifact
from sls_ml_runtime.engines import load
from sls_ml_runtime.engines.lite import Engine

DTYPES = {1: "float32", 6: "int32", 7: "int64", 8: "string", 9: "bool", 11: "float64"}
TYPECODES = {"float32": "f", "float64": "d", "int64": "q", "bool": "b"}

Answers = dict[str, np.ndarray]


def manifest_of(model: onnx.ModelProto) -> dict[str, Any]:
    """What the compiler reads of a manifest: each graph input of shape [N, C] takes C columns."""
    tensors: list[dict[str, Any]] = []
    first = 0
    for entry in model.graph.input:
        dims = entry.type.tensor_type.shape.dim
        width = dims[1].dim_value if len(dims) == 2 else 1
        tensors.append(
            {
                "name": entry.name,
                "dtype": DTYPES[entry.type.tensor_type.elem_type],
                "columns": list(range(first, first + width)),
                "rank": len(dims),
            }
        )
        first += width
    return {"tensors": tensors, "outputs": [{"tensor": output.name} for output in model.graph.output]}


def columns_of(tensors: Sequence[Mapping[str, Any]], feeds: Mapping[str, np.ndarray]) -> list[Any]:
    """The runtime's columns for arrays per graph input."""
    columns: list[Any] = []
    for tensor in tensors:
        values = feeds[tensor["name"]]
        table = values.reshape(len(values), -1)
        dtype = tensor["dtype"]
        for place in range(table.shape[1]):
            column = table[:, place].tolist()
            columns.append((dtype, column if dtype == "string" else array(TYPECODES[dtype], column)))
    return columns


def _as_numpy(arrays: Mapping[str, Any]) -> Answers:
    """An engine's arrays as numpy arrays."""
    return {
        name: np.array(values, object if dtype == "string" else dtype).reshape(shape)
        for name, (dtype, shape, values) in arrays.items()
    }


@pytest.fixture(scope="session")
def as_numpy() -> Callable[[Mapping[str, Any]], Answers]:
    """An engine's arrays as numpy arrays."""
    return _as_numpy


@pytest.fixture(scope="session")
def in_lite() -> Callable[[onnx.ModelProto, Mapping[str, np.ndarray]], Answers]:
    """Answers of the lite engine for a model and its inputs."""

    def run(model: onnx.ModelProto, feeds: Mapping[str, np.ndarray]) -> Answers:
        manifest = manifest_of(model)
        engine = Engine.of(compile_lite(model.SerializeToString(), manifest, row_budget=None))
        return _as_numpy(engine.run(columns_of(manifest["tensors"], feeds)))

    return run


@pytest.fixture(scope="session")
def in_engine(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Answers]:
    """Answers of an engine of the runtime, by its name, for a model and its inputs."""
    folder = tmp_path_factory.mktemp("artifact")

    def run(name: str, model: onnx.ModelProto, feeds: Mapping[str, np.ndarray]) -> Answers:
        manifest = manifest_of(model)
        content = model.SerializeToString()
        (folder / "model.onnx").write_bytes(content)
        if name == "lite":
            (folder / "model.lite").write_bytes(compile_lite(content, manifest, row_budget=None))
        loaded = load(Artifact("case", "0" * 64, manifest, str(folder)), engine=name)
        return _as_numpy(loaded.run(columns_of(manifest["tensors"], feeds)))

    return run


@pytest.fixture(scope="session")
def in_ort() -> Callable[[onnx.ModelProto, Mapping[str, np.ndarray]], Answers]:
    """Answers of ONNX Runtime for a model and its inputs."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)

    def run(model: onnx.ModelProto, feeds: Mapping[str, np.ndarray]) -> Answers:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, dict(feeds)), strict=True))

    return run


@pytest.fixture(scope="session")
def alike() -> Callable[..., None]:
    """Compare answers: shapes, dtypes, and values within a tolerance relative to 1 + |value|."""

    def compare(got: Answers, expected: Answers, tolerance: float = 1e-6) -> None:
        assert got.keys() == expected.keys()
        for name, values in expected.items():
            assert got[name].shape == values.shape, name
            assert got[name].dtype == values.dtype, name
            if values.dtype.kind == "f":
                np.testing.assert_allclose(got[name], values, rtol=tolerance, atol=tolerance, err_msg=name)
            else:
                np.testing.assert_array_equal(got[name], values, err_msg=name)

    return compare
