"""What report.json tells of a conversion: the verdicts of the gate, the tools, the machine."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from sls_ml.artifact import manifest as manifests
from sls_ml.artifact import parity, structure
from sls_ml.artifact.exporters.graph_model import GraphModel
from sls_ml.artifact.gate_rows import GateRows
from sls_ml.artifact.original import Original
from sls_ml.artifact.serving import Served
from sls_ml.errors import ExternalError, ModelError


def report_of(
    judge: Original, verdicts: Sequence[parity.Verdict], gate: GateRows, seconds: float
) -> dict[str, Any]:
    """Give the report."""
    from importlib.metadata import version

    tools = ["numpy", "onnx", "onnxruntime", "scikit-learn", "skl2onnx"]
    tools += [name for name in structure.packages(judge.model) if _installed(name)]
    own = (
        judge.model.judged_by if isinstance(judge.model, GraphModel) else structure.library_name(judge.model)
    )
    return {
        "format": manifests.FORMAT,
        "judge": own,
        "rows": {
            "sample": gate.sampled,
            "adversarial": len(gate.frame) - gate.sampled,
            "original_raises": gate.raised,
        },
        "engines": {verdict.engine: _told(verdict) for verdict in verdicts},
        "tools": {"python": platform.python_version(), **{tool: version(tool) for tool in tools}},
        "machine": platform.machine(),
        "seconds": round(seconds, 3),
    }


def answers_of(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """Give what each proven engine answers for the manifest's example rows, by the answer's keys.

    An engine that is not here, or refuses a row, is left out.
    """
    served = Served(manifest, files)
    keys = [output["key"] for output in manifest["outputs"]]
    answers = {}
    for engine in manifest["engines"]:
        with suppress(ExternalError, ModelError):
            answer = served.predict(manifest["example"], engine)
            answers[engine] = {key: answer[key] for key in keys}
    return answers


def _told(verdict: parity.Verdict) -> dict[str, Any]:
    return {
        "passed": verdict.difference is None,
        "worst": dict(verdict.worst),
        "ties": verdict.ties,
        "furthest": [
            {"key": one.key, "row": one.row, "expected": one.expected, "got": one.got, "error": one.error}
            for one in verdict.furthest
            if math.isfinite(one.error)
        ],
        "pairs": [list(pair) for pair in verdict.pairs],
    }


def _installed(package: str) -> bool:
    from importlib.metadata import PackageNotFoundError, version

    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True
