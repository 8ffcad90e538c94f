"""The command that estimates: what a function costs in a month."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from sls_ml import deploy as story
from sls_ml.cli.console import Output
from sls_ml.cli.options import HERE, JsonOption, ProjectOption, StageOption
from sls_ml.conversion import locked
from sls_ml.errors import UsageError
from sls_ml.intent.model import Function
from sls_ml.intent.traffic import IDLE_SECONDS
from sls_ml.measure import cost, pricing, usage
from sls_ml.measure.cost import StartKind, Usage
from sls_ml.spec import rate, read
from sls_ml.spec.model import Architecture

_Choices = Mapping[tuple[StartKind, Architecture], float]
_STARTS: tuple[StartKind, ...] = ("plain", "snapstart", "provisioned")
_ARCHITECTURES: tuple[Architecture, ...] = ("x86_64", "arm64")


def estimate(  # noqa: PLR0913 - an option each
    function: Annotated[str | None, typer.Argument(help="A function of the spec; else the first.")] = None,
    *,
    requests: Annotated[
        str | None,
        typer.Option(
            help="Requests, or objects to score: 1M/month, 50k/day, 10/s.", show_default="spec's traffic"
        ),
    ] = None,
    burst: Annotated[
        int | None,
        typer.Option(min=1, help="How many of them come at the same moment.", show_default="spec's traffic"),
    ] = None,
    keep_alive: Annotated[
        str, typer.Option(help="How long an environment without requests lives.")
    ] = f"{IDLE_SECONDS:.0f}s",
    rows_per_request: Annotated[int, typer.Option(min=1, help="Rows in one request.")] = 1,
    memory: Annotated[int | None, typer.Option(min=128, help="MB, in place of the spec's.")] = None,
    duration: Annotated[
        str, typer.Option(help="Milliseconds of a warm request; auto: as measured here.")
    ] = "auto",
    init: Annotated[str, typer.Option(help="Milliseconds of a start; auto: as measured here.")] = "auto",
    cold_share: Annotated[
        str, typer.Option(help="Share of requests that wait for a start; auto: from the traffic.")
    ] = "auto",
    region: Annotated[str | None, typer.Option(help="Whose prices, in place of the spec's region.")] = None,
    prices: Annotated[
        Path | None, typer.Option(help="A TOML file of your own prices, which come first.")
    ] = None,
    project: ProjectOption = HERE,
    stage: StageOption = None,
    json: JsonOption = False,
) -> None:
    """Estimate what a function costs in a month, at list prices."""
    output = Output.open(as_json=json)
    spec = read(project, stage)
    table = pricing.prices(spec.provider, region or spec.region, prices)
    prepared = story.decide(spec, locked(spec))
    wanted = _function(prepared, function)
    taken = usage.cpu(spec, wanted)
    month = usage.usage(
        wanted,
        _traffic(wanted, requests, burst, _seconds(keep_alive), rows_per_request),
        taken,
        usage.counted(story.draft(prepared).template, wanted.name),
        memory=memory,
        milliseconds=_milliseconds(duration),
        init_milliseconds=_milliseconds(init),
        waiting=_share(cold_share),
    )
    lines = cost.bill(month, table)
    free = cost.free(lines, table)
    choices = _choices(month, table)
    used = cost.names(lines, *cost.by_start(month, table).values())
    for warning in table.warnings(used, date.today()):
        output.warn(warning)
    if not taken.measured:
        measure = f"; `sls-ml bench memory {wanted.name}` does that" if wanted.http else ""
        output.warn(f"{wanted.name} was not measured here: these are the times of a small model{measure}")
    output.document(_document(wanted, table, taken, month, lines, free, choices, used))
    if not json:
        _show(output, month, lines, free, table)
        _show_choices(output, choices, table)


def _document(
    function: Function,
    table: pricing.Prices,
    taken: usage.Cpu,
    month: Usage,
    lines: Sequence[cost.Line],
    free: Sequence[cost.Free],
    choices: _Choices,
    used: frozenset[str],
) -> dict[str, object]:
    saved = sum(each.saved for each in free)
    return {
        "function": function.name,
        "provider": table.provider,
        "prices": {
            "kind": table.kind,
            "region": table.region,
            "source": table.source,
            "read": str(table.read),
            "own": list(table.own),
            "borrowed": sorted(used & set(table.borrowed)),
            "lender": table.lender,
        },
        "currency": table.currency,
        "measured": taken.measured,
        "usage": asdict(month),
        "lines": [asdict(line) | {"cost": round(line.cost, 4)} for line in lines],
        "total": round(cost.total(lines), 2),
        "free": [asdict(each) | {"saved": round(each.saved, 4)} for each in free],
        "total_after_free": round(cost.total(lines) - saved, 2),
        "choices": [
            {"start": start, "architecture": architecture, "total": round(each, 2)}
            for (start, architecture), each in choices.items()
        ],
    }


def _choices(month: Usage, table: pricing.Prices) -> _Choices:
    """The same month with each kind of start on each architecture."""
    return {
        (start, architecture): cost.total(lines)
        for architecture in _ARCHITECTURES
        for start, lines in cost.by_start(replace(month, architecture=architecture), table).items()
    }


def _show(
    output: Output,
    month: Usage,
    lines: Sequence[cost.Line],
    free: Sequence[cost.Free],
    table: pricing.Prices,
) -> None:
    output.table(
        ("line", "quantity", "unit", f"{table.currency} each", table.currency),
        (
            (
                line.what,
                f"{line.quantity:,.2f}",
                line.unit,
                f"{line.price:.10f}".rstrip("0").rstrip("."),
                f"{line.cost:,.2f}",
            )
            for line in lines
        ),
        title=(
            f"a month of {month.requests:,.0f} requests, {month.memory} MB, {month.architecture}, "
            f"{month.start} start"
        ),
    )
    total, saved = cost.total(lines), sum(each.saved for each in free)
    output.say(f"total {total:,.2f} {table.currency}")
    output.say(f"free in an account without other functions: {saved:,.2f}; left: {total - saved:,.2f}")
    output.say(
        f"a request takes {month.milliseconds:.1f} ms, a start {month.init_milliseconds:.0f} ms; "
        f"{month.cold_share:.3%} of requests wait for one"
    )
    output.say(f"{table.kind}; {table.region}, read on {table.read}")


def _show_choices(output: Output, choices: _Choices, table: pricing.Prices) -> None:
    output.say()
    output.table(
        ("start", *_ARCHITECTURES),
        (
            (start, *(f"{choices[start, architecture]:,.2f}" for architecture in _ARCHITECTURES))
            for start in _STARTS
        ),
        title=f"the same month, started and built otherwise ({table.currency})",
    )


def _traffic(
    function: Function, requests: str | None, burst: int | None, keep_alive: float, rows: int
) -> usage.Traffic:
    """What comes, by the options, else by the spec."""
    expected = function.traffic
    if requests is not None:
        try:
            month = rate.per_month(requests)
        except ValueError as error:
            raise UsageError(
                f"{requests!r} is no number of requests",
                code="bad-rate",
                mend="write 1M/month, 50k/day or 10/s",
            ) from error
    elif expected is not None:
        month = expected.requests
    else:
        raise UsageError(
            f"how much does {function.name} have to do?",
            code="traffic-unknown",
            mend=f"say --requests 1M/month, or functions.{function.name}.traffic in the spec",
        )
    together = burst or (expected.burst if expected is not None else 1)
    return usage.Traffic(month, together, keep_alive, rows)


def _function(prepared: story.Prepared, name: str | None) -> Function:
    """A function as it would be deployed."""
    functions = {each.name: each for each in prepared.deployment.functions}
    if name is None:
        return next(iter(functions.values()))
    if name not in functions:
        raise UsageError(
            f"there is no function {name!r} in the spec",
            code="function-unknown",
            mend=f"functions: {', '.join(functions)}",
        )
    return functions[name]


_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m)?")


def _seconds(text: str) -> float:
    match = _TIME.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is no time", code="bad-time", mend="write 300s, or 5m")
    return float(match[1]) * {"ms": 0.001, "s": 1, "m": 60, None: 1}[match[2]]


def _milliseconds(text: str) -> float | None:
    if text == "auto":
        return None
    match = _TIME.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is no time", code="bad-time", mend="write 20ms, or auto")
    return float(match[1]) * {"ms": 1, "s": 1000, "m": 60_000, None: 1}[match[2]]


def _share(text: str) -> float | None:
    if text == "auto":
        return None
    try:
        return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError as error:
        raise UsageError(f"{text!r} is no share", code="bad-share", mend="write 1%, or auto") from error
