"""Walks a graph from its inputs to its outputs, a lowering for each node, and writes the program's file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, numpy_helper
from onnx.reference import ReferenceEvaluator

from sls_ml.artifact.lite import (
    elementwise,
    encoders,
    glue,
    joined,
    kernels,
    linear,
    lookups,
    reductions,
    texts,
    trees,
)
from sls_ml.artifact.lite.coverage import NotCovered
from sls_ml.artifact.lite.node import Const, Lowering, Node, Value
from sls_ml.artifact.lite.program import Live, Program

ROW_BUDGET = 3000.0
"""Microseconds that one row may take, as estimated: beyond them another engine serves better."""

OPERATORS: dict[tuple[str, str], Lowering] = {
    **elementwise.LOWERINGS,
    **encoders.LOWERINGS,
    **glue.LOWERINGS,
    **kernels.LOWERINGS,
    **linear.LOWERINGS,
    **lookups.LOWERINGS,
    **reductions.LOWERINGS,
    **texts.LOWERINGS,
    **trees.LOWERINGS,
}
"""The operators with a lowering, by domain and name."""
_DTYPES: dict[int, str] = {
    TensorProto.FLOAT: "float32",
    TensorProto.DOUBLE: "float64",
    TensorProto.INT64: "int64",
    TensorProto.BOOL: "bool",
    TensorProto.STRING: "string",
}


def compile_lite(
    model: bytes | onnx.ModelProto, manifest: Mapping[str, Any], *, row_budget: float | None = ROW_BUDGET
) -> bytes:
    """Compile a graph for the lite engine.

    Args:
        model: A model.onnx file, or the model that it holds.
        manifest: The artifact's manifest, of which ``tensors`` and ``outputs`` are read.
        row_budget: Microseconds that one row may take, as estimated; None for any time.

    Returns:
        The bytes of model.lite: the same for the same graph.

    Raises:
        NotCovered: The graph has an operator, or a use of one, that the engine does not cover; or a row
            would take longer than the budget.
    """
    proto = onnx.load_from_string(model) if isinstance(model, bytes) else model
    program = Program()
    versions = {_domain(entry.domain): entry.version for entry in proto.opset_import}
    values: dict[str, Value] = {entry.name: _tensor(entry) for entry in proto.graph.initializer}
    values.update(_inputs(program, proto.graph, manifest["tensors"]))
    wanted = [output["tensor"] for output in manifest["outputs"]]
    nodes = _needed(proto.graph.node, wanted)
    runs = joined.runs(nodes, wanted)
    within = {node.output[0] for run in runs.values() for node in run.nodes}
    for node in nodes:
        if node.output[0] not in within:
            values.update(_results(program, node, versions, values, runs.get(node.output[0])))
    declared = {output.name: output.type.tensor_type.elem_type for output in proto.graph.output}
    outputs = [(name, _output(name, values.get(name), declared.get(name))) for name in wanted]
    content, cost = program.encode(outputs)
    if row_budget is not None and cost > row_budget:
        slowest, share = program.slowest()
        raise NotCovered(
            slowest, f"a row would take about {cost / 1000:.0f} ms, {share / 1000:.0f} ms of them there"
        )
    return content


def _inputs(
    program: Program, graph: onnx.GraphProto, tensors: Iterable[Mapping[str, Any]]
) -> dict[str, Live]:
    """The graph inputs, as the manifest describes them."""
    declared = {entry.name: entry.type.tensor_type.elem_type for entry in graph.input}
    inputs = {}
    for tensor in tensors:
        name, dtype = tensor["name"], tensor["dtype"]
        if _DTYPES.get(declared.get(name, 0)) != dtype:
            raise NotCovered("input", f"{name} is not of type {dtype} in the graph")
        inputs[name] = program.input(name, dtype, tensor["rank"], tensor["columns"])
    return inputs


def _needed(nodes: Sequence[onnx.NodeProto], wanted: Iterable[str]) -> list[onnx.NodeProto]:
    """The nodes that the wanted tensors need, in their order."""
    names = set(wanted)
    chosen = []
    for node in reversed(nodes):
        if names.intersection(node.output):
            names.update(node.input)
            chosen.append(node)
    return chosen[::-1]


def _results(
    program: Program,
    proto: onnx.NodeProto,
    versions: Mapping[str, int],
    values: Mapping[str, Value],
    run: joined.Run | None,
) -> dict[str, Value]:
    """The values of a node's outputs, where it ends a run of tree ensembles those of the run."""
    domain = _domain(proto.domain)
    reads = proto.input if run is None else run.nodes[0].input
    absent = [name for name in reads if name and name not in values]
    if absent:
        raise NotCovered(proto.op_type, f"{absent[0]} has no value")
    inputs = tuple(values[name] if name else None for name in reads)
    constant = all(value is None or isinstance(value, np.ndarray) for value in inputs)
    lowering = OPERATORS.get((domain, proto.op_type))
    if lowering is None and not constant:
        raise NotCovered(proto.op_type, "there is no such operation")
    try:
        if run is not None:
            ensembles = [Node(one.op_type, 5, inputs, _attributes(one), program) for one in run.nodes]
            results: Sequence[Value] = [trees.joined(ensembles, side_by_side=run.side_by_side)]
        elif constant or lowering is None:
            results = _folded(proto, versions, inputs)
        else:
            node = Node(proto.op_type, versions.get(domain, 1), inputs, _attributes(proto), program)
            results = lowering(node)
    except (
        AttributeError,
        IndexError,
        KeyError,
        NotImplementedError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise NotCovered(proto.op_type, f"it has an unforeseen form ({error!r})") from error
    return {name: value for name, value in zip(proto.output, results, strict=False) if name}


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def _folded(
    proto: onnx.NodeProto, versions: Mapping[str, int], inputs: Sequence[Value | None]
) -> list[Const]:
    """The outputs of a node that has constant inputs only."""
    evaluator = ReferenceEvaluator(proto, opsets=dict(versions))
    feeds = {name: value for name, value in zip(proto.input, inputs, strict=True) if name}
    return [np.asarray(result) for result in evaluator.run(None, feeds)]


def _output(name: str, value: Value | None, element: int | None) -> Live:
    """The value of a graph output, which must have a row for each row of the input."""
    if not isinstance(value, Live):
        raise NotCovered("output", f"{name} is the same for each row")
    if np.prod(value.shape[: value.axis]) != 1:
        raise NotCovered("output", f"the rows of {name} do not lie along its first dimension")
    if element is not None and _DTYPES.get(element) != value.dtype:
        raise NotCovered("output", f"{name} is computed as {value.dtype}, not as the graph declares it")
    return value


def _tensor(proto: TensorProto) -> Const:
    """A constant of the graph; texts become a list of Python str."""
    numbers = numpy_helper.to_array(proto)
    if numbers.dtype.kind in "OSU":
        texts = [item.decode() if isinstance(item, bytes) else str(item) for item in numbers.reshape(-1)]
        return np.array(texts, object).reshape(numbers.shape)
    return numbers


def _attributes(proto: onnx.NodeProto) -> dict[str, Any]:
    """The attributes of a node, in Python types; subgraphs stay as they are."""
    attributes: dict[str, Any] = {}
    for entry in proto.attribute:
        match entry.type:
            case AttributeProto.STRING:
                attributes[entry.name] = entry.s.decode()
            case AttributeProto.STRINGS:
                attributes[entry.name] = [item.decode() for item in entry.strings]
            case AttributeProto.TENSOR:
                attributes[entry.name] = _tensor(entry.t)
            case _:
                attributes[entry.name] = onnx.helper.get_attribute_value(entry)
    return attributes
