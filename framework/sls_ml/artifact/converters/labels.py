"""The answers of classifiers that predict several labels for a row, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sls_ml.artifact.converters.graph import Graph, Kind, Tensor

Classes = Sequence[npt.NDArray[np.generic]]


def kind_of_labels(classes: Classes) -> Kind:
    """The kind of the labels that have these classes."""
    kinds = {each.dtype.kind for each in classes}
    if kinds & {*"OUS"}:
        return "string"
    return "bool" if kinds == {"b"} else "int64"


def picked(graph: Graph, classes: Classes, places: Sequence[Tensor]) -> Tensor:
    """The labels at these places among their classes, ``[N, labels]``.

    Args:
        graph: The graph to add to.
        classes: The classes of each label.
        places: For each label the place, int64 ``[N]``.
    """
    kind = kind_of_labels(classes)
    names = [each.astype(np.int64) if kind == "int64" else each for each in classes]
    return beside(graph, [graph.pick(each, place) for each, place in zip(names, places, strict=True)], kind)


def beside(graph: Graph, labels: Sequence[Tensor], kind: Kind) -> Tensor:
    """Labels ``[N]`` as the columns of one tensor ``[N, labels]``."""
    return graph.concat([label.reshape(-1, 1).cast(kind) for label in labels])


def of_second(graph: Graph, second: Tensor) -> Tensor:
    """The probabilities of both classes of each label, from those of the second, ``[N, labels]``."""
    assert second.width is not None  # noqa: S101 - their number is that of the labels
    both = graph.concat([1.0 - second, second])
    return both.columns([at + half for at in range(second.width) for half in (0, second.width)])
