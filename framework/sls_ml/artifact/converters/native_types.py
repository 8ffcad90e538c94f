"""Refuses functions of numpy that give truth values or integers another answer than doubles."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.preprocessing import FunctionTransformer

from sls_ml.artifact import structure
from sls_ml.artifact.original import Original
from sls_ml.errors import ModelError

_ROWS = 1000


def check_functions(judge: Original) -> None:
    """Refuse a model whose functions answer otherwise for the types of the sample's columns than for doubles.

    numpy computes truth values in half precision (``np.tanh(True)`` is 0.7617 as float16), negates them, and
    divides integers without a rest (``np.reciprocal(2)`` is 0); a graph computes in doubles. What a function
    is fed with is seen by watching it in a copy of the model.

    Args:
        judge: The original, whose model is one of scikit-learn's.

    Raises:
        ModelError: Names the function, and the type that it is fed with.
    """
    if not any(_has_function(part) for part in structure.parts(judge.model)):
        return
    watched = copy.deepcopy(judge.model)
    for part in structure.parts(watched):
        if _has_function(part):
            part.func = _watched(part.func)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        Original(watched, judge.sample, judge.kind, judge.classes).answers(judge.sample.frame.iloc[:_ROWS])


def _has_function(part: Any) -> bool:
    return isinstance(part, FunctionTransformer) and part.func is not None


def _watched(function: Callable[..., Any]) -> Callable[..., Any]:
    def compared(values: Any, **more: Any) -> Any:
        columns = [column for _, column in values.items()] if hasattr(values, "items") else [values]
        for column in columns:
            dtype = getattr(column, "dtype", None)
            if isinstance(dtype, np.dtype) and dtype.kind in "biu":
                native, wide = function(column, **more), function(column.astype(np.float64), **more)
                if not np.allclose(native, wide, rtol=1e-9, equal_nan=True):
                    raise _refusal(function, str(dtype))
        return function(values, **more)

    return compared


def _refusal(function: Callable[..., Any], kind: str) -> ModelError:
    name = getattr(function, "__name__", repr(function))
    return ModelError(
        f"FunctionTransformer({name}) is fed with values of {kind}, of which numpy's {name} makes other "
        "numbers than of doubles.",
        code="function-native-type",
        where=f"FunctionTransformer({name})",
        why="a graph computes it in doubles, as the same values in a request would be",
        mend="train the model on these columns as float64: table.astype('float64')",
    )
