"""Check rows against a manifest's inputs and turn them into columns; what the model refuses, we refuse.

Columns are a list with one ``(dtype, values)`` per manifest input, in the manifest's order. `values` is an
``array.array`` with typecode ``d`` (float64), ``f`` (float32), ``q`` (int64) or ``b`` (bool as 0 and 1),
where a missing value is NaN, or a list of str, where a missing value is already replaced. Where all are
float64, a `Matrix` may stand for the list.
"""

from __future__ import annotations

from array import array
from itertools import chain, cycle
from operator import countOf, ge, itemgetter, le
from struct import error as StructError  # noqa: N812 - a class
from struct import pack

from sls_ml_runtime.errors import Refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any, TypeAlias

    Column = tuple[str, "array[Any] | list[str]"]
    Columns: TypeAlias = "list[Column] | Matrix"

TYPECODES = {"float64": "d", "float32": "f", "int64": "q", "int32": "i", "bool": "b"}
"""The ``array.array`` typecode of each numeric dtype."""

_NAN = float("nan")
_INFINITY = float("inf")
_NONE = type(None)
_FEW = 12
"""As many inputs are named in a message."""
_EXACT = 1 << 53
_MISSING = ("\ufdd0", "\ufdd1")
"""What missing texts are for graphs: characters that Unicode keeps out of texts."""
_FLOATS = ("float64", "float32")
_NUMBER_TYPES: set[type] = {float, int}
_TYPES: dict[str, set[type]] = {
    "float64": _NUMBER_TYPES,
    "float32": _NUMBER_TYPES,
    "int64": {int},
    "bool": {bool},
    "string": {str},
}
_ASKED = {"float64": "a number", "float32": "a number", "int64": "an integer", "bool": "true or false"}


