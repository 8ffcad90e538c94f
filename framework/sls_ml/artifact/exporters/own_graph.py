"""A model that brings its graph: what inputs and outputs mean is read from the graph and the sample."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper

from sls_ml.artifact.exporters.graph_model import GraphModel
from sls_ml.artifact.exporters.own_outputs import meaning, unfit
from sls_ml.errors import ModelError

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, Any]
Evaluate = Callable[[dict[str, Array]], Sequence[Array]]
"""What the model itself answers: arrays by input name to one array for each output of the graph."""

_INPUTS: dict[int, tuple[str, Any]] = {
    TensorProto.DOUBLE: ("float64", np.float64),
    TensorProto.FLOAT: ("float32", np.float32),
    TensorProto.FLOAT16: ("float32", np.float16),
    TensorProto.INT64: ("int64", np.int64),
    TensorProto.INT32: ("int64", np.int32),
    TensorProto.BOOL: ("bool", np.bool_),
    TensorProto.STRING: ("string", object),
}
"""The column's dtype in the manifest, and numpy's of the tensor, for each type of a graph input."""

_DECLARED: dict[str, int] = {
    "float64": TensorProto.DOUBLE,
    "float32": TensorProto.FLOAT,
    "int64": TensorProto.INT64,
    "bool": TensorProto.BOOL,
    "string": TensorProto.STRING,
}
_MOST_COLUMNS = 16_384
_LOOKED_AT = 64
"""Rows of the sample that tell what the outputs mean."""


@dataclass(frozen=True)
class Fed:
    """One input of the graph.

    Attributes:
        name: Its name.
        element: Its ONNX element type.
        shape: What follows the rows; empty for a tensor of one dimension, None for a width not known.
        columns: Positions of its columns in the sample.
    """

    name: str
    element: int
    shape: tuple[int | None, ...]
    columns: tuple[int, ...] = ()

    @property
    def width(self) -> int | None:
        """The number of its columns, None where the graph leaves it open."""
        total = 1
        for size in self.shape:
            if size is None:
                return None
            total *= size
        return total

    @property
    def plain(self) -> bool:
        """Whether the graph can be fed as the manifest's tensors are."""
        return self.element in _DECLARED.values() and len(self.shape) <= 1


@dataclass(frozen=True)
class OwnGraph(GraphModel):
    """A model that brings its ONNX graph.

    Attributes:
        model: The onnx.ModelProto.
        evaluate: The judge of its answers.
        library: Where it comes from, for the manifest.
        estimator: What it is, for the manifest.
        judged_by: What `evaluate` is, for the report.
        fed: Its inputs, with the sample's columns once these are known.
        kind: The manifest's kind, once the outputs are understood.
        classes: The classes of a classifier; before that those that the graph names for sure.
        outputs: The graph's output for each key of the answer; "" for labels to be made from probabilities.
    """

    model: Any
    evaluate: Evaluate
    library: str
    estimator: str
    judged_by: str
    fed: tuple[Fed, ...] = ()
    kind: str = ""
    classes: list[Any] | None = None
    outputs: tuple[tuple[str, str], ...] = ()

    def columns(self, width: int) -> OwnGraph:
        """Give each input its columns, for a sample of so many.

        Raises:
            ModelError: An input has a type, rank or fixed number of rows that cannot be served.
        """
        found = list(_inputs(self.model))
        open_width = [fed for fed in found if fed.width is None]
        known = sum(fed.width or 0 for fed in found)
        if open_width and (len(open_width) > 1 or len(found[0].shape) > 1):
            raise unfit(f"the input {open_width[0].name!r} has no fixed shape")
        placed, first = [], 0
        for fed in found:
            size = fed.width if fed.width is not None else max(width - known, 1)
            shape = fed.shape if fed.width is not None else (size,)
            placed.append(replace(fed, shape=shape, columns=tuple(range(first, first + size))))
            first += size
        if first > _MOST_COLUMNS:
            raise unfit(f"it takes {first} numbers a row, more than {_MOST_COLUMNS}")
        return replace(self, fed=tuple(placed))

    @property
    def names(self) -> list[str] | None:
        """The columns' names where the graph has an input for each column, else None."""
        if len(self.fed) == 1 and self.fed[0].width != 1:
            return None
        return [
            fed.name if fed.width == 1 else f"{fed.name}_{at}"
            for fed in self.fed
            for at in range(len(fed.columns))
        ]

    @property
    def dtypes(self) -> list[str]:
        """The manifest's dtype of each column."""
        return [_INPUTS[fed.element][0] for fed in self.fed for _ in fed.columns]

    def tensors(self) -> list[dict[str, Any]]:
        """Give the manifest's tensors."""
        return [
            {
                "name": fed.name if fed.plain else f"{fed.name}_rows",
                "dtype": _INPUTS[fed.element][0],
                "columns": list(fed.columns),
                "rank": 2 if fed.shape else 1,
            }
            for fed in self.fed
        ]

    def understood(self, frame: pd.DataFrame) -> OwnGraph:
        """Find out what the outputs mean, by their names, shapes and values on some rows.

        Raises:
            ModelError: No output is a prediction, or the classes cannot be found.
        """
        rows = frame.iloc[:_LOOKED_AT]
        kind, found, outputs = meaning(self.model, self._evaluated(rows), len(rows), self.classes)
        return replace(self, kind=kind, classes=found, outputs=tuple(outputs.items()))

    def answers(self, frame: pd.DataFrame) -> dict[str, Array]:
        """Give the answers by the manifest's keys, one array of N or [N, C] each.

        Raises:
            ValueError: A value does not fit its input.
        """
        by_name = self._evaluated(frame)
        found = {}
        for key, name in self.outputs:
            value = by_name[dict(self.outputs)["probability"]].argmax(axis=1) if not name else by_name[name]
            found[key] = value.reshape(-1) if value.size == len(frame) else value
        return found

    def graph(self) -> Any:
        """Give the graph with inputs as the manifest's tensors and outputs in the order of the answers."""
        model = copy.deepcopy(self.model)
        graph = model.graph
        stored = {value.name for value in graph.initializer}
        kept = [value for value in graph.input if value.name not in stored]
        del graph.input[:]
        graph.input.extend(kept)
        for fed in self.fed:
            _adapt(graph, fed)
        wanted = []
        for _, name in self.outputs:
            if name:
                wanted.append(next(output for output in graph.output if output.name == name))
            else:
                wanted.append(_argmax(graph, dict(self.outputs)["probability"]))
        outputs = [_as_int64(graph, output) for output in wanted]
        del graph.output[:]
        graph.output.extend(outputs)
        return model

    def _evaluated(self, frame: pd.DataFrame) -> dict[str, Array]:
        arrays = self.evaluate(self._feeds(frame))
        outputs = self.model.graph.output
        return {output.name: np.asarray(value) for output, value in zip(outputs, arrays, strict=True)}

    def _feeds(self, frame: pd.DataFrame) -> dict[str, Array]:
        feeds = {}
        for fed in self.fed:
            dtype = _INPUTS[fed.element][1]
            columns = [_column(frame.iloc[:, place], dtype) for place in fed.columns]
            feeds[fed.name] = np.column_stack(columns).reshape(len(frame), *fed.shape)
        return feeds


