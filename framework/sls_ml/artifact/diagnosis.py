"""Say where a converted model leaves the original: the row, the values, and the first step that differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sls_ml.artifact import manifest as manifests
from sls_ml.artifact import parity, slim, structure
from sls_ml.artifact.exporters import sklearn as exporter
from sls_ml.artifact.original import Original
from sls_ml.errors import ParityError, SlsMlError
from sls_ml.spec.model import Tolerance

if TYPE_CHECKING:
    import pandas as pd

_ROWS = 500
_SHOWN = 12
_ENGINE = "ort_python"


def diverging_step(
    judge: Original, base: Mapping[str, Any], rows: pd.DataFrame, tolerance: Tolerance
) -> str | None:
    """Name the first step whose graph answers otherwise than the step itself, by converting prefixes.

    Args:
        judge: The original that failed the gate.
        base: The manifest's part that the steps share: inputs, tensors, classes.
        rows: The rows of the gate.
        tolerance: The gate's tolerance.

    Returns:
        The step's name and class, or None when the model has one step only.
    """
    from sklearn.pipeline import Pipeline

    flat = structure.steps(judge.model)
    if len(flat) < 2:
        return None
    low, high = 0, len(flat)
    while high - low > 1:
        middle = (low + high) // 2
        prefix = Pipeline([(f"s{number}", step) for number, (_, step) in enumerate(flat[:middle])])
        part = replace(judge, model=prefix, kind="transformer", classes=None)
        if _agrees(part, base, rows.iloc[-_ROWS:].reset_index(drop=True), tolerance):
            low = middle
        else:
            high = middle
    name, step = flat[high - 1]
    return f"step {name!r} ({type(step).__name__})"


def _agrees(part: Original, base: Mapping[str, Any], rows: pd.DataFrame, tolerance: Tolerance) -> bool:
    from sls_ml.artifact import packed
    from sls_ml_runtime.errors import EngineError

    try:
        expected = part.answers(rows)
        model = exporter.export(part.model, base["tensors"], part.sample.positions)
        outputs = exporter.outputs_of(model, expected)
        slim.slim(model, outputs={output.pop("from"): output["tensor"] for output in outputs})
        spare = slim.unused_inputs(model)
        slim.drop_inputs(model, spare)
        manifest = {
            **base,
            "kind": "transformer",
            "classes": None,
            "outputs": outputs,
            "engines": [_ENGINE],
            "tensors": [tensor for tensor in base["tensors"] if tensor["name"] not in spare],
        }
        served = parity.rehearse(manifest, {manifests.GRAPH: packed.serialized(model)})
        verdict = parity.judge_engine(part, manifest, served, _ENGINE, rows, expected, tolerance)
    except (EngineError, SlsMlError, ValueError):
        return False
    return verdict.difference is None


def parity_error(
    judge: Original, verdict: parity.Verdict, step: str | None, tolerance: Tolerance
) -> ParityError:
    """Put a failed verdict into words."""
    difference = verdict.difference
    if difference is None:
        raise ValueError("the verdict is no difference")
    shown = list(difference.row.items())[:_SHOWN]
    row = ", ".join(f"{name}={value!r}" for name, value in shown)
    more = f", and {len(difference.row) - _SHOWN} more columns" if len(difference.row) > _SHOWN else ""
    where = step or structure.describe(judge.model)
    limit = "" if difference.key == "label" else f" (off by {difference.error:.3g})"
    return ParityError(
        f"The converted model differs from the original on {difference.rows} of {verdict.rows} rows.",
        code="parity-failed",
        where=where,
        why=f"{difference.key} of the row {row}{more} should be {difference.expected!r}, "
        f"the graph says {difference.got!r}{limit}",
        mend=f"replace {step or 'the estimator'} by one that converts exactly, or raise `tolerance` "
        f"(now probability {tolerance.probability:g}, value {tolerance.value:g}) if this error is harmless",
    )
