"""Transformers of numbers, column by column or in products: powers, polynomials, splines, quantiles."""

from __future__ import annotations

from math import factorial
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    Normalizer,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    SplineTransformer,
)

from sls_ml.artifact.converters.curves import below
from sls_ml.artifact.converters.functions import elementwise
from sls_ml.artifact.converters.graph import Graph, Tensor
from sls_ml.artifact.converters.registry import converter

Floats = npt.NDArray[np.float64]


@converter(Binarizer)
def binarizer(model: Binarizer, x: Tensor, _: Graph) -> Tensor:
    """1 above the threshold."""
    return (x > float(model.threshold)).cast("float64")


@converter(Normalizer)
def normalizer(model: Normalizer, x: Tensor, graph: Graph) -> Tensor:
    """Rows of length one; rows of nothing stay."""
    return unit_rows(x, model.norm, graph, least=_TOO_SHORT)


_TOO_SHORT = 10 * float(np.finfo(np.float64).eps)
"""scikit-learn takes rows of a dense table that are shorter for rows of zeros."""


def unit_rows(x: Tensor, norm: str, graph: Graph, *, least: float = np.finfo(np.float64).tiny) -> Tensor:
    """Rows divided by their length in the norm ``l1``, ``l2`` or ``max``; those shorter than `least` stay."""
    match norm:
        case "l2":
            length = graph.op("Sqrt", graph.total(x * x))
        case "l1":
            length = graph.total(graph.op("Abs", x))
        case _:
            length = graph.op("ReduceMax", graph.op("Abs", x), np.asarray([1]), width=1)
    return x / graph.where(length < least, 1.0, length)


@converter(FunctionTransformer)
def function_transformer(model: FunctionTransformer, x: Tensor, graph: Graph) -> Tensor:
    """A function of numpy's that works value by value; None leaves the values."""
    return elementwise(model.func, x, graph)


@converter(PolynomialFeatures)
def polynomial_features(model: PolynomialFeatures, x: Tensor, graph: Graph) -> Tensor:
    """Products of columns; column 0 of the factors is a one."""
    factors = [[at + 1 for at, power in enumerate(row) for _ in range(power)] for row in model.powers_]
    degree = max(1, *(len(row) for row in factors))
    table = np.asarray([row + [0] * (degree - len(row)) for row in factors])
    ones = graph.repeated([1.0], x)
    extended = graph.concat([ones, x])
    product = extended.columns(table[:, 0].tolist())
    for column in table.T[1:]:
        product = product * extended.columns(column.tolist())
    return product


@converter(PowerTransformer)
def power_transformer(model: PowerTransformer, x: Tensor, graph: Graph) -> Tensor:
    """Box-Cox or Yeo-Johnson, standardised where asked for; missing values stay missing."""
    powers: Floats = np.asarray(model.lambdas_, dtype=np.float64).reshape(1, -1)
    if model.method == "box-cox":
        moved = _power(graph, graph.op("Log", x), powers)
    else:
        up, down = graph.op("Max", x, 0.0), graph.op("Max", -x, 0.0)
        moved = _power(graph, graph.op("Log", up + 1.0), powers) - _power(
            graph, graph.op("Log", down + 1.0), 2.0 - powers
        )
        moved = graph.where(graph.op("IsNaN", x), np.nan, moved)
    if model.standardize:
        scaler = model._scaler
        moved = (moved - scaler.mean_.reshape(1, -1)) / scaler.scale_.reshape(1, -1)
    return moved


def _power(graph: Graph, logarithm: Tensor, powers: Floats) -> Tensor:
    """``(exp(p * l) - 1) / p``, by its series where p is next to zero."""
    tiny = np.abs(powers) < 1e-6
    whole = np.where(tiny, 0.0, powers)
    moved = (graph.op("Exp", logarithm * whole) - 1.0) / np.where(tiny, 1.0, powers)
    if not tiny.any():
        return moved
    series = logarithm * (1.0 + logarithm * (powers / 2))
    return graph.where(graph.constant(tiny), series, moved)


@converter(QuantileTransformer)
def quantile_transformer(model: QuantileTransformer, x: Tensor, graph: Graph) -> Tensor:
    """The share of training values below, or the normal deviate of that share."""
    found = []
    references = np.asarray(model.references_, dtype=np.float64)
    for at in range(model.quantiles_.shape[1]):
        column, quantiles = x.columns([at]), np.asarray(model.quantiles_[:, at], dtype=np.float64)
        up = _numpy_interp(graph, column, quantiles, references)
        down = _numpy_interp(graph, -column, -quantiles[::-1], -references[::-1])
        share = (up - down) * 0.5
        low, high = float(quantiles[0]), float(quantiles[-1])
        margin = 1e-7 if model.output_distribution == "normal" else 0.0
        share = graph.where(column + margin >= high if margin == 0 else column + margin > high, 1.0, share)
        share = graph.where(column - margin <= low if margin == 0 else column - margin < low, 0.0, share)
        if model.output_distribution == "normal":
            share = _normal_deviate(graph, share)
        found.append(graph.where(graph.op("IsNaN", column), np.nan, share))
    return graph.concat(found)


