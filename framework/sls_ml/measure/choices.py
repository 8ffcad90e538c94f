"""What choices cost: a month with each kind of start, and a start with each way to log and to write it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sls_ml.intent.figures import figures, start_ms
from sls_ml.intent.model import Function
from sls_ml.measure import usage
from sls_ml.measure.cost import StartKind, by_start, names, total
from sls_ml.measure.pricing import Prices


@dataclass(frozen=True)
class Choices:
    """What one function costs, as it is and otherwise.

    Attributes:
        requests: Requests in a month.
        expected: Whether the spec expects so many; else it is a million.
        cold_share: Share of them that waits for a start.
        month: Price of the month by kind of start.
        prices: Names of the prices that these months are made of.
        start_ms: Milliseconds of a plain start: as it is, and by observability and style.
    """

    requests: float
    expected: bool
    cold_share: float
    month: Mapping[StartKind, float]
    prices: frozenset[str]
    start_ms: Mapping[str, float]


def choices(function: Function, taken: usage.Cpu, has: usage.Counted, table: Prices) -> Choices:
    """Compute what a function's choices cost.

    Args:
        function: The function, as it would be deployed.
        taken: What a request takes.
        has: What its template has.
        table: Prices.
    """
    month = usage.expected(function, taken, has)
    bills = by_start(month, table)
    return Choices(
        requests=month.requests,
        expected=function.traffic is not None and function.traffic.requests > 0,
        cold_share=month.cold_share,
        month={start: total(lines) for start, lines in bills.items()},
        prices=names(*bills.values()),
        start_ms={} if function.http is None else _starts(function),
    )


def _starts(function: Function) -> dict[str, float]:
    """By kept measurements: those of this function say nothing about one that is written otherwise."""
    ways = {
        "native": ("native", "function"),
        "powertools": ("powertools", "function"),
        "chalice": ("native", "chalice"),
    }
    cost = figures().engine
    engine = max((model.engine for model in function.models), key=lambda each: cost[each])
    fetched = sum(sum(model.files.values()) for model in function.models if not model.bundled)
    return {
        way: start_ms(
            engine=engine, observability=observability, style=style, memory=function.memory, fetched=fetched
        )
        for way, (observability, style) in ways.items()
    }
