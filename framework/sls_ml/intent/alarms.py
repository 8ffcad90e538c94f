"""Decides what of a function is watched: the alarms that fit a model, and the charts of the dashboard.

Each alarm says what to do about it. No traffic is no alarm: a period without data counts as fine, save for
dead letters, which a silent queue still holds, and where the spec says what traffic is expected.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from sls_ml.intent.alarm_table import alarm
from sls_ml.intent.model import Alarm, Batch, Chart, Measure, ModelRef
from sls_ml.spec.model import Alarms, Concurrency, Traffic
from sls_ml.spec.rate import MONTH

REJECTED_SHARE = 0.2
"""Share of the requests that may be outside the model's signature before somebody should look."""

LEAST_REQUESTS = 20
"""Requests in five minutes from which the share of the rejected ones says anything."""

CONCURRENCY_SHARE = 0.8
"""Share of the reserved concurrency from which the limit counts as near."""

LEAST_RESERVED = 5
"""A smaller reservation is there to be used up; refused calls tell when it is too small."""

WAITING_TIMEOUTS = 6
"""An event may wait for so many timeouts of the function: as long as one try takes at most."""

EXPECTED_BURSTS = 50
"""Silence is a time in which so many requests, or bursts of them, should have come: no gap by chance."""

LEAST_SILENCE = 3600
MOST_SILENCE = 86400
"""Seconds. A shorter pause is none; and CloudWatch looks back no farther than a day."""

_SILENT_PERIOD = 300
"""Seconds of a period of that alarm in the table."""


def http_alarms(alarms: Alarms, concurrency: Concurrency, traffic: Traffic | None = None) -> Iterator[Alarm]:
    """What is watched of an endpoint."""
    rate = _percent(alarms.error_rate)
    failed = Measure("failed", "share")
    yield alarm("failed-calls", failed, alarms.error_rate, f"more than {rate} of the calls get no answer")
    if alarms.p99 is not None:
        what = f"one answer in a hundred takes longer than {alarms.p99} ms"
        yield alarm("slow-answers", Measure("latency", "p99"), alarms.p99, what)
    rejected = Measure("rejected", "share", least=LEAST_REQUESTS)
    what = f"more than {_percent(REJECTED_SHARE)} of the requests are refused as wrong input"
    yield alarm("rejected-input", rejected, REJECTED_SHARE, what)
    yield from _capacity(concurrency)
    yield from _silence(traffic, "requests")
    yield _failed_starts()


def batch_alarms(alarms: Alarms, timeout: int, traffic: Traffic | None = None) -> Iterator[Alarm]:
    """What is watched of a batch function, whose timeout is given in seconds."""
    what = f"more than {_percent(alarms.error_rate)} of the tries to score an object fail"
    yield alarm("failed-tries", Measure("failed", "share"), alarms.error_rate, what)
    what = "objects could not be scored and wait as dead letters"
    yield alarm("dead-letters", Measure("dead_letters", "maximum"), 0, what)
    longest = WAITING_TIMEOUTS * timeout
    what = f"an object waits for more than {longest} s"
    yield alarm("objects-wait", Measure("queue_age", "maximum"), longest, what)
    what = "an object was refused, or too many of its rows were"
    yield alarm("refused-objects", Measure("refused_objects", "sum"), 0, what)
    yield _throttles()
    yield from _silence(traffic, "objects")
    yield _failed_starts()