def _numpy_interp(graph: Graph, x: Tensor, xs: Floats, ys: Floats) -> Tensor:
    """What `numpy.interp` gives for ``[N, 1]``: among equal points the last one counts."""
    inside = graph.op("Clip", x, float(xs[0]), float(xs[-1]))
    at = below(graph, inside, xs[1:], equal=True)
    width = np.diff(xs)
    slopes = np.append(np.divide(np.diff(ys), width, out=np.zeros_like(width), where=width > 0), 0.0)
    return (inside - graph.pick(xs, at)) * graph.pick(slopes, at) + graph.pick(ys, at)


def _normal_deviate(graph: Graph, share: Tensor) -> Tensor:
    """The inverse of the normal distribution (Wichura's algorithm AS 241), clipped as scikit-learn does."""
    edge = 1e-7 - np.spacing(1)
    inside = graph.op("Clip", share, float(edge), float(1 - edge))
    q = inside - 0.5
    r = 0.180625 - q * q
    middle = q * _ratio(r, _A, _B)
    tail = graph.op("Min", inside, 1.0 - inside)
    s = graph.op("Sqrt", -graph.op("Log", tail))
    outer = graph.where(s <= 5.0, _ratio(s - 1.6, _C, _D), _ratio(s - 5.0, _E, _F))
    return graph.where(graph.op("Abs", q) <= 0.425, middle, graph.where(q < 0.0, -outer, outer))


def _ratio(x: Tensor, above: tuple[float, ...], under: tuple[float, ...]) -> Tensor:
    return _horner(x, above) / _horner(x, under)


def _horner(x: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    value = x * coefficients[-1] + coefficients[-2]
    for coefficient in coefficients[-3::-1]:
        value = value * x + coefficient
    return value


# Coefficients of AS 241, Applied Statistics 37 (1988), from the lowest power up.
_A = (
    3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
    1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
    3.3430575583588128105e4, 2.5090809287301226727e3,
)  # fmt: skip
_B = (
    1.0, 4.2313330701600911252e1, 6.8718700749205790830e2,
    5.3941960214247511077e3, 2.1213794301586595867e4, 3.9307895800092710610e4,
    2.8729085735721942674e4, 5.2264952788528545610e3,
)  # fmt: skip
_C = (
    1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
    3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
    2.27238449892691845833e-2, 7.74545014278341407640e-4,
)  # fmt: skip
_D = (
    1.0, 2.05319162663775882187e0, 1.67638483018380384940e0,
    6.89767334985100004550e-1, 1.48103976427480074590e-1, 1.51986665636164571966e-2,
    5.47593808499534494600e-4, 1.05075007164441684324e-9,
)  # fmt: skip
_E = (
    6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
    2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
    2.71155556874348757815e-5, 2.01033439929228813265e-7,
)  # fmt: skip
_F = (
    1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1,
    1.48753612908506148525e-2, 7.86869131145613259100e-4, 1.84631831751005468180e-5,
    1.42151175831644588870e-7, 2.04426310338993978564e-15,
)  # fmt: skip


@converter(SplineTransformer)
def spline_transformer(model: SplineTransformer, x: Tensor, graph: Graph) -> Tensor:
    """The bases of each feature as polynomials on each piece between knots."""
    found = []
    for at, spline in enumerate(model.bsplines_):
        bases = _bases(model, spline, x.columns([at]), graph)
        keep = bases.width if model.include_bias else (bases.width or 1) - 1
        found.append(bases.columns(list(range(keep or 0))))
    return graph.concat(found)


def _bases(model: Any, spline: Any, column: Tensor, graph: Graph) -> Tensor:
    degree = spline.k
    low, high = float(spline.t[degree]), float(spline.t[-degree - 1])
    match model.extrapolation:
        case "periodic":
            turns = graph.op("Floor", (column - low) / (high - low))
            bases = _pieces(spline, column - turns * (high - low), graph)
        case "continue":
            bases = _pieces(spline, column, graph)
        case _:
            inside = graph.op("Clip", column, low, high)
            bases = _pieces(spline, inside, graph)
            if model.extrapolation == "linear":
                below_, above = graph.op("Min", column - low, 0.0), graph.op("Max", column - high, 0.0)
                slopes = [spline(end, nu=1).reshape(1, -1) for end in (low, high)]
                bases = bases + below_ * slopes[0] + above * slopes[1]
            if model.extrapolation == "error":
                bases = graph.where(graph.equal(inside, column), bases, np.nan)
    bases.width = spline.c.shape[1]
    if getattr(model, "handle_missing", "error") == "zeros":
        bases = graph.where(graph.op("IsNaN", column), 0.0, bases)
    return bases


def _pieces(spline: Any, column: Tensor, graph: Graph) -> Tensor:
    """The spline's bases at each value, the outer pieces prolonged, ``[N, bases]``."""
    knots = np.unique(spline.t[spline.k : len(spline.t) - spline.k])
    starts = knots[:-1]
    place = below(graph, column, starts[1:], equal=True).reshape(-1) if len(starts) > 1 else None

    def table(values: Floats) -> Tensor:
        return graph.constant(values[:1]) if place is None else graph.pick(values, place)

    offset = column - table(starts.reshape(-1, 1))
    value = table(_derivative(spline, starts, spline.k))
    for order in range(spline.k - 1, -1, -1):
        value = value * offset + table(_derivative(spline, starts, order))
    return value


def _derivative(spline: Any, at: Floats, order: int) -> Floats:
    values: Floats = spline(at, nu=order) / factorial(order)
    return values
