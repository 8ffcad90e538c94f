"""Functions of numpy that work value by value, as ONNX operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sls_ml.artifact.converters.graph import Graph, Tensor
from sls_ml.errors import ModelError

_PLAIN: dict[Any, str] = {
    np.abs: "Abs",
    np.exp: "Exp",
    np.log: "Log",
    np.negative: "Neg",
    np.sin: "Sin",
    np.sqrt: "Sqrt",
    np.tanh: "Tanh",
    np.floor: "Floor",
    np.ceil: "Ceil",
    np.sign: "Sign",
}
_BUILT: dict[Any, Callable[[Tensor, Graph], Tensor]] = {
    np.log1p: lambda x, graph: graph.op("Log", x + 1.0),
    np.expm1: lambda x, graph: graph.op("Exp", x) - 1.0,
    np.log2: lambda x, graph: graph.op("Log", x) * float(1 / np.log(2)),
    np.log10: lambda x, graph: graph.op("Log", x) * float(1 / np.log(10)),
    np.exp2: lambda x, graph: graph.op("Exp", x * float(np.log(2))),
    np.square: lambda x, _: x * x,
    np.reciprocal: lambda x, _: 1.0 / x,
    np.cbrt: lambda x, graph: graph.op("Sign", x) * graph.op("Pow", graph.op("Abs", x), 1 / 3),
    np.cos: lambda x, graph: graph.op("Sin", x + np.pi / 2),
    np.nan_to_num: lambda x, graph: graph.op(
        "Clip",
        graph.where(graph.op("IsNaN", x), 0.0, x),
        float(np.finfo(np.float64).min),
        float(np.finfo(np.float64).max),
    ),
}


def known(function: Any) -> bool:
    """Whether the function has an ONNX form."""
    return function is None or (_hashable(function) and (function in _PLAIN or function in _BUILT))


def elementwise(function: Any, x: Tensor, graph: Graph) -> Tensor:
    """The function of each value; None gives the values themselves.

    Raises:
        ModelError: The function has no ONNX form.
    """
    if function is None:
        return graph.op("Identity", x)
    if known(function):
        return graph.op(_PLAIN[function], x) if function in _PLAIN else _BUILT[function](x, graph)
    name = getattr(function, "__name__", repr(function))
    raise ModelError(
        f"the function {name} has no ONNX form",
        code="function-unknown",
        where=f"FunctionTransformer({name})",
        mend="use one of numpy's "
        + ", ".join(sorted(f.__name__ for f in (*_PLAIN, *_BUILT)))
        + "; or write a transformer class and register its form with sls_ml.artifact.converters.converter",
    )


def _hashable(value: Any) -> bool:
    return type(value).__hash__ is not None
