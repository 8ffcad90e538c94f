"""Calibrated classifiers, and classifiers with a threshold of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV

from sls_ml.artifact.converters.curves import isotonic
from sls_ml.artifact.converters.graph import Graph, Tensor
from sls_ml.artifact.converters.registry import converter


@converter(CalibratedClassifierCV, columns=True)
def calibrated(model: CalibratedClassifierCV, inputs: list[Tensor], graph: Graph) -> tuple[Tensor, Tensor]:
    """The mean over the calibrated classifiers: sigmoid, isotonic, or temperature."""
    parts = [_one(part, inputs, graph) for part in model.calibrated_classifiers_]
    probabilities = parts[0] if len(parts) == 1 else graph.op("Sum", *parts) / float(len(parts))
    return graph.pick(model.classes_, graph.argmax(probabilities)), probabilities


def _one(part: Any, inputs: list[Tensor], graph: Graph) -> Tensor:
    estimator, classes = part.estimator, len(part.classes)
    decides = hasattr(estimator, "decision_function")
    if decides:
        scores = graph.decision(estimator, inputs)
    else:
        scores = graph.apply(estimator, inputs)[1].cast("float64")
    if part.method == "temperature":
        return _tempered(part.calibrators[0].beta_, scores, graph, decides=decides, classes=classes)
    if classes == 2:
        second = _curve(part, 0, scores if decides else scores.columns([1]), graph)
        return graph.concat([1.0 - second, second])
    at = np.searchsorted(part.classes, estimator.classes_)
    columns = {
        int(place): _curve(part, number, scores.columns([number]), graph) for number, place in enumerate(at)
    }
    none = graph.repeated([0.0], scores)
    raw = graph.concat([columns.get(place, none) for place in range(classes)])
    total = graph.total(raw)
    empty = graph.equal(total, 0.0)
    return graph.where(empty, 1.0 / classes, raw / graph.where(empty, 1.0, total))


def _curve(part: Any, number: int, score: Tensor, graph: Graph) -> Tensor:
    calibrator = part.calibrators[number]
    if part.method == "isotonic":
        return isotonic(calibrator, score, graph)
    return graph.op("Sigmoid", -(score * calibrator.a_ + calibrator.b_))


_NOT_ZERO = 1e-12
"""What scikit-learn adds to a probability before it takes the logarithm."""


def _tempered(beta: float, scores: Tensor, graph: Graph, *, decides: bool, classes: int) -> Tensor:
    if decides:
        logits = graph.concat([-scores, scores]) if classes == 2 else scores
    else:
        logits = graph.op("Log", scores + _NOT_ZERO)
    return graph.op("Softmax", logits * beta, axis=1)


@converter(FixedThresholdClassifier, TunedThresholdClassifierCV, columns=True)
def with_threshold(
    model: Any, inputs: list[Tensor], graph: Graph
) -> tuple[Tensor, Tensor] | tuple[Tensor, Tensor, Tensor]:
    """The label of the second class, or of `pos_label`, from a threshold on."""
    estimator = getattr(model, "estimator_", model.estimator)
    if isinstance(model, TunedThresholdClassifierCV):
        threshold, positive = model.best_threshold_, model._curve_scorer._get_pos_label()
    else:
        threshold, positive = model.threshold, model.pos_label
    classes = list(model.classes_)
    first = positive is not None and classes.index(positive) == 0
    decides = model.response_method == "decision_function" or not hasattr(estimator, "predict_proba")
    if threshold == "auto":
        threshold = 0.0 if decides else 0.5
    outputs: list[Tensor] = []
    if not decides or hasattr(estimator, "predict_proba"):
        outputs.append(graph.apply(estimator, inputs)[1].cast("float64"))
    if decides or hasattr(estimator, "decision_function"):
        outputs.append(graph.decision(estimator, inputs))
    score = outputs[-1] if decides else outputs[0].columns([0 if first else 1])
    if decides and first:
        score = -score
    passed = (score >= float(threshold)).cast("int64").reshape(-1)
    label = graph.pick(np.asarray(classes[::-1] if first else classes), passed)
    return (label, outputs[0]) if len(outputs) == 1 else (label, outputs[0], outputs[1])
