"""Estimators, converted as `sls-ml convert` does: which the lite engine serves, and that it answers alike.

The table in docs/lite.md is made of these cases by
`SLS_ML_REGEN=1 pytest tests/conformance/lite/test_estimators.py`.
"""

from __future__ import annotations

import os
import warnings
from array import array
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from sklearn import (
    cluster,
    compose,
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
from sklearn.calibration import CalibratedClassifierCV

from sls_ml.artifact import Artifact, build
from sls_ml.artifact.lite import NotCovered, compile_lite
from sls_ml.errors import SlsMlError
from sls_ml_runtime.engines.lite import Engine
from sls_ml_runtime.engines.tensors import pack

BEGIN, END = "<!-- coverage -->", "<!-- end of coverage -->"
DOC = Path(__file__).parents[3] / "docs" / "lite.md"
ROWS, WIDTH = 160, 5


def numbers() -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Features on a grid, so that thresholds tie, and targets of three kinds."""
    rng = np.random.default_rng(7)
    values = rng.gamma(2.0, size=(ROWS, WIDTH)).round(1) + 0.1
    score = values[:, 0] + values[:, 1] * values[:, 2] + rng.normal(size=ROWS) * 0.3
    frame = pd.DataFrame(values, columns=[f"x{place}" for place in range(WIDTH)])
    middle, low, high = np.quantile(score, [0.5, 0.3, 0.7])
    return frame, {
        "two": np.where(score > middle, "yes", "no"),
        "three": np.digitize(score, [low, high]),
        "number": score,
    }


def smooth() -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Features off any grid: no two neighbours are equally far."""
    frame, targets = numbers()
    return frame + np.random.default_rng(6).random(frame.shape) / 10, targets


def mixed() -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Numbers with gaps, and texts."""
    frame, targets = numbers()
    rng = np.random.default_rng(8)
    frame.loc[rng.random(ROWS) < 0.1, "x0"] = np.nan
    frame["city"] = rng.choice(["Bern", "Ulm", "Nîmes"], ROWS)
    return frame, targets


def gappy() -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Numbers with gaps in every column."""
    frame, targets = numbers()
    return frame.mask(np.random.default_rng(9).random(frame.shape) < 0.1), targets


def scaled(estimator: Any) -> Any:
    """A pipeline that standardises first."""
    return pipeline.make_pipeline(preprocessing.StandardScaler(), estimator)


def prepared(estimator: Any) -> Any:
    """A pipeline over numbers with gaps and texts."""
    return pipeline.make_pipeline(
        compose.make_column_transformer(
            (
                pipeline.make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler()),
                [f"x{place}" for place in range(WIDTH)],
            ),
            (preprocessing.OneHotEncoder(handle_unknown="ignore"), ["city"]),
        ),
        estimator,
    )


