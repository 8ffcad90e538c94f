"""What `plan` says of money and starts: months by kind of start, starts by the way they are written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sls_ml.cli.console import Output
from sls_ml.deploy import Plan
from sls_ml.errors import UnsupportedError
from sls_ml.intent.figures import figures
from sls_ml.measure import pricing, record, usage
from sls_ml.measure.choices import Choices, choices
from sls_ml.measure.pricing import Prices

FAR_OFF = 4
"""Memory that differs by this factor from what was advised is worth a word."""


def costs(planned: Plan, output: Output) -> tuple[Mapping[str, Choices], Prices | None]:
    """What each function's choices cost, and by which prices; nothing where these are not known."""
    spec = planned.prepared.project
    _mention_memory(planned, output)
    try:
        table = pricing.prices(spec.provider, spec.region)
    except UnsupportedError as error:
        output.note(f"{error.what}: `sls-ml estimate --prices` takes your own")
        return {}, None
    found = {
        function.name: choices(
            function,
            usage.cpu(spec, function),
            usage.counted(planned.rendered.template, function.name),
            table,
        )
        for function in planned.prepared.deployment.functions
    }
    used = frozenset[str]().union(*(each.prices for each in found.values()))
    for warning in table.warnings(used, date.today()):
        output.note(warning)
    return found, table


def document(found: Choices | None) -> dict[str, Any] | None:
    """A function's choices as a JSON value."""
    if found is None:
        return None
    return {
        "requests": found.requests,
        "expected": found.expected,
        "cold_share": round(found.cold_share, 6),
        "month": {start: round(each, 2) for start, each in found.month.items()},
        "start_ms": {way: round(each, 1) for way, each in found.start_ms.items()},
    }


def show(output: Output, found: Mapping[str, Choices], table: Prices | None) -> None:
    """Print both tables."""
    if table is None:
        return
    output.table(
        ("function", "requests a month", "wait for a start", *next(iter(found.values())).month),
        (
            (
                name,
                f"{each.requests:,.0f}{'' if each.expected else ' (assumed)'}",
                f"{each.cold_share:.2%}",
                *(f"{price:,.2f}" for price in each.month.values()),
            )
            for name, each in found.items()
        ),
        title=f"a month by kind of start ({table.currency}, list prices of {table.region}, {table.read})",
    )
    output.say()
    if starts := {name: each.start_ms for name, each in found.items() if each.start_ms}:
        output.table(
            ("function", *next(iter(starts.values()))),
            ((name, *(f"{each:,.0f}" for each in ways.values())) for name, ways in starts.items()),
            title=f"a plain start in ms, logged and written otherwise ({figures().source})",
        )
        output.say()


def _mention_memory(planned: Plan, output: Output) -> None:
    """Say where the spec's memory is far from what was measured of the very package."""
    for function in planned.prepared.deployment.functions:
        measured = record.last(planned.prepared.project, "memory", function.name)
        if measured is None or measured["package_sha256"] != planned.packages[function.name].sha256:
            continue
        advised = measured["recommended_mb"]
        if function.memory < measured["needs_mb"]:
            output.warn(
                f"{function.name} needs {measured['needs_mb']} MB, and the spec has {function.memory}"
            )
        elif advised and max(advised / function.memory, function.memory / advised) >= FAR_OFF:
            output.note(f"{function.name} has {function.memory} MB; `sls-ml bench memory` advised {advised}")
