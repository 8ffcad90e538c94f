"""Turn a fitted scikit-learn model into an ONNX graph, by skl2onnx and our own converters.

Numbers enter as doubles. Our own converters narrow them to float32 where scikit-learn does (trees); before
other parts whose ONNX operator knows no doubles a cast is put in.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

from sls_ml.artifact import structure
from sls_ml.artifact.exporters.libraries import library_of
from sls_ml.artifact.extras import need
from sls_ml.errors import ModelError, SlsMlError

_OPSET = {"": 18, "ai.onnx.ml": 3}
"""The operator sets to convert for; a converter of ours may raise the second for trees."""

_SINGLE = ("IsolationForest", "LinearSVC", "SVR", "NuSVR", "OneClassSVM", "CategoricalNB")
"""Estimators whose ONNX form knows float32 only; trees are found by their base class."""


def export(
    model: Any, tensors: Sequence[dict[str, Any]], positions: Sequence[int], *, before: str | None = None
) -> Any:
    """Convert a model.

    Args:
        model: The fitted estimator; it is not changed.
        tensors: The manifest's tensors: what the graph's inputs are called and hold.
        positions: Where each of the manifest's inputs stands in the model's own input.
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
    ready = _prepared(model, {position: place for place, position in enumerate(positions)}, before)
    try:
        return _convert(ready, tensors)
    except SlsMlError:
        raise
    except Exception as error:
        raise _refusal(model, error) from error


def _convert(model: Any, tensors: Sequence[dict[str, Any]]) -> Any:
    from skl2onnx import convert_sklearn
    from skl2onnx.common import data_types

    from sls_ml.artifact.converters import aside

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
    with warnings.catch_warnings(), aside.large_attributes() as kept, _options_taken_as_they_are():
        warnings.simplefilter("ignore")
        converted = convert_sklearn(
            model, name="model", initial_types=inputs, target_opset=dict(_OPSET), options=_options(model)
        )
    kept.put_back(converted)
    return converted


@contextmanager
def _options_taken_as_they_are() -> Iterator[None]:
    """Keep skl2onnx from looking for options' owners, which reads every property of every part.

    Options are keyed by the owners' ids already, and a forest works out the rows of each of its trees when it
    is asked for all that it has.
    """
    from skl2onnx import _parse, convert

    theirs = _parse._process_options
    _parse._process_options = convert._process_options = lambda _, options: options
    try:
        yield
    finally:
        _parse._process_options = convert._process_options = theirs


def _options(model: Any) -> dict[int, dict[str, Any]]:
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.pipeline import FeatureUnion, Pipeline

    from sls_ml.artifact import converters

    # An option of a frame would be passed on to its last step, whatever that is.
    frames = (ColumnTransformer, FeatureUnion, Pipeline)
    chosen = {}
    for part in structure.parts(model):
        if not isinstance(part, frames):
            # A locale that is there on slim images too; skl2onnx's own default is not.
            locale = {"locale": "C.UTF-8"} if isinstance(part, CountVectorizer) else {}
            chosen[id(part)] = locale | converters.options(part)
    return chosen


def _prepared(model: Any, places: Mapping[int, int], before: str | None) -> Any:
    """Copy the model's frame (never its fitted parts) with casts put in and columns called by position."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    ready = _seeing_gaps([step for _, step in structure.steps(model)])
    if isinstance(ready[0], ColumnTransformer):
        ready[0] = _moved(ready[0], places)
    if before == "all":
        ready.insert(0, _cast("float32"))
    elif before == "final":
        ready[:-1] = [_rewritten(step) for step in ready[:-1]]
        ready.insert(-1, _cast("float32"))
    else:
        ready = [_rewritten(step) for step in ready]
    flat = [inner for step in ready for _, inner in structure.steps(step)]
    return Pipeline([(f"s{number}", step) for number, step in enumerate(flat)]) if len(flat) > 1 else flat[0]


def _seeing_gaps(steps: list[Any]) -> list[Any]:
    """Tell XGBoost and isolation forests that they are fed with sparse tables.

    XGBoost takes their zeros for missing; isolation forests send what is missing to the right there.
    """
    seen = steps[:1]
    sparse = False
    for before, step in pairwise(steps):
        sparse = structure.gives_sparse(before) or (sparse and structure.keeps_sparse(before))
        library = library_of(step)
        told = type(step).__name__ == "IsolationForest" or (library is not None and library.NAME == "XGBoost")
        if told and sparse:
            seen.append(copy.copy(step))
            seen[-1].fed_sparse = True
        else:
            seen.append(step)
    return seen


def _moved(part: Any, places: Mapping[int, int]) -> Any:
    """Give a ColumnTransformer that calls its columns by their place among the graph's inputs."""
    moved = copy.copy(part)
    moved.transformers_ = [
        (name, inner, [places[position] for position in positions])
        for name, inner, positions in structure.column_parts(part)
    ]
    moved._transformer_to_input_indices = {name: found for name, _, found in moved.transformers_}
    return moved


