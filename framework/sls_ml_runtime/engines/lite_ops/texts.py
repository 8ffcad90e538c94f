"""Operations on texts: case, words, and how often each known run of words occurs."""

from __future__ import annotations

import re
from array import array

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sls_ml_runtime.engines.lite import Read, Registers, Step

_SEAM = "\0"
"""Stands between the words of a run."""


def _case(_: Read, out: int, x: int, upper: bool) -> Step:
    """Change the case of each text."""
    change = str.upper if upper else str.lower

    def step(registers: Registers) -> None:
        registers[out] = list(map(change, registers[x]))

    return step


def _words(_: Read, out: int, x: int, pattern: str, shortest: int) -> Step:
    """Split one text into the words that a pattern finds; the result is as long as there are words."""
    find = re.compile(pattern).findall

    def step(registers: Registers) -> None:
        (text,) = registers[x]
        registers[out] = [word for word in find(text) if len(word) >= shortest]

    return step


def _counts(
    read: Read,
    out: int,
    x: int,
    pools: Sequence[tuple[int, Sequence[str]]],
    columns: int,
    width: int,
    present: bool,
    weights: int | None,
) -> Step:
    """Count the known runs of words, in float32.

    Args:
        read: Reads an array of the program by its position.
        out: Register of the result: a number per column.
        x: Register of the words.
        pools: For each length of a run, the known runs: their words one after the other.
        columns: Array of the column of each known run, in the order of the pools.
        width: The number of columns.
        present: Whether a run counts once only.
        weights: Array of what each count is multiplied with, in the order of the pools; None for 1.
    """
    places = iter(read(columns).tolist())
    known: list[tuple[int, dict[str, int]]] = []
    for length, words in pools:
        runs = [_SEAM.join(words[start : start + length]) for start in range(0, len(words), length)]
        known.append((length, dict(zip(runs, places, strict=False))))
    factor = [1.0] * width
    if weights is not None:
        for column, weight in zip(read(columns), read(weights), strict=True):
            factor[column] = weight

    def step(registers: Registers) -> None:
        words = registers[x]
        counts = [0.0] * width
        for length, runs in known:
            for start in range(len(words) - length + 1):
                column = runs.get(_SEAM.join(words[start : start + length]))
                if column is not None:
                    counts[column] += factor[column]
        if present:
            counts = [weight if count else 0.0 for count, weight in zip(counts, factor, strict=True)]
        registers[out] = array("f", counts)

    return step


OPERATIONS: dict[str, Callable[..., Step]] = {
    "texts.case": _case,
    "texts.counts": _counts,
    "texts.words": _words,
}
