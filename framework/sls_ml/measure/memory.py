"""How much memory a function needs, and should have: measured here, computed for the sizes of Lambda."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any

from sls_ml.errors import ParityError
from sls_ml.intent.figures import MB_PER_CPU, slowdown
from sls_ml.measure.cost import Usage, bill
from sls_ml.measure.pricing import Prices
from sls_ml.measure.question import Questions
from sls_ml.measure.subject import Subject
from sls_ml.measure.warm import Asked, Environment, environment

SIZES = (128, 192, 256, 384, 512, 768, 1024, 1536, MB_PER_CPU, 2048, 3008)

OVERHEAD_MB = 24
"""What Lambda counts beside the process, assumed: an empty Python function reports some 40 MB there, and its
process has some 16."""

MARGIN = 1.25
"""Room above what was measured: other rows, other allocators, a newer runtime."""

INIT_SECONDS = 10.0
"""A start may take so long (AWS Lambda: runtime environment lifecycle)."""

DEARER = 1.10
"""A size may cost so many times the least to be faster."""

STARTS, REQUESTS, LARGEST = 5, 30, 3
"""How often a function is started and asked."""

_COMPUTE = ("lambda_", "provisioned_", "snapstart_")
"""What the names of prices begin with that depend on the memory."""


@dataclass(frozen=True)
class Started:
    """A start: processor milliseconds on one core, and the most memory in MB until it waits for a request."""

    cpu_ms: float
    peak_mb: float


@dataclass(frozen=True)
class Request:
    """A request of a number of rows, in a warm environment.

    Attributes:
        rows: Rows in it.
        request_bytes: Size of its body.
        answer_bytes: Size of the answer.
        log_bytes: What it writes to the log.
        cpu_ms: Processor milliseconds on one core.
        peak_mb: The most memory that the process had until it was answered.
    """

    rows: int
    request_bytes: int
    answer_bytes: int
    log_bytes: int
    cpu_ms: float
    peak_mb: float


@dataclass(frozen=True)
class Measured:
    """What a function takes: its start, a request of one row, and the largest that its limits allow."""

    start: Started
    one_row: Request
    largest: Request

    @property
    def needs_mb(self) -> int:
        """The least memory, with what Lambda adds and a margin."""
        most = max(self.start.peak_mb, self.one_row.peak_mb, self.largest.peak_mb)
        return int((most + OVERHEAD_MB) * MARGIN) + 1


@dataclass(frozen=True)
class Size:
    """What one size of memory would give; times are computed from processor time.

    Attributes:
        memory: MB.
        cpus: Its share of processors.
        start_ms: Duration of a start.
        one_row_ms: Duration of a request of one row.
        largest_ms: Duration of the largest request.
        cost: Of compute for a million requests of one row, with the starts among them and what waits.
        why_not: What speaks against it; empty where nothing does.
    """

    memory: int
    cpus: float
    start_ms: float
    one_row_ms: float
    largest_ms: float
    cost: float
    why_not: str


@dataclass(frozen=True)
class Advice:
    """Sizes, the least that does, and the one to take.

    Attributes:
        sizes: All that were computed.
        least: The least that fits, in MB; None where none does.
        recommended: The one to take; None likewise.
        reason: Why.
    """

    sizes: tuple[Size, ...]
    least: int | None
    recommended: int | None
    reason: str


def measure(function: Subject, questions: Questions, *, max_rows: int, max_body: int) -> Measured:
    """Start a function several times and let it answer small and large requests.

    Args:
        function: The function.
        questions: Questions that it answers.
        max_rows: Rows that a request may have.
        max_body: Bytes that the body of a request may have.

    Raises:
        ParityError: It does not answer the largest request.
        ExternalError: It does not start, or does not answer.
    """
    starts = []
    for _ in range(STARTS - 1):
        with environment(function) as started:
            starts.append(started)
    with environment(function) as started:
        starts.append(started)
        small = [_ask(started, questions, questions.body(1)) for _ in range(REQUESTS)]
        rows, body, first = _largest(started, questions, max_rows, max_body)
        large = [first, *(_ask(started, questions, body) for _ in range(LARGEST - 1))]
    one = questions.body(1)
    return Measured(
        start=Started(
            cpu_ms=median(each.start_cpu_milliseconds for each in starts),
            peak_mb=max(each.start_kb for each in starts) / 1024,
        ),
        one_row=_request(1, one, small[1:]),  # the first is part of a start
        largest=_request(rows, body, large),
    )


def _largest(
    started: Environment, questions: Questions, max_rows: int, max_body: int
) -> tuple[int, str, Asked]:
    """The largest request that is answered: fewer rows where its body or its answer would be too large."""
    rows = max_rows
    body = questions.body(rows)
    if len(body.encode()) > max_body:
        rows = max(1, rows * max_body // len(body.encode()) * 95 // 100)
        body = questions.body(rows)
    while True:
        asked = started.ask(questions.event(body))
        status = asked.answer.get("statusCode") if isinstance(asked.answer, dict) else None
        if status == 200:
            return rows, body, asked
        if status != 413 or rows == 1:
            raise ParityError(
                f"the function does not answer a request of {rows} rows",
                code="wrong-answer",
                why=str(asked.answer)[:1000],
            )
        rows //= 2
        body = questions.body(rows)


def _ask(started: Environment, questions: Questions, body: str) -> Asked:
    asked = started.ask(questions.event(body))
    if not isinstance(asked.answer, dict) or asked.answer.get("statusCode") != 200:
        raise ParityError(
            "the function does not answer a request of its model's sample",
            code="wrong-answer",
            why=str(asked.answer)[:1000],
        )
    return asked


def _request(rows: int, body: str, asked: Sequence[Asked]) -> Request:
    return Request(
        rows=rows,
        request_bytes=len(body.encode()),
        answer_bytes=int(median(each.answer_bytes for each in asked)),
        log_bytes=int(median(each.log_bytes for each in asked)),
        cpu_ms=median(each.cpu_milliseconds for each in asked),
        peak_mb=max(each.peak_kb for each in asked) / 1024,
    )


def advise(
    measured: Measured,
    month: Usage,
    table: Prices,
    *,
    timeout: float,
    p99: float | None,
    fetch_ms: float = 0.0,
) -> Advice:
    """Compute times and prices for each size, and choose one.

    The choice is the fastest of those that cost at most a tenth more than the least costly, among the sizes
    that have enough memory, start in ten seconds, answer the largest request in time and keep the promise of
    `p99`.

    Args:
        measured: What the function takes.
        month: A month of it: requests, how many of them wait for a start, how it starts, its architecture.
        table: Prices.
        timeout: Seconds that a request may take.
        p99: Milliseconds that a request may take, where that is promised.
        fetch_ms: Milliseconds that a start waits for models from the store.
    """
    sizes = tuple(_size(measured, month, table, memory, timeout, p99, fetch_ms) for memory in SIZES)
    fit = [size for size in sizes if not size.why_not]
    if not fit:
        return Advice(sizes, None, None, f"up to {SIZES[-1]} MB: {sizes[-1].why_not}")
    cheapest = min(fit, key=lambda size: size.cost)
    affordable = [size for size in fit if size.cost <= cheapest.cost * DEARER]
    best = min(affordable, key=lambda size: (round(size.start_ms, 3), size.memory))
    if best.memory == fit[0].memory:
        reason = f"the least that does, and more memory costs more than {DEARER - 1:.0%} above it"
    else:
        reason = (
            f"a start takes {best.start_ms:.0f} ms, with {fit[0].memory} MB {fit[0].start_ms:.0f} ms; "
            f"a million requests cost {best.cost:.3f}, with {cheapest.memory} MB {cheapest.cost:.3f}"
        )
    return Advice(sizes, fit[0].memory, best.memory, reason)


def _size(
    measured: Measured,
    month: Usage,
    table: Prices,
    memory: int,
    timeout: float,
    p99: float | None,
    fetch_ms: float,
) -> Size:
    slower = slowdown(memory)
    start = measured.start.cpu_ms * slower + fetch_ms
    one, most = measured.one_row.cpu_ms * slower, measured.largest.cpu_ms * slower
    sized = replace(month, memory=memory, milliseconds=one, init_milliseconds=start)
    lines = [line for line in bill(sized, table) if line.price_name.startswith(_COMPUTE)]
    against = ""
    if memory < measured.needs_mb:
        against = f"it needs {measured.needs_mb} MB"
    elif start > INIT_SECONDS * 1000:
        against = f"a start takes {start / 1000:.1f} s, and may take {INIT_SECONDS:.0f}"
    elif most > timeout * 1000:
        against = f"the largest request takes {most / 1000:.1f} s, and may take {timeout:g}"
    elif p99 is not None and one > p99:
        against = f"a request takes {one:.0f} ms, and alarms.p99 allows {p99:g}"
    return Size(
        memory=memory,
        cpus=memory / MB_PER_CPU,
        start_ms=start,
        one_row_ms=one,
        largest_ms=most,
        cost=sum(line.cost for line in lines) / month.requests * 1e6,
        why_not=against,
    )


def document(measured: Measured, advice: Advice) -> Mapping[str, Any]:
    """Both as a JSON value, rounded."""
    return {
        **_rounded(asdict(measured)),
        "needs_mb": measured.needs_mb,
        "sizes": [_rounded(asdict(size)) for size in advice.sizes],
        "least_mb": advice.least,
        "recommended_mb": advice.recommended,
        "reason": advice.reason,
    }


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return round(value, 4)
        case dict():
            return {key: _rounded(each) for key, each in value.items()}
        case _:
            return value
