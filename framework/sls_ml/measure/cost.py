"""What a function costs in a month: usage times list prices, line by line."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from importlib import resources
from typing import Literal, assert_never

from sls_ml.errors import UnsupportedError, UsageError
from sls_ml.spec.model import Architecture, ProviderName

StartKind = Literal["plain", "snapstart", "provisioned"]

MONTH = 730 * 3600
"""Seconds of a month, as AWS counts it: 730 hours."""

STALE_DAYS = 365

IDLE_SECONDS = 300
"""An environment without requests is assumed to live so long."""
RECYCLE_SECONDS = 2 * 3600
"""A busy environment is assumed to be replaced so often."""
METRICS = 7
"""Metrics of one function and alias: requests, rows, latency, rejected, failed, cold_start, init."""
PLATFORM_LOG_BYTES = 1100
"""What Lambda itself writes about a request: start, done and report, as JSON."""
POLL_SECONDS, POLLERS = 20, 5
"""Lambda asks an idle queue so often, in so many connections."""

_RATE = re.compile(r"(\d+(?:\.\d+)?)([kKM]?)(?:/(s|min|h|day|month))?")
_FACTORS = {"": 1, "k": 1e3, "K": 1e3, "M": 1e6}
_PERIODS = {"s": 1, "min": 60, "h": 3600, "day": 24 * 3600, "month": MONTH, None: MONTH}


@dataclass(frozen=True)
class Prices:
    """A provider's price table.

    Attributes:
        provider: The provider.
        currency: ``USD``.
        kind: What kind of prices these are.
        region: The region that they hold in.
        read: The day on which they were read.
        values: Price by name; units are in the file.
    """

    provider: ProviderName
    currency: str
    kind: str
    region: str
    read: date
    values: Mapping[str, float]

    def warnings(self, region: str, today: date) -> Iterator[str]:
        """What makes these prices less than exact."""
        if (today - self.read).days > STALE_DAYS:
            yield f"the prices were read on {self.read}, more than a year ago: look at the provider's pages"
        if region != self.region:
            yield f"these are the prices of {self.region}; those of {region} may differ by some per cent"


@dataclass(frozen=True)
class Usage:
    """What a function does in a month.

    Attributes:
        requests: Requests, or objects scored.
        milliseconds: Duration of one request in a warm environment.
        init_milliseconds: Duration of a start.
        cold_share: Share of the requests that wait for a start.
        memory: Memory of the function in MB.
        architecture: Its processor.
        start: How it starts.
        provisioned: Environments that wait.
        endpoint: ``url`` for a function URL, ``api`` for an HTTP API, None for a batch function.
        log_bytes: What the function writes to its log for one request.
        response_bytes: Size of an answer; leaves the provider.
        alarms: Number of alarms.
        fetches: Objects that each start reads from the store.
        log_days: Days that logs are kept.
    """

    requests: float
    milliseconds: float
    init_milliseconds: float
    cold_share: float
    memory: int
    architecture: Architecture
    start: StartKind
    provisioned: int
    endpoint: Literal["url", "api"] | None
    log_bytes: float
    response_bytes: float
    alarms: int
    fetches: int
    log_days: int


@dataclass(frozen=True)
class Line:
    """One line of a bill: so many units at a price."""

    what: str
    quantity: float
    unit: str
    price: float

    @property
    def cost(self) -> float:
        """Quantity times price."""
        return self.quantity * self.price


def prices(provider: ProviderName) -> Prices:
    """The price table of a provider.

    Raises:
        UnsupportedError: There is none.
    """
    file = resources.files("sls_ml.measure.prices").joinpath(f"{provider}.json")
    if not file.is_file():
        raise UnsupportedError(f"there is no price table of {provider}", code="no-prices")
    table = json.loads(file.read_text())
    return Prices(
        provider=provider,
        currency=table["currency"],
        kind=table["kind"],
        region=table["region"],
        read=date.fromisoformat(table["read"]),
        values={name: price["value"] for name, price in table["prices"].items()},
    )


def per_month(text: str) -> float:
    """Requests in a month of a rate such as ``1M/month``, ``10/s`` or ``50k/day``.

    Raises:
        UsageError: It is no such rate.
    """
    match = _RATE.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f"{text!r} is no number of requests", code="bad-rate", mend="write 1M/month, 50k/day or 10/s"
        )
    return float(match[1]) * _FACTORS[match[2]] * MONTH / _PERIODS[match[3]]


def cold_share(requests: float, milliseconds: float) -> float:
    """The share of requests that wait for a start, for requests that come at random times.

    An environment that idles goes away, and a busy one is replaced now and then.
    """
    if not requests:
        return 0.0
    rate = requests / MONTH
    environments = max(1.0, rate * milliseconds / 1000)
    idle = math.exp(-rate * IDLE_SECONDS / environments)
    replaced = environments * MONTH / RECYCLE_SECONDS / requests
    return min(1.0, idle + replaced * (1 - idle))


def bill(usage: Usage, table: Prices) -> tuple[Line, ...]:
    """The lines of a month's bill.

    Raises:
        UnsupportedError: The provider's bill is not known.
    """
    match table.provider:
        case "aws":
            lines = [*_compute(usage, table.values), *_around(usage, table.values)]
            return tuple(line for line in lines if line.quantity)
        case _:
            raise UnsupportedError(f"the bill of {table.provider} is not known", code="no-prices")


def total(lines: tuple[Line, ...]) -> float:
    """The sum of a bill."""
    return sum(line.cost for line in lines)


def _compute(usage: Usage, price: Mapping[str, float]) -> Iterator[Line]:
    gb = usage.memory / 1024
    on_demand = price[f"lambda_{usage.architecture}"]
    yield Line("requests", usage.requests, "requests", price["lambda_request"])
    starts = usage.requests * usage.cold_share
    init = starts * gb * math.ceil(usage.init_milliseconds) / 1000
    duration = usage.requests * gb * math.ceil(usage.milliseconds) / 1000
    match usage.start:
        case "plain":
            yield Line("duration", duration, "GB-s", on_demand)
            yield Line("starts, billed since August 2025", init, "GB-s", on_demand)
        case "snapstart":
            yield Line("duration", duration, "GB-s", on_demand)
            yield Line("snapshot, kept for one version", gb * MONTH, "GB-s", price["snapstart_cache"])
            yield Line("restores", starts * gb, "GB", price["snapstart_restore"])
        case "provisioned":
            reserved = usage.provisioned * gb * MONTH
            yield Line("environments that wait", reserved, "GB-s", price[f"provisioned_{usage.architecture}"])
            served = price[f"provisioned_duration_{usage.architecture}"]
            yield Line("duration, in environments that wait", duration, "GB-s", served)
        case _:
            assert_never(usage.start)
    if usage.start == "plain":
        yield Line("models fetched at starts", starts * usage.fetches, "requests", price["s3_get"])


def _around(usage: Usage, price: Mapping[str, float]) -> Iterator[Line]:
    """What is billed around the function: its door, its log, its metrics and its alarms."""
    sent = _gb(usage.requests * usage.response_bytes)
    match usage.endpoint:
        case "url":
            yield Line("answers sent", sent, "GB", price["transfer_out"])
        case "api":
            yield Line("HTTP API", usage.requests, "requests", price["http_api_request"])
            yield Line("answers sent", sent, "GB", price["transfer_out"])
        case None:
            polls = MONTH / POLL_SECONDS * POLLERS
            yield Line("object events", usage.requests, "events", price["event"])
            yield Line("queue", polls + 3 * usage.requests, "requests", price["sqs_request"])
            yield Line("objects read", usage.requests, "requests", price["s3_get"])
            yield Line("objects written", 3 * usage.requests, "requests", price["s3_put"])
        case _:
            assert_never(usage.endpoint)
    logs = _gb(usage.requests * (usage.log_bytes + PLATFORM_LOG_BYTES))
    yield Line("logs written", logs, "GB", price["logs_ingested"])
    yield Line("logs kept", logs * usage.log_days * 24 * 3600 / MONTH, "GB-month", price["logs_stored"])
    yield Line("metrics", METRICS, "metrics", price["metric"])
    yield Line("alarms", usage.alarms, "alarms", price["alarm"])


def _gb(size: float) -> float:
    return size / (1 << 30)
