"""The graphs that may become the artifact's: the first that answers as the original is taken."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sls_ml.artifact import manifest as manifests
from sls_ml.artifact import parity, slim, structure
from sls_ml.artifact.diagnosis import diverging_step, parity_error
from sls_ml.artifact.exporters import sklearn as exporter
from sls_ml.artifact.exporters.graph_model import GraphModel
from sls_ml.artifact.original import Original
from sls_ml.artifact.stages import step
from sls_ml.errors import ModelError, ParityError, SlsMlError
from sls_ml.spec.model import Tolerance
from sls_ml_runtime.errors import EngineError

if TYPE_CHECKING:
    import pandas as pd

ENGINE = "ort_python"

_MIXED = re.compile(r"Optype \((\w+)\) bound to different types \(tensor\((\w+)\) and tensor\((\w+)\)")
"""How ONNX Runtime says that an operator's inputs are not of one type."""

_NARROWING = (None, "final", "all")
"""Where to narrow to float32, in the order of trying; the first that answers as the original is taken."""


@dataclass(frozen=True)
class Candidate:
    """One graph that may become the artifact's: its manifest so far, its bytes, and what the gate said."""

    manifest: dict[str, Any]
    graph: bytes
    verdict: parity.Verdict


def first_exact(
    judge: Original,
    base: Mapping[str, Any],
    rows: pd.DataFrame,
    expected: Mapping[str, Any],
    tolerance: Tolerance,
) -> Candidate:
    """Give the first candidate that answers as the original.

    Raises:
        ParityError: Some candidate could be run, but none answers as the original.
        ModelError: None could be converted and run.
    """
    failed: list[SlsMlError] = []
    for before in _NARROWING[:1] if isinstance(judge.model, GraphModel) else _NARROWING:
        try:
            with step("convert and compare"):
                candidate = _candidate(judge, base, rows, expected, tolerance, before)
        except ModelError as error:
            failed.append(error)
            continue
        if candidate.verdict.difference is None:
            return candidate
        failed.append(_divergence(judge, base, rows, candidate.verdict, tolerance))
    raise next((error for error in failed if isinstance(error, ParityError)), failed[0])


def _candidate(
    judge: Original,
    base: Mapping[str, Any],
    rows: pd.DataFrame,
    expected: Mapping[str, Any],
    tolerance: Tolerance,
    before: str | None,
) -> Candidate:
    from sls_ml.artifact import packed

    if isinstance(judge.model, GraphModel):
        model = judge.model.graph()
    else:
        model = exporter.export(judge.model, base["tensors"], judge.sample.positions, before=before)
    outputs = exporter.outputs_of(model, expected)
    manifest = {**base, "outputs": outputs, "engines": [ENGINE]}
    slim.slim(model, outputs={output.pop("from"): output["tensor"] for output in outputs})
    spare = slim.unused_inputs(model)
    slim.drop_inputs(model, spare)
    manifest["opset"] = {opset.domain: opset.version for opset in model.opset_import}
    manifest["tensors"] = [tensor for tensor in base["tensors"] if tensor["name"] not in spare]
    graph = packed.serialized(model)
    served = parity.rehearse(manifest, {manifests.GRAPH: graph})
    try:
        verdict = parity.judge_engine(judge, manifest, served, ENGINE, rows, expected, tolerance)
    except EngineError as error:
        if (mixed := _MIXED.search(str(error))) is None:
            raise
        raise ModelError(
            f"The operator {mixed[1]} of the converted graph is fed with {mixed[2]} and {mixed[3]} at once.",
            code="model-unsupported",
            where=structure.describe(judge.model),
            why="a converter in the model does not give all numbers in one type",
            mend="in a converter of your own put .cast('float64') on what meets doubles; else replace the "
            "part by one of docs/estimators.md, and report it",
        ) from error
    return Candidate(manifest, graph, verdict)


def _divergence(
    judge: Original,
    base: Mapping[str, Any],
    rows: pd.DataFrame,
    verdict: parity.Verdict,
    tolerance: Tolerance,
) -> ParityError:
    assert verdict.difference is not None  # noqa: S101 - asked for a verdict of difference only
    return parity_error(judge, verdict, diverging_step(judge, base, rows, tolerance), tolerance)
