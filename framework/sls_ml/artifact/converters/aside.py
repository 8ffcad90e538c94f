"""Keeps the large attributes of nodes out of skl2onnx's hands, which copies each node some six times."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import onnx

_Kept = dict[str, onnx.NodeProto]
_aside: ContextVar[_Kept | None] = ContextVar("aside", default=None)


@contextmanager
def large_attributes() -> Iterator[Aside]:
    """Keep aside what `light` is given until the block's graph is finished."""
    aside = Aside()
    token = _aside.set(aside.kept)
    try:
        yield aside
    finally:
        _aside.reset(token)


class Aside:
    """What is kept aside during one conversion."""

    def __init__(self) -> None:
        self.kept: _Kept = {}

    def put_back(self, model: onnx.ModelProto) -> None:
        """Give the nodes of a finished graph the attributes that were kept."""
        for node in model.graph.node:
            if (whole := self.kept.pop(node.name, None)) is not None:
                node.attribute.extend(whole.attribute)


def light(node: onnx.NodeProto) -> onnx.NodeProto:
    """Give what skl2onnx may hold of a node: the node without its attributes, if these are kept aside."""
    kept = _aside.get()
    if kept is None:
        return node
    kept[node.name] = node
    return onnx.NodeProto(
        op_type=node.op_type, domain=node.domain, name=node.name, input=node.input, output=node.output
    )
