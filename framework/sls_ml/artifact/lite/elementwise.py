"""Lowerings of operators that work on single values: arithmetic, comparison, logic, choice, rounding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sls_ml.artifact.lite.node import Const, Lowering, Node, Value, broadcast, spread
from sls_ml.artifact.lite.program import Live, Program

_UNARY = {
    "Abs": "abs",
    "Ceil": "ceil",
    "Erf": "erf",
    "Exp": "exp",
    "Floor": "floor",
    "Log": "log",
    "Neg": "neg",
    "Reciprocal": "reciprocal",
    "Relu": "relu",
    "Round": "round",
    "Sigmoid": "sigmoid",
    "Sign": "sign",
    "Softplus": "softplus",
    "Sqrt": "sqrt",
    "Tanh": "tanh",
}
_TESTS = {"IsNaN": "isnan", "Not": "not"}
_ARITHMETIC = {
    "Add": "add",
    "Div": "div",
    "Max": "max",
    "Min": "min",
    "Mul": "mul",
    "Sub": "sub",
    "Sum": "add",
}
_COMPARISON = {
    "And": "and",
    "Equal": "equal",
    "Greater": "greater",
    "GreaterOrEqual": "greater_equal",
    "Less": "less",
    "LessOrEqual": "less_equal",
    "Or": "or",
    "Xor": "xor",
}


def apply(program: Program, kind: str, value: Live, dtype: str | None = None) -> Live:
    """A function of one argument on each value."""
    dtype = dtype or value.dtype
    return program.step(
        "values.unary", [value], dtype, value.shape, value.axis, kind, dtype, cost=0.2 + 0.1 * value.size
    )


def combine(node: Node, kind: str, left: Value, right: Value, dtype: str | None = None) -> Live:
    """A function of two arguments on values under broadcasting.

    Args:
        node: The node that asks for it.
        kind: The function.
        left: Its first argument.
        right: Its second argument; at least one of them depends on the row.
        dtype: Of the result, where it is not that of the arguments.
    """
    sides = [_side(node, value) for value in (left, right)]
    if not any(isinstance(side, Live) for side in sides):
        raise node.refuse("it combines several constants")
    shape, axis = broadcast(node, sides)
    lives = [side for side in sides if isinstance(side, Live)]
    result = dtype or lives[0].dtype
    if kind == "div" and lives[0].dtype == "int64":
        kind = "quotient"
    program = node.program
    cost = 0.3 + 0.04 * int(np.prod(shape))
    filled = [spread(program, live, shape, axis) for live in lives]
    if len(filled) == 2:
        return program.step("values.binary", filled, result, shape, axis, kind, result, cost=cost)
    first = isinstance(sides[0], np.ndarray)
    constant = sides[0] if first else sides[1]
    assert isinstance(constant, np.ndarray)  # noqa: S101 - the other side is live
    full = np.broadcast_to(constant, shape)
    if constant.dtype.kind in "OU":
        if kind != "equal":
            raise node.refuse("it computes with text")
        texts = [str(text) for text in full.reshape(-1)]
        return program.step("values.compare_texts", filled, result, shape, axis, texts, cost=cost)
    where = program.array(full)
    return program.step(
        "values.binary_constant", filled, result, shape, axis, where, first, kind, result, cost=cost
    )


def _side(node: Node, value: Value | None) -> Live | Const:
    if not isinstance(value, Live | np.ndarray):
        raise node.refuse("it computes with the number of rows")
    return value


def _unary(node: Node) -> Sequence[Value]:
    value = node.live()
    if value.dtype == "int64" and node.operator not in ("Abs", "Neg", "Sign"):
        raise node.refuse("it works on whole numbers")
    return [apply(node.program, _UNARY[node.operator], value)]


def _test(node: Node) -> Sequence[Value]:
    return [apply(node.program, _TESTS[node.operator], node.live(), "bool")]


def _is_infinite(node: Node) -> Sequence[Value]:
    if not node.attributes.get("detect_negative", 1) or not node.attributes.get("detect_positive", 1):
        raise node.refuse("it tells the signs of infinities apart")
    return [apply(node.program, "isinf", node.live(), "bool")]


def _arithmetic(node: Node) -> Sequence[Value]:
    total, *rest = node.inputs
    for value in rest:
        total = combine(node, _ARITHMETIC[node.operator], _side(node, total), _side(node, value))
    return [_side(node, total)]


def _comparison(node: Node) -> Sequence[Value]:
    left, right = node.inputs
    return [combine(node, _COMPARISON[node.operator], _side(node, left), _side(node, right), "bool")]


def _power(node: Node) -> Sequence[Value]:
    base, exponent = (_side(node, value) for value in node.inputs)
    dtype = base.dtype if isinstance(base, Live) else dtype_of(node, base)
    if dtype not in ("float32", "float64"):
        raise node.refuse("it raises whole numbers")
    if isinstance(base, Live) and isinstance(exponent, np.ndarray) and exponent.size == 1 and exponent == 2:
        return [combine(node, "mul", base, base)]
    return [combine(node, "pow", base, exponent, dtype)]


def _where(node: Node) -> Sequence[Value]:
    condition, yes, no = (_side(node, value) for value in node.inputs)
    shape, axis = broadcast(node, [condition, yes, no])
    dtype = next((v.dtype for v in (yes, no) if isinstance(v, Live)), None) or dtype_of(node, np.asarray(yes))
    filled = [
        spread(node.program, side, shape, axis)
        if isinstance(side, Live)
        else constant(node, np.broadcast_to(side, shape), axis)
        for side in (condition, yes, no)
    ]
    size = int(np.prod(shape))
    return [node.program.step("values.choose", filled, dtype, shape, axis, cost=0.3 + 0.05 * size)]


def _bent(node: Node) -> Sequence[Value]:
    """An activation that bends the negative values only."""
    value = node.live()
    alpha = float(node.attributes.get("alpha", 0.01 if node.operator == "LeakyRelu" else 1.0))
    below = hold(node, value, None, 0.0)
    if node.operator == "Elu":
        below = combine(node, "sub", apply(node.program, "exp", below), _like(value, 1.0))
    above = apply(node.program, "relu", value)
    return [combine(node, "add", above, combine(node, "mul", below, _like(value, alpha)))]


def _like(value: Live, number: float) -> Const:
    """A number in a value's dtype."""
    return np.array([number], np.dtype(value.dtype))