def _inputs(model: Any) -> Iterator[Fed]:
    stored = {value.name for value in model.graph.initializer}
    for value in model.graph.input:
        if value.name in stored:
            continue
        kind = value.type.WhichOneof("value")
        element = value.type.tensor_type.elem_type
        if kind != "tensor_type" or element not in _INPUTS:
            raise unfit(f"the input {value.name!r} has a type that no row of values fills")
        dims = value.type.tensor_type.shape.dim
        if not dims:
            raise unfit(f"the input {value.name!r} has no rows")
        if dims[0].HasField("dim_value"):
            raise ModelError(
                f"The graph takes exactly {dims[0].dim_value} rows at a time.",
                code="onnx-fixed-rows",
                where=f"input {value.name!r}",
                mend="export it with a first dimension that is free (dynamic_shapes, dynamic_axes)",
            )
        sizes = tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in dims[1:])
        yield Fed(value.name, element, sizes)


def _column(column: pd.Series[Any], dtype: Any) -> Array:
    """Give a column as the graph takes it; what does not fit raises."""
    if dtype is object:
        if column.isna().any():
            raise ValueError("a text is missing")
        return column.astype(str).to_numpy(dtype=object)
    values = column.to_numpy(dtype=np.float64 if np.dtype(dtype).kind == "f" else None)
    with np.errstate(all="ignore"):
        cast = values.astype(dtype)
    floats = np.dtype(dtype).kind == "f"
    wrong = np.isinf(cast) & np.isfinite(values) if floats else cast != values
    if wrong.any():
        raise ValueError(f"{values[wrong][0]} is no {np.dtype(dtype).name}")
    return cast


def _adapt(graph: Any, fed: Fed) -> None:
    """Put nodes between a tensor of the manifest and an input that has another type or rank."""
    if fed.plain:
        return
    dtype = _INPUTS[fed.element][0]
    name = f"{fed.name}_rows"
    declared = helper.make_tensor_value_info(name, _DECLARED[dtype], [None, len(fed.columns)])
    front = []
    if len(fed.shape) > 1:
        sizes = [-1, *(size or 0 for size in fed.shape)]
        shape = helper.make_tensor(f"{name}_shape", TensorProto.INT64, [len(sizes)], sizes)
        graph.initializer.append(shape)
        front.append(helper.make_node("Reshape", [name, shape.name], [f"{name}_shaped"]))
    last = front[-1].output[0] if front else name
    front.append(helper.make_node("Cast", [last], [fed.name], to=fed.element))
    graph.node.extend(front)
    for _ in front:  # to the front, in their order
        graph.node.insert(0, graph.node.pop())
    for at, value in enumerate(graph.input):
        if value.name == fed.name:
            graph.input[at].CopyFrom(declared)


def _argmax(graph: Any, probability: str) -> Any:
    name = f"{probability}_label"
    graph.node.append(helper.make_node("ArgMax", [probability], [name], axis=1, keepdims=0))
    return helper.make_tensor_value_info(name, TensorProto.INT64, [None])


def _as_int64(graph: Any, output: Any) -> Any:
    """Give a label of small integers as int64."""
    if output.type.tensor_type.elem_type != TensorProto.INT32:
        return output
    name = f"{output.name}_int64"
    graph.node.append(helper.make_node("Cast", [output.name], [name], to=TensorProto.INT64))
    return helper.make_tensor_value_info(name, TensorProto.INT64, [None])
