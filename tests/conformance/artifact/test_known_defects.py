"""What skl2onnx 1.20 is known to convert wrong, or not at all, each in a model that we convert right."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import TunedThresholdClassifierCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    OneHotEncoder,
    PolynomialFeatures,
    PowerTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.tree import DecisionTreeRegressor

from sls_ml.artifact import build

WORDS = ["über-raschend", "naïve", "日本語", "go 👍 go", "a b cd", "Straße", "", "co-op 24/7", "the old man"]
ODD = ["Weird name (€)", "a[0]<b", "1st", "class"]


def table(rows: int, seed: int) -> pd.DataFrame:
    """Numbers on a grid, so that split thresholds tie, some with gaps; codes, categories and texts."""
    random = np.random.default_rng(seed)
    made = pd.DataFrame(np.round(random.normal(size=(rows, 4)), 1), columns=ODD)
    for name in ODD[:2]:
        made.loc[random.random(rows) < 0.2, name] = np.nan
    made["real"] = random.normal(size=rows)
    made["code"] = random.integers(0, 9, rows).astype(float)
    made["city"] = random.choice(["Bern", "Genf", "Olten", "Chur"], rows, p=[0.5, 0.4, 0.07, 0.03])
    made["gap"] = made["city"].mask(random.random(rows) < 0.2)
    made["words"] = [" ".join(random.choice(WORDS, 3)) for _ in range(rows)]
    return made


def columns(*parts: Any) -> Any:
    return make_column_transformer(*parts)


FULL, HOLED = ODD[2:], ODD[:2]
OF_NUMBERS = columns(("passthrough", [*FULL, "code"]))
OF_REALS = columns(("passthrough", ["real", *FULL]))  # whose distances do not tie
OF_GAPS = columns(("passthrough", ODD))

CASES: dict[str, tuple[Any, str]] = {
    "forest on gaps": (make_pipeline(OF_GAPS, RandomForestClassifier(20, random_state=0)), "class"),
    "extra trees on gaps": (make_pipeline(OF_GAPS, ExtraTreesRegressor(20, random_state=0)), "value"),
    "isolation forest on a sparse table with gaps": (
        make_pipeline(
            make_column_transformer(
                (OneHotEncoder(), ["city"]), ("passthrough", HOLED), sparse_threshold=1.0
            ),
            IsolationForest(n_estimators=20, random_state=0),
        ),
        "none",
    ),
    "tree on gaps": (make_pipeline(OF_GAPS, DecisionTreeRegressor(random_state=0)), "value"),
    "boosting of categories": (
        make_pipeline(
            columns(("passthrough", ["code", *HOLED])),
            HistGradientBoostingClassifier(max_iter=20, categorical_features=[0], min_samples_leaf=3),
        ),
        "class",
    ),
    "votes by distance": (make_pipeline(OF_REALS, KNeighborsClassifier(4, weights="distance")), "class"),
    "values by distance": (make_pipeline(OF_REALS, KNeighborsRegressor(4, weights="distance")), "value"),
    "isotonic calibration": (
        make_pipeline(OF_NUMBERS, CalibratedClassifierCV(GaussianNB(), method="isotonic", cv=2)),
        "class",
    ),
    "tuned threshold": (make_pipeline(OF_NUMBERS, TunedThresholdClassifierCV(GaussianNB(), cv=3)), "two"),
    "indicators of gaps": (
        columns((make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), HOLED)),
        "none",
    ),
    "scaled ties, forest": (
        make_pipeline(OF_NUMBERS, StandardScaler(), RandomForestClassifier(20, random_state=0)),
        "class",
    ),
    "scaled ties, boosting": (
        make_pipeline(OF_NUMBERS, StandardScaler(), HistGradientBoostingRegressor(max_iter=20)),
        "value",
    ),
    "doubles into a forest": (
        make_pipeline(OF_NUMBERS, RandomForestClassifier(20, random_state=0)),
        "class",
    ),
    "doubles into boosting": (
        make_pipeline(OF_NUMBERS, GradientBoostingClassifier(n_estimators=20, random_state=0)),
        "class",
    ),
    "filled doubles": (columns((SimpleImputer(strategy="median"), HOLED)), "none"),
    "products of doubles": (columns((PolynomialFeatures(3), FULL)), "none"),
    "powers of doubles": (columns((PowerTransformer(), HOLED)), "none"),
    "texts": (columns((TfidfVectorizer(ngram_range=(1, 2)), "words")), "none"),
    "columns chosen behind a scaler": (
        make_pipeline(
            columns(("passthrough", [*FULL, "code"])),
            StandardScaler(),
            columns((StandardScaler(), [2]), ("passthrough", [0])),
            LogisticRegression(),
        ),
        "class",
    ),
    "columns chosen by a forest behind an imputer": (
        make_pipeline(
            columns((SimpleImputer(), HOLED), ("passthrough", FULL)),
            columns((PowerTransformer(), [1, 3])),
            RandomForestClassifier(10, random_state=0),
        ),
        "class",
    ),
    "rare categories": (
        columns((OneHotEncoder(min_frequency=0.1, handle_unknown="infrequent_if_exist"), ["city"])),
        "none",
    ),
    "means of targets": (
        make_pipeline(columns((TargetEncoder(), ["city"])), LogisticRegression()),
        "two",
    ),
    "filled texts": (
        columns(
            (
                make_pipeline(
                    SimpleImputer(strategy="most_frequent"),
                    OneHotEncoder(handle_unknown="ignore"),
                ),
                ["gap"],
            )
        ),
        "none",
    ),
}


def target(kind: str, frame: pd.DataFrame) -> Any:
    score = frame[[*ODD, "real"]].fillna(0.5).sum(axis=1) + frame["code"] % 4 + frame["city"].str.len()
    return {"class": pd.qcut(score, 3, labels=False), "two": (score > score.median()).astype(int)}.get(
        kind, score
    )


@pytest.mark.parametrize("case", CASES)
def test_converts_right(case: str) -> None:
    # GIVEN a model of the kind, trained on a table of which it reads some columns
    model, kind = CASES[case]
    frame = table(300, 0)
    model.fit(frame, None if kind == "none" else target(kind, frame))

    # WHEN it is converted
    artifact = build(model, frame, name="m")

    # THEN the graph names nothing twice, keeps no map of probabilities, and asks for no locale of a machine
    graph = onnx.load_from_string(artifact.files["model.onnx"])
    domains = [entry.domain for entry in graph.opset_import]
    assert len(domains) == len(set(domains))
    assert all(node.op_type != "ZipMap" for node in graph.graph.node)
    locales = {a.s for node in graph.graph.node for a in node.attribute if a.name == "locale"}
    assert locales <= {b"C.UTF-8"}

    # AND it takes the columns that the model reads, under their own names, and no other
    names = [entry["name"] for entry in artifact.manifest["inputs"]]
    assert set(names) < set(frame.columns)

    # AND answers fresh rows as the original does, on every engine
    fresh = table(200, 1)
    rows = fresh[names].astype(object).where(fresh[names].notna(), None).to_dict("records")
    for engine in artifact.manifest["engines"]:
        answer = artifact.predict(rows, engine=engine)
        for key, wanted in expected(model, fresh).items():
            found = np.asarray(answer[key], dtype=float).reshape(wanted.shape)
            np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6, err_msg=f"{engine}: {key}")


def expected(model: Any, rows: pd.DataFrame) -> dict[str, Any]:
    """The original's answers, by the keys of ours."""
    if not hasattr(model, "predict"):
        moved = model.transform(rows)
        return {"transformed": moved.toarray() if hasattr(moved, "toarray") else np.asarray(moved)}
    if hasattr(model, "score_samples"):
        return {"score": model.decision_function(rows), "label": model.predict(rows)}
    if not hasattr(model, "predict_proba"):
        return {"value": model.predict(rows)}
    return {"probability": model.predict_proba(rows), "label": model.predict(rows)}


