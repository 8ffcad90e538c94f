"""Turn a fitted scikit-learn model into an ONNX graph, by skl2onnx and our own converters.

Numbers enter as doubles. Our own converters narrow them to float32 where scikit-learn does (trees); before
other parts whose ONNX operator knows no doubles a cast is put in.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from typing import Any

from sls_ml.artifact import structure
from sls_ml.artifact.extras import need
from sls_ml.errors import ModelError, SlsMlError

_OPSET = {"": 18, "ai.onnx.ml": 3}
"""The operator sets to convert for; a converter of ours may raise the second for trees."""

_SINGLE = ("IsolationForest", "KNNImputer", "LinearSVC", "SVR", "NuSVR", "OneClassSVM", "CategoricalNB")
"""Estimators whose ONNX form knows float32 only; trees are found by their base class."""


def export(model: Any, tensors: Sequence[dict[str, Any]], *, before: str | None = None) -> Any:
    """Convert a model.

    Args:
        model: The fitted estimator; it is not changed.
        tensors: The manifest's tensors: what the graph's inputs are called and hold.
        before: ``final`` to narrow to float32 right before the last step, ``all`` to narrow right after the
            inputs, None to narrow where it is known to be needed.

    Returns:
        An onnx.ModelProto.

    Raises:
        ModelError: There is no converter for a part of the model, or it failed; the step is named.
    """
    need("skl2onnx")
    from sls_ml.artifact import converters

    converters.register()
    ready = _prepared(model, before)
    try:
        return _convert(ready, tensors)
    except SlsMlError:
        raise
    except Exception as error:
        raise _refusal(model, error) from error


def _convert(model: Any, tensors: Sequence[dict[str, Any]]) -> Any:
    from skl2onnx import convert_sklearn
    from skl2onnx.common import data_types

    kinds = {
        "float64": data_types.DoubleTensorType,
        "float32": data_types.FloatTensorType,
        "int64": data_types.Int64TensorType,
        "bool": data_types.BooleanTensorType,
        "string": data_types.StringTensorType,
    }
    inputs = [
        (
            tensor["name"],
            kinds[tensor["dtype"]]([None, len(tensor["columns"])] if tensor["rank"] == 2 else [None]),
        )
        for tensor in tensors
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return convert_sklearn(
            model, name="model", initial_types=inputs, target_opset=dict(_OPSET), options=_options(model)
        )


def _options(model: Any) -> dict[int, dict[str, Any]]:
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import FeatureUnion, Pipeline

    from sls_ml.artifact import converters

    frames = (ColumnTransformer, FeatureUnion, Pipeline)
    chosen = {
        id(part): converters.options(part) for part in structure.parts(model) if not isinstance(part, frames)
    }
    return {key: values for key, values in chosen.items() if values}


def _prepared(model: Any, before: str | None) -> Any:
    """Copy the model's frame (never its fitted parts) with casts put in and columns called by position."""
    from sklearn.pipeline import Pipeline

    flat = structure.steps(model)
    ready = [(name, _rewritten(step)) for name, step in flat]
    if before == "final":
        ready[-1] = (flat[-1][0], _narrowed(flat[-1][1]))
    elif before == "all":
        ready = [("cast", _cast()), *((name, _positional(step)) for name, step in flat)]
    named = [
        (f"s{number}_{place}", inner)
        for number, (_, step) in enumerate(ready)
        for place, (_, inner) in enumerate(structure.steps(step))
    ]
    return Pipeline(named) if len(named) > 1 else named[0][1]


