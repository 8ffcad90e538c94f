"""Decides how a function starts: plain, from a snapshot, or with environments that wait; and says why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sls_ml.errors import Problem, SpecError
from sls_ml.intent.figures import figures, slowdown, start_ms
from sls_ml.intent.model import ModelRef
from sls_ml.intent.traffic import cold_share
from sls_ml.spec.model import Concurrency
from sls_ml.spec.model import Function as FunctionSpec

SLOW_BYTES = 100 << 20
"""Models that are fetched and loaded in seconds up to this size; beyond it the ten seconds that a provider
gives a start may not do."""

SNAPSHOT_BYTES = 448 << 20
"""Fetched models up to this size fit into the temporary folder of a function that starts from a snapshot."""

PROMISED = 0.01
"""A p99 says nothing about this share of the requests."""

RESTORE_MS = 1000
"""A restored snapshot answers in less than a second, as AWS says of most; what is promised below that needs
environments that wait."""


@dataclass(frozen=True)
class Start:
    """How a function starts, the reason for a human, and its concurrency with the warm capacity filled in."""

    kind: Literal["plain", "snapstart", "provisioned"]
    reason: str
    concurrency: Concurrency


def decide(name: str, spec: FunctionSpec, models: tuple[ModelRef, ...], p99: int | None = None) -> Start:
    """Decide how a function starts.

    `auto` is plain, which costs nothing while nobody calls, unless warm capacity is asked for, the models of
    an endpoint are so large that a plain start may take too long, or the expected traffic would break the
    promise that `alarms.p99` makes: more than one request in a hundred waits for a start that takes longer.

    Args:
        name: Name of the function.
        spec: What the user wrote about it.
        models: Its models, at least one.
        p99: Milliseconds that 99 of 100 requests may take at most, where the user said so.

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
            if concurrency.schedule and not concurrency.provisioned:
                return Start("provisioned", "the spec asks for it, by concurrency.schedule", concurrency)
            warm = concurrency.provisioned or 1
            return Start(
                "provisioned",
                f"the spec asks for it; environments that wait: {warm}",
                concurrency.model_copy(update={"provisioned": warm}),
            )
        case "auto":
            return _auto(spec, models, p99)


def _auto(spec: FunctionSpec, models: tuple[ModelRef, ...], p99: int | None) -> Start:
    warm, schedule = spec.concurrency.provisioned, spec.concurrency.schedule
    if warm or schedule:
        asked = f"concurrency.provisioned asks for {warm}" if warm else "concurrency.schedule asks for some"
        return Start("provisioned", f"{asked} that wait", spec.concurrency)
    fetched = sum(sum(model.files.values()) for model in models if not model.bundled)
    size = f"{fetched / 1e6:.0f} MB of models are fetched at each start"
    if fetched <= SLOW_BYTES:
        return _by_traffic(spec, models, p99, size if fetched else "the models ride in the package")
    if spec.http is None:
        return Start("plain", f"{size}, and no caller of a batch waits for it", spec.concurrency)
    if spec.python == "3.11":
        return Start("plain", f"{size}; a snapshot would save that, from Python 3.12 on", spec.concurrency)
    if fetched > SNAPSHOT_BYTES:
        return Start("plain", f"{size}: too much for a snapshot's 512 MB of disk", spec.concurrency)
    return Start("snapstart", f"without a snapshot {size}", spec.concurrency)


def _by_traffic(spec: FunctionSpec, models: tuple[ModelRef, ...], p99: int | None, size: str) -> Start:
    """Plain, unless so many requests wait for a start that they break the promised p99."""
    if spec.traffic is None or spec.http is None:
        return Start("plain", size, spec.concurrency)
    milliseconds = _plain_start_ms(spec, models)
    requests, burst = spec.traffic.requests, spec.traffic.burst
    waiting = cold_share(requests, figures().request_ms * slowdown(spec.memory), burst=burst)
    why = f"{waiting:.1%} of {requests:,.0f} requests a month wait for a start of some {milliseconds:.0f} ms"
    if p99 is None or waiting <= PROMISED or milliseconds <= p99:
        kept = "" if p99 is None else f", and alarms.p99 of {p99} ms holds"
        return Start("plain", f"{why}{kept}", spec.concurrency)
    broken = f"{why}, where alarms.p99 allows {p99} ms"
    if p99 >= RESTORE_MS and spec.python != "3.11":
        return Start("snapstart", broken, spec.concurrency)
    warm = min(burst, spec.concurrency.reserved or burst)
    if spec.concurrency.reserved == 0:
        return Start("plain", f"{broken}, but concurrency.reserved is 0", spec.concurrency)
    return Start(
        "provisioned",
        f"{broken}; environments that wait: {warm}",
        spec.concurrency.model_copy(update={"provisioned": warm}),
    )


def _plain_start_ms(spec: FunctionSpec, models: tuple[ModelRef, ...]) -> float:
    """Milliseconds that a plain start is expected to take, by kept measurements."""
    return start_ms(
        engine=max((model.engine for model in models), key=lambda engine: figures().engine[engine]),
        observability=spec.observability or ("native" if spec.objects is None else "powertools"),
        style=spec.style,
        memory=spec.memory,
        fetched=sum(sum(model.files.values()) for model in models if not model.bundled),
    )


def _contradictions(key: str, spec: FunctionSpec) -> Iterator[Problem]:
    reserved, provisioned = spec.concurrency.reserved, spec.concurrency.provisioned
    schedule = spec.concurrency.schedule
    if spec.start in {"plain", "snapstart"}:
        what = f"start: {spec.start} excludes environments that wait"
        if provisioned is not None:
            yield Problem(f"{key}.concurrency.provisioned", None, what, "leave one of both out")
        if schedule:
            yield Problem(f"{key}.concurrency.schedule", None, what, "leave one of both out")
    if spec.start == "snapstart" and spec.python == "3.11":
        yield Problem(f"{key}.start", None, "snapshots need Python 3.12 or later", 'use python: "3.13"')
    least = provisioned or (1 if spec.start == "provisioned" and not schedule else 0)
    if reserved is not None and reserved < least:
        what = f"{least} cannot wait where {reserved} may run"
        yield Problem(f"{key}.concurrency.reserved", None, what, "reserve as many as wait, or more")
    for index, period in enumerate(schedule):
        at, most = f"{key}.concurrency.schedule.{index}", period.max
        if most is not None and not period.provisioned:
            what = "where none waits, nothing tells how many are needed"
            yield Problem(f"{at}.max", None, what, "leave it out, or let one wait")
        elif most is not None and most < period.provisioned:
            what = f"{most} at most is less than the {period.provisioned} that wait"
            yield Problem(f"{at}.max", None, what, "raise max, or leave it out")
        elif reserved is not None and reserved < (wanted := most or period.provisioned):
            what = f"{wanted} cannot wait where {reserved} may run"
            yield Problem(at, None, what, f"reserve {wanted} or more in concurrency.reserved")
