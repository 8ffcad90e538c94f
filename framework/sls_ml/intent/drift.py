"""Decides which models are watched for drift, and from when on somebody is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sls_ml.intent.alarm_table import alarm
from sls_ml.intent.model import Alarm, Drift, Function, Measure, Watched

HOURS = 24
"""Hours that are looked at together, so that night and day are no drift."""

LEAST = 500
"""Rows within these hours from which the index says anything: with ten bins chance alone gives 0.02."""

LEAST_REFERENCE = 100
"""Rows that a sample must have; a smaller one is too uneven by itself."""


def watchable(manifest: Mapping[str, Any]) -> bool:
    """Whether a model has a reference that says anything."""
    return bool(manifest.get("drift", {}).get("rows", 0) >= LEAST_REFERENCE)


def watch(functions: tuple[Function, ...], threshold: float | None) -> Drift | None:
    """The watch over the models of these functions; None where there is nothing to watch.

    Args:
        functions: All functions of the deployment.
        threshold: The index above which somebody is told; None watches nothing.
    """
    if threshold is None:
        return None
    served: dict[tuple[str, str], dict[str, str | None]] = {}
    for function in functions:
        alias = function.follow.alias if function.follow else None
        for model in function.models:
            if model.watched:
                served.setdefault((model.name, model.digest), {})[function.name] = alias
    if not served:
        return None
    models = tuple(
        Watched(model, digest, aliases, _alarm(threshold)) for (model, digest), aliases in served.items()
    )
    return Drift(models, HOURS, LEAST, LEAST_REFERENCE)


def _alarm(threshold: float) -> Alarm:
    what = f"inputs or predictions are spread otherwise than in the sample: index above {threshold:g}"
    return alarm("drift", Measure("drift", "maximum"), threshold, what)
