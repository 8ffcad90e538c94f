"""Refuses small graphs that would grow without bound: by functions, or by tensors made of a shape."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx

from sls_ml.errors import ArtifactError

_MOST_NODES = 100_000
"""Nodes that a graph may have once its functions are written out."""

_MOST_ELEMENTS = 1 << 28
"""Elements of a tensor whose shape is known before any row is there: 1 GiB of float32."""


def check_functions(model: Any, path: Path) -> None:
    """Check what a graph becomes once its functions are written out.

    Raises:
        ArtifactError: A function calls itself, or there would be too many nodes.
    """
    functions = {(one.domain, one.name): one for one in model.functions}
    sizes: dict[tuple[str, str], int] = {}
    open_calls: list[tuple[str, str]] = []

    def size(nodes: Any) -> int:
        total = 0
        for node in _all(nodes):
            key = (node.domain, node.op_type)
            total += called(key) if key in functions else 1
        return total

    def called(key: tuple[str, str]) -> int:
        if key in open_calls:
            raise _endless(f"the function {'.'.join(key)} calls itself", path)
        if key not in sizes:
            open_calls.append(key)
            sizes[key] = size(functions[key].node)
            open_calls.pop()
        return sizes[key]

    try:
        found = size(model.graph.node)
    except RecursionError as error:
        raise _endless("its functions call each other too deeply", path) from error
    if found > _MOST_NODES:
        raise _endless(f"with its functions written out it has {found} nodes", path)


def check_shapes(model: Any, path: Path) -> None:
    """Check the tensors whose size the graph itself says, without running it.

    Raises:
        ArtifactError: One is larger than any model needs.
        Exception: The shapes do not fit each other.
    """
    # Without propagation of data, which would itself write out what a Range says.
    inferred = onnx.shape_inference.infer_shapes(model)
    for value in (*inferred.graph.value_info, *inferred.graph.output):
        sizes = [dim.dim_value for dim in value.type.tensor_type.shape.dim if dim.HasField("dim_value")]
        if math.prod(sizes) > _MOST_ELEMENTS:
            shape = " x ".join(map(str, sizes))
            raise _endless(f"the tensor {value.name!r} would have {shape} elements", path)


def _all(nodes: Any) -> Iterator[Any]:
    """Give the nodes with those of the graphs within them."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from _all(graph.node)


def _endless(why: str, path: Path) -> ArtifactError:
    return ArtifactError(
        "The graph would take more memory than a model needs.",
        code="onnx-large",
        where=str(path),
        why=why,
        mend="the file is made up to exhaust memory, or exported wrongly: export the model again",
    )
