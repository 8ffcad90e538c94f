"""One node of the graph as the lowerings see it, and the shapes of values under broadcasting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sls_ml.artifact.lite.coverage import NotCovered
from sls_ml.artifact.lite.program import Live, Program

Const = npt.NDArray[Any]


@dataclass(frozen=True)
class Extent:
    """A shape, or part of one, that depends on the number of rows.

    Attributes:
        sizes: The numbers for a batch of one row.
        rows: Which of them grow with the number of rows.
    """

    sizes: tuple[int, ...]
    rows: tuple[bool, ...]


@dataclass(frozen=True)
class Stack:
    """Values with their rows one after the other: first all rows of the first value, then of the second.

    Attributes:
        parts: The values, all of one shape.
    """

    parts: tuple[Live, ...]


@dataclass(frozen=True)
class Words:
    """The words of each row, as many as they are.

    Attributes:
        value: What holds them; its shape means nothing.
        padding: What stands for a missing word where the rows of a batch have different numbers of words.
    """

    value: Live
    padding: str


Value = Live | Const | Extent | Stack | Words
Lowering = Callable[["Node"], Sequence[Value]]


@dataclass(frozen=True)
class Node:
    """A node to be lowered.

    Attributes:
        operator: Its operator.
        version: The opset version of the operator's domain.
        inputs: The values of its inputs; None where an optional one is absent.
        attributes: Its attributes, in Python types.
        program: The program that steps are added to.
    """

    operator: str
    version: int
    inputs: tuple[Value | None, ...]
    attributes: Mapping[str, Any]
    program: Program

    def refuse(self, reason: str) -> NotCovered:
        """The error for a node that is not covered."""
        return NotCovered(self.operator, reason)

    def live(self, position: int = 0) -> Live:
        """The input at this position, which must depend on the row."""
        value = self.inputs[position]
        if not isinstance(value, Live):
            raise self.refuse(f"its input {position} is the same for each row")
        return value

    def const(self, position: int) -> Const:
        """The input at this position, which must be a constant."""
        value = self.inputs[position]
        if not isinstance(value, np.ndarray):
            raise self.refuse(f"its input {position} is no constant")
        return value

    def given(self, position: int) -> bool:
        """Whether there is an input at this position."""
        return len(self.inputs) > position and self.inputs[position] is not None

    def axis(self, value: Live, default: int = -1) -> int:
        """The attribute ``axis``, counted from the front; rows must not be stacked along it."""
        axis = int(self.attributes.get("axis", default))
        return self.inner(value, axis)

    def inner(self, value: Live, axis: int) -> int:
        """A dimension counted from the front, which must not be the one along which rows are stacked."""
        axis += len(value.shape) if axis < 0 else 0
        if axis == value.axis:
            raise self.refuse("it works across rows")
        return axis


def arranged(
    program: Program, value: Live, positions: Const, axis: int, shape: tuple[int, ...] | None = None
) -> Live:
    """The values at fixed positions of a value.

    Args:
        program: The program.
        value: The value.
        positions: Positions in the flat value, in the shape of the result.
        axis: The dimension of the result along which rows are stacked.
        shape: The shape of the result where it is not that of `positions`.
    """
    flat = positions.reshape(-1)
    if not flat.size:
        raise NotCovered("shape", "nothing of a value is kept")
    shape = positions.shape if shape is None else shape
    if flat.size == value.size and np.array_equal(flat, np.arange(flat.size)):
        return replace(value, shape=shape, axis=axis)
    where = program.array(flat.astype(np.int32))
    return program.step("values.pick", [value], value.dtype, shape, axis, where, cost=0.2 + 0.01 * flat.size)


def positions_of(value: Live) -> Const:
    """The position of each value, in the value's shape."""
    return np.arange(value.size).reshape(value.shape)


def broadcast(node: Node, values: Sequence[Live | Const]) -> tuple[tuple[int, ...], int]:
    """The shape and the row axis of what comes of broadcasting values, at least one of them live."""
    shape = np.broadcast_shapes(*(value.shape for value in values))
    lives = [value for value in values if isinstance(value, Live)]
    places = {value.axis - len(value.shape) for value in lives}
    shares = {value.shape[value.axis] for value in lives}
    place = places.pop()
    if places or len(shares) > 1:
        raise node.refuse("it lines rows up with other values")
    for value in values:
        if isinstance(value, np.ndarray) and value.ndim >= -place and value.shape[place] != 1:
            raise node.refuse("it lines rows up with constants")
    return shape, len(shape) + place


def spread(program: Program, value: Live, shape: tuple[int, ...], axis: int) -> Live:
    """A value repeated to fill a shape."""
    return arranged(program, value, np.broadcast_to(positions_of(value), shape), axis)
