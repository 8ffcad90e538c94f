"""Decides how a function starts: plain, from a snapshot, or with environments that wait; and says why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sls_ml.errors import Problem, SpecError
from sls_ml.intent.model import ModelRef
from sls_ml.spec.model import Concurrency
from sls_ml.spec.model import Function as FunctionSpec

SLOW_BYTES = 100 << 20
"""Models that are fetched and loaded in seconds up to this size; beyond it the ten seconds that a provider
gives a start may not do."""

SNAPSHOT_BYTES = 448 << 20
"""Fetched models up to this size fit into the temporary folder of a function that starts from a snapshot."""


@dataclass(frozen=True)
class Start:
    """How a function starts, the reason for a human, and its concurrency with the warm capacity filled in."""

    kind: Literal["plain", "snapstart", "provisioned"]
    reason: str
    concurrency: Concurrency


def decide(name: str, spec: FunctionSpec, models: tuple[ModelRef, ...]) -> Start:
    """Decide how a function starts.

    `auto` is plain, which costs nothing, unless warm capacity is asked for, or the models of an endpoint are
    so large that a plain start may take too long.

    Raises:
        SpecError: Keys contradict each other.
    """
    if problems := tuple(_contradictions(f"functions.{name}", spec)):
        raise SpecError(
            "a function cannot start in the way asked", code="start-contradiction", problems=problems
        )
    concurrency = spec.concurrency
    match spec.start:
        case "plain" | "snapstart":
            return Start(spec.start, "the spec asks for it", concurrency)
        case "provisioned":
            warm = concurrency.provisioned or 1
            return Start(
                "provisioned",
                f"the spec asks for it; environments that wait: {warm}",
                concurrency.model_copy(update={"provisioned": warm}),
            )
        case "auto":
            return _auto(spec, models)


def _auto(spec: FunctionSpec, models: tuple[ModelRef, ...]) -> Start:
    if warm := spec.concurrency.provisioned:
        return Start("provisioned", f"concurrency.provisioned asks for {warm} that wait", spec.concurrency)
    fetched = sum(sum(model.files.values()) for model in models if not model.bundled)
    size = f"{fetched / 1e6:.0f} MB of models are fetched at each start"
    if fetched <= SLOW_BYTES:
        return Start("plain", size if fetched else "the models ride in the package", spec.concurrency)
    if spec.http is None:
        return Start("plain", f"{size}, and no caller of a batch waits for it", spec.concurrency)
    if spec.python == "3.11":
        return Start("plain", f"{size}; a snapshot would save that, from Python 3.12 on", spec.concurrency)
    if fetched > SNAPSHOT_BYTES:
        return Start("plain", f"{size}: too much for a snapshot's 512 MB of disk", spec.concurrency)
    return Start("snapstart", f"without a snapshot {size}", spec.concurrency)


def _contradictions(key: str, spec: FunctionSpec) -> Iterator[Problem]:
    reserved, provisioned = spec.concurrency.reserved, spec.concurrency.provisioned
    if provisioned is not None and spec.start in {"plain", "snapstart"}:
        what = f"start: {spec.start} excludes environments that wait"
        yield Problem(f"{key}.concurrency.provisioned", None, what, "leave one of both out")
    if spec.start == "snapstart" and spec.python == "3.11":
        yield Problem(f"{key}.start", None, "snapshots need Python 3.12 or later", 'use python: "3.13"')
    least = provisioned or (1 if spec.start == "provisioned" else 0)
    if reserved is not None and reserved < least:
        what = f"{least} cannot wait where {reserved} may run"
        yield Problem(f"{key}.concurrency.reserved", None, what, "reserve as many as wait, or more")