_LOGISTIC = linear_model.LogisticRegression()
CLASSIFIERS = [
    _LOGISTIC,
    scaled(_LOGISTIC),
    linear_model.SGDClassifier(random_state=0),
    linear_model.RidgeClassifier(),
    discriminant_analysis.LinearDiscriminantAnalysis(),
    discriminant_analysis.QuadraticDiscriminantAnalysis(),
    naive_bayes.GaussianNB(),
    naive_bayes.BernoulliNB(binarize=1.0),
    naive_bayes.MultinomialNB(),
    scaled(svm.SVC()),
    svm.SVC(kernel="poly"),
    neural_network.MLPClassifier((12,), max_iter=60, random_state=0),
    tree.DecisionTreeClassifier(random_state=0),
    ensemble.RandomForestClassifier(15, random_state=0),
    ensemble.ExtraTreesClassifier(15, random_state=0),
    ensemble.GradientBoostingClassifier(n_estimators=8, random_state=0),
    ensemble.HistGradientBoostingClassifier(max_iter=8, min_samples_leaf=5),
    ensemble.AdaBoostClassifier(n_estimators=5, random_state=0),
    ensemble.BaggingClassifier(n_estimators=4, random_state=0),
    ensemble.VotingClassifier([("a", _LOGISTIC), ("b", naive_bayes.GaussianNB())], voting="soft"),
    ensemble.StackingClassifier([("a", tree.DecisionTreeClassifier(max_depth=3))], _LOGISTIC, cv=2),
    CalibratedClassifierCV(naive_bayes.GaussianNB(), cv=2),
]
TWO_CLASSES = [
    scaled(_LOGISTIC),
    linear_model.SGDClassifier(random_state=0),
    svm.LinearSVC(random_state=0),
    scaled(svm.SVC()),
    neural_network.MLPClassifier((12,), max_iter=60, random_state=0),
    tree.DecisionTreeClassifier(random_state=0),
    ensemble.RandomForestClassifier(15, random_state=0),
    ensemble.GradientBoostingClassifier(n_estimators=8, random_state=0),
    ensemble.HistGradientBoostingClassifier(max_iter=8, min_samples_leaf=5),
    ensemble.AdaBoostClassifier(n_estimators=5, random_state=0),
    CalibratedClassifierCV(naive_bayes.GaussianNB(), cv=2),
    gaussian_process.GaussianProcessClassifier(),
]
REGRESSORS = [
    linear_model.LinearRegression(),
    scaled(linear_model.Ridge()),
    linear_model.PoissonRegressor(),
    linear_model.RANSACRegressor(random_state=0),
    pipeline.make_pipeline(preprocessing.PolynomialFeatures(2), linear_model.Ridge()),
    pipeline.make_pipeline(decomposition.PCA(3), linear_model.LinearRegression()),
    pipeline.make_pipeline(preprocessing.PowerTransformer(), linear_model.LinearRegression()),
    svm.SVR(),
    svm.NuSVR(kernel="sigmoid"),
    gaussian_process.GaussianProcessRegressor(),
    neural_network.MLPRegressor(hidden_layer_sizes=(12,), activation="tanh", max_iter=60, random_state=0),
    tree.DecisionTreeRegressor(random_state=0),
    scaled(ensemble.RandomForestRegressor(15, random_state=0)),
    scaled(ensemble.GradientBoostingRegressor(n_estimators=8, random_state=0)),
    ensemble.HistGradientBoostingRegressor(max_iter=8, min_samples_leaf=5),
    ensemble.AdaBoostRegressor(n_estimators=5, random_state=0),
    ensemble.BaggingRegressor(n_estimators=4, random_state=0),
    ensemble.VotingRegressor([("a", linear_model.Ridge()), ("b", tree.DecisionTreeRegressor(max_depth=3))]),
    pipeline.make_pipeline(
        feature_selection.SelectKBest(feature_selection.f_regression, k=3), linear_model.Ridge()
    ),
    compose.TransformedTargetRegressor(linear_model.Ridge(), func=np.log1p, inverse_func=np.expm1),
    pipeline.make_pipeline(preprocessing.KBinsDiscretizer(4, encode="ordinal"), linear_model.Ridge()),
]
OTHERS = [
    cluster.KMeans(3, n_init=2, random_state=0),
    ensemble.IsolationForest(n_estimators=10, random_state=0),
    svm.OneClassSVM(),
    pipeline.make_pipeline(preprocessing.RobustScaler(), decomposition.PCA(2)),
]
GAPPY = [
    tree.DecisionTreeClassifier(random_state=0),
    ensemble.RandomForestClassifier(15, random_state=0),
    ensemble.HistGradientBoostingClassifier(max_iter=8, min_samples_leaf=5),
]
MIXED = [
    prepared(_LOGISTIC),
    prepared(ensemble.RandomForestClassifier(15, random_state=0)),
    pipeline.make_pipeline(
        compose.make_column_transformer(
            (preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["city"]),
            remainder="passthrough",
        ),
        ensemble.HistGradientBoostingClassifier(max_iter=8, categorical_features=[0], min_samples_leaf=5),
    ),
]

Rows = Callable[[], tuple[pd.DataFrame, dict[str, np.ndarray]]]
CASES: list[tuple[Any, Rows, str]] = [
    *((estimator, numbers, "three") for estimator in CLASSIFIERS),
    *((estimator, numbers, "two") for estimator in TWO_CLASSES),
    *((estimator, numbers, "number") for estimator in (*REGRESSORS, *OTHERS)),
    *((neighbors.KNeighborsClassifier(), smooth, target) for target in ("two", "three")),
    (
        pipeline.make_pipeline(preprocessing.MinMaxScaler(), neighbors.KNeighborsRegressor(4)),
        smooth,
        "number",
    ),
    *((estimator, gappy, "three") for estimator in GAPPY),
    *((estimator, mixed, "two") for estimator in MIXED),
]


