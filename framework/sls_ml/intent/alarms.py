"""Decides what of a function is watched: the alarms that fit a model, and the charts of the dashboard.

Each alarm says what to do about it. No traffic is no alarm: a period without data counts as fine, save for
dead letters, which a silent queue still holds, and where the spec says what traffic is expected.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

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


def http_alarms(alarms: Alarms, concurrency: Concurrency, traffic: Traffic | None = None) -> Iterator[Alarm]:
    """What is watched of an endpoint."""
    yield Alarm(
        Measure("failed", "share"),
        alarms.error_rate,
        seconds=60,
        periods=3,
        breaching=2,
        missing="fine",
        release=True,
        what=f"more than {_percent(alarms.error_rate)} of the calls get no answer",
        mend="Look at the log for ERROR lines; if it began with a release, roll back.",
        anchor="failed-calls",
    )
    if alarms.p99 is not None:
        yield Alarm(
            Measure("latency", "p99"),
            alarms.p99,
            seconds=60,
            periods=5,
            breaching=3,
            missing="fine",
            release=True,
            what=f"one answer in a hundred takes longer than {alarms.p99} ms",
            mend="Compare rows per request with last week; give more memory, or roll back a slower model.",
            anchor="slow-answers",
        )
    yield Alarm(
        Measure("rejected", "share", least=LEAST_REQUESTS),
        REJECTED_SHARE,
        seconds=300,
        periods=3,
        breaching=2,
        missing="fine",
        release=False,
        what=f"more than {_percent(REJECTED_SHARE)} of the requests are refused as wrong input",
        mend="See in the log which field is refused, and tell the caller that sends it.",
        anchor="rejected-input",
    )
    yield from _capacity(concurrency)
    yield from _silence(traffic, "requests")
    yield _failed_starts()


def batch_alarms(alarms: Alarms, timeout: int, traffic: Traffic | None = None) -> Iterator[Alarm]:
    """What is watched of a batch function, whose timeout is given in seconds."""
    yield Alarm(
        Measure("failed", "share"),
        alarms.error_rate,
        seconds=300,
        periods=3,
        breaching=2,
        missing="fine",
        release=True,
        what=f"more than {_percent(alarms.error_rate)} of the tries to score an object fail",
        mend="Look at the log for `failed`; if it began with a release, roll back. Events are tried again.",
        anchor="failed-calls",
    )
    yield Alarm(
        Measure("dead_letters", "maximum"),
        0,
        seconds=300,
        periods=1,
        breaching=1,
        missing="unchanged",
        release=False,
        what="objects could not be scored and wait as dead letters",
        mend="Read the log of the object, mend the cause, then move the messages back to the queue.",
        anchor="dead-letters",
    )
    yield Alarm(
        Measure("queue_age", "maximum"),
        WAITING_TIMEOUTS * timeout,
        seconds=300,
        periods=3,
        breaching=2,
        missing="fine",
        release=False,
        what=f"an object waits for more than {WAITING_TIMEOUTS * timeout} s",
        mend="See whether tries fail or whether more arrives than is scored; reserve more concurrency.",
        anchor="objects-wait",
    )
    yield Alarm(
        Measure("refused_objects", "sum"),
        0,
        seconds=300,
        periods=1,
        breaching=1,
        missing="fine",
        release=False,
        what="an object was refused, or too many of its rows were",
        mend="Read the manifest of its result: it counts the reasons. Ask its sender for a right one.",
        anchor="refused-objects",
    )
    yield _throttles()
    yield from _silence(traffic, "objects")
    yield _failed_starts()


def _silence(traffic: Traffic | None, of: Literal["requests", "objects"]) -> Iterator[Alarm]:
    """Where traffic is expected, its absence is news: here a period without data is as wrong as one at 0."""
    seconds = None if traffic is None else silent_seconds(traffic)
    if seconds is not None:
        periods = -(-seconds // _SILENT_PERIOD)
        yield Alarm(
            Measure(of, "sum"),
            1,
            seconds=_SILENT_PERIOD,
            periods=periods,
            breaching=periods,
            missing="wrong",
            release=False,
            what=f"no {of} for {_duration(periods * _SILENT_PERIOD)}, where functions.traffic expects some",
            mend="Ask whoever calls whether they do; send a request yourself, and see which part is away.",
            anchor="silence",
            raised="below",
            name="silence",
        )


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
        yield Alarm(
            Measure("concurrency", "maximum"),
            CONCURRENCY_SHARE * reserved,
            seconds=60,
            periods=5,
            breaching=3,
            missing="fine",
            release=False,
            what=f"more than {_percent(CONCURRENCY_SHARE)} of the {reserved} reserved environments are busy",
            mend="Raise concurrency.reserved before calls are refused, or find who calls more than before.",
            anchor="concurrency",
        )


def _throttles() -> Alarm:
    return Alarm(
        Measure("throttles", "sum"),
        0,
        seconds=60,
        periods=5,
        breaching=3,
        missing="fine",
        release=False,
        what="calls are refused because no environment is free",
        mend="Raise concurrency.reserved, or ask for more concurrency of the account.",
        anchor="refused-calls",
    )


def _failed_starts() -> Alarm:
    return Alarm(
        Measure("failed_starts", "sum"),
        0,
        seconds=300,
        periods=1,
        breaching=1,
        missing="fine",
        release=True,
        what="the function could not start: its model is missing, unreadable or not what its digest says",
        mend="Read the reason in the log (init_failed); put the artifact back into the store, or roll back.",
        anchor="failed-starts",
    )


def failed_follows() -> Alarm:
    """The alarm of a function that follows an alias."""
    return Alarm(
        Measure("failed_follows", "sum"),
        0,
        seconds=300,
        periods=1,
        breaching=1,
        missing="fine",
        release=False,
        what="the alias that the function follows points to what it cannot serve; the model before answers",
        mend="Read the reason in the log (the alias cannot be followed); move the alias, or deploy.",
        anchor="failed-follows",
    )


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