def columns_from_rows(manifest: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Columns:
    """Turn plain rows, one mapping of input name to value per row, into columns.

    Raises:
        Refusal: 422 with field and row, at the first value that is outside the model's domain.
    """
    return Signature(manifest).columns_from_rows(rows)


def columns_from_table(manifest: Mapping[str, Any], table: Mapping[str, Sequence[Any]]) -> Columns:
    """Turn a table, one sequence of values per input name, all of one length, into columns.

    Raises:
        Refusal: 422 with field and row, at the first value that is outside the model's domain.
    """
    return Signature(manifest).columns_from_table(table)


def row_count(columns: Columns) -> int:
    """The number of rows that columns hold."""
    if isinstance(columns, Matrix):
        return len(columns.flat) // columns.width
    return len(columns[0][1])


class Matrix:
    """Columns of float64 that stay row by row, as they came and as most engines want them.

    Args:
        flat: All values, row-major.
        width: The number of columns.

    Attributes:
        flat: As given.
        width: As given.
    """

    __slots__ = ("flat", "width")

    def __init__(self, flat: array[float], width: int) -> None:
        self.flat = flat
        self.width = width

    def __len__(self) -> int:
        return self.width

    def __getitem__(self, position: int) -> Column:
        return "float64", self.flat[range(self.width)[position] :: self.width]

    def __iter__(self) -> Iterator[Column]:
        return map(self.__getitem__, range(self.width))


class Signature:
    """The inputs of a manifest, prepared for checking many requests.

    Attributes:
        inputs: The inputs, in the manifest's order.
        names: Their names.
        doubles: All are float64 without categories, and there are several.
    """

    __slots__ = ("_bounded", "_high", "_low", "_values", "doubles", "inputs", "names")

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        self.inputs = [Input(entry) for entry in manifest["inputs"]]
        self.names = {field.name for field in self.inputs}
        # Gives the values of a row in the order of the inputs, where there are several.
        self._values = itemgetter(*[field.name for field in self.inputs]) if self.inputs[1:] else None
        self.doubles = self._values is not None and all(
            field.dtype == "float64" and field.categories is None for field in self.inputs
        )
        self._low = [field.low for field in self.inputs]
        self._high = [field.high for field in self.inputs]
        self._bounded = max(self._low, default=0) > -_INFINITY or min(self._high, default=0) < _INFINITY

    def columns_from_rows(self, rows: Sequence[Mapping[str, Any]]) -> Columns:
        """As the function of this name."""
        inputs, names = self.inputs, self.names
        if self.doubles and (columns := self._columns_of_doubles(rows)):
            return columns
        complete = True
        for position, row in enumerate(rows):
            if row.keys() != names:
                self._check_names(row, position)
                complete = False  # it lacks a nullable input
        if complete:
            return [(field.dtype, field.convert([row[field.name] for row in rows])) for field in inputs]
        return [(field.dtype, field.convert([row.get(field.name) for row in rows])) for field in inputs]

    def _columns_of_doubles(self, rows: Sequence[Mapping[str, Any]]) -> Matrix | None:
        """The columns where a look at all values together shows that each is inside the domain, else None.

        Rows of doubles are the most common request by far.
        """
        try:
            values = list(chain.from_iterable(map(self._values, rows)))  # type: ignore[arg-type]
        except KeyError:
            return None
        if not _NUMBER_TYPES.issuperset(map(type, values)) or {*map(len, rows)} != {len(self.inputs)}:
            return None
        return self.matrix(values)

    def matrix(self, values: list[float]) -> Matrix | None:
        """The columns of numbers that came row by row, else None: one is outside the domain.

        Args:
            values: Numbers, float or int, for all inputs of each row.
        """
        try:
            if not -_INFINITY < sum(values) < _INFINITY or (self._bounded and not self._are_inside(values)):
                return None
            return Matrix(array("d", pack(f"{len(values)}d", *values)), len(self.inputs))
        except (OverflowError, StructError):
            return None

    def _are_inside(self, values: Sequence[float]) -> bool:
        """Whether each value, row by row, is within the bounds of its input; mostly all have the same."""
        if min(values) >= max(self._low) and max(values) <= min(self._high):
            return True
        return all(map(le, cycle(self._low), values)) and all(map(ge, cycle(self._high), values))

    def columns_from_table(self, table: Mapping[str, Sequence[Any]]) -> Columns:
        """As the function of this name."""
        count = max((len(values) for values in table.values()), default=0)
        self._check_names(table, None)
        for name, values in table.items():
            if len(values) != count:
                message = f"{name} has {len(values)} values, another column {count}"
                raise Refusal(422, "ragged-columns", message, name)
        if count == 1 and self.doubles:
            row = {name: values[0] for name, values in table.items()}
            if columns := self._columns_of_doubles([row]):
                return columns
        absent = [None] * count
        return [(field.dtype, field.convert(table.get(field.name, absent))) for field in self.inputs]

    def separate(self, table: Mapping[str, Sequence[Any]]) -> tuple[Columns, list[int], list[Refusal]]:
        """Columns of the rows that are inside the domain, for a batch that goes on without the others.

        Args:
            table: One sequence of values per input name; a table with unknown or missing names is refused
                as a whole.

        Returns:
            The columns, the positions of the rows in them, and one refusal (the first) per row left out.
        """
        try:
            columns = self.columns_from_table(table)
        except Refusal as first:
            if first.row is None:
                raise
        else:
            return columns, list(range(row_count(columns))), []
        refusals: dict[int, Refusal] = {}
        for field in self.inputs:
            for refusal in field.faults(table.get(field.name, ())):
                refusals.setdefault(refusal.row or 0, refusal)
        count = max(len(values) for values in table.values())
        kept = [row for row in range(count) if row not in refusals]
        inside = {name: [values[row] for row in kept] for name, values in table.items()}
        return self.columns_from_table(inside), kept, [refusals[row] for row in sorted(refusals)]

    def _check_names(self, given: Mapping[str, Any], row: int | None) -> None:
        """Refuse a row, or a table (then `row` is None), that lacks a name or has one too many."""
        for field in self.inputs:
            if not field.nullable and field.name not in given:
                raise Refusal(422, "missing-field", f"{field.name} is missing", field.name, row)
        for name in given:
            if name not in self.names:
                few = len(self.names) <= _FEW
                known = ", ".join(field.name for field in self.inputs) if few else "those of GET /metadata"
                message = f"the model has no input {_short(name)}; it has {known}"
                raise Refusal(422, "unknown-field", message, str(name)[:80], row)


class Input:
    """One input of the model: what its values may be, and how they become an array."""

    __slots__ = (
        "categories",
        "dtype",
        "finite",
        "high",
        "low",
        "name",
        "null",
        "nullable",
        "reserved",
        "typecode",
        "types",
    )

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self.name: str = entry["name"]
        self.dtype: str = entry["dtype"]
        self.nullable: bool = entry.get("nullable", False)
        self.finite: bool = entry.get("finite", True)
        self.low: float
        self.high: float
        self.low, self.high = entry.get("range") or (-_INFINITY, _INFINITY)
        categories = entry.get("categories")
        self.categories = None if categories is None else frozenset(categories)
        self.null: str = entry.get("null", "")
        self.reserved = frozenset((*_MISSING, self.null) if self.nullable and self.null else _MISSING)
        self.typecode = TYPECODES.get(self.dtype, "")
        self.types = _TYPES[self.dtype]

    def convert(self, values: Sequence[Any]) -> array[Any] | list[str]:
        """Turn plain values into an array, or a list of str for a string input.

        Raises:
            Refusal: The first value that is outside the domain.
        """
        converted = self._texts(values) if self.dtype == "string" else self._numbers(values)
        if converted is not None:
            return converted
        for refusal in self.faults(values):
            raise refusal
        if self.dtype == "string":
            return [self.null if value is None else value for value in values]
        if self.dtype == "int64":
            return array("q", map(int, values))
        return array(self.typecode, [_NAN if value is None else value for value in values])

    def _numbers(self, values: Sequence[Any]) -> array[Any] | None:
        """The array when a look at all values together shows that each is inside the domain, else None."""
        if type(values) is not array and (
            self.typecode != "d" or countOf(map(type, values), float) != len(values)
        ):
            types = set(map(type, values))
            if self.nullable and _NONE in types and self.dtype in _FLOATS:
                types.discard(_NONE)
                values = [_NAN if value is None else value for value in values]
            if not types <= self.types:
                return None
        elif type(values) is array and values.typecode != self.typecode:
            return self._numbers(values.tolist())
        try:
            numbers = self._array(values)
            # A float32 may be infinite where the value is not; but an array makes an object of each number.
            total = sum(numbers if self.dtype == "float32" else values)
        except OverflowError:
            return None
        present: Sequence[Any] = numbers
        if not -_INFINITY < total < _INFINITY:
            if not self.nullable:
                return None
            present = [number for number in numbers if number == number]  # noqa: PLR0124 - NaN
            if not -_INFINITY < sum(present) < _INFINITY:
                return None
        bounded = self.low > -_INFINITY or self.high < _INFINITY
        inside = not bounded or not present or (min(present) >= self.low and max(present) <= self.high)
        known = self.categories is None or self.categories.issuperset(present)
        return numbers if inside and known else None

    def _array(self, values: Sequence[Any]) -> array[Any]:
        if self.typecode == "d" and type(values) is not array:
            try:
                return array("d", pack(f"{len(values)}d", *values))
            except StructError as error:  # an integer beyond all doubles
                raise OverflowError from error
        return array(self.typecode, values)

    def _texts(self, values: Sequence[Any]) -> list[str] | None:
        """The list when a look at all values together shows that each is inside the domain, else None."""
        try:
            joined = "".join(values)
            joined.encode()
        except (TypeError, UnicodeEncodeError):
            return None
        if "\0" in joined or not self.reserved.isdisjoint(values):
            return None
        if self.categories is not None and not self.categories.issuperset(values):
            return None
        return list(values)

    def faults(self, values: Sequence[Any]) -> Iterator[Refusal]:
        """Yield one refusal for each value outside the domain, in row order."""
        for row, value in enumerate(values):
            fault = self._fault(value)
            if fault is not None:
                yield Refusal(422, fault[0], f"{self.name} {fault[1]}", self.name, row)

    def _fault(self, value: Any) -> tuple[str, str] | None:
        """What is wrong with one value: a code, and the rest of a sentence that starts with the name."""
        if value is None or value != value:  # noqa: PLR0124 - NaN
            if self.nullable and (self.dtype in _FLOATS or (self.dtype == "string" and value is None)):
                return None
            return ("missing-value", "is missing, and the model does not accept missing values here")
        return self._text_fault(value) if self.dtype == "string" else self._number_fault(value)

    def _text_fault(self, value: Any) -> tuple[str, str] | None:
        if type(value) is not str:
            return ("wrong-type", f"must be text, not {_kind(value)}")
        if "\0" in value:
            return ("bad-text", "holds a NUL character")
        try:
            value.encode()
        except UnicodeEncodeError:
            return ("bad-text", "holds half of a surrogate pair")
        if value in self.reserved:
            return ("bad-text", f"is {_short(value)}, which stands for a missing text; send null for it")
        if self.categories is not None and value not in self.categories:
            return ("unknown-category", f"is {_short(value)}, which the model was not trained on")
        return None

    def _number_fault(self, value: Any) -> tuple[str, str] | None:
        whole = self.dtype == "int64" and type(value) is float and value.is_integer() and abs(value) <= _EXACT
        if type(value) not in self.types and not whole:
            found = repr(value) if type(value) is float else _kind(value)
            return ("wrong-type", f"must be {_ASKED[self.dtype]}, not {found}")
        try:
            number = array(self.typecode, (int(value) if whole else value,))[0]
        except OverflowError:
            return ("out-of-range", f"is too large for {self.dtype}")
        if self.finite and not -_INFINITY < number < _INFINITY:
            return ("not-finite", "is infinite, and the model accepts finite numbers only")
        if not self.low <= number <= self.high:
            return ("out-of-range", f"is {_short(value)}, outside {self.low!r} to {self.high!r}")
        if self.categories is not None and number not in self.categories:
            return ("unknown-category", f"is {_short(value)}, which the model was not trained on")
        return None


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "true or false"
        case str():
            return "text"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case _:
            return "an object"


def _short(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."
