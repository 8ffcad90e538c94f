"""CSV, as batches speak it: records and their place in a stream in, columns of results out.

The form is RFC 4180 in UTF-8: commas, double quotes, a header. An empty cell is a missing value; so is NaN in
a column of numbers. A cell that is not what its column asks for stays text, so that the signature refuses it
as it refuses a JSON value of the wrong type.
"""

from __future__ import annotations

import csv
from io import StringIO

from sls_ml_runtime.errors import Refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any, Protocol

    class Stream(Protocol):
        """Bytes, read in order."""

        def read(self, size: int, /) -> bytes:
            """Up to `size` bytes, empty at the end."""

    Record = list[str]

MAX_LINE = 1 << 20
"""Longest line in bytes, and longest cell: one that never ends must not fill the memory."""

csv.field_size_limit(MAX_LINE)  # of itself it is an eighth of that

_BLOCK = 1 << 18
_BOM = b"\xef\xbb\xbf"
_OTHER_FORMS = {
    b"\xff\xfe": "in UTF-16 or UTF-32",
    b"\xfe\xff": "in UTF-16 or UTF-32",
    b"\x1f\x8b": "compressed by gzip",
    b"PK\x03\x04": "a ZIP or Excel file",
    b"PAR1": "in Parquet",
}
_ORDER = ("label", "probability", "value", "score", "transformed")
_BOOLS = {"true": True, "false": False, "1": True, "0": False}


class Records:
    """The records of one CSV stream, each a list of cells, read without holding more than a block.

    Attributes:
        position: Bytes from the start of the object to the end of the last record given: reading may start
            again there.
        ended: Whether the last record was given.
        broken: Why it ended before the object did: quoting or a line is beyond repair; else None.
        escaped: Whether a byte that is not UTF-8 was met; such bytes are lone surrogates in the cells.
    """

    __slots__ = ("_consumed", "_reader", "_stream", "broken", "ended", "escaped", "position")

    def __init__(self, stream: Stream, *, position: int = 0) -> None:
        self.position = self._consumed = position
        self.broken: Refusal | None = None
        self.ended = self.escaped = False
        self._stream = stream
        self._reader = csv.reader(self._lines(), strict=True)

    def header(self) -> Record:
        """The names in the first record.

        Raises:
            Refusal: The object is empty, not UTF-8, or not CSV.
        """
        records = self.chunk(1, MAX_LINE)
        if self.broken:
            raise self.broken
        if not records:
            raise Refusal(422, "empty-file", "the object is empty; at least a header is needed")
        names = records[0]
        for name in names:
            if not _encodable(name):
                raise Refusal(422, "not-utf8", "the header is not text in UTF-8")
        return names

    def chunk(self, rows: int, size: int) -> list[Record]:
        """The next records, at most `rows` of them and about `size` bytes; empty at the end.

        Blank lines are passed over, as every CSV reader for tables does.
        """
        records: list[Record] = []
        if self.ended:
            return records
        stop = self._consumed + size
        try:
            for record in self._reader:
                if not record:
                    continue
                records.append(record)
                self.position = self._consumed
                if len(records) >= rows or self._consumed >= stop:
                    return records
        except csv.Error as error:
            self.broken = Refusal(422, "broken-csv", f"the object is not CSV from here on: {error}")
        except _Refused as refused:
            self.broken = refused.refusal
        self.ended = True
        return records

    def _lines(self) -> Iterator[str]:
        rest = b""
        first = self._consumed == 0
        while block := self._stream.read(_BLOCK):
            lines = (rest + block).split(b"\n")
            if first:
                lines[0] = self._without_bom(lines[0])
                first = False
            rest = lines.pop()
            self._check_length(rest)
            for line in lines:
                self._check_length(line)
                self._consumed += len(line) + 1
                yield self._text(line) + "\n"
        if rest:
            self._consumed += len(rest)
            yield self._text(rest)

    def _text(self, line: bytes) -> str:
        try:
            return line.decode()
        except UnicodeDecodeError:
            self.escaped = True
            return line.decode("utf-8", "surrogateescape")

    def _check_length(self, line: bytes) -> None:
        if len(line) > MAX_LINE:
            raise _Refused(Refusal(422, "line-too-long", f"a line is longer than {MAX_LINE} bytes"))

    def _without_bom(self, line: bytes) -> bytes:
        for start, form in _OTHER_FORMS.items():
            if line.startswith(start):
                message = f"the object is {form}; plain text in UTF-8 is needed"
                raise _Refused(Refusal(422, "not-utf8", message))
        if line.startswith(_BOM):
            self._consumed += len(_BOM)
            return line[len(_BOM) :]
        return line


