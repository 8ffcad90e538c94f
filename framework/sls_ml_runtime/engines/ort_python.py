"""The ort_python engine: the onnxruntime wheel with numpy, the oracle for the others and their fallback."""

from __future__ import annotations

import os
from array import array

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from sls_ml_runtime.engines.tensors import no_rows
from sls_ml_runtime.errors import EngineError
from sls_ml_runtime.signature import TYPECODES

try:
    import numpy as np
    import onnxruntime as ort
except ImportError as missing:
    raise EngineError(f"numpy and onnxruntime are not installed: {missing}") from missing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from sls_ml_runtime.answer import Array, Arrays
    from sls_ml_runtime.artifact import Artifact
    from sls_ml_runtime.signature import Columns

LOG_ERRORS_ONLY = 3


class Engine:
    """The model.onnx of an artifact in an ONNX Runtime session.

    Args:
        artifact: An opened artifact.
        threads: Threads for one prediction.

    Raises:
        EngineError: onnxruntime refuses the model.
    """

    name = "ort_python"

    def __init__(self, artifact: Artifact, threads: int = 1) -> None:
        self._manifest = artifact.manifest
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = LOG_ERRORS_ONLY
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        path = artifact.path("model.onnx")
        try:
            self._session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has no common base for its errors
            raise EngineError(str(error)) from error
        self._outputs = list(dict.fromkeys(output["tensor"] for output in self._manifest["outputs"]))

    def run(self, columns: Columns) -> Arrays:
        """As `InferenceEngine.run`."""
        if len(columns[0][1]) == 0:
            return no_rows(self._manifest)
        feeds = {tensor["name"]: _feed(tensor, columns) for tensor in self._manifest["tensors"]}
        try:
            results = self._session.run(self._outputs, feeds)
        except Exception as error:  # onnxruntime has no common base for its errors
            raise EngineError(str(error)) from error
        return {name: _flat(result) for name, result in zip(self._outputs, results, strict=True)}


def _feed(tensor: Mapping[str, Any], columns: Columns) -> np.ndarray[Any, Any]:
    dtype = object if tensor["dtype"] == "string" else np.dtype(tensor["dtype"])
    chosen = [np.asarray(columns[position][1], dtype=dtype) for position in tensor["columns"]]
    return np.column_stack(chosen) if tensor["rank"] == 2 else chosen[0]


def _flat(result: np.ndarray[Any, Any]) -> Array:
    if result.dtype.kind in "OU":
        return "string", result.shape, [str(value) for value in result.ravel()]
    dtype = result.dtype.name
    if dtype not in TYPECODES:
        raise EngineError(f"an output has dtype {dtype}, which no model answer holds")
    numbers = array(TYPECODES[dtype])
    numbers.frombytes(np.ascontiguousarray(result).tobytes())
    return dtype, result.shape, numbers
