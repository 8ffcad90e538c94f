"""Puts trees together again that stand in several nodes, which are ready faster in ONNX Runtime."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import onnx

from sls_ml.artifact.lite.forest import Forest, Numbers, Weights


@dataclass(frozen=True)
class Run:
    """Tree ensembles of the same features.

    Attributes:
        nodes: The nodes, in their order.
        side_by_side: Whether each has targets of its own; else they are added up.
    """

    nodes: tuple[onnx.NodeProto, ...]
    side_by_side: bool


def runs(nodes: Sequence[onnx.NodeProto], wanted: Sequence[str]) -> dict[str, Run]:
    """Find the nodes that do nothing but add up tree ensembles, or put them side by side.

    Args:
        nodes: The nodes of the graph.
        wanted: The names of the tensors that are asked of it.

    Returns:
        The ensembles, by the output of the node that they go to.
    """
    uses = Counter(wanted) + Counter(name for node in nodes for name in node.input)
    made = {node.output[0]: node for node in nodes if node.op_type == "TreeEnsemble" and _adds_up(node)}
    found = {}
    for node in nodes:
        side_by_side = node.op_type == "Concat" and _whole(node, "axis") == 1
        if not (side_by_side or node.op_type == "Sum"):
            continue
        ensembles = tuple(made[name] for name in node.input if name in made and uses[name] == 1)
        features = {one.input[0] for one in ensembles}
        widths = {_whole(one, "n_targets") for one in ensembles}
        if len(ensembles) == len(node.input) and len(features) == 1 and (side_by_side or len(widths) == 1):
            found[node.output[0]] = Run(ensembles, side_by_side)
    return found


def _adds_up(node: onnx.NodeProto) -> bool:
    """Whether an ensemble adds up what the leaves say, and nothing else."""
    return _whole(node, "aggregate_function", 1) == 1 and not _whole(node, "post_transform")


def _whole(node: onnx.NodeProto, name: str, default: int = 0) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == name), default)


def together(parts: Sequence[tuple[Forest, Weights]], targets: Sequence[int]) -> tuple[Forest, Weights]:
    """Lay forests end to end; leaves that count the same for the same target become one.

    Args:
        parts: Forests with one weight for each leaf, in the order of the leaves.
        targets: What to add to the targets of each.
    """
    forests = [forest for forest, _ in parts]
    target = np.concatenate(
        [weights.target + more for (_, weights), more in zip(parts, targets, strict=True)]
    )
    weight = np.concatenate([weights.weight for _, weights in parts])
    kept, own = _distinct(target, weight)
    nodes, leaves, sets = (
        list(accumulate(counts, initial=0))
        for counts in (
            (len(forest.feature) for forest in forests),
            (forest.leaves for forest in forests),
            (len(forest.sets) for forest in forests),
        )
    )

    def children(side: Sequence[Numbers]) -> Numbers:
        return np.concatenate(
            [
                np.where(child < 0, ~own[np.where(child < 0, ~child, 0) + leaf], child + node)
                for child, node, leaf in zip(side, nodes, leaves, strict=False)
            ]
        )

    whole = Forest(
        feature=np.concatenate([forest.feature for forest in forests]),
        threshold=np.concatenate(
            [
                np.where(forest.feature < 0, forest.threshold + more, forest.threshold)
                for forest, more in zip(forests, sets, strict=False)
            ]
        ),
        left=children([forest.left for forest in forests]),
        right=children([forest.right for forest in forests]),
        missing=np.concatenate([forest.missing for forest in forests]),
        roots=np.concatenate([forest.roots + node for forest, node in zip(forests, nodes, strict=False)]),
        leaves=len(kept),
        sets=[members for forest in forests for members in forest.sets],
    )
    return whole, Weights(np.arange(len(kept)), target[kept], weight[kept])


def _distinct(target: Numbers, weight: Numbers) -> tuple[Numbers, Numbers]:
    """The first of each kind of leaf, in their order, and for every leaf the number of its kind."""
    bits = weight.view(f"u{weight.itemsize}")  # -0.0 is another number than 0.0
    _, first, own = np.unique(
        target * (len(bits) + 1) + np.unique(bits, return_inverse=True)[1],
        return_index=True,
        return_inverse=True,
    )
    place = np.empty_like(first)
    place[np.argsort(first)] = np.arange(len(first))
    return np.sort(first), place[own]
