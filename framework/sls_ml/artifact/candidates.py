"""The graphs that may become the artifact's: the first that answers as the original is taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sls_ml.artifact import manifest as manifests
from sls_ml.artifact import parity, slim
from sls_ml.artifact.diagnosis import diverging_step, parity_error
from sls_ml.artifact.exporters import sklearn as exporter
from sls_ml.artifact.exporters.graph_model import GraphModel
from sls_ml.artifact.original import Original
from sls_ml.artifact.stages import step
from sls_ml.errors import ModelError, ParityError, SlsMlError
from sls_ml.spec.model import Tolerance

if TYPE_CHECKING:
    import pandas as pd

ENGINE = "ort_python"

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
    verdict = parity.judge_engine(judge, manifest, served, ENGINE, rows, expected, tolerance)
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
