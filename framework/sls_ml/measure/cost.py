"""What a function costs in a month: usage times prices, line by line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, assert_never

from sls_ml.errors import UnsupportedError
from sls_ml.intent.traffic import environments
from sls_ml.measure.pricing import Prices
from sls_ml.spec.model import Architecture
from sls_ml.spec.rate import MONTH

StartKind = Literal["plain", "snapstart", "provisioned"]

PLATFORM_LOG_BYTES = 1100
"""What Lambda itself writes about a request: start, done and report, as JSON."""
POLL_SECONDS, POLLERS = 20, 5
"""Lambda asks an idle queue so often, in so many connections."""
REMEMBERED_SECONDS = 60
"""An HTTP API asks again so often whether a caller's key is good."""


@dataclass(frozen=True)
class Usage:
    """What a function does in a month.

    Attributes:
        requests: Requests, or objects scored.
        burst: How many of them come at the same moment.
        milliseconds: Duration of one request in a warm environment.
        init_milliseconds: Duration of a start.
        cold_share: Share of the requests that wait for a start.
        memory: Memory of the function in MB.
        architecture: Its processor.
        start: How it starts.
        provisioned: Environments that wait, on average.
        endpoint: ``url`` for a function URL, ``api`` for an HTTP API, None for a batch function.
        keyed: Whether the API asks an authorizer function for callers' keys.
        log_bytes: What the function writes to its log for one request.
        response_bytes: Size of an answer; leaves the provider.
        metrics: Number of metrics that it writes, and its part of those that the drift watch does.
        alarms: Number of alarms.
        dashboards: Number of dashboards.
        secrets: Secrets that each start reads.
        fetches: Objects that each start reads from the store.
        log_days: Days that logs are kept.
    """

    requests: float
    burst: int
    milliseconds: float
    init_milliseconds: float
    cold_share: float
    memory: int
    architecture: Architecture
    start: StartKind
    provisioned: float
    endpoint: Literal["url", "api"] | None
    keyed: bool
    log_bytes: float
    response_bytes: float
    metrics: float
    alarms: float
    dashboards: float
    secrets: int
    fetches: int
    log_days: int


@dataclass(frozen=True)
class Line:
    """One line of a bill: so many units at a price, which the provider's file has under its name."""

    what: str
    quantity: float
    unit: str
    price_name: str
    price: float

    @property
    def cost(self) -> float:
        """Quantity times price."""
        return self.quantity * self.price


@dataclass(frozen=True)
class Free:
    """What of a bill an account has free each month, when nothing else in the account uses it up."""

    what: str
    quantity: float
    unit: str
    saved: float


def bill(usage: Usage, table: Prices) -> tuple[Line, ...]:
    """The lines of a month's bill, without what is free.

    Raises:
        UnsupportedError: The provider's bill is not known.
    """
    match table.provider:
        case "aws":
            quantities = [*_compute(usage), *_door(usage), *_watching(usage)]
        case _:
            raise UnsupportedError(f"the bill of {table.provider} is not known", code="no-prices")
    return tuple(
        Line(what, quantity, unit, name, table.values[name])
        for what, quantity, unit, name in quantities
        if quantity
    )


def total(lines: Sequence[Line]) -> float:
    """The sum of a bill."""
    return sum(line.cost for line in lines)


def free(lines: Sequence[Line], table: Prices) -> tuple[Free, ...]:
    """What the free tier takes off a bill, had the account no other function."""
    left = dict(table.free)
    found: dict[str, Free] = {}
    for line in lines:
        pool = "lambda_gb_second" if line.price_name in {"lambda_x86_64", "lambda_arm64"} else line.price_name
        taken = min(left.get(pool, 0.0), line.quantity)
        if taken:
            left[pool] -= taken
            before = found.get(pool, Free(line.what, 0.0, line.unit, 0.0))
            found[pool] = Free(
                before.what, before.quantity + taken, line.unit, before.saved + taken * line.price
            )
    return tuple(found.values())


_Quantity = tuple[str, float, str, str]
"""What, how many, of which unit, and the name of the price."""


