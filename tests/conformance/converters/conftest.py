"""Runs a fitted estimator as ONNX, through our converters."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

Run = Callable[..., list[np.ndarray]]


@pytest.fixture(scope="session")
def run() -> Run:
    """Give a function that converts a model and runs it on columns.

    It takes the model and either one array of doubles or a dict of columns, and gives the outputs.
    """
    import onnxruntime
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import DoubleTensorType, StringTensorType

    from sls_ml.artifact import structure
    from sls_ml.artifact.converters import options, register

    def converted(model: Any, rows: np.ndarray | dict[str, np.ndarray]) -> list[np.ndarray]:
        feed = rows if isinstance(rows, dict) else {"c0": rows}
        types = [
            (
                name,
                (StringTensorType if array.dtype == object else DoubleTensorType)([None, *array.shape[1:]]),
            )
            for name, array in feed.items()
        ]
        register()
        chosen = {id(part): values for part in structure.parts(model) if (values := options(part))}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            graph = convert_sklearn(
                model, initial_types=types, target_opset={"": 18, "ai.onnx.ml": 3}, options=chosen
            )
        session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
        outputs: list[np.ndarray] = session.run(None, feed)
        return outputs

    return converted
