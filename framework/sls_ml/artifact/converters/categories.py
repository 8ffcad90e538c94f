"""Finds the position of a value in a fitted list of categories: the base of all encoders."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from sls_ml.artifact.converters.graph import Graph, Tensor
from sls_ml.errors import ModelError

NULL_STRING = "\ufdd0"
"""How a missing value, NaN in the original's table, arrives in a tensor of strings: no text of a user's."""

NONE_STRING = "\ufdd1"
"""How a missing value arrives that is None in the original's table, which scikit-learn tells apart."""


_EXACT = 2.0**53
"""Beyond it not every integer is a double."""


def split_columns(tensors: list[Tensor]) -> list[Tensor]:
    """One tensor ``[N, 1]`` for each feature."""
    columns = []
    for tensor in tensors:
        if tensor.width is None:
            columns.append(tensor.reshape(-1, 1))
        else:
            columns += tensor.split()
    return columns


def is_nan(value: Any) -> bool:
    """Whether a category is NaN."""
    return isinstance(value, float) and bool(np.isnan(value))


def is_missing(value: Any) -> bool:
    """Whether a category stands for the missing value: None or NaN."""
    return value is None or is_nan(value)


def spelt(value: Any) -> str:
    """A category as it arrives in a tensor of strings."""
    if value is None:
        return NONE_STRING
    return NULL_STRING if is_nan(value) else str(value)


def positions(
    graph: Graph, column: Tensor, categories: npt.NDArray[Any], codes: npt.ArrayLike | None = None
) -> Tensor:
    """Where each value stands in the categories, int64; -1 where it is not among them.

    Args:
        graph: The graph to add to.
        column: Strings or numbers (compared in double precision), of any shape, which the result has too.
        categories: Distinct values, None or NaN for missing.
        codes: Whole numbers to give instead: one for each category, last that of all other values.
    """
    codes = np.asarray([*range(len(categories)), -1] if codes is None else codes, dtype=np.int64)
    version = 2 if column.kind == "string" else 4
    node = onnx.NodeProto(op_type="LabelEncoder", domain="ai.onnx.ml", name=graph.name("LabelEncoder"))
    if column.kind == "string":
        keys = [spelt(value) for value in categories]
        if len(set(keys)) < len(keys):
            raise ModelError(
                "two categories look the same as text",
                code="categories-look-alike",
                why=f"one of {keys[:8]} stands for two values",
                mend="give the categories distinct texts",
            )
        keys_ = node.attribute.add(name="keys_strings", type=onnx.AttributeProto.STRINGS)
        keys_.strings.extend(key.encode() for key in keys)
        values = node.attribute.add(name="values_int64s", type=onnx.AttributeProto.INTS)
        values.ints.extend(codes[:-1].tolist())
        node.attribute.add(name="default_int64", type=onnx.AttributeProto.INT, i=int(codes[-1]))
    else:
        column = column.cast("float64")
        if categories.dtype.kind in "iu" and (np.abs(categories.astype(float)) > _EXACT).any():
            raise ModelError(
                "some categories are integers beyond 2**53, which doubles do not tell apart",
                code="categories-look-alike",
                mend="make texts of these numbers before you train",
            )
        numbers = np.asarray([np.nan if is_missing(v) else v for v in categories], dtype=np.float64)
        for name, array in (
            ("keys_tensor", numbers),
            ("values_tensor", codes[:-1]),
            ("default_tensor", codes[-1:]),
        ):
            attribute = node.attribute.add(name=name, type=onnx.AttributeProto.TENSOR)
            attribute.t.CopyFrom(onnx.numpy_helper.from_array(array))
    found = Tensor(graph, graph.name("position"), "int64", column.width)
    node.input.append(column.name)
    node.output.append(found.name)
    graph.add(node, version)
    return found


def missing(graph: Graph, column: Tensor, marker: Any = np.nan) -> Tensor:
    """Which values are missing, bool, in the shape of `column`.

    Args:
        graph: The graph to add to.
        column: Strings or numbers.
        marker: The value that means missing; NaN, None, a number or a string.
    """
    if column.kind == "string":
        return positions(graph, column, np.asarray([marker], dtype=object)) >= 0
    if is_missing(marker):
        return graph.op("IsNaN", column)
    return graph.equal(column, float(marker))
