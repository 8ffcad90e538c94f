"""Stores the weights of a neural network as integers of eight bits, by ONNX Runtime's own tools."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sls_ml.artifact import manifest as manifests
from sls_ml.artifact import parity, slim, structure
from sls_ml.artifact.candidates import ENGINE, Candidate
from sls_ml.artifact.exporters.graph_model import GraphModel
from sls_ml.artifact.extras import need
from sls_ml.artifact.original import Original
from sls_ml.errors import ModelError, ParityError
from sls_ml.spec.model import Tolerance

if TYPE_CHECKING:
    import pandas as pd

_PRODUCTS = ("MatMul", "Gemm")
_NETWORKS = ("MLPClassifier", "MLPRegressor")
_INTEGER_PRODUCTS = ("MatMulInteger", "DynamicQuantizeMatMul", "MatMulIntegerToFloat")


def domain(judge: Original, inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give the inputs that integers can serve: a ready graph's columns without infinities and gaps.

    The rows of one call share a scale, which such a value would spoil for all of them. Estimators of
    scikit-learn refuse them before they reach a product.
    """
    if not isinstance(judge.model, GraphModel):
        return inputs
    return [
        {**entry, "finite": True, "nullable": False} if entry["dtype"].startswith("float") else entry
        for entry in inputs
    ]


def quantized(
    judge: Original,
    whole: Candidate,
    rows: pd.DataFrame,
    expected: Mapping[str, Any],
    tolerance: Tolerance,
) -> Candidate:
    """Give the candidate with its weights quantised, held to the tolerance that the user states.

    Args:
        judge: The original.
        whole: The candidate that answers as the original.
        rows: The rows of the gate.
        expected: The original's answers for them.
        tolerance: How far the answers may be from the original's.

    Raises:
        ModelError: The model is no neural network, or becomes no smaller.
        ParityError: The answers are further off than the tolerance.
    """
    from sls_ml.artifact import packed

    name = structure.describe(judge.model)
    parts = () if isinstance(judge.model, GraphModel) else structure.parts(judge.model)
    network = isinstance(judge.model, GraphModel) or any(type(part).__name__ in _NETWORKS for part in parts)
    model = _with_integers(whole.graph) if network else None
    if model is None or not any(node.op_type in _INTEGER_PRODUCTS for node in model.graph.node):
        raise ModelError(
            f"{name} cannot be quantised.",
            code="quantize-unfit",
            why="only products with stored weights are, in perceptrons, PyTorch's modules and ready graphs",
            mend="leave `quantize` out: other models gain nothing by it",
        )
    slim.slim(model, outputs={output.name: output.name for output in model.graph.output})
    graph = packed.serialized(model)
    if len(graph) >= len(whole.graph):
        raise ModelError(
            f"{name} is not made smaller by quantising.",
            code="quantize-larger",
            why=f"its graph has {len(whole.graph):,} bytes, {len(graph):,} with integers",
            mend="leave `quantize` out",
        )
    opset = {one.domain: one.version for one in model.opset_import}
    manifest = {**whole.manifest, "opset": opset, "quantized": "dynamic"}
    served = parity.rehearse(manifest, {manifests.GRAPH: graph})
    verdict = parity.judge_engine(judge, manifest, served, ENGINE, rows, expected, tolerance)
    if verdict.difference is not None:
        raise _too_far(verdict, verdict.difference, tolerance)
    return replace(whole, manifest=manifest, graph=graph, verdict=verdict)


def told(whole: Candidate, made: Candidate) -> dict[str, Any]:
    """Give what report.json says of it: bytes, and largest errors, before and after."""
    return {
        "mode": "dynamic",
        "bytes": {"before": len(whole.graph), "after": len(made.graph)},
        "worst": {"before": dict(whole.verdict.worst), "after": dict(made.verdict.worst)},
    }


def _with_integers(graph: bytes) -> Any:
    """Quantise the weights of all products, a scale for each column; the rows of a call share one."""
    import onnx

    need("onnxruntime")
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load_from_string(graph)
    _narrow_products(model)
    log = logging.getLogger()
    level = log.level
    log.setLevel(logging.ERROR)  # it advises to prepare the model, which for these graphs changes nothing
    try:
        with tempfile.TemporaryDirectory(prefix="sls-ml-") as folder:
            path = Path(folder) / manifests.GRAPH
            quantize_dynamic(
                model,
                path,
                op_types_to_quantize=list(_PRODUCTS),
                weight_type=QuantType.QInt8,
                per_channel=True,
                extra_options={"MatMulConstBOnly": True},
            )
            return onnx.load(path)
    finally:
        log.setLevel(level)


def _narrow_products(model: Any) -> None:
    """Let products with stored doubles run in float32, the one form that the tools know, in place."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    stored = {one.name: one for one in model.graph.initializer if one.data_type == TensorProto.DOUBLE}
    nodes = []
    for number, node in enumerate(list(model.graph.node)):
        if node.op_type != "MatMul" or node.input[1] not in stored or len(stored[node.input[1]].dims) != 2:
            nodes.append(node)
            continue
        names = [f"narrow_{number}_{part}" for part in ("rows", "weights", "sums")]
        weights = numpy_helper.to_array(stored[node.input[1]]).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(weights, names[1]))
        nodes += [
            helper.make_node("Cast", [node.input[0]], [names[0]], to=TensorProto.FLOAT),
            helper.make_node("MatMul", names[:2], [names[2]]),
            helper.make_node("Cast", [names[2]], list(node.output), to=TensorProto.DOUBLE),
        ]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _too_far(verdict: parity.Verdict, difference: parity.Difference, tolerance: Tolerance) -> ParityError:
    worst = ", ".join(f"{key} {value:.1e}" for key, value in verdict.worst.items())
    return ParityError(
        f"The quantised model differs from the original on {difference.rows} of {verdict.rows} rows.",
        code="parity-quantized",
        why=f"largest differences: {worst}; the tolerance is probability {tolerance.probability:g}, "
        f"value {tolerance.value:g}",
        mend="state the `tolerance` that you accept, or leave `quantize` out",
    )