def _rewritten(part: Any, *, beside: bool = False) -> Any:
    """Give a part with every estimator within it that needs float32 fed with float32.

    Args:
        part: The part.
        beside: Whether its answer stands beside those of others, which must be doubles like them.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.pipeline import FeatureUnion, Pipeline
    from sklearn.preprocessing import OneHotEncoder

    if isinstance(part, str) or part is None:
        return part
    if not structure.steps(part):
        return "passthrough"
    part = structure.unwrapped(part)
    changed = part
    match part:
        case Pipeline():
            changed = Pipeline([(name, _rewritten(step)) for name, step in structure.steps(part)])
        case ColumnTransformer():
            changed = copy.copy(part)
            changed.transformers_ = [
                (name, _rewritten(inner, beside=True), positions)
                for name, inner, positions in structure.column_parts(part)
            ]
        case FeatureUnion():
            changed = copy.copy(part)
            changed.transformer_list = [
                (name, _rewritten(inner, beside=True)) for name, inner in part.transformer_list
            ]
        case _ if any(_is_single(inner) for inner in structure.parts(part)):
            changed = Pipeline([("narrow", _cast("float32")), ("model", part)])
        case _:
            pass
    if beside and isinstance(structure.steps(part)[-1][1], (CountVectorizer, OneHotEncoder)):
        return Pipeline([("part", changed), ("widen", _cast("float64"))])
    return changed


def _is_single(part: Any) -> bool:
    """Tell whether skl2onnx's form of this part needs float32; our own converters narrow by themselves."""
    from sklearn.ensemble._hist_gradient_boosting.gradient_boosting import BaseHistGradientBoosting
    from sklearn.tree import BaseDecisionTree

    from sls_ml.artifact import converters

    if converters.owns(type(part)):
        return False
    return isinstance(part, (BaseDecisionTree, BaseHistGradientBoosting)) or type(part).__name__ in _SINGLE


def _cast(dtype: str) -> Any:
    import numpy as np
    from skl2onnx.sklapi import CastTransformer

    return CastTransformer(dtype=np.float32 if dtype == "float32" else np.float64)


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
        mend="replace this part by one that has an ONNX form; docs/estimators.md lists them",
    )


def outputs_of(model: Any, expected: Mapping[str, Any]) -> list[dict[str, Any]]:
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
        if key == "score" and want.ndim == 1 and _width(value) != 1:
            tensor = _last_column(model, value)
        # skl2onnx has no labels that are truth values: its graphs give their positions.
        truth = key == "label" and want.ndim == 1 and want.dtype.kind == "b"
        positions = {"positions": True} if truth else {}
        outputs.append(
            {
                **positions,
                "key": key,
                "from": tensor.name,
                "tensor": key,
                "dtype": dtypes.get(value.type.tensor_type.elem_type, "float64"),
                "columns": None if want.ndim == 1 else int(want.shape[1]),
            }
        )
    return outputs


def _last_column(model: Any, value: Any) -> Any:
    """Cut a binary score, which comes as ``[s]`` or ``[-s, s]``, to its last column."""
    from onnx import TensorProto, helper

    name = f"{value.name}_last"
    at = helper.make_tensor(f"{name}_at", TensorProto.INT64, [1], [-1])
    model.graph.initializer.append(at)
    model.graph.node.append(helper.make_node("Gather", [value.name, at.name], [name], axis=1))
    cut = helper.make_tensor_value_info(name, value.type.tensor_type.elem_type, [None, 1])
    model.graph.output.append(cut)
    return cut


def _width(value: Any) -> int | None:
    dims = value.type.tensor_type.shape.dim
    return dims[1].dim_value or None if len(dims) == 2 else None
