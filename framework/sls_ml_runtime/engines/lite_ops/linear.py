"""Products with constant matrices."""

from __future__ import annotations

import sys
from array import array
from operator import mul

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sls_ml_runtime.engines.lite import Read, Registers, Step


if sys.version_info >= (3, 12):
    from math import sumprod
else:

    def sumprod(p: Sequence[float], q: Sequence[float], /) -> float:
        """The sum of the products of two sequences."""
        return sum(map(mul, p, q), 0.0)


def _dense(read: Read, out: int, x: int, weights: int, bias: int | None, width: int, single: bool) -> Step:
    """Multiply each block of values with a constant matrix.

    Args:
        read: Reads an array of the program by its position.
        out: Register of the result: a value per block and output, output fastest.
        x: Register of the values: one or more blocks of `width`.
        weights: Array of the matrix, the `width` weights of an output together.
        bias: Array of a value per output that is added.
        width: Number of inputs of the matrix.
        single: Round to float32.
    """
    flat = read(weights).tolist()
    outputs = [flat[start : start + width] for start in range(0, len(flat), width)]
    biases = [0.0] * len(outputs) if bias is None else read(bias).tolist()
    columns = list(zip(outputs, biases, strict=True))

    def step(registers: Registers) -> None:
        values = registers[x]
        if len(values) == width:
            products = [sumprod(values, weight) + start for weight, start in columns]
        else:
            products = [
                sumprod(values[block : block + width], weight) + start
                for block in range(0, len(values), width)
                for weight, start in columns
            ]
        registers[out] = array("f", products) if single else products

    return step


OPERATIONS: dict[str, Callable[..., Step]] = {"linear.dense": _dense}
