"""Turn a PyTorch model into ONNX with PyTorch's own exporter, judged by the model itself."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sls_ml.artifact.exporters.own_graph import OwnGraph
from sls_ml.artifact.extras import need
from sls_ml.errors import ModelError

NAME = "PyTorch"

_ROWS = 3
"""Rows of the example that a module is traced with; one or two could be taken for a fixed size."""


def read_program(path: Path) -> OwnGraph:
    """Read a .pt2 file, as torch.export.save writes it.

    Raises:
        ModelError: The file is no exported program, or cannot be written as ONNX.
    """
    try:
        program = torch.export.load(path)
    except Exception as error:
        raise ModelError(
            f"{path.name} cannot be read as an exported program.",
            code="model-corrupt",
            where=str(path),
            why=f"{type(error).__name__}: {' '.join(str(error).split())}"[:300],
            mend="save it with torch.export.save(torch.export.export(model, ...), path)",
        ) from error
    return from_program(program)


def read_module(path: Path) -> Any:
    """Unpickle a module, which runs the code that the file holds.

    Raises:
        ModelError: The file holds no module.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = torch.load(path, weights_only=False, map_location="cpu")
    except Exception as error:
        raise ModelError(
            f"{path.name} cannot be read as a module.",
            code="model-corrupt",
            where=str(path),
            why=f"{type(error).__name__}: {' '.join(str(error).split())}"[:300],
            mend="save it with torch.export.save as .pt2, which needs no code of its own",
        ) from error
    if not isinstance(module, torch.nn.Module) or isinstance(module, torch.jit.ScriptModule):
        what = "weights alone" if isinstance(module, dict) else f"a {type(module).__name__}"
        raise ModelError(
            f"{path.name} holds {what}, not a module.",
            code="model-format",
            where=str(path),
            mend="save the module with torch.export.save as .pt2",
        )
    return module


def from_module(module: Any, width: int) -> OwnGraph:
    """Trace a module that takes one table of float32, ``[N, width]``."""
    module.eval()
    rows = torch.export.Dim("rows")
    try:
        program = torch.export.export(module, (torch.zeros(_ROWS, width),), dynamic_shapes=({0: rows},))
    except Exception as error:
        raise _unfit(error) from error
    return from_program(program, name=type(module).__name__)


def from_program(program: Any, *, name: str = "ExportedProgram") -> OwnGraph:
    """Write an exported program as ONNX."""
    need("onnxscript", extra="torch")
    module = program.module()
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            written = torch.onnx.export(
                program, dynamo=True, external_data=False, verbose=False, optimize=True
            )
    except Exception as error:
        raise _unfit(error) from error
    finally:
        log.setLevel(level)
    model = written.model_proto
    inputs = [value.name for value in model.graph.input]
    for node in model.graph.node:
        del node.metadata_props[:]

    def evaluate(feeds: dict[str, np.ndarray[Any, Any]]) -> Sequence[np.ndarray[Any, Any]]:
        with torch.no_grad():
            found = module(*(torch.from_numpy(np.ascontiguousarray(feeds[key])) for key in inputs))
        return [value.numpy() for value in (found if isinstance(found, (tuple, list)) else (found,))]

    return OwnGraph(model, evaluate, library=NAME, estimator=name, judged_by="torch")


def _unfit(error: Exception) -> ModelError:
    return ModelError(
        "PyTorch cannot write this model as ONNX.",
        code="model-unsupported",
        why=f"{type(error).__name__}: {' '.join(str(error).split())}"[:300],
        mend="export it yourself with torch.export, rows as a dynamic dimension, and save it as .pt2",
    )
