"""Clusterers that assign a row to its nearest centre, and outlier detectors by covariance."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.cluster import AffinityPropagation, Birch, MeanShift
from sklearn.covariance import EllipticEnvelope

from sls_ml.artifact.converters.graph import Graph, Tensor
from sls_ml.artifact.converters.kernels import squared_distances
from sls_ml.artifact.converters.registry import converter


@converter(AffinityPropagation, MeanShift)
def nearest_center(model: Any, x: Tensor, graph: Graph) -> tuple[Tensor, Tensor]:
    """The number of the nearest centre, and the distances to all."""
    far = squared_distances(graph, x, np.asarray(model.cluster_centers_, dtype=np.float64))
    return graph.argmax(-far), graph.op("Sqrt", far)


@converter(Birch)
def birch(model: Birch, x: Tensor, graph: Graph) -> tuple[Tensor, Tensor]:
    """The cluster of the nearest subcluster, and the distances to all subclusters."""
    far = squared_distances(graph, x, np.asarray(model.subcluster_centers_, dtype=np.float64))
    labels = np.asarray(model.subcluster_labels_, dtype=np.int64)
    return graph.pick(labels, graph.argmax(-far)), graph.op("Sqrt", far)


@converter(EllipticEnvelope)
def elliptic_envelope(model: EllipticEnvelope, x: Tensor, graph: Graph) -> tuple[Tensor, Tensor]:
    """-1 for rows far from the centre, by Mahalanobis distance."""
    away = x - np.asarray(model.location_, dtype=np.float64).reshape(1, -1)
    precision = np.asarray(model.get_precision(), dtype=np.float64)
    score = -graph.total((away @ precision) * away) - float(model.offset_)
    label = graph.where(score < 0.0, np.asarray(-1), graph.constant(np.asarray(1)))
    return label.reshape(-1), score
