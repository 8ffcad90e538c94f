"""Look-ups: constants by position or by key."""

from __future__ import annotations

from array import array

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from sls_ml_runtime.engines.lite import Read, Registers, Step


def _numbers_at(read: Read, out: int, positions: int, numbers: int, rows: int) -> Step:
    """The columns of a constant matrix at positions that a register holds.

    Args:
        read: Reads an array of the program by its position.
        out: Register of the result: the columns, row after row.
        positions: Register of the positions; a negative one counts from the end.
        numbers: Array of the matrix, row-major.
        rows: The number of rows.
    """
    return _at(out, positions, read(numbers).tolist(), rows)


def _texts_at(_: Read, out: int, positions: int, texts: Sequence[str]) -> Step:
    """The constant texts at positions that a register holds."""
    return _at(out, positions, texts, 1)


def _parts_at(read: Read, out: int, positions: int, numbers: int, width: int) -> Step:
    """The parts, of `width` numbers each, of a constant at positions that a register holds."""
    table = read(numbers).tolist()
    parts = [table[start : start + width] for start in range(0, len(table), width)]

    def step(registers: Registers) -> None:
        registers[out] = [number for position in registers[positions] for number in parts[position]]

    return step


def _at(out: int, positions: int, table: Sequence[Any], rows: int) -> Step:
    if rows == 1:

        def step(registers: Registers) -> None:
            registers[out] = [table[position] for position in registers[positions]]

        return step
    width = len(table) // rows
    parts = [table[start : start + width] for start in range(0, len(table), width)]

    def steps(registers: Registers) -> None:
        registers[out] = [part[position] for part in parts for position in registers[positions]]

    return steps


def _map(read: Read, out: int, x: int, keys: Any, values: Any, default: Any, single: bool) -> Step:
    """What stands beside each value in a table.

    Args:
        read: Reads an array of the program by its position.
        out: Register of the result.
        x: Register of the values.
        keys: The keys: a list of texts, or the position of an array of numbers.
        values: What stands beside the keys, in the same way.
        default: What a value gets that is no key; None for NaN.
        single: Round to float32.
    """
    known = keys if isinstance(keys, list) else read(keys).tolist()
    beside = values if isinstance(values, list) else read(values).tolist()
    table = dict(zip(reversed(known), reversed(beside), strict=True))  # the first of equal keys counts
    other = float("nan") if default is None else default
    missing = next((table[key] for key in table if key != key), other)  # noqa: PLR0124 - NaN
    find = table.get

    def step(registers: Registers) -> None:
        found = [find(v, other) if v == v else missing for v in registers[x]]  # noqa: PLR0124 - NaN
        registers[out] = array("f", found) if single else found

    return step


def _one_hot(read: Read, out: int, x: int, categories: Any) -> Step:
    """A block of float32 for each value: 1 at the place of its category, else 0.

    Args:
        read: Reads an array of the program by its position.
        out: Register of the result.
        x: Register of the values.
        categories: A list of texts, or the position of an array of numbers.
    """
    known = categories if isinstance(categories, list) else read(categories).tolist()
    place = {category: position for position, category in enumerate(known)}
    width = len(known)

    def step(registers: Registers) -> None:
        values = registers[x]
        hot = [0.0] * (len(values) * width)
        for index, value in enumerate(values):
            position = place.get(value)
            if position is not None:
                hot[index * width + position] = 1.0
        registers[out] = hot

    return step


OPERATIONS: dict[str, Callable[..., Step]] = {
    "tables.map": _map,
    "tables.numbers_at": _numbers_at,
    "tables.one_hot": _one_hot,
    "tables.parts_at": _parts_at,
    "tables.texts_at": _texts_at,
}
