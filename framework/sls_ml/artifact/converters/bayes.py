"""Naive Bayes over categories."""

from __future__ import annotations

import numpy as np
from sklearn.naive_bayes import CategoricalNB

from sls_ml.artifact.converters.graph import Graph, Tensor
from sls_ml.artifact.converters.registry import converter


@converter(CategoricalNB)
def categorical_nb(model: CategoricalNB, x: Tensor, graph: Graph) -> tuple[Tensor, Tensor]:
    """The sum of the logarithms of each category's share in each class."""
    codes = x.cast("int64")
    terms = []
    for at, table in enumerate(model.feature_log_prob_):
        terms.append(graph.pick(np.ascontiguousarray(table.T), codes.columns([at]).reshape(-1)))
    total = graph.op("Sum", *terms, width=len(model.classes_)) + model.class_log_prior_.reshape(1, -1)
    return graph.pick(model.classes_, graph.argmax(total)), graph.op("Softmax", total, axis=1)
