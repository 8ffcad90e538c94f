"""Refuse trees whose nodes lead out of them, before scikit-learn follows those in memory, unchecked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sls_ml.artifact import structure

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_LEAF = -1
"""scikit-learn's child of a node that has none."""


def fault(model: Any) -> str | None:
    """Give what is wrong with the first tree that no training makes; None where all are sound.

    Looked at are scikit-learn's own trees, alone and in forests and boosting, at any depth of the model.
    """
    for part in structure.parts(model):
        width = getattr(part, "n_features_in_", None)
        for nodes in _trees(part):
            if wrong := _wrong(nodes, width):
                return f"a tree of {type(part).__name__} {wrong}"
    return None


class _Nodes:
    """A tree's nodes: children and features of those that split, and the place of each among all."""

    def __init__(self, split: Array, left: Array, right: Array, feature: Array) -> None:
        import numpy as np

        self.count = len(split)
        self.places = np.flatnonzero(split)
        self.children = [np.asarray(side)[self.places].astype(np.int64) for side in (left, right)]
        self.feature = np.asarray(feature)[self.places].astype(np.int64)


def _trees(part: Any) -> list[_Nodes]:
    """Give the trees that an estimator itself holds."""
    tree: Any = getattr(part, "tree_", None)
    found = []
    if hasattr(tree, "children_left"):
        left, right = tree.children_left, tree.children_right
        found.append(_Nodes((left != _LEAF) | (right != _LEAF), left, right, tree.feature))
    stages = getattr(part, "_predictors", None) or ()
    boosted = [each.nodes for stage in stages for each in stage]
    return found + [
        _Nodes(nodes["is_leaf"] == 0, nodes["left"], nodes["right"], nodes["feature_idx"])
        for nodes in boosted
    ]


def _wrong(nodes: _Nodes, width: int | None) -> str | None:
    if not nodes.count:
        return "has no nodes"
    for child in nodes.children:
        if (child >= nodes.count).any() or (child < 0).any():
            return f"has a node with a child beyond its {nodes.count} nodes"
        if (child <= nodes.places).any():  # training writes a node before its children
            return "has a node that leads back to one before it"
    if (nodes.feature < 0).any() or (width is not None and (nodes.feature >= width).any()):
        return f"asks for a feature beyond the {width} that it was trained on"
    return None
