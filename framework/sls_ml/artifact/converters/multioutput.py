"""Estimators that fit one of their parts to each of several targets, and chains of such parts."""

from __future__ import annotations

import numpy as np
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor, RegressorChain

from sls_ml.artifact import several
from sls_ml.artifact.converters.graph import Graph, Tensor
from sls_ml.artifact.converters.labels import beside, kind_of_labels, of_second
from sls_ml.artifact.converters.registry import converter


@converter(MultiOutputRegressor, columns=True)
def multi_output_regressor(model: MultiOutputRegressor, inputs: list[Tensor], graph: Graph) -> Tensor:
    """A regressor for each target."""
    return graph.concat(
        [graph.apply(each, inputs)[0].cast("float64").reshape(-1, 1) for each in model.estimators_]
    )


@converter(MultiOutputClassifier, columns=True)
def multi_output_classifier(
    model: MultiOutputClassifier, inputs: list[Tensor], graph: Graph
) -> tuple[Tensor, ...]:
    """A classifier for each target."""
    answers = [graph.apply(each, inputs) for each in model.estimators_]
    label = beside(graph, [answer[0] for answer in answers], kind_of_labels(model.classes_))
    if several.scores_of(model) is None:
        return (label,)
    return label, graph.concat([answer[1].cast("float64") for answer in answers])


@converter(RegressorChain)
def regressor_chain(model: RegressorChain, x: Tensor, graph: Graph) -> Tensor:
    """Each regressor sees the features and the answers of those before it."""
    answers: list[Tensor] = []
    for estimator in model.estimators_:
        fed = graph.concat([x, *answers])
        answers.append(graph.apply(estimator, fed)[0].cast("float64").reshape(-1, 1))
    return graph.concat(answers).columns(np.argsort(model.order_).tolist())


@converter(ClassifierChain)
def classifier_chain(model: ClassifierChain, x: Tensor, graph: Graph) -> tuple[Tensor, ...]:
    """Each classifier sees the features and what those before it say, by labels or by scores."""
    method, asked = several.scores_of(model), getattr(model, "chain_method_", "predict")
    labels: list[Tensor] = []
    scores: list[Tensor] = []
    said: list[Tensor] = []
    for estimator in model.estimators_:
        fed = graph.concat([x, *said])
        label, *rest = graph.apply(estimator, fed, counted=asked == "predict")
        labels.append(label.cast("float64").reshape(-1, 1))
        found = {"predict": labels[-1]}
        if method == "predict_proba":
            found[method] = rest[0].cast("float64").columns([1])
            found["predict_log_proba"] = graph.op("Log", found[method])
        if "decision_function" in (method, asked):
            found["decision_function"] = graph.decision(estimator, fed)
        said.append(found[asked])
        scores += [] if method is None else [found[method]]
    order = np.argsort(model.order_).tolist()
    label = graph.concat(labels).columns(order).cast("int64")
    if method is None:
        return (label,)
    score = graph.concat(scores).columns(order)
    return label, of_second(graph, score) if method == "predict_proba" else score
