"""Say where a converted model leaves the original: the row, the values, and the first step that differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    """Name the first step whose graph answers otherwise than the step, by converting prefixes and branches.

    Args:
        judge: The original that failed the gate.
        base: The manifest's part that the steps share: inputs, tensors, classes.
        rows: The rows of the gate.
        tolerance: The gate's tolerance.

    Returns:
        The step's name, dotted where it lies in a branch, and class; None when the model has one step only.
    """
    rows = rows.iloc[-_ROWS:].reset_index(drop=True)

    def agrees(model: Any) -> bool:
        part = replace(judge, model=model, kind="transformer", classes=None)
        return _agrees(part, base, rows, tolerance)

    name, found = _first("", structure.unwrapped(judge.model), lambda part: part, agrees)
    return f"step {name!r} ({type(found).__name__})" if name else None


def _first(
    name: str, part: Any, placed: Callable[[Any], Any], agrees: Callable[[Any], bool]
) -> tuple[str, Any]:
    """Give the first step that differs within a part that does, and its name.

    Args:
        name: The part's own name, empty for the whole model.
        part: A fitted estimator.
        placed: Gives the model that has another estimator in the part's place, and nothing after it.
        agrees: Tells whether a model's graph answers as the model.
    """
    from sklearn.pipeline import Pipeline

    flat = structure.steps(part)
    if len(flat) > 1:
        low, high = 0, len(flat)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if agrees(placed(Pipeline(flat[:middle]))) else (low, middle)
        before, (inner, step) = flat[: high - 1], flat[high - 1]
        dotted = f"{name}.{inner}" if name else inner
        return _first(dotted, step, lambda new: placed(Pipeline([*before, (inner, new)])), agrees)
    for branch, inside in structure.branches(part):

        def alone(new: Any, branch: str = branch) -> Any:
            return placed(structure.with_branch(part, branch, new))

        if not agrees(alone(inside)):
            return _first(f"{name}.{branch}" if name else branch, inside, alone, agrees)
    return name, part


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
