"""Read a ready .onnx file, and refuse what could reach beyond its folder or run code of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
from onnx import external_data_helper, inliner
from onnx.reference import ReferenceEvaluator

from sls_ml.artifact.exporters.onnx_limits import check_functions, check_shapes
from sls_ml.artifact.exporters.own_graph import Evaluate, OwnGraph
from sls_ml.artifact.exporters.own_outputs import without_zipmaps
from sls_ml.artifact.extras import need
from sls_ml.errors import ArtifactError, ModelError

_DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
"""Operator sets that ONNX Runtime has built in; all others come as libraries of code."""


def read(path: Path) -> OwnGraph:
    """Read a graph with its external data, after checking all that it names.

    Raises:
        ModelError: The file is no valid graph, or uses operators that need a library of their own.
        ArtifactError: Its data lies outside its folder, is cut short, or is not as large as it says.
    """
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:
        raise _corrupt(path, error) from error
    check(model, path)
    external_data_helper.load_external_data_for_model(model, str(path.parent))
    for tensor in tensors(model):
        tensor.ClearField("data_location")  # the same bytes, wherever the data came from
    try:
        onnx.checker.check_model(model, full_check=True)
        model = inliner.inline_local_functions(model)
        check_shapes(model, path)
    except ArtifactError:
        raise
    except Exception as error:
        raise _corrupt(path, error) from error
    classes = without_zipmaps(model)
    evaluate, judge = evaluator(model)
    estimator = f"graph of {model.producer_name or 'an unnamed tool'}"
    return OwnGraph(model, evaluate, library="ONNX", estimator=estimator, judged_by=judge, classes=classes)


def check(model: Any, path: Path) -> None:
    """Check what a graph names and declares, before anything of it is loaded.

    Raises:
        ModelError: It uses an unknown domain of operators.
        ArtifactError: A tensor lies outside the folder, or is not as large as it says; or functions would
            never end.
    """
    own = {function.domain for function in model.functions}
    for node in nodes(model):
        if node.domain not in _DOMAINS and node.domain not in own:
            raise ModelError(
                f"The graph uses {node.domain}.{node.op_type}, an operator that ONNX Runtime does not have.",
                code="onnx-operator",
                where=str(path),
                why="it would need a library of code beside the model, which is never loaded",
                mend="export the model with operators of ai.onnx, ai.onnx.ml or com.microsoft",
            )
    for tensor in tensors(model):
        _check_tensor(tensor, path)
    check_functions(model, path)


def nodes(model: Any) -> Iterator[Any]:
    """Give all nodes: of the graph, of graphs within nodes, and of functions."""
    waiting = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    while waiting:
        node = waiting.pop()
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                waiting += graph.node


def tensors(model: Any) -> Iterator[Any]:
    """Give all stored tensors, those within nodes too."""
    graphs = [model.graph]
    for node in nodes(model):
        for attribute in node.attribute:
            yield from (*(attribute.t for _ in range(attribute.HasField("t"))), *attribute.tensors)
            single = range(attribute.HasField("sparse_tensor"))
            sparse = (*(attribute.sparse_tensor for _ in single), *attribute.sparse_tensors)
            yield from (part for one in sparse for part in (one.values, one.indices))
            graphs += [attribute.g, *attribute.graphs]
    for graph in graphs:
        yield from graph.initializer
        yield from (part for one in graph.sparse_initializer for part in (one.values, one.indices))


def evaluator(model: Any) -> tuple[Evaluate, str]:
    """Give what judges a graph: ONNX's own reference, or ONNX Runtime where that lacks an operator."""
    if all(node.domain != "com.microsoft" for node in nodes(model)):
        try:
            reference = ReferenceEvaluator(model)
        except Exception:  # noqa: BLE001 - it has no common base for what it lacks
            reference = None
        if reference is not None:
            return lambda feeds: list(reference.run(None, feeds)), "onnx.reference"
    runtime = need("onnxruntime")
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda feeds: session.run(None, feeds), "onnxruntime"


def _check_tensor(tensor: Any, path: Path) -> None:
    if tensor.data_type == onnx.TensorProto.UNDEFINED:
        return
    if tensor.data_type not in onnx.TensorProto.DataType.values() or any(size < 0 for size in tensor.dims):
        raise _lying(tensor, path, "its type or shape is none")
    if tensor.data_type == onnx.TensorProto.STRING:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise _lying(tensor, path, "texts cannot lie outside the file")
        return
    count = math.prod(tensor.dims)
    bits = _bits(tensor.data_type)
    size = -(-count * bits // 8)
    if tensor.data_location != onnx.TensorProto.EXTERNAL:
        if tensor.raw_data and len(tensor.raw_data) != size:
            raise _lying(tensor, path, f"it holds {len(tensor.raw_data)} bytes where its shape needs {size}")
        if not tensor.raw_data and size > len(tensor.SerializeToString()) * 8:
            raise _lying(tensor, path, f"its shape needs {size} bytes, which are not there")
        return
    entries = {entry.key: entry.value for entry in tensor.external_data}
    file = _inside(entries.get("location", ""), tensor, path)
    offset, length = (int(entries.get(key) or default) for key, default in (("offset", 0), ("length", size)))
    if length != size or offset < 0 or offset + length > file.stat().st_size:
        raise _lying(tensor, path, f"its shape needs {size} bytes, {file.name} has {file.stat().st_size}")


def _inside(location: str, tensor: Any, path: Path) -> Path:
    """Give a file of external data, which must lie in the model's own folder, and not by a link."""
    folder = path.parent.resolve()
    file = folder / location
    plain = bool(location) and not Path(location).is_absolute() and ".." not in Path(location).parts
    links = any(part.is_symlink() for part in (file, *file.parents) if part.is_relative_to(folder))
    if not plain or "\\" in location or links or not file.resolve().is_relative_to(folder):
        raise ArtifactError(
            f"The tensor {tensor.name!r} lies in {location!r}, outside the model's folder.",
            code="onnx-outside",
            where=str(path),
            why="a file from elsewhere would become part of the model",
            mend="put the data beside the .onnx file, by a plain relative name",
        )
    if not file.is_file():
        raise ArtifactError(
            f"The data file {location!r} of the tensor {tensor.name!r} is missing.",
            code="artifact-incomplete",
            where=str(path),
            mend="put it beside the .onnx file",
        )
    return file


def _bits(data_type: int) -> int:
    names = onnx.TensorProto.DataType
    match names.Name(data_type):
        case "INT4" | "UINT4" | "FLOAT4E2M1":
            return 4
        case "INT2" | "UINT2":
            return 2
        case _:
            return int(onnx.helper.tensor_dtype_to_np_dtype(data_type).itemsize) * 8


def _lying(tensor: Any, path: Path, why: str) -> ArtifactError:
    return ArtifactError(
        f"The tensor {tensor.name!r} is not what it says.",
        code="onnx-tensor",
        where=str(path),
        why=why,
        mend="the file is cut short or made up: export the model again",
    )


def _corrupt(path: Path, error: Exception) -> ModelError:
    return ModelError(
        f"{path.name} is not a valid ONNX graph.",
        code="model-corrupt",
        where=str(path),
        why=f"{type(error).__name__}: {' '.join(str(error).split())}"[:300],
        mend="export the model again",
    )