def _silence(traffic: Traffic | None, of: Literal["requests", "objects"]) -> Iterator[Alarm]:
    """Where traffic is expected, its absence is news: here a period without data is as wrong as one at 0."""
    seconds = None if traffic is None else silent_seconds(traffic)
    if seconds is not None:
        periods = -(-seconds // _SILENT_PERIOD)
        what = f"no {of} for {_duration(periods * _SILENT_PERIOD)}, where functions.traffic expects some"
        yield alarm("silence", Measure(of, "sum"), 1, what, periods=periods, name="silence")


def silent_seconds(traffic: Traffic) -> int | None:
    """After how long a pause somebody is told; None for never."""
    if traffic.silence != "auto":
        return traffic.silence
    if not traffic.requests:
        return None
    expected = EXPECTED_BURSTS * traffic.burst / traffic.requests * MONTH
    return max(LEAST_SILENCE, round(expected)) if expected <= MOST_SILENCE else None


def _duration(seconds: int) -> str:
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    return " ".join(text for count, text in ((hours, f"{hours} h"), (minutes, f"{minutes} min")) if count)


def _capacity(concurrency: Concurrency) -> Iterator[Alarm]:
    yield _throttles()
    reserved = concurrency.reserved
    if reserved is not None and reserved >= LEAST_RESERVED:
        what = f"more than {_percent(CONCURRENCY_SHARE)} of the {reserved} reserved environments are busy"
        yield alarm("concurrency", Measure("concurrency", "maximum"), CONCURRENCY_SHARE * reserved, what)


def _throttles() -> Alarm:
    what = "calls are refused because no environment is free"
    return alarm("refused-calls", Measure("throttles", "sum"), 0, what)


def _failed_starts() -> Alarm:
    what = "the function could not start: its model is missing, unreadable or not what its digest says"
    return alarm("failed-starts", Measure("failed_starts", "sum"), 0, what)


def failed_follows() -> Alarm:
    """The alarm of a function that follows an alias."""
    what = "the alias that the function follows points to what it cannot serve; the model before answers"
    return alarm("failed-follows", Measure("failed_follows", "sum"), 0, what)


def _percent(share: float) -> str:
    return f"{share * 100:g} %"


HTTP_CHARTS = (
    Chart("Requests", (Measure("requests", "sum"), Measure("rejected", "sum"), Measure("failed", "sum"))),
    Chart("Milliseconds", (Measure("latency", "p50"), Measure("latency", "p99"), Measure("init", "p99"))),
    Chart("Shares", (Measure("failed", "share"), Measure("rejected", "share"))),
    Chart("Rows", (Measure("rows", "sum"),)),
    Chart("Starts", (Measure("cold_starts", "sum"), Measure("failed_starts", "sum"))),
    Chart("Concurrency", (Measure("concurrency", "maximum"), Measure("throttles", "sum"))),
    Chart("Paid GB seconds", (Measure("gb_seconds", "sum"),)),
)

BATCH_CHARTS = (
    Chart(
        "Objects",
        (Measure("objects", "sum"), Measure("refused_objects", "sum"), Measure("failed", "sum")),
    ),
    Chart("Rows", (Measure("rows", "sum"), Measure("rejected", "sum"))),
    Chart("Events", (Measure("queued", "maximum"), Measure("dead_letters", "maximum"))),
    Chart("Seconds that the oldest event waits", (Measure("queue_age", "maximum"),)),
    Chart("Starts", (Measure("cold_starts", "sum"), Measure("failed_starts", "sum"))),
    Chart("Concurrency", (Measure("concurrency", "maximum"), Measure("throttles", "sum"))),
    Chart("Paid GB seconds", (Measure("gb_seconds", "sum"),)),
)


def charts(batch: Batch | None, models: tuple[ModelRef, ...] = ()) -> tuple[Chart, ...]:
    """What the dashboard shows of a function and its models."""
    fixed = HTTP_CHARTS if batch is None else BATCH_CHARTS
    inputs = tuple(measure for model in models if model.watched for measure in of_inputs(model))
    return (*fixed, Chart("Inputs", inputs)) if inputs else fixed


def of_inputs(model: ModelRef) -> Iterator[Measure]:
    """What sls_ml_runtime/drift.py counts of a watched model, where its inputs give cause."""
    inputs, entries = model.manifest["inputs"], model.manifest["drift"]["features"]
    if any(field["nullable"] for field in inputs):
        yield Measure("missing_values", "sum", model=model.name)
    if any(
        field["dtype"] == "string" and field["categories"] is None and entry.get("rest") == 0
        for field, entry in zip(inputs, entries, strict=True)
    ):
        yield Measure("unseen_categories", "sum", model=model.name)
