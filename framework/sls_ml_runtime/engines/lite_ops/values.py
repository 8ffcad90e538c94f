"""Operations on single values: arithmetic, comparison, choice, conversion, and moving values about."""

from __future__ import annotations

import math
import operator
from array import array
from itertools import chain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from sls_ml_runtime.engines.lite import Read, Registers, Step


_INFINITY = math.inf
_NAN = math.nan
_ROUNDED = "float32"


def _divide(a: float, b: float) -> float:
    """The quotient as IEEE 754 has it, where Python raises."""
    if b:
        return a / b
    if a == 0 or a != a:  # noqa: PLR0124 - NaN
        return _NAN
    return math.copysign(_INFINITY, a) * math.copysign(1.0, b)


def _quotient(a: int, b: int) -> int:
    """Integer division that cuts towards zero."""
    return -(-a // b) if (a < 0) != (b < 0) else a // b


def _power(a: float, b: float) -> float:
    """The power as C has it, where Python raises."""
    try:
        return math.pow(a, b)
    except OverflowError:
        return -_INFINITY if a < 0 and b % 2 == 1 else _INFINITY
    except ValueError:
        if a == 0:
            return math.copysign(_INFINITY, a) if b % 2 == 1 else _INFINITY
        return _NAN


def _exp(a: float) -> float:
    try:
        return math.exp(a)
    except OverflowError:
        return _INFINITY


def _log(a: float) -> float:
    if a > 0:
        return math.log(a)
    return -_INFINITY if a == 0 else _NAN


def _sqrt(a: float) -> float:
    return math.sqrt(a) if a >= 0 else _NAN


def _sigmoid(a: float) -> float:
    if a >= 0:
        return 1.0 / (1.0 + math.exp(-a))
    grown = math.exp(a)  # NaN comes here, and stays
    return grown / (1.0 + grown)


def _relu(a: float) -> float:
    return a if not a <= 0 else 0.0


def _sign(a: float) -> float:
    return (a > 0) - (a < 0) if a == a else a  # noqa: PLR0124 - NaN


def _softplus(a: float) -> float:
    return max(a, 0.0) + math.log1p(math.exp(-abs(a)))


def _whole(function: Callable[[float], int]) -> Callable[[float], float]:
    """A rounding that leaves what is not finite as it is."""
    return lambda a: float(function(a)) if math.isfinite(a) else a


def _larger(a: float, b: float) -> float:
    return a if a > b or a != a else b  # noqa: PLR0124 - NaN


def _smaller(a: float, b: float) -> float:
    return a if a < b or a != a else b  # noqa: PLR0124 - NaN


_UNARY: dict[str, Callable[[Any], Any]] = {
    "abs": abs,
    "ceil": _whole(math.ceil),
    "erf": math.erf,
    "exp": _exp,
    "floor": _whole(math.floor),
    "isinf": math.isinf,
    "isnan": math.isnan,
    "log": _log,
    "neg": operator.neg,
    "not": operator.not_,
    "reciprocal": lambda a: _divide(1.0, a),
    "relu": _relu,
    "round": _whole(round),
    "sigmoid": _sigmoid,
    "sign": _sign,
    "softplus": _softplus,
    "sqrt": _sqrt,
    "tanh": math.tanh,
}

_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "and": operator.and_,
    "div": operator.truediv,
    "equal": operator.eq,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "less": operator.lt,
    "less_equal": operator.le,
    "max": _larger,
    "min": _smaller,
    "mul": operator.mul,
    "or": operator.or_,
    "pow": _power,
    "quotient": _quotient,
    "sub": operator.sub,
    "xor": operator.xor,
}


def _unary(_: Read, out: int, x: int, kind: str, dtype: str) -> Step:
    """Apply a function of one argument to each value."""
    function = _UNARY[kind]
    if dtype == _ROUNDED:

        def rounded(registers: Registers) -> None:
            registers[out] = array("f", map(function, registers[x]))

        return rounded

    def step(registers: Registers) -> None:
        registers[out] = list(map(function, registers[x]))

    return step


def _binary(_: Read, out: int, x: int, y: int, kind: str, dtype: str) -> Step:
    """Apply a function of two arguments to the values of two registers of equal length."""
    combine = _combination(kind, dtype)

    def step(registers: Registers) -> None:
        registers[out] = combine(registers[x], registers[y])

    return step


