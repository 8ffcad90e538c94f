"""Small graphs of ONNX that tests read, and break."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from conformance.sources.conftest import Data


def matrix_of(data: Data) -> np.ndarray[Any, Any]:
    """The rows as graphs take them: float32 without gaps."""
    return np.nan_to_num(data.matrix).astype(np.float32)


def saved(model: Any, folder: Path) -> Path:
    """The file of a graph."""
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def dense(rows: str | int = "rows", **attributes: Any) -> onnx.ModelProto:
    """A softmax of a linear map of four numbers to three."""
    weights = np.arange(12, dtype=np.float32).reshape(4, 3) / 10
    nodes = [
        helper.make_node("MatMul", ["x", "weights"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["answer"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, 4])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, [rows, 3])],
        [numpy_helper.from_array(weights, "weights")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9, **attributes)
