"""Which engines may serve a graph: those that cover it and answer as the original."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sls_ml.artifact import manifest as manifests
from sls_ml.artifact import parity
from sls_ml.artifact.candidates import Candidate
from sls_ml.artifact.original import Original
from sls_ml.errors import ModelError
from sls_ml.spec.model import Tolerance

if TYPE_CHECKING:
    import pandas as pd

LITE = "lite"
LITE_FILE = "model.lite"
_CAPI, _PYTHON = "ort_capi", "ort_python"

_LITE_ROWS = 1500
"""Rows that the lite engine is compared on, the made-up ones among them: it takes them one by one."""


def verdicts_on(
    judge: Original,
    chosen: Candidate,
    rows: pd.DataFrame,
    expected: Mapping[str, Any],
    tolerance: Tolerance,
) -> tuple[list[parity.Verdict], dict[str, bytes]]:
    """Judge the engines that the gate has not used yet, in the manifest's order of preference.

    Returns:
        The verdicts on all engines that cover the graph and are here, and the artifact's files.
    """
    from sls_ml_runtime.errors import EngineError

    files = {manifests.GRAPH: chosen.graph}
    verdicts = []
    lite = _compiled(chosen)
    if lite is not None:
        last = slice(max(0, len(rows) - _LITE_ROWS), None)
        few = {key: values[last] for key, values in expected.items()}
        served = parity.rehearse(chosen.manifest, {**files, LITE_FILE: lite})
        with suppress(EngineError):
            frame = rows.iloc[last].reset_index(drop=True)
            verdict = parity.judge_engine(judge, chosen.manifest, served, LITE, frame, few, tolerance)
            verdicts.append(verdict)
            if verdict.difference is None:
                files[LITE_FILE] = lite
    served = parity.rehearse(chosen.manifest, files)
    with suppress(EngineError):
        verdicts.append(parity.judge_engine(judge, chosen.manifest, served, _CAPI, rows, expected, tolerance))
    return [*verdicts, chosen.verdict], files


def _compiled(chosen: Candidate) -> bytes | None:
    """Compile the graph for the lite engine, if that covers it."""
    from sls_ml.artifact.lite import NotCovered, compile_lite

    try:
        return compile_lite(chosen.graph, chosen.manifest)
    except NotCovered:
        return None


def served_by(verdicts: Sequence[parity.Verdict]) -> list[str]:
    """List the engines that may serve, best first.

    The C library runs the same kernels as the Python package, so it is listed where it could not be tried:
    the same model has the same address on every machine.
    """
    failed = {verdict.engine for verdict in verdicts if verdict.difference is not None}
    lite = {verdict.engine for verdict in verdicts} & {LITE}
    return [engine for engine in (*lite, _CAPI, _PYTHON) if engine not in failed]


def only(engine: str, engines: Sequence[str], verdicts: Sequence[parity.Verdict]) -> list[str]:
    """Give the one engine that the user wants.

    Raises:
        ModelError: It may not serve.
    """
    if engine in engines:
        return [engine]
    tried = any(verdict.engine == engine for verdict in verdicts)
    raise ModelError(
        f"The engine {engine} cannot serve this model.",
        code="engine-unfit",
        why="it does not answer as the original" if tried else "it does not cover the graph, or is not here",
        mend=f"set `engine: auto`, or one of {', '.join(engines)}",
    )
