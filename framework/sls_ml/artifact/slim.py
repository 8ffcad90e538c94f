"""Make a graph small, plain and the same on every machine, without changing one bit of its answers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import count
from typing import Any

GRAPH_NAME = "model"

_COMPARED = 4096
"""Bytes of the largest constants that are looked at for equal ones."""


def slim(model: Any, *, outputs: Mapping[str, str]) -> None:
    """Slim an onnx.ModelProto in place.

    Args:
        model: The graph.
        outputs: The graph's outputs to keep, by name, with the names that they are to have.
    """
    from sls_ml.artifact import packed  # loads numpy

    graph = model.graph
    _rename_outputs(graph, outputs)
    _drop_unreached(graph)
    _drop_identities(graph)
    _share(graph)
    _shorten(graph)
    for node in graph.node:
        _drop_unread_weights(node)
    packed.pack_tensors(graph)
    for node in graph.node:
        node.doc_string = ""
        node.name = ""
    _plain(model)


def unused_inputs(model: Any) -> set[str]:
    """Give the names of the graph's inputs that no node and no output reads."""
    read = {name for node in model.graph.node for name in _reads(node)}
    read |= {output.name for output in model.graph.output}
    return {value.name for value in model.graph.input} - read


def drop_inputs(model: Any, names: Collection[str]) -> None:
    """Remove graph inputs in place."""
    _keep(model.graph.input, lambda value: value.name not in names)


def _plain(model: Any) -> None:
    """Take off all that says who made the graph, and name each opset once."""
    graph = model.graph
    graph.name = GRAPH_NAME
    graph.doc_string = ""
    model.producer_name = model.producer_version = model.domain = model.doc_string = ""
    model.model_version = 0
    del model.metadata_props[:]
    del graph.metadata_props[:]
    del graph.value_info[:]
    used = {node.domain for node in graph.node} | {""}
    newest: dict[str, int] = {}
    for opset in model.opset_import:
        newest[opset.domain] = max(opset.version, newest.get(opset.domain, 0))
    del model.opset_import[:]
    for domain in sorted(used & newest.keys()):
        model.opset_import.add(domain=domain, version=newest[domain])
    for value in (*graph.input, *graph.output):
        value.doc_string = ""


def _drop_unread_weights(node: Any) -> None:
    """Drop the weights of n-grams that are only counted: TfIdfVectorizer reads them in its other modes."""
    modes = [each.s for each in node.attribute if each.name == "mode"]
    if node.op_type == "TfIdfVectorizer" and modes == [b"TF"]:
        _keep(node.attribute, lambda each: each.name != "weights")


def _rename_outputs(graph: Any, outputs: Mapping[str, str]) -> None:
    """Keep the named outputs alone, under their new names."""
    taken = {name for node in graph.node for name in (*node.input, *node.output)}
    taken |= {value.name for value in (*graph.input, *graph.initializer)}
    renames = dict(outputs)
    for name in set(outputs.values()) & (taken - outputs.keys()):
        renames[name] = f"inner_{name}"
    _keep(graph.output, lambda value: value.name in outputs)
    _rename(graph, renames)
    for value in (*graph.output, *graph.initializer):
        value.name = renames.get(value.name, value.name)


def _rename(graph: Any, renames: Mapping[str, str]) -> None:
    for node in graph.node:
        node.input[:] = [renames.get(name, name) for name in node.input]
        node.output[:] = [renames.get(name, name) for name in node.output]
        for inner in _graphs_in(node):
            _rename(inner, renames)


def _drop_identities(graph: Any) -> None:
    """Drop nodes that only name a value again; graph inputs and what branches read stay as they are."""
    kept_names = {value.name for value in (*graph.input, *graph.output)} | _read_in_branches(graph)
    made = {name for node in graph.node for name in node.output}
    renames: dict[str, str] = {}
    for node in [node for node in graph.node if node.op_type == "Identity" and not node.domain]:
        source, target = (renames.get(name, name) for name in (node.input[0], node.output[0]))
        if target not in kept_names:
            old, new = target, source
        elif source in made and source not in kept_names:
            old, new = source, target
        else:
            continue
        graph.node.remove(node)
        renames = {name: new if known == old else known for name, known in renames.items()} | {old: new}
    _rename(graph, renames)


def _share(graph: Any) -> None:
    """Write equal constants once."""
    known: dict[bytes, str] = {}
    renames: dict[str, str] = {}
    for value in graph.initializer:
        name = value.name
        if value.ByteSize() > _COMPARED:
            continue
        value.name = ""
        first = known.setdefault(value.SerializeToString(deterministic=True), name)
        value.name = name
        if first != name:
            renames[name] = first
    kept = {value.name for value in graph.output} | _read_in_branches(graph)
    renames = {name: first for name, first in renames.items() if name not in kept}
    _rename(graph, renames)
    _keep(graph.initializer, lambda value: value.name not in renames)


def _shorten(graph: Any) -> None:
    """Give the values within the graph the shortest names that are free, in the order of the nodes."""
    kept = {"", *(value.name for value in (*graph.input, *graph.output))} | _read_in_branches(graph)
    free = (name for name in map(_base_36, count()) if name not in kept)
    names = dict.fromkeys(name for node in graph.node for name in (*node.input, *node.output))
    renames = {name: next(free) for name in names if name not in kept}
    _rename(graph, renames)
    for value in graph.initializer:
        value.name = renames.get(value.name, value.name)


def _base_36(number: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    return (_base_36(number // 36) if number >= 36 else "") + digits[number % 36]


def _read_in_branches(graph: Any) -> set[str]:
    """Give the names that stand in branches and bodies."""
    found: set[str] = set()
    for node in graph.node:
        for inner in _graphs_in(node):
            found |= {name for one in inner.node for name in (*_reads(one), *one.output)}
            found |= {value.name for value in (*inner.input, *inner.output, *inner.initializer)}
            found |= _read_in_branches(inner)
    return found


def _graphs_in(node: Any) -> list[Any]:
    """Give the branches and bodies within a node."""
    return [graph for attribute in node.attribute for graph in (attribute.g, *attribute.graphs)]


def _reads(node: Any) -> set[str]:
    """Give the names that a node reads, those that its branches take from around it among them."""
    found = set(node.input)
    for graph in _graphs_in(node):
        found.update(*(_reads(inner) for inner in graph.node), (output.name for output in graph.output))
    return found


def _drop_unreached(graph: Any) -> None:
    """Drop nodes and initializers that no output needs."""
    needed = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(_reads(node))
            kept.append(node)
    _replace(graph.node, reversed(kept))
    _keep(graph.initializer, lambda value: value.name in needed)


def _keep(field: Any, wanted: Any) -> None:
    _replace(field, [value for value in field if wanted(value)])


def _replace(field: Any, values: Iterable[Any]) -> None:
    kept = list(values)
    del field[:]
    field.extend(kept)