def _binary_constant(read: Read, out: int, x: int, constant: int, first: bool, kind: str, dtype: str) -> Step:
    """Apply a function of two arguments to values and as many constants.

    Args:
        read: Reads an array of the program by its position.
        out: Register of the result.
        x: Register of the values.
        constant: Array of the constants.
        first: The constants are the first argument.
        kind: The function.
        dtype: Of the result.
    """
    numbers = read(constant).tolist()
    combine = _combination(kind, dtype)
    if first:

        def reversed_step(registers: Registers) -> None:
            registers[out] = combine(numbers, registers[x])

        return reversed_step

    def step(registers: Registers) -> None:
        registers[out] = combine(registers[x], numbers)

    return step


def _compare_texts(_: Read, out: int, x: int, texts: Sequence[str]) -> Step:
    """Compare texts with as many constants for equality."""

    def step(registers: Registers) -> None:
        registers[out] = list(map(operator.eq, registers[x], texts))

    return step


def _combination(kind: str, dtype: str) -> Callable[[Sequence[Any], Sequence[Any]], Sequence[Any]]:
    """The function of two sequences that applies a function of two values."""
    function = _BINARY[kind]

    def combine(x: Sequence[Any], y: Sequence[Any]) -> Sequence[Any]:
        try:
            return array("f", map(function, x, y)) if dtype == _ROUNDED else list(map(function, x, y))
        except ZeroDivisionError:
            if kind != "div":
                raise
            return array("f", map(_divide, x, y)) if dtype == _ROUNDED else list(map(_divide, x, y))

    return combine


def _constant(_: Read, out: int, values: Sequence[Any]) -> Step:
    """The same values for each row."""

    def step(registers: Registers) -> None:
        registers[out] = values

    return step


def _constant_numbers(read: Read, out: int, values: int) -> Step:
    """The same numbers, of an array of the program, for each row."""
    return _constant(read, out, read(values).tolist())


def _choose(_: Read, out: int, condition: int, x: int, y: int) -> Step:
    """Take each value from the second register where the first is true, else from the third."""

    def step(registers: Registers) -> None:
        registers[out] = [
            a if chosen else b
            for chosen, a, b in zip(registers[condition], registers[x], registers[y], strict=True)
        ]

    return step


def _pick(read: Read, out: int, x: int, positions: int) -> Step:
    """Take the values at fixed positions."""
    chosen = read(positions).tolist()
    first, count = chosen[0], len(chosen)
    if chosen == list(range(first, first + count)):

        def cut(registers: Registers) -> None:
            registers[out] = registers[x][first : first + count]

        return cut
    if chosen == [first] * count:

        def repeat(registers: Registers) -> None:
            registers[out] = [registers[x][first]] * count

        return repeat
    take = operator.itemgetter(*chosen)

    def step(registers: Registers) -> None:
        registers[out] = take(registers[x])

    return step


def _join(_: Read, out: int, *parts: int) -> Step:
    """Put the values of registers one after the other."""

    def step(registers: Registers) -> None:
        registers[out] = list(chain.from_iterable([registers[part] for part in parts]))

    return step


def _to_integer(value: float) -> int:
    """Cut towards zero; what has no integer becomes the smallest one, as on the processors we know."""
    return int(value) if math.isfinite(value) else -(1 << 63)


def _single(values: Iterable[Any]) -> Sequence[float]:
    return array("f", map(float, values))


_CASTS: dict[str, Callable[[Iterable[Any]], Sequence[Any]]] = {
    "float32": _single,
    "float64": lambda values: list(map(float, values)),
    "int64": lambda values: list(map(_to_integer, values)),
    "bool": lambda values: list(map(bool, values)),
    "string": lambda values: list(map(str, values)),
    "integers of texts": lambda values: list(map(int, values)),
}


def _cast(_: Read, out: int, x: int, kind: str) -> Step:
    """Convert each value."""
    convert = _CASTS[kind]

    def step(registers: Registers) -> None:
        registers[out] = convert(registers[x])

    return step


def _hold(_: Read, out: int, x: int, lower: float | None, upper: float | None) -> Step:
    """Hold each value within bounds."""
    low = -_INFINITY if lower is None else lower
    high = _INFINITY if upper is None else upper

    def step(registers: Registers) -> None:
        registers[out] = [low if v < low else high if v > high else v for v in registers[x]]

    return step


OPERATIONS: dict[str, Callable[..., Step]] = {
    "values.binary": _binary,
    "values.binary_constant": _binary_constant,
    "values.cast": _cast,
    "values.choose": _choose,
    "values.compare_texts": _compare_texts,
    "values.constant": _constant,
    "values.constant_numbers": _constant_numbers,
    "values.hold": _hold,
    "values.join": _join,
    "values.pick": _pick,
    "values.unary": _unary,
}