def _rewritten(part: Any) -> Any:
    """Give a part with every estimator within it that needs float32 fed with float32."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import FeatureUnion, Pipeline

    if isinstance(part, str) or part is None:
        return part
    part = structure.unwrapped(part)
    match part:
        case Pipeline():
            return Pipeline([(name, _rewritten(step)) for name, step in structure.steps(part)])
        case ColumnTransformer():
            return _positional(part, _rewritten)
        case FeatureUnion():
            union = copy.copy(part)
            union.transformer_list = [(name, _rewritten(inner)) for name, inner in part.transformer_list]
            return union
        case _ if any(_is_single(inner) for inner in structure.parts(part)):
            return _narrowed(part)
        case _:
            return part


def _positional(part: Any, change: Any = lambda inner: inner) -> Any:
    """Give a ColumnTransformer that calls its columns by position; anything else as it is."""
    from sklearn.compose import ColumnTransformer

    if not isinstance(part, ColumnTransformer):
        return part
    mover = copy.copy(part)
    mover.transformers_ = [
        (name, change(inner), positions) for name, inner, positions in structure.column_parts(part)
    ]
    return mover


def _is_single(part: Any) -> bool:
    """Tell whether skl2onnx's form of this part needs float32; our own converters narrow by themselves."""
    from sklearn.ensemble._hist_gradient_boosting.gradient_boosting import BaseHistGradientBoosting
    from sklearn.tree import BaseDecisionTree

    from sls_ml.artifact import converters

    if converters.owns(type(part)):
        return False
    return isinstance(part, (BaseDecisionTree, BaseHistGradientBoosting)) or type(part).__name__ in _SINGLE


def _narrowed(part: Any) -> Any:
    from sklearn.pipeline import Pipeline

    return Pipeline([("cast", _cast()), ("model", part)])


def _cast() -> Any:
    import numpy as np
    from skl2onnx.sklapi import CastTransformer

    return CastTransformer(dtype=np.float32)


def _refusal(model: Any, error: Exception) -> ModelError:
    """Say which part of the model has no ONNX form, as far as the converter's own error tells."""
    text = " ".join(str(error).split())
    names = [type(part).__name__ for part in structure.parts(model)]
    guilty = next((name for name in names if name in text), None)
    step = next(
        (
            f"step {name!r} ({type(part).__name__})"
            for name, part in structure.steps(model)
            if guilty and any(type(inner).__name__ == guilty for inner in structure.parts(part))
        ),
        None,
    )
    return ModelError(
        f"{guilty or structure.describe(model)} cannot be converted to ONNX.",
        code="model-unsupported",
        where=step or structure.describe(model),
        why=f"{type(error).__name__}: {text[:300]}",
        mend="replace this part by one that has an ONNX form; docs/models.md lists them",
    )


def outputs_of(model: Any, expected: dict[str, Any]) -> list[dict[str, Any]]:
    """Match the graph's outputs with the original's answers.

    Args:
        model: The converted graph; a binary score that comes as two columns is cut to one.
        expected: The original's answers by the manifest's keys.

    Returns:
        The manifest's outputs, each with the name of the graph's tensor under ``from``.

    Raises:
        ModelError: The graph has no output for an answer.
    """
    from onnx import TensorProto

    dtypes = {
        TensorProto.FLOAT: "float32",
        TensorProto.DOUBLE: "float64",
        TensorProto.INT64: "int64",
        TensorProto.INT32: "int32",
        TensorProto.BOOL: "bool",
        TensorProto.STRING: "string",
    }
    found = list(model.graph.output)
    if len(found) < len(expected):
        raise ModelError(
            f"The graph has {len(found)} outputs where the model gives {', '.join(expected)}.",
            code="model-unsupported",
        )
    outputs = []
    for (key, want), value in zip(expected.items(), found, strict=False):
        tensor = value
        if key == "score" and want.ndim == 1:
            tensor = _one_column(model, value)
        outputs.append(
            {
                "key": key,
                "from": tensor.name,
                "tensor": key,
                "dtype": dtypes.get(value.type.tensor_type.elem_type, "float64"),
                "columns": None if want.ndim == 1 else int(want.shape[1]),
            }
        )
    return outputs


def _one_column(model: Any, value: Any) -> Any:
    """Cut a binary score that comes as ``[-s, s]`` to its second column."""
    from onnx import TensorProto, helper

    dims = value.type.tensor_type.shape.dim
    if len(dims) < 2 or dims[1].dim_value != 2:
        return value
    name = f"{value.name}_one"
    at = helper.make_tensor(f"{name}_at", TensorProto.INT64, [1], [1])
    model.graph.initializer.append(at)
    model.graph.node.append(helper.make_node("Gather", [value.name, at.name], [name], axis=1))
    cut = helper.make_tensor_value_info(name, value.type.tensor_type.elem_type, [None, 1])
    model.graph.output.append(cut)
    return cut
