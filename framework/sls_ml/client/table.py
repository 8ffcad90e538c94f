"""What callers give, as tables that can be cut and sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeGuard

from sls_ml.errors import UsageError


class Frame(Protocol):
    """A DataFrame of pandas or polars."""

    @property
    def columns(self) -> Any:
        """The names of the columns."""

    def __getitem__(self, name: Any, /) -> Any:
        """One column."""


class Array(Protocol):
    """A 2-D array of numpy, or what looks like one."""

    @property
    def ndim(self) -> int:
        """How many dimensions it has."""

    def tolist(self) -> Any:
        """Its rows as lists."""


Data = Frame | Array | Sequence[Mapping[str, Any]] | Sequence[Sequence[Any]] | Sequence[str]


class Rows:
    """Rows as they were given; they need not have the same names."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def part(self, start: int, stop: int) -> Rows:
        """The rows from one position up to another."""
        return Rows(self._rows[start:stop])

    def body(self) -> bytes:
        """The body of a request for them."""
        return _encoded({"rows": self._rows})


class Columns:
    """Columns by name, which spell each name once."""

    def __init__(self, columns: Mapping[str, Sequence[Any]]) -> None:
        self._columns = columns

    def __len__(self) -> int:
        return len(next(iter(self._columns.values()), ()))

    def part(self, start: int, stop: int) -> Columns:
        """The rows from one position up to another."""
        return Columns({name: values[start:stop] for name, values in self._columns.items()})

    def body(self) -> bytes:
        """The body of a request for them."""
        return _encoded({"columns": self._columns})


def table(data: Data, inputs: Callable[[], Sequence[str]]) -> Rows | Columns:
    """The table of what a caller gave.

    Args:
        data: As `Client.predict` takes it.
        inputs: Tells the names of the model's inputs; called for data without names.

    Raises:
        UsageError: It is something else, or its width is not the model's.
    """
    if _is_frame(data):
        return Columns({str(name): [plain(each) for each in data[name].to_list()] for name in data.columns})
    rows: Any = data.tolist() if _is_array(data) else data
    if not isinstance(rows, Sequence) or isinstance(rows, str | bytes):
        kind = type(data).__name__
        raise UsageError(
            f"rows are a list, a DataFrame or an array, not a {kind}",
            code="not-rows",
            mend="give one row as a list of one: [row]",
        )
    if not rows or isinstance(rows[0], Mapping):
        return Rows([{name: plain(value) for name, value in row.items()} for row in rows])
    names = inputs()
    lists = [[row] if isinstance(row, str) else row for row in rows]
    for position, row in enumerate(lists):
        if not isinstance(row, Sequence) or len(row) != len(names):
            raise UsageError(
                f"a row must have a value for each of the model's {len(names)} inputs",
                code="wrong-width",
                where=f"row {position}",
                mend=f"its inputs: {', '.join(names)[:200]}",
            )
    return Columns({name: [plain(row[at]) for row in lists] for at, name in enumerate(names)})


def _is_frame(data: Data) -> TypeGuard[Frame]:
    return hasattr(data, "columns")


def _is_array(data: Any) -> TypeGuard[Array]:
    return hasattr(data, "tolist") and hasattr(data, "ndim")


def plain(value: Any) -> Any:
    """A value as JSON has it: missing ones are None, numbers of numpy are Python's."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return None if value != value else value  # noqa: PLR0124 - NaN alone differs from itself
    if type(value).__name__ in {"NAType", "NaTType"}:
        return None
    if hasattr(value, "item"):
        return plain(value.item())
    raise UsageError(
        f"a value is a {type(value).__name__}", code="not-a-value", mend="values are numbers, texts and bools"
    )


def _encoded(document: Any) -> bytes:
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace")