class _Refused(Exception):  # noqa: N818 - carries a refusal through csv's reader
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def faults(
    records: Sequence[Record], names: Sequence[str], *, escaped: bool, header: bool = True
) -> dict[int, Refusal]:
    """What is wrong with records before their cells are parsed: the number of cells, or their encoding.

    Args:
        records: Records of one chunk.
        names: Names of the columns.
        escaped: `Records.escaped`; without it no cell needs to be looked at.
        header: Whether there was a header; else the names are the model's.

    Returns:
        Position in `records` to refusal.
    """
    found: dict[int, Refusal] = {}
    count = len(names)
    for position, record in enumerate(records):
        if len(record) != count:
            message = f"the row has {len(record)} cells, the {'header' if header else 'model'} {count}"
            found[position] = Refusal(422, "cell-count", message)
        elif escaped:
            for name, cell in zip(names, record, strict=True):
                if not _encodable(cell):
                    found[position] = Refusal(422, "not-utf8", f"{name} is not text in UTF-8", name)
                    break
    return found


def values(dtype: str, cells: Sequence[str]) -> list[Any]:
    """The values of one column's cells: None or NaN where missing, the text itself where it does not fit."""
    if dtype == "string":
        return [cell or None for cell in cells]
    if dtype == "bool":
        return [_bool(cell) for cell in cells]
    parse = int if dtype == "int64" else float
    text = "".join(cells)
    if text.isascii() and "_" not in text:  # Python reads 1_000 and other scripts' digits, CSV does not
        try:
            return [parse(cell or "nan") for cell in cells]
        except ValueError:
            pass
    return [_number(parse, cell) for cell in cells]


def write_record(record: Record) -> str:
    """A record as one line of CSV, without the line's end."""
    text = StringIO(newline="")
    csv.writer(text, lineterminator="").writerow(record)
    return text.getvalue()


def output_columns(manifest: Mapping[str, Any]) -> list[str]:
    """Names of the columns that a model adds: label, probability_<class>, value or value_0, value_1 ...

    Where a row has several labels: label_0, label_1 ..., probability_0_<class> ...
    """
    names: list[str] = []
    for output in _ordered(manifest):
        key, count = output["key"], output["columns"]
        if key == "probability":
            names += _of_classes(manifest["classes"])
        elif count is None or count == 1:
            names.append(key)
        else:
            names += [f"{key}_{position}" for position in range(count)]
    return names


def columns_of_answer(manifest: Mapping[str, Any], answer: Mapping[str, Any]) -> list[Sequence[Any]]:
    """The plain answer as one sequence per name of `output_columns`; a number that is not finite is None."""
    columns: list[Sequence[Any]] = []
    for output in _ordered(manifest):
        given = answer[output["key"]]
        if output["columns"] is None:
            columns.append(given)
        elif given and given[0] and type(given[0][0]) is list:
            for label in zip(*given, strict=True):
                columns.extend(zip(*label, strict=True))
        else:
            columns.extend([row[position] for row in given] for position in range(output["columns"]))
    return columns


def _of_classes(classes: Sequence[Any]) -> list[str]:
    if classes and type(classes[0]) is list:
        return [f"probability_{at}_{name}" for at, each in enumerate(classes) for name in each]
    return [f"probability_{name}" for name in classes]


def _ordered(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return sorted(manifest["outputs"], key=lambda output: _ORDER.index(output["key"]))


def _bool(cell: str) -> Any:
    text = cell.strip().lower()
    return None if text in {"", "nan"} else _BOOLS.get(text, cell)


def _number(parse: type[int | float], cell: str) -> Any:
    text = cell.strip()
    if not text or text.lower() == "nan":
        return None
    if "_" in text or not text.isascii():
        return cell
    for read in (parse, float):  # 41.0 in a column of integers is left to the signature
        try:
            return read(text)
        except ValueError:
            continue
    return cell


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
