"""Measures cold starts of a function beside others, in turn, so that a busy machine hits them all alike."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from sls_ml.errors import BudgetError, ParityError, StaleError
from sls_ml.measure.profile import Share, shares
from sls_ml.measure.question import Question
from sls_ml.measure.start import Mark, Start, start
from sls_ml.measure.subject import EMPTY, Subject

PROBED = 5
"""Starts with the probe, apart from those that are timed."""


@dataclass(frozen=True)
class Timing:
    """The starts of one subject; ratios are medians over rounds, each to the first comparison's of the same.

    Attributes:
        name: The subject.
        milliseconds: Of every start, in order.
        cpu_milliseconds: Processor time of every start.
        resident_kb: Resident memory after the first answer, of every start.
        ratio: Time in terms of the first comparison; None without any.
        cpu_ratio: Processor time likewise: it varies less on a busy machine.
        memory_ratio: Resident memory likewise.
        package_bytes: Size of the zip, where there is one.
    """

    name: str
    milliseconds: tuple[float, ...]
    cpu_milliseconds: tuple[float, ...]
    resident_kb: tuple[int, ...]
    ratio: float | None
    cpu_ratio: float | None
    memory_ratio: float | None
    package_bytes: int | None

    @property
    def median(self) -> float:
        """Median time in milliseconds."""
        return median(self.milliseconds)

    @property
    def resident_mb(self) -> float:
        """Median resident memory in MB (1,048,576 bytes)."""
        return median(self.resident_kb) / 1024


@dataclass(frozen=True)
class ColdStarts:
    """What was measured in one run.

    Attributes:
        timings: The function first, then what it was compared with.
        phases: Where the function's time goes, by starts with the probe.
        marks: The probe's marks of the fastest of these.
        log_bytes: What the function writes to its log for one request.
        answer_bytes: Size of the body of an answer.
        python: Version of the function's Python.
        machine: What it ran on.
    """

    timings: tuple[Timing, ...]
    phases: tuple[Share, ...]
    marks: tuple[Mark, ...] = field(repr=False)
    log_bytes: float
    answer_bytes: float
    python: str
    machine: Mapping[str, Any]

    def document(self) -> dict[str, Any]:
        """As a JSON value."""
        return {
            "starts": len(self.timings[0].milliseconds),
            "log_bytes": self.log_bytes,
            "answer_bytes": self.answer_bytes,
            "python": self.python,
            "machine": dict(self.machine),
            "subjects": {
                timing.name: {
                    "median_ms": round(timing.median, 2),
                    "least_ms": round(min(timing.milliseconds), 2),
                    "cpu_ms": round(median(timing.cpu_milliseconds), 2),
                    "ratio": _rounded(timing.ratio),
                    "cpu_ratio": _rounded(timing.cpu_ratio),
                    "resident_mb": round(timing.resident_mb, 2),
                    "memory_ratio": _rounded(timing.memory_ratio),
                    "package_bytes": timing.package_bytes,
                }
                for timing in self.timings
            },
            "phases": [
                {"phase": share.phase, "module": share.module, "milliseconds": round(share.milliseconds, 3)}
                for share in self.phases
            ],
        }

    def over(self, max_ratio: float) -> BudgetError | None:
        """The error to raise where the function takes longer than its budget.

        What counts is the lower of the median ratio and the ratio of the least times, so that a busy machine
        does not fail a build.
        """
        first, other = self.timings[:2]
        assert first.ratio is not None  # noqa: S101 - there is another
        ratio = min(first.ratio, min(first.milliseconds) / min(other.milliseconds))
        if ratio <= max_ratio:
            return None
        own = [share for share in self.phases if share.phase not in {"interpreter", "client", "rest"}]
        slowest = max(own, key=lambda share: share.milliseconds)
        return BudgetError(
            f"{first.name} starts in {ratio:.2f} times what {other.name} takes; the budget is {max_ratio:g}",
            code="budget-exceeded",
            why=f"most of its own time goes to: {slowest.phase} {slowest.module}".rstrip()
            + f", {slowest.milliseconds:.1f} ms",
            mend="look at the table of phases, and at what hooks.py imports",
        )


def measure(
    function: Subject,
    others: Sequence[Subject],
    question: Callable[[], Question],
    *,
    starts: int,
    exactly: bool = True,
    progress: Callable[[int], None],
) -> ColdStarts:
    """Start every subject once in each round, and the function some more times with the probe.

    Each round asks another question. One round before the first fills the file cache and is not counted.

    Args:
        function: The function.
        others: What to compare with; ratios are to the first.
        question: Gives questions that function and comparisons answer.
        starts: Rounds.
        exactly: The function must give the artifact's plain answer; False where hooks change it.
        progress: Told how many rounds are done.

    Raises:
        ParityError: The function answers something else than the artifact predicts, or does not write
            exactly one log line and one EMF document.
        StaleError: A start wrote into its task root, which on Lambda cannot be: its bytecode is incomplete.
        ExternalError: A subject does not start.
    """
    subjects = (function, *others)
    before = {subject.name: subject.files() for subject in subjects}
    rounds: list[list[Start]] = []
    for number in range(starts + 1):
        asked = question()
        done: dict[str, Start] = {}
        turn = number % len(subjects)
        for subject in (*subjects[turn:], *subjects[:turn]):
            done[subject.name] = _checked(subject, asked, exactly=exactly and subject is function)
        if number:
            rounds.append([done[subject.name] for subject in subjects])
            progress(number)
    probed = [start(function, question().event, probed=True) for _ in range(PROBED)]
    for subject in subjects:
        _require_untouched(subject, before[subject.name])
    marks = [each.marks or () for each in probed]
    return ColdStarts(
        timings=tuple(
            _timing(subject, position, rounds, compared=bool(others))
            for position, subject in enumerate(subjects)
        ),
        phases=shares(marks),
        marks=min(marks, key=lambda each: max(mark.ended for mark in each)),
        log_bytes=median(sum(len(line) + 1 for line in each[0].lines) for each in rounds),
        answer_bytes=median(len(each[0].answer["body"]) for each in rounds),
        python=function.runtime.python,
        machine={"system": platform.system(), "architecture": platform.machine(), "cores": os.cpu_count()},
    )


def _checked(subject: Subject, asked: Question, *, exactly: bool) -> Start:
    done = start(subject, asked.event)
    if subject.name != EMPTY:
        asked.check(done.answer, exactly=exactly)
    if exactly:
        require_one_record(done.lines)
    return done


def require_one_record(lines: Sequence[str]) -> None:
    """Hold a log to exactly one line about the request and one EMF document.

    Raises:
        ParityError: There are more, fewer or others.
    """
    try:
        documents = [json.loads(line) for line in lines]
    except ValueError:
        documents = []
    embedded = [document for document in documents if "_aws" in document]
    if (len(lines), len(documents), len(embedded)) != (2, 2, 1):
        raise ParityError(
            "a request must leave one log line and one EMF document",
            code="wrong-log",
            why="\n".join(lines)[:2000] or "the log is empty",
        )


def _require_untouched(subject: Subject, before: frozenset[str]) -> None:
    if written := sorted(subject.files() - before):
        raise StaleError(
            f"{subject.name} wrote {len(written)} files into its task root, which is read-only on Lambda",
            code="task-root-written",
            where=", ".join(written[:5]),
            why="bytecode is missing in the package, so that every cold start on Lambda compiles again",
            mend=f"install Python {'.'.join(subject.runtime.python.split('.')[:2])} and package again",
        )


def _timing(subject: Subject, position: int, rounds: Sequence[Sequence[Start]], *, compared: bool) -> Timing:
    mine = [each[position] for each in rounds]
    base = [each[1] for each in rounds] if compared else None
    return Timing(
        name=subject.name,
        milliseconds=tuple(each.milliseconds for each in mine),
        cpu_milliseconds=tuple(each.cpu_milliseconds for each in mine),
        resident_kb=tuple(each.resident_kb for each in mine),
        ratio=_ratio(mine, base, lambda each: each.milliseconds),
        cpu_ratio=_ratio(mine, base, lambda each: each.cpu_milliseconds),
        memory_ratio=_ratio(mine, base, lambda each: each.resident_kb),
        package_bytes=subject.package_bytes,
    )


def _ratio(
    mine: Sequence[Start], base: Sequence[Start] | None, figure: Callable[[Start], float]
) -> float | None:
    """The median over rounds of a figure in terms of the same round's figure of another subject."""
    if base is None:
        return None
    return median(figure(one) / figure(other) for one, other in zip(mine, base, strict=True))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
