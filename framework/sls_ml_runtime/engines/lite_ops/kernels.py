"""Comparison of a row with stored rows: kernels of support vector machines, distances."""

from __future__ import annotations

import math
from array import array

from sls_ml_runtime.engines.lite_ops.linear import sumprod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sls_ml_runtime.engines.lite import Read, Registers, Step

    Kernel = Callable[[Sequence[float], Sequence[float]], float]


def _square(p: Sequence[float], q: Sequence[float]) -> float:
    distance = math.dist(p, q)
    return distance * distance


def _manhattan(p: Sequence[float], q: Sequence[float]) -> float:
    return sum([abs(a - b) for a, b in zip(p, q, strict=True)])


_DISTANCES: dict[str, Kernel] = {"euclidean": math.dist, "manhattan": _manhattan, "sqeuclidean": _square}


def _kernel(kind: str, gamma: float, start: float, degree: float) -> Kernel:
    """The kernel function of a support vector machine."""
    match kind:
        case "LINEAR":
            return sumprod
        case "RBF":
            return lambda p, q: math.exp(-gamma * _square(p, q))
        case "POLY":
            return lambda p, q: (gamma * sumprod(p, q) + start) ** degree
        case _:
            return lambda p, q: math.tanh(gamma * sumprod(p, q) + start)


def _rows(flat: Sequence[float], width: int) -> list[tuple[float, ...]]:
    """Flat values as rows, which `math.dist` takes without a copy."""
    return [tuple(flat[start : start + width]) for start in range(0, len(flat), width)]


def _kernels(
    read: Read, out: int, x: int, vectors: int, width: int, kind: str, constants: tuple[float, float, float]
) -> Step:
    """The kernel of the values with each of the stored rows, in float32.

    Args:
        read: Reads an array of the program by its position.
        out: Register of the result.
        x: Register of the values.
        vectors: Array of the stored rows.
        width: The length of a row.
        kind: ``LINEAR``, ``RBF``, ``POLY`` or ``SIGMOID``.
        constants: gamma, the constant term and the degree.
    """
    rows = _rows(read(vectors).tolist(), width)
    kernel = _kernel(kind, *constants)

    def step(registers: Registers) -> None:
        values = tuple(registers[x])
        registers[out] = array("f", [kernel(values, row) for row in rows])

    return step


def _distances(read: Read, out: int, x: int, stored: int, width: int, kind: str, single: bool) -> Step:
    """The distance of the values to each of the stored rows.

    Args:
        read: Reads an array of the program by its position.
        out: Register of the result.
        x: Register of the values.
        stored: Array of the stored rows.
        width: The length of a row.
        kind: ``euclidean``, ``sqeuclidean`` or ``manhattan``.
        single: Round to float32.
    """
    rows = _rows(read(stored).tolist(), width)
    distance = _DISTANCES[kind]

    def step(registers: Registers) -> None:
        values = tuple(registers[x])
        found = [distance(values, row) for row in rows]
        registers[out] = array("f", found) if single else found

    return step


def _votes(_: Read, out: int, x: int, classes: int) -> Step:
    """How many of the duels between two classes each class wins, by the sign of the duel's score."""
    pairs = [(i, j) for i in range(classes) for j in range(i + 1, classes)]

    def step(registers: Registers) -> None:
        votes = [0] * classes
        for score, (first, second) in zip(registers[x], pairs, strict=True):
            votes[first if score > 0 else second] += 1
        registers[out] = votes

    return step


def _coupled(read: Read, out: int, x: int, classes: int, slopes: int, intercepts: int) -> Step:
    """Probabilities of classes from the scores of the duels between two of them.

    Pairwise probabilities are coupled as Wu, Lin and Weng (2004) do, whose second method libsvm uses.

    Args:
        read: Reads an array of the program by its position.
        out: Register of the result, float32.
        x: Register of the scores.
        classes: The number of classes.
        slopes: Array of the factor of each duel's score.
        intercepts: Array of what is added to it.
    """
    pairs = [(i, j) for i in range(classes) for j in range(i + 1, classes)]
    a, b = read(slopes).tolist(), read(intercepts).tolist()

    def step(registers: Registers) -> None:
        chances = [[0.0] * classes for _ in range(classes)]
        for score, (i, j), slope, intercept in zip(registers[x], pairs, a, b, strict=True):
            exponent = score * slope + intercept
            grown = math.exp(-abs(exponent))
            chance = grown / (1.0 + grown) if exponent >= 0 else 1.0 / (1.0 + grown)
            chances[i][j] = min(max(chance, 1e-7), 1 - 1e-7)
            chances[j][i] = 1 - chances[i][j]
        registers[out] = array("f", _couple(chances))

    return step


def _couple(chances: Sequence[Sequence[float]]) -> list[float]:
    """Class probabilities from the chance of each class against each other."""
    count = len(chances)
    span = range(count)
    matrix = [
        [
            sum(chances[k][i] ** 2 for k in span if k != i) if i == j else -chances[j][i] * chances[i][j]
            for j in span
        ]
        for i in span
    ]
    result = [1.0 / count] * count
    for _ in range(100):
        products = [sumprod(row, result) for row in matrix]
        whole = sumprod(result, products)
        if max(abs(product - whole) for product in products) < 0.005 / count:
            break
        for i in span:
            change = (whole - products[i]) / matrix[i][i]
            result[i] += change
            whole = (whole + change * (change * matrix[i][i] + 2 * products[i])) / (1 + change) ** 2
            products = [(p + change * q) / (1 + change) for p, q in zip(products, matrix[i], strict=True)]
            result = [r / (1 + change) for r in result]
    return result


OPERATIONS: dict[str, Callable[..., Step]] = {
    "kernels.coupled": _coupled,
    "kernels.distances": _distances,
    "kernels.kernels": _kernels,
    "kernels.votes": _votes,
}
