"""Multi-layer perceptrons."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor

from sls_ml.artifact import several
from sls_ml.artifact.converters.graph import Graph, Tensor
from sls_ml.artifact.converters.labels import of_second
from sls_ml.artifact.converters.registry import converter

_ACTIVATIONS = {"relu": "Relu", "tanh": "Tanh", "logistic": "Sigmoid", "exp": "Exp"}


@converter(MLPRegressor)
def mlp_regressor(model: MLPRegressor, x: Tensor, graph: Graph) -> Tensor:
    """One column for each target."""
    return _activated(_layers(model, x, graph), model.out_activation_, graph)


@converter(MLPClassifier)
def mlp_classifier(model: MLPClassifier, x: Tensor, graph: Graph) -> tuple[Tensor, Tensor]:
    """Softmax over the classes, or the probability of the second of two, or that of each label."""
    raw = _layers(model, x, graph)
    if several.classes_of(model) is not None:
        sure = graph.op("Sigmoid", raw)
        return (sure > 0.5).cast("int64"), of_second(graph, sure)
    if len(model.classes_) > 2:
        probabilities = graph.op("Softmax", raw, axis=1)
        return graph.pick(model.classes_, graph.argmax(probabilities)), probabilities
    second = graph.op("Sigmoid", raw)
    label = graph.pick(model.classes_, (second > 0.5).cast("int64").reshape(-1))
    return label, graph.concat([1.0 - second, second])


def _layers(model: Any, x: Tensor, graph: Graph) -> Tensor:
    """The sums that enter the last activation, ``[N, outputs]``."""
    value = x
    for number, (weights, bias) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        if number:
            value = _activated(value, model.activation, graph)
        value = value @ np.asarray(weights, dtype=np.float64) + np.asarray(bias, dtype=np.float64).reshape(
            1, -1
        )
    return value


def _activated(x: Tensor, name: str, graph: Graph) -> Tensor:
    return x if name == "identity" else graph.op(_ACTIVATIONS[name], x)