def _batch_normalization(node: Node) -> Sequence[Value]:
    if node.attributes.get("training_mode", 0):
        raise node.refuse("it is in training")
    value = node.live()
    node.inner(value, 1)
    scale, bias, mean, variance = (
        node.const(place).reshape(-1, *[1] * (len(value.shape) - 2)) for place in range(1, 5)
    )
    factor = scale / np.sqrt(variance + np.asarray(node.attributes.get("epsilon", 1e-5), variance.dtype))
    scaled = combine(node, "mul", combine(node, "sub", value, mean), factor)
    return [combine(node, "add", scaled, bias)]


def _clip(node: Node) -> Sequence[Value]:
    if node.version < 11:
        bounds: list[Any] = [node.attributes.get("min"), node.attributes.get("max")]
    else:
        bounds = [float(node.const(i)) if node.given(i) else None for i in (1, 2)]
    return [hold(node, node.live(), *bounds)]


def hold(node: Node, value: Live, lower: float | None, upper: float | None) -> Live:
    """Each value held within bounds."""
    if value.dtype == "int64":
        raise node.refuse("it works on whole numbers")
    if lower is not None and upper is not None:
        lower = min(lower, upper)
    limits = [None if bound is None or not np.isfinite(bound) else float(bound) for bound in (lower, upper)]
    return node.program.step(
        "values.hold", [value], value.dtype, value.shape, value.axis, *limits, cost=0.3 + 0.06 * value.size
    )


def constant(node: Node, values: Const, axis: int) -> Live:
    """The same values for each row."""
    dtype = dtype_of(node, values)
    if dtype == "string":
        texts = [str(text) for text in values.reshape(-1)]
        return node.program.step("values.constant", [], dtype, values.shape, axis, texts, cost=0.1)
    where = node.program.array(values)
    return node.program.step("values.constant_numbers", [], dtype, values.shape, axis, where, cost=0.1)


def dtype_of(node: Node, values: Const) -> str:
    """The dtype, as programs name it, of a constant."""
    if values.dtype.kind in "OU":
        return "string"
    if values.dtype.name == "int32":
        return "int64"
    if values.dtype.name not in ("float64", "float32", "int64", "bool"):
        raise node.refuse(f"its constant has type {values.dtype}")
    return values.dtype.name


LOWERINGS: dict[tuple[str, str], Lowering] = {
    **{("", operator): _unary for operator in _UNARY},
    **{("", operator): _test for operator in _TESTS},
    **{("", operator): _arithmetic for operator in _ARITHMETIC},
    **{("", operator): _comparison for operator in _COMPARISON},
    ("", "BatchNormalization"): _batch_normalization,
    ("", "Clip"): _clip,
    ("", "Elu"): _bent,
    ("", "IsInf"): _is_infinite,
    ("", "LeakyRelu"): _bent,
    ("", "Pow"): _power,
    ("", "Where"): _where,
}
