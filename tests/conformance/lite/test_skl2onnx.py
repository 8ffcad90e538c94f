"""Graphs as skl2onnx makes them by itself: single precision, and the operators of ONNX-ML."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn import (
    calibration,
    cluster,
    decomposition,
    discriminant_analysis,
    ensemble,
    feature_selection,
    gaussian_process,
    impute,
    linear_model,
    naive_bayes,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    svm,
    tree,
)

WIDTH = 5
CLASSIFIERS = [
    linear_model.LogisticRegression(),
    pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression()),
    linear_model.RidgeClassifier(),
    discriminant_analysis.LinearDiscriminantAnalysis(),
    discriminant_analysis.QuadraticDiscriminantAnalysis(),
    naive_bayes.GaussianNB(),
    naive_bayes.CategoricalNB(),
    neighbors.KNeighborsClassifier(),
    svm.SVC(),
    svm.SVC(kernel="linear", probability=True, random_state=0),
    svm.SVC(kernel="poly", probability=True, random_state=0),
    svm.SVC(kernel="sigmoid"),
    neural_network.MLPClassifier((8,), activation="logistic", max_iter=40, random_state=0),
    tree.DecisionTreeClassifier(random_state=0),
    ensemble.RandomForestClassifier(8, random_state=0),
    ensemble.GradientBoostingClassifier(n_estimators=5, random_state=0),
    ensemble.HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5),
    ensemble.AdaBoostClassifier(n_estimators=4, random_state=0),
    ensemble.BaggingClassifier(n_estimators=3, random_state=0),
    calibration.CalibratedClassifierCV(linear_model.LogisticRegression(), cv=2),
]
REGRESSORS = [
    linear_model.LinearRegression(),
    pipeline.make_pipeline(preprocessing.Normalizer("l1"), linear_model.Ridge()),
    pipeline.make_pipeline(preprocessing.Normalizer("max"), linear_model.Ridge()),
    pipeline.make_pipeline(preprocessing.PowerTransformer(), linear_model.Ridge()),
    pipeline.make_pipeline(preprocessing.Binarizer(threshold=2.0), linear_model.Ridge()),
    pipeline.make_pipeline(preprocessing.PolynomialFeatures(2), linear_model.Ridge()),
    pipeline.make_pipeline(impute.SimpleImputer(), preprocessing.MaxAbsScaler(), linear_model.Ridge()),
    pipeline.make_pipeline(feature_selection.SelectKBest(k=2), tree.DecisionTreeRegressor()),
    pipeline.make_pipeline(decomposition.TruncatedSVD(2), linear_model.Ridge()),
    neighbors.KNeighborsRegressor(),
    gaussian_process.GaussianProcessRegressor(gaussian_process.kernels.RBF() + 1.0, alpha=1.0),
    svm.SVR(),
    svm.SVR(kernel="poly"),
    svm.OneClassSVM(),
    cluster.KMeans(3, n_init=1, random_state=0),
    ensemble.RandomForestRegressor(8, random_state=0),
    ensemble.AdaBoostRegressor(n_estimators=4, random_state=0),
    ensemble.IsolationForest(n_estimators=4, random_state=0),
]


def _features() -> np.ndarray:
    return np.random.default_rng(3).gamma(2.0, size=(150, WIDTH)).astype(np.float32)


def _target(kind: str) -> np.ndarray:
    rows = _features()
    score = rows[:, 0] + rows[:, 1] * rows[:, 2]
    low, high = np.quantile(score, [0.3, 0.7])
    match kind:
        case "two":
            return (score > low).astype(int)
        case "three":
            return np.array(["a", "b", "c"], object)[np.digitize(score, [low, high])]
        case _:
            return score


def _converted(estimator: Any, kind: str) -> Any:
    """The graph of a fitted estimator with one input of float32 columns."""
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    rows = _features()
    if isinstance(estimator, naive_bayes.CategoricalNB):
        rows = np.floor(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = estimator.fit(rows, _target(kind))
        last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
        options: dict[Any, Any] | None = {"zipmap": False} if hasattr(last, "classes_") else None
        return to_onnx(
            fitted,
            initial_types=[("X", FloatTensorType([None, WIDTH]))],
            options={id(last): options} if options else None,
            target_opset={"": 18, "ai.onnx.ml": 3},
        )


def _name(value: Any) -> str:
    if isinstance(value, str):
        return value
    steps = [step for _, step in getattr(value, "steps", [("", value)])]
    return ">".join(type(step).__name__ for step in steps)


@pytest.mark.parametrize(
    ("estimator", "kind"),
    [
        *((estimator, kind) for estimator in CLASSIFIERS for kind in ("two", "three")),
        *((estimator, "number") for estimator in REGRESSORS),
    ],
    ids=_name,
)
def test_graph_of_skl2onnx(in_lite, in_ort, alike, estimator, kind):
    # GIVEN the graph of an estimator
    model = _converted(estimator, kind)
    # WHEN both engines run on rows of which no two are alike
    rows = _features() * np.random.default_rng(4).uniform(0.8, 1.2, (150, 1)).astype(np.float32)
    if isinstance(estimator, naive_bayes.CategoricalNB):
        rows = np.floor(_features())
    # THEN they answer alike, as far as sums in single precision go, which ONNX Runtime takes
    rough = getattr(estimator, "kernel", "") not in ("", "rbf", "linear", "sigmoid")
    alike(in_lite(model, {"X": rows}), in_ort(model, {"X": rows}), 1e-3 if rough else 1e-5)
