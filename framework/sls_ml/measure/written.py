"""The metrics that a function writes whenever it is called: CloudWatch charges for each by the hour."""

from __future__ import annotations

from sls_ml.intent import alarms
from sls_ml.intent.model import Function

ENDPOINT = ("requests", "rows", "latency", "rejected", "failed", "cold_start", "init")
"""By function and alias. Failed starts and follows are metrics too, which cost nothing until they happen."""

BATCH = ("objects", "rows", "rejected_rows", "too_many_rejected", "refused", "cold_start", "init")
"""By function and alias. What is failed, replayed, superseded or continued costs nothing until it is."""

SCHEDULED = ("pending",)
"""By function and alias, where a batch function looks for waiting objects by the clock."""

WATCH = ("drift", "drift_rows")
"""By model: what the drift watch writes."""


def count(function: Function) -> int:
    """How many metrics a function writes: those of its kind, and those of the inputs of its models."""
    own: tuple[str, ...] = ENDPOINT if function.batch is None else BATCH
    if function.batch is not None and function.batch.schedule is not None:
        own += SCHEDULED
    return len(own) + sum(len(tuple(alarms.of_inputs(model))) for model in function.models if model.watched)
