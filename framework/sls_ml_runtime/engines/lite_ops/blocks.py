"""Operations on blocks of values: sums, extremes, positions, orders and scores.

A register holds one or more blocks of `width` values; each block is worked on by itself.
"""

from __future__ import annotations

import math
from array import array
from itertools import accumulate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from sls_ml_runtime.engines.lite import Read, Registers, Step


def _largest(block: Sequence[Any]) -> Any:
    """The largest value, NaN where there is one."""
    largest = max(block)
    return next((v for v in block if v != v), largest)  # noqa: PLR0124 - NaN


def _smallest(block: Sequence[Any]) -> Any:
    """The smallest value, NaN where there is one."""
    smallest = min(block)
    return next((v for v in block if v != v), smallest)  # noqa: PLR0124 - NaN


def _log_sum_exp(block: Sequence[float]) -> float:
    top: float = _largest(block)
    if math.isinf(top) or top != top:  # noqa: PLR0124 - NaN
        return top
    return top + math.log(sum(math.exp(v - top) for v in block))


_REDUCTIONS: dict[str, Callable[[Sequence[Any]], Any]] = {
    "l1": lambda block: sum(map(abs, block)),
    "l2": lambda block: math.sqrt(sum(v * v for v in block)),
    "log_sum_exp": _log_sum_exp,
    "max": _largest,
    "mean": lambda block: sum(block) / len(block),
    "min": _smallest,
    "position_of_max": lambda block: max(range(len(block)), key=block.__getitem__),
    "position_of_min": lambda block: min(range(len(block)), key=block.__getitem__),
    "prod": math.prod,
    "sum": sum,
    "sum_square": lambda block: sum(v * v for v in block),
}


def _softmax(block: Sequence[float]) -> list[float]:
    top = max(block)
    grown = [math.exp(v - top) for v in block]
    total = sum(grown)
    return [v / total for v in grown]


def _softmax_zero(block: Sequence[float]) -> list[float]:
    """Softmax that leaves zeros as they are."""
    top = max(block)
    grown = [math.exp(v - top) if abs(v) > 1e-7 else v * math.exp(min(-top, 700.0)) for v in block]
    total = sum(grown)
    return [v / total for v in grown]


def _log_softmax(block: Sequence[float]) -> list[float]:
    total = _log_sum_exp(block)
    return [v - total for v in block]


def _over(norm: Callable[[Sequence[float]], float]) -> Callable[[Sequence[float]], Sequence[float]]:
    """Division by a norm, where that is not zero."""

    def normalise(block: Sequence[float]) -> Sequence[float]:
        length = norm(block)
        return [v / length for v in block] if length else block

    return normalise


_SCORINGS: dict[str, Callable[[Sequence[Any]], Sequence[Any]]] = {
    "cumulative_sum": lambda block: list(accumulate(block)),
    "log_softmax": _log_softmax,
    "over_l1": _over(lambda block: sum(map(abs, block))),
    "over_l2": _over(lambda block: math.sqrt(sum(v * v for v in block))),
    "over_max": _over(max),
    "softmax": _softmax,
    "softmax_zero": _softmax_zero,
}


def _reduce(_: Read, out: int, x: int, kind: str, width: int, single: bool) -> Step:
    """One value for each block."""
    function = _REDUCTIONS[kind]

    def step(registers: Registers) -> None:
        values = registers[x]
        if len(values) == width:
            results = [function(values)]
        else:
            results = [function(values[start : start + width]) for start in range(0, len(values), width)]
        registers[out] = array("f", results) if single else results

    return step


def _score(_: Read, out: int, x: int, kind: str, width: int, single: bool) -> Step:
    """As many values for each block as it has."""
    function = _SCORINGS[kind]

    def step(registers: Registers) -> None:
        values = registers[x]
        if len(values) == width:
            results = function(values)
        else:
            results = [
                v for start in range(0, len(values), width) for v in function(values[start : start + width])
            ]
        registers[out] = array("f", results) if single else results

    return step


def _top(_: Read, out: int, x: int, width: int, count: int, largest: bool) -> Step:
    """The positions of the first `count` values of each block in their order, equal ones as they come."""

    def step(registers: Registers) -> None:
        values = registers[x]
        positions: list[int] = []
        for start in range(0, len(values), width):
            key = values[start : start + width].__getitem__
            positions += sorted(range(width), key=key, reverse=largest)[:count]
        registers[out] = positions

    return step


def _take(_: Read, out: int, x: int, positions: int, width: int, count: int) -> Step:
    """For each block of `width` values, those at `count` positions that another register holds."""

    def step(registers: Registers) -> None:
        values, chosen = registers[x], registers[positions]
        if len(chosen) == count:
            registers[out] = [values[position] for position in chosen]
        else:
            registers[out] = [
                values[index // count * width + position] for index, position in enumerate(chosen)
            ]

    return step


def _second_class(_: Read, out: int, x: int, kind: str) -> Step:
    """The scores of both classes from the float32 score of the second."""

    def step(registers: Registers) -> None:
        (score,) = registers[x]
        if kind == "complement":
            both = (1.0 - score, score)
        elif kind == "mirror":
            both = (-score, score)
        else:
            grown = math.exp(-abs(score))
            large, small = 1.0 / (1.0 + grown), grown / (1.0 + grown)
            both = (small, large) if score >= 0 else (large, small)
        registers[out] = array("f", both)

    return step


OPERATIONS: dict[str, Callable[..., Step]] = {
    "blocks.reduce": _reduce,
    "blocks.score": _score,
    "blocks.second_class": _second_class,
    "blocks.take": _take,
    "blocks.top": _top,
}
