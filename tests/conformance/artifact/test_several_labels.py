"""Classifiers that predict several labels for a row answer as the originals do, on every engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier

from sls_ml.artifact import build, several, ties
from sls_ml.artifact.original import original
from sls_ml.artifact.parity import _close_calls
from sls_ml.artifact.sample import fit_sample
from sls_ml.spec.model import Tolerance

Matrix = np.ndarray[Any, Any]
RANDOM = np.random.default_rng(5)
X, FRESH = RANDOM.normal(size=(200, 3)), RANDOM.normal(size=(60, 3))
INDICATORS = np.column_stack([X[:, 0] > 0, X[:, 1] + X[:, 2] > 0.4, X[:, 2] > -0.5]).astype(int)
TEXTS = np.column_stack(
    [np.where(X[:, 0] > 0, "yes", "no"), np.asarray(["a", "b", "c"])[np.digitize(X[:, 1], [-0.5, 0.5])]]
)
CONSTANT = np.column_stack([INDICATORS[:, 0], np.full(len(X), 4)])

CASES = {
    "linear, texts": (MultiOutputClassifier(LogisticRegression()), TEXTS),
    "one label": (MultiOutputClassifier(LogisticRegression()), INDICATORS[:, :1]),
    "truth values": (MultiOutputClassifier(LogisticRegression()), INDICATORS.astype(bool)),
    "floats": (MultiOutputClassifier(LogisticRegression()), INDICATORS.astype(float)),
    "no probabilities": (MultiOutputClassifier(LinearSVC()), TEXTS),
    "last step": (make_pipeline(StandardScaler(), MultiOutputClassifier(GaussianNB())), TEXTS),
    "pipelines within": (
        MultiOutputClassifier(make_pipeline(StandardScaler(), LogisticRegression())),
        INDICATORS,
    ),
    "search": (
        GridSearchCV(MultiOutputClassifier(LogisticRegression()), {"estimator__C": [0.1, 1.0]}, cv=2),
        INDICATORS,
    ),
    "chain": (ClassifierChain(LogisticRegression(), order=[2, 0, 1]), INDICATORS),
    "chain of three classes": (ClassifierChain(LogisticRegression()), np.digitize(X[:, :2], [-0.5, 0.5])),
    "chain by decision": (
        ClassifierChain(LogisticRegression(), order=[1, 2, 0], chain_method="decision_function"),
        INDICATORS,
    ),
    "forest, a constant": (RandomForestClassifier(7, random_state=0), CONSTANT),
    "tree, truth values": (DecisionTreeClassifier(max_depth=5, random_state=0), INDICATORS.astype(bool)),
    "neighbours": (KNeighborsClassifier(weights="distance"), TEXTS),
    "perceptron": (MLPClassifier((4,), max_iter=30, random_state=0), INDICATORS),
    "one against the rest": (OneVsRestClassifier(DecisionTreeClassifier(max_depth=4)), INDICATORS),
    "ridge": (RidgeClassifier(), INDICATORS),
    "XGBoost": (XGBClassifier(n_estimators=4, max_depth=3, n_jobs=1), INDICATORS),
    "CatBoost": (
        CatBoostClassifier(
            iterations=4, loss_function="MultiLogloss", verbose=False, allow_writing_files=False
        ),
        INDICATORS,
    ),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("case", CASES)
def test_it_answers_as_the_original(case: str) -> None:
    # GIVEN a classifier of several labels
    model, y = CASES[case]
    model.fit(X, y)
    last = model.steps[-1][1] if hasattr(model, "steps") else getattr(model, "best_estimator_", model)

    # WHEN it is converted and asked for fresh rows
    artifact = build(model, X, name="labels")

    # THEN its labels and scores are the original's on every engine, row by row, label by label
    assert artifact.manifest["engines"] == ["lite", "ort_capi", "ort_python"]
    want = several.labels(last, model.predict(FRESH))
    if want.dtype.kind == "f":
        want = want.astype(int)
    asked = several.scores_of(last)
    for engine in artifact.manifest["engines"]:
        answer = artifact.predict(FRESH, engine=engine)
        assert answer["label"] == want.tolist()
        assert {type(name) for row in answer["label"] for name in row} == {type(want.ravel().tolist()[0])}
        match asked:
            case "predict_proba":
                shares = several.probabilities(model.predict_proba(FRESH))
                got = [[share for each in row for share in each] for row in answer["probability"]]
                np.testing.assert_allclose(got, shares, atol=1e-6)
                assert [len(each) for each in answer["probability"][0]] == list(map(len, answer["classes"]))
            case "decision_function":
                np.testing.assert_allclose(answer["score"], model.decision_function(FRESH), rtol=1e-9)
            case None:
                assert answer.keys() == {"model", "digest", "classes", "label"}


def test_columns_of_a_frame_reach_the_parts() -> None:
    # GIVEN parts that read texts and numbers of a frame by name, one of them frozen
    frame = pd.DataFrame({"size": X[:, 0], "city": np.where(X[:, 1] > 0, "Bern", "Genf")})
    part = make_pipeline(
        make_column_transformer((StandardScaler(), ["size"]), (OneHotEncoder(), ["city"])),
        LogisticRegression(),
    )
    model = MultiOutputClassifier(part).fit(frame, INDICATORS)
    frozen = FrozenEstimator(model)
    # WHEN they are converted
    # THEN both answer as the original
    for each in (model, frozen):
        artifact = build(each, frame, name="labels")
        assert artifact.predict(frame.head(20))["label"] == model.predict(frame.head(20)).tolist()


def test_the_first_label_is_watched_for_drift() -> None:
    # GIVEN a classifier of two labels WHEN it is converted
    model = MultiOutputClassifier(LogisticRegression()).fit(X, TEXTS)
    drift = build(model, X, name="labels").manifest["drift"]["prediction"]
    # THEN the reference counts the first
    counts = dict(zip(*np.unique(model.predict(X)[:, 0], return_counts=True), strict=True))
    assert dict(zip(drift["top"], drift["counts"], strict=True)) == counts


def test_a_close_call_excuses_its_own_label_alone() -> None:
    # GIVEN a row whose first label is open and whose second is not, and one the other way round
    shares = np.asarray([[0.5, 0.5, 0.1, 0.2, 0.7], [0.9, 0.1, 0.1, 0.45, 0.45]])
    # WHEN it is asked which labels are open THEN it is those
    found = _close_calls({"probability": shares}, Tolerance(), [["no", "yes"], ["a", "b", "c"]])
    assert found.tolist() == [[True, False], [False, True]]


def test_ties_of_neighbours_are_judged_label_by_label() -> None:
    # GIVEN a row with two neighbours at 1.0, and two tied ones, at 2.0, for the third place
    known = np.asarray([[0.0], [2.0], [3.0], [-1.0], [9.0]])
    labels = np.asarray([[0, 1], [1, 1], [1, 0], [0, 0], [1, 0]])
    model = KNeighborsClassifier(3).fit(known, labels)
    classes = original(model, fit_sample(model, known)).classes

    def excused(key: str, answer: list[Any]) -> bool:
        return bool(ties.excused(model, np.asarray([[1.0]]), key, np.asarray([answer]), classes)[0])

    # THEN either of the first label is right, and of the second the one that both choices give
    assert excused("label", [0, 1])
    assert excused("label", [1, 1])
    assert not excused("label", [0, 0])
    assert excused("probability", [1 / 3, 2 / 3, 1 / 3, 2 / 3])
    assert not excused("probability", [1 / 3, 2 / 3, 2 / 3, 1 / 3])
