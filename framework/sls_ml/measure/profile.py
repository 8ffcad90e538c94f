"""Where the time of a start goes: the probe's marks as a table of phases and modules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from sls_ml.measure.start import Mark

ORDER = (
    "interpreter",
    "client",
    "imports",
    "fetch",
    "verify",
    "open",
    "session",
    "first prediction",
    "request",
    "rest",
)
"""Phases in the order of a start; `rest` is what lies between: handing over events and answers."""


@dataclass(frozen=True)
class Share:
    """A part of a start: its phase, the top-level module where it is an import, and its milliseconds."""

    phase: str
    module: str
    milliseconds: float


def shares(starts: Sequence[Iterable[Mark]]) -> tuple[Share, ...]:
    """Medians over several starts of the time spent in each phase and each top-level module.

    Time is counted where it is spent: what is imported while a session is made is an import.
    """
    counted: dict[tuple[str, str], list[float]] = defaultdict(list)
    for marks in starts:
        for key, seconds in _exclusive(marks).items():
            counted[key].append(seconds * 1000)
    found = [
        Share(phase, module, median(values + [0.0] * (len(starts) - len(values))))
        for (phase, module), values in counted.items()
    ]
    return tuple(sorted(found, key=lambda share: (ORDER.index(share.phase), -share.milliseconds)))


def nested(marks: Iterable[Mark]) -> tuple[tuple[int, Mark], ...]:
    """Marks in the order of their beginning, each with how many others it lies inside."""
    found: list[tuple[int, Mark]] = []
    open_: list[Mark] = []
    for mark in sorted(marks, key=lambda mark: (mark.begun, -mark.ended)):
        while open_ and open_[-1].ended < mark.ended:
            open_.pop()
        found.append((len(open_), mark))
        open_.append(mark)
    return tuple(found)


def _exclusive(marks: Iterable[Mark]) -> dict[tuple[str, str], float]:
    """Seconds spent in each phase and module, without what lies inside and is counted there."""
    totals: dict[tuple[str, str], float] = defaultdict(float)
    path: list[Mark] = []
    for depth, mark in nested(marks):
        del path[depth:]
        totals[_place(mark, path)] += mark.seconds
        if path:
            totals[_place(path[-1], path[:-1])] -= mark.seconds
        path.append(mark)
    return {key: max(0.0, seconds) for key, seconds in totals.items()}


def _place(mark: Mark, path: Sequence[Mark]) -> tuple[str, str]:
    """Which row of the table a mark's own time belongs to, given what it lies inside."""
    if mark.kind == "import":
        own = any(each.name in {"function", "request"} for each in path)
        return ("imports", mark.name.partition(".")[0]) if own else ("client", "")
    return (mark.name if mark.name in ORDER else "rest"), ""
