"""Lowerings of encoders, imputers and thresholds of ONNX-ML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sls_ml.artifact.lite.elementwise import apply, combine, constant
from sls_ml.artifact.lite.glue import cast
from sls_ml.artifact.lite.linear import single
from sls_ml.artifact.lite.node import Const, Lowering, Node, Value, broadcast

_SUFFIXES = {"strings": "string", "int64s": "int64", "floats": "float32"}
_DEFAULTS: dict[str, Any] = {"string": "_Unused", "int64": -1, "float32": -0.0, "float64": -0.0}


def _list(node: Node, name: str) -> tuple[str, list[Any]]:
    """The keys or the values of a label encoder, and their dtype."""
    for suffix, dtype in _SUFFIXES.items():
        if f"{name}_{suffix}" in node.attributes:
            items = node.attributes[f"{name}_{suffix}"]
            return dtype, [str(item) for item in items] if dtype == "string" else list(items)
    tensor = node.attributes.get(f"{name}_tensor")
    if tensor is None or tensor.dtype.name not in ("float64", "float32", "int64", "object"):
        raise node.refuse(f"it has no {name} of a known type")
    if tensor.dtype == object:
        return "string", [str(item) for item in tensor.reshape(-1)]
    return tensor.dtype.name, tensor.reshape(-1).tolist()


def _default(node: Node, dtype: str) -> Any:
    tensor = node.attributes.get("default_tensor")
    if tensor is not None:
        value = tensor.reshape(-1)[0]
        return str(value) if dtype == "string" else tensor.reshape(-1).tolist()[0]
    name = {"string": "default_string", "int64": "default_int64", "float32": "default_float"}.get(dtype, "")
    return node.attributes.get(name, _DEFAULTS[dtype])


def _held(node: Node, dtype: str, items: list[Any]) -> Any:
    """Keys or values as a parameter: texts as they are, numbers as an array."""
    return items if dtype == "string" else node.program.array(np.array(items, np.dtype(dtype)))


def _label_encoder(node: Node) -> Sequence[Value]:
    value = node.live()
    if "classes_strings" in node.attributes:  # version 1
        texts = [str(text) for text in node.attributes["classes_strings"]]
        numbers = list(range(len(texts)))
        pairs = (("string", texts), ("int64", numbers))
        (keyed, keys), (dtype, values) = pairs if value.dtype == "string" else pairs[::-1]
    else:
        keyed, keys = _list(node, "keys")
        dtype, values = _list(node, "values")
    if keyed != value.dtype:
        raise node.refuse(f"its keys are {keyed} and its input is {value.dtype}")
    default = _default(node, dtype)
    if isinstance(default, float) and not np.isfinite(default):
        if not np.isnan(default):
            raise node.refuse("its default is infinite")
        default = None
    step = node.program.step(
        "tables.map",
        [value],
        dtype,
        value.shape,
        value.axis,
        _held(node, keyed, keys),
        _held(node, dtype, values),
        default,
        dtype == "float32",
        cost=0.4 + 0.1 * value.size,
    )
    return [step]


def _one_hot(node: Node) -> Sequence[Value]:
    value = node.live()
    texts = node.attributes.get("cats_strings")
    if not node.attributes.get("zeros", 1):
        raise node.refuse("it refuses unknown categories")
    if (value.dtype == "string") != bool(texts):
        raise node.refuse("its categories are of another type than its input")
    if texts:
        categories: Any = [str(text) for text in texts]
        width = len(categories)
    else:
        known = np.array(node.attributes["cats_int64s"], np.int64)
        width = known.size
        categories = node.program.array(known)
        if value.dtype != "int64":
            value = cast(node, value, "int64")
    return [
        node.program.step(
            "tables.one_hot",
            [value],
            "float32",
            (*value.shape, width),
            value.axis,
            categories,
            cost=0.4 + 0.15 * value.size + 0.01 * value.size * width,
        )
    ]


def _imputer(node: Node) -> Sequence[Value]:
    value = node.live()
    attributes = node.attributes
    if value.dtype == "int64":
        replaced: Any = attributes.get("replaced_value_int64", 0)
        filled: Const = np.array(attributes["imputed_value_int64s"], np.int64)
    else:
        value = single(node, value)
        replaced = np.float32(attributes.get("replaced_value_float", 0.0))
        filled = np.array(attributes["imputed_value_floats"], np.float32)
    if value.dtype == "float32" and np.isnan(replaced):
        gone = apply(node.program, "isnan", value, "bool")
    else:
        gone = combine(node, "equal", value, np.array([replaced], filled.dtype), "bool")
    shape, axis = broadcast(node, [value, filled])
    if shape != value.shape:
        raise node.refuse("it has more values than columns")
    fill = constant(node, np.broadcast_to(filled, shape), axis)
    return [
        node.program.step(
            "values.choose", [gone, fill, value], value.dtype, shape, axis, cost=0.3 + 0.05 * value.size
        )
    ]


def _binarizer(node: Node) -> Sequence[Value]:
    value = node.live()
    bound = np.array([node.attributes.get("threshold", 0.0)], np.float32)
    above = combine(node, "greater", value, bound, "bool")
    return [cast(node, above, value.dtype)]


LOWERINGS: dict[tuple[str, str], Lowering] = {
    ("ai.onnx.ml", "Binarizer"): _binarizer,
    ("ai.onnx.ml", "Imputer"): _imputer,
    ("ai.onnx.ml", "LabelEncoder"): _label_encoder,
    ("ai.onnx.ml", "OneHotEncoder"): _one_hot,
}