SURE: dict[str, Any] = {
    "logistic regression": LogisticRegression(C=1000.0),
    "stochastic descent": SGDClassifier(loss="log_loss", random_state=0),
    "neural network": MLPClassifier((4,), max_iter=400, random_state=0),
    "discriminants": LinearDiscriminantAnalysis(),
    "boosting": GradientBoostingClassifier(learning_rate=1.0, n_estimators=60),
    "boosting by histograms": HistGradientBoostingClassifier(learning_rate=1.0, max_iter=60),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("case", SURE)
def test_small_probabilities_are_kept(case: str) -> None:
    # GIVEN a classifier that is all but sure of rows far from the border
    random = np.random.default_rng(0)
    rows = random.normal(size=(200, 3))
    model = SURE[case].fit(rows, rows[:, 0] > 0)
    far = np.asarray([[sign * size, 0.1, -0.2] for size in (1, 2, 5, 20) for sign in (1, -1)])
    wanted = model.predict_proba(far)
    assert wanted.min() < 1e-5

    # WHEN it is converted
    artifact = build(model, rows, name="m")

    # THEN no engine's probabilities lose more than the last digit of 1
    for engine in artifact.manifest["engines"]:
        found = np.asarray(artifact.predict(far, engine=engine)["probability"])
        np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=2.0**-52, err_msg=engine)
