"""The alarms, each said once: how long it looks, how it takes missing data, what to do, where to read on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sls_ml.intent.model import Alarm, Measure


@dataclass(frozen=True)
class _Row:
    """What does not depend on the spec; `periods` are (seconds of one, how many, of these breaching)."""

    periods: tuple[int, int, int]
    mend: str
    missing: Literal["fine", "unchanged", "wrong"] = "fine"
    release: bool = False
    raised: Literal["above", "below"] = "above"
    anchor: str = ""


_TABLE: Mapping[str, _Row] = {
    "failed-calls": _Row(
        (60, 3, 2), "Look at the log for ERROR lines; if it began with a release, roll back.", release=True
    ),
    "failed-tries": _Row(
        (300, 3, 2),
        "Look at the log for `failed`; if it began with a release, roll back. Events are tried again.",
        release=True,
        anchor="failed-calls",
    ),
    "slow-answers": _Row(
        (60, 5, 3),
        "Compare rows per request with last week; give more memory, or roll back a slower model.",
        release=True,
    ),
    "rejected-input": _Row(
        (300, 3, 2), "See in the log which field is refused, and tell the caller that sends it."
    ),
    "dead-letters": _Row(
        (300, 1, 1),
        "Read the log of the object, mend the cause, then move the messages back to the queue.",
        missing="unchanged",
    ),
    "objects-wait": _Row(
        (300, 3, 2),
        "See whether tries fail or whether more arrives than is scored; reserve more concurrency.",
    ),
    "refused-objects": _Row(
        (300, 1, 1),
        "Read the manifest of its result: it counts the reasons. Ask its sender for a right one.",
    ),
    "silence": _Row(
        (300, 1, 1),
        "Ask whoever calls whether they do; send a request yourself, and see which part is away.",
        missing="wrong",
        raised="below",
    ),
    "concurrency": _Row(
        (60, 5, 3),
        "Raise concurrency.reserved before calls are refused, or find who calls more than before.",
    ),
    "refused-calls": _Row(
        (60, 5, 3), "Raise concurrency.reserved, or ask for more concurrency of the account."
    ),
    "failed-starts": _Row(
        (300, 1, 1),
        "Read the reason in the log (init_failed); put the artifact back into the store, or roll back.",
        release=True,
    ),
    "failed-follows": _Row(
        (300, 1, 1),
        "Read the reason in the log (the alias cannot be followed); move the alias, or deploy.",
    ),
    "drift": _Row(
        (3600, 1, 1),
        "Run `sls-ml drift` to see which; find out what changed in the data, or train on data of today.",
        missing="unchanged",
    ),
}


def alarm(
    row: str, measure: Measure, threshold: float, what: str, *, periods: int = 0, name: str = ""
) -> Alarm:
    """An alarm of the table.

    Args:
        row: Which.
        measure: The number that is watched.
        threshold: What it is compared with.
        what: What has happened, a clause.
        periods: How many there are, all of them breaching, in place of the table's.
        name: What it is called where the signal is not its name.
    """
    found = _TABLE[row]
    seconds, many, breaching = found.periods
    return Alarm(
        measure,
        threshold,
        seconds=seconds,
        periods=periods or many,
        breaching=periods or breaching,
        missing=found.missing,
        release=found.release,
        what=what,
        mend=found.mend,
        anchor=found.anchor or row,
        raised=found.raised,
        name=name,
    )