def _named(position: int) -> str:
    """The case's name: the steps of the estimator, the rows and the target."""
    estimator, rows, target = CASES[position]
    steps = [step for _, step in getattr(estimator, "steps", [("", estimator)])]
    return f"{' > '.join(type(step).__name__ for step in steps)} ({rows.__name__}, {target})"


@cache
def artifact_of(position: int) -> Artifact | SlsMlError:
    """The case's artifact, or why there is none."""
    estimator, rows, target = CASES[position]
    frame, targets = rows()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = estimator.fit(frame, targets[target])
        try:
            return build(fitted, frame, name="model")
        except SlsMlError as error:
            return error


def _columns(artifact: Artifact, position: int) -> list[tuple[str, Any]]:
    """Columns like the sample's, shuffled each by itself, with missing values where they are allowed."""
    frame, _ = CASES[position][1]()
    rng = np.random.default_rng(position)
    columns: list[tuple[str, Any]] = []
    for entry in artifact.manifest["inputs"]:
        values = rng.permutation(frame[entry["name"]].to_numpy())
        if entry["dtype"] == "string":
            columns.append(("string", [str(value) for value in values]))
            continue
        values = np.where(rng.random(ROWS) < 0.3, values * rng.random(ROWS), values)
        filled = np.where(np.isnan(values), 1.0, values) if not entry["nullable"] else values
        columns.append((entry["dtype"], array("d", filled.tolist())))
    return columns


@pytest.mark.parametrize("position", range(len(CASES)), ids=_named)
def test_lite_answers_as_onnx_runtime(position, as_numpy, alike):
    # GIVEN the artifact of an estimator that the lite engine serves
    artifact = artifact_of(position)
    if not isinstance(artifact, Artifact) or "model.lite" not in artifact.files:
        pytest.skip("not served by lite, see docs/lite.md")
    # WHEN both engines run on rows that the gate has not seen
    columns = _columns(artifact, position)
    got = as_numpy(Engine.of(artifact.files["model.lite"]).run(columns))
    session = onnxruntime.InferenceSession(artifact.files["model.onnx"], providers=["CPUExecutionProvider"])
    feeds = {
        tensor["name"]: np.array(
            pack(tensor, columns, ROWS), object if tensor["dtype"] == "string" else tensor["dtype"]
        ).reshape((ROWS, len(tensor["columns"])) if tensor["rank"] == 2 else (ROWS,))
        for tensor in artifact.manifest["tensors"]
    }
    names = list(got)
    # THEN they answer alike
    alike(got, dict(zip(names, session.run(names, feeds), strict=True)))


def test_most_estimators_are_served():
    # GIVEN the classifiers and regressors that convert right
    right = [
        artifact for position in range(len(CASES)) if isinstance(artifact := artifact_of(position), Artifact)
    ]
    # WHEN those are counted that the lite engine serves
    served = [artifact for artifact in right if "lite" in artifact.manifest["engines"]]
    # THEN nearly all are
    assert len(served) >= 0.95 * len(right)


def test_table_of_coverage_is_current():
    # GIVEN the table in the documentation
    text = DOC.read_text()
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    # WHEN it is made again
    rows = [f"| {_named(position)} | {_verdict(position)} |" for position in range(len(CASES))]
    current = (
        f"{head}{BEGIN}\n| estimator | served by lite |\n|---|---|\n" + "\n".join(rows) + f"\n{END}{tail}"
    )
    if os.environ.get("SLS_ML_REGEN"):
        DOC.write_text(current)
    # THEN it is the same
    assert DOC.read_text() == current


def _verdict(position: int) -> str:
    artifact = artifact_of(position)
    if not isinstance(artifact, Artifact):
        return "no artifact"
    if "lite" in artifact.manifest["engines"]:
        return "yes"
    try:
        compile_lite(artifact.files["model.onnx"], artifact.manifest)
    except NotCovered as error:
        return f"no: {error.operator}, {error.reason}"
    return "no: it differs from the original"