def _compute(usage: Usage) -> Iterator[_Quantity]:
    """Requests, and memory times time in milliseconds, each rounded up as it is billed."""
    gb, on_demand = usage.memory / 1024, f"lambda_{usage.architecture}"
    yield "requests", usage.requests, "requests", "lambda_request"
    starts = usage.requests * usage.cold_share
    init = gb * math.ceil(usage.init_milliseconds) / 1000
    one = gb * math.ceil(usage.milliseconds) / 1000
    match usage.start:
        case "plain":
            yield "duration", usage.requests * one, "GB-s", on_demand
            yield "starts, billed since August 2025", starts * init, "GB-s", on_demand
        case "snapstart":
            yield "duration", usage.requests * one, "GB-s", on_demand
            yield "snapshot, kept for one version", gb * MONTH, "GB-s", "snapstart_cache"
            yield "restores", starts * gb, "GB", "snapstart_restore"
        case "provisioned":
            waiting = usage.provisioned * gb * MONTH
            yield "environments that wait", waiting, "GB-s", f"provisioned_{usage.architecture}"
            busy = environments(usage.requests, usage.milliseconds, usage.burst)
            served = usage.requests * min(1.0, usage.provisioned / busy)
            beyond = usage.requests - served
            name = f"provisioned_duration_{usage.architecture}"
            yield "duration, in environments that wait", served * one, "GB-s", name
            yield "duration, beyond them", beyond * one, "GB-s", on_demand
            starts = beyond * usage.cold_share
            yield "starts, beyond them", starts * init, "GB-s", on_demand
        case _:
            assert_never(usage.start)
    if usage.start != "snapstart":
        yield "models fetched at starts", starts * usage.fetches, "requests", "s3_get"
    yield "secrets read at starts", starts * usage.secrets, "calls", "secret_read"
    yield "secrets kept", usage.secrets, "secrets", "secret"


def _door(usage: Usage) -> Iterator[_Quantity]:
    """What brings requests and takes answers."""
    match usage.endpoint:
        case "url" | "api":
            if usage.endpoint == "api":
                yield "HTTP API", usage.requests, "requests", "http_api_request"
            if usage.keyed:
                checks = min(usage.requests, MONTH / REMEMBERED_SECONDS)
                yield "checks of one caller's key", checks, "requests", "lambda_request"
            yield "answers sent", _gb(usage.requests * usage.response_bytes), "GB", "transfer_out"
        case None:
            polls = MONTH / POLL_SECONDS * POLLERS
            yield "object events", usage.requests, "events", "event"
            yield "queue", polls + 3 * usage.requests, "requests", "sqs_request"
            yield "objects read", usage.requests, "requests", "s3_get"
            yield "objects written", 3 * usage.requests, "requests", "s3_put"
        case _:
            assert_never(usage.endpoint)


def _watching(usage: Usage) -> Iterator[_Quantity]:
    """Logs, metrics, alarms, dashboards."""
    logs = _gb(usage.requests * (usage.log_bytes + PLATFORM_LOG_BYTES))
    yield "logs written", logs, "GB", "logs_ingested"
    yield "logs kept", logs * usage.log_days * 24 * 3600 / MONTH, "GB-month", "logs_stored"
    yield "metrics", usage.metrics, "metrics", "metric"
    yield "alarms", usage.alarms, "alarms", "alarm"
    yield "dashboards", usage.dashboards, "dashboards", "dashboard"


def names(*bills: Sequence[Line]) -> frozenset[str]:
    """Names of the prices that bills are made of."""
    return frozenset(line.price_name for lines in bills for line in lines)


def by_start(usage: Usage, table: Prices) -> Mapping[StartKind, tuple[Line, ...]]:
    """The bill of the same month with each kind of start; for the last as many wait as come at once."""
    kinds: tuple[StartKind, ...] = ("plain", "snapstart", "provisioned")
    return {
        kind: bill(replace(usage, start=kind, provisioned=usage.provisioned or usage.burst), table)
        for kind in kinds
    }


def _gb(size: float) -> float:
    return size / (1 << 30)
