"""What converts, predicts as the original does, through the engine that serves."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import (
    calibration,
    cluster,
    compose,
    decomposition,
    ensemble,
    feature_selection,
    impute,
    linear_model,
    mixture,
    model_selection,
    naive_bayes,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    svm,
    tree,
)
from sklearn.feature_extraction import text

from sls_ml.artifact import build

make_pipeline = pipeline.make_pipeline


def scaled(model: Any) -> Any:
    return make_pipeline(preprocessing.StandardScaler(), model)


CLASSIFIERS = [
    linear_model.LogisticRegression(),
    linear_model.RidgeClassifier(),
    linear_model.SGDClassifier(random_state=0),
    svm.LinearSVC(),
    neighbors.KNeighborsClassifier(),
    naive_bayes.GaussianNB(),
    neural_network.MLPClassifier(hidden_layer_sizes=(8,), max_iter=40, random_state=0),
    tree.DecisionTreeClassifier(random_state=0),
    ensemble.RandomForestClassifier(8, random_state=0),
    ensemble.ExtraTreesClassifier(8, random_state=0),
    ensemble.GradientBoostingClassifier(n_estimators=8, random_state=0),
    ensemble.HistGradientBoostingClassifier(max_iter=8, random_state=0),
    ensemble.AdaBoostClassifier(n_estimators=4, random_state=0),
    ensemble.BaggingClassifier(n_estimators=4, random_state=0),
    calibration.CalibratedClassifierCV(linear_model.LogisticRegression(), cv=2),
    model_selection.GridSearchCV(linear_model.LogisticRegression(), {"C": [0.1, 1.0]}, cv=2),
    model_selection.RandomizedSearchCV(
        ensemble.RandomForestClassifier(4, random_state=0), {"max_depth": [2, 3]}, n_iter=1, cv=2
    ),
]
REGRESSORS = [
    linear_model.LinearRegression(),
    linear_model.Ridge(),
    linear_model.Lasso(alpha=0.01),
    linear_model.PoissonRegressor(),
    neighbors.KNeighborsRegressor(),
    neural_network.MLPRegressor(hidden_layer_sizes=(8,), max_iter=40, random_state=0),
    tree.DecisionTreeRegressor(random_state=0),
    ensemble.RandomForestRegressor(8, random_state=0),
    ensemble.GradientBoostingRegressor(n_estimators=8, random_state=0),
    ensemble.HistGradientBoostingRegressor(max_iter=8, random_state=0),
]
TRANSFORMERS = [
    decomposition.PCA(2),
    preprocessing.MinMaxScaler(),
    preprocessing.RobustScaler(),
    preprocessing.Normalizer(),
    preprocessing.PolynomialFeatures(2),
    preprocessing.KBinsDiscretizer(3, encode="ordinal", quantile_method="averaged_inverted_cdf"),
    feature_selection.SelectKBest(k=2),
]


def name(value: Any) -> str:
    return type(value).__name__


def fitted(model: Any, *data: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(*data)


def check_classifier(model: Any, artifact: Any, rows: Any) -> None:
    answer = artifact.predict(rows)
    assert answer["classes"] == model.classes_.tolist()
    assert answer["label"] == model.predict(rows).tolist()
    if hasattr(model, "predict_proba"):
        np.testing.assert_allclose(answer["probability"], model.predict_proba(rows), atol=1e-5)
    else:
        np.testing.assert_allclose(answer["score"], model.decision_function(rows), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("model", CLASSIFIERS, ids=name)
@pytest.mark.parametrize("classes", [2, 3])
def test_classifiers(model: Any, classes: int, numbers: np.ndarray[Any, Any]) -> None:
    # GIVEN a scaler and a classifier, trained on a grid with ties
    target = np.array(["u", "v", "w"])[
        np.digitize(numbers[:, 0] + numbers[:, 1], [0, 9] if classes == 2 else [-0.7, 0.7])
    ]
    pipe = fitted(scaled(model), numbers, target)
    # WHEN it is converted
    artifact = build(pipe, numbers, name="m")
    # THEN it answers as the original does
    assert artifact.manifest["kind"] == "classifier"
    check_classifier(pipe, artifact, numbers[:50])


@pytest.mark.parametrize("model", REGRESSORS, ids=name)
def test_regressors(model: Any, numbers: np.ndarray[Any, Any]) -> None:
    # GIVEN a scaler and a regressor
    pipe = fitted(scaled(model), numbers, np.abs(numbers @ [1, 2, 3, 4]))
    # WHEN it is converted
    artifact = build(pipe, numbers, name="m")
    # THEN it answers as the original does, one number per row
    np.testing.assert_allclose(artifact.predict(numbers[:50])["value"], pipe.predict(numbers[:50]), rtol=1e-6)


@pytest.mark.parametrize(
    "model", [linear_model.LinearRegression(), ensemble.RandomForestRegressor(5, random_state=0)], ids=name
)
def test_regressors_with_several_outputs(model: Any, numbers: np.ndarray[Any, Any]) -> None:
    # GIVEN a regressor of two values
    fitted(model, numbers, np.c_[numbers.sum(axis=1), numbers[:, 0]])
    # WHEN it is converted
    artifact = build(model, numbers, name="m")
    # THEN each row has two values
    np.testing.assert_allclose(artifact.predict(numbers[:9])["value"], model.predict(numbers[:9]), rtol=1e-6)


@pytest.mark.parametrize("model", TRANSFORMERS, ids=name)
def test_transformers(model: Any, numbers: np.ndarray[Any, Any]) -> None:
    # GIVEN a transformer
    pipe = fitted(scaled(model), numbers, numbers[:, 0] > 0)
    # WHEN it is converted
    answer = build(pipe, numbers, name="m").predict(numbers[:9])
    # THEN it transforms as the original does
    np.testing.assert_allclose(answer["transformed"], pipe.transform(numbers[:9]), rtol=1e-6, atol=1e-6)


def test_outlier_detector() -> None:
    # GIVEN an outlier detector
    numbers = np.random.default_rng(1).normal(size=(150, 3))  # no ties between neighbours
    model = fitted(neighbors.LocalOutlierFactor(novelty=True), numbers)
    # WHEN it is converted
    artifact = build(model, numbers, name="m")
    # THEN it answers label and score
    answer = artifact.predict(numbers[:30])
    assert artifact.manifest["kind"] == "outlier_detector"
    assert answer["label"] == model.predict(numbers[:30]).tolist()
    np.testing.assert_allclose(answer["score"], model.decision_function(numbers[:30]), atol=1e-6)


@pytest.mark.parametrize(
    "model",
    [cluster.KMeans(3, n_init=1, random_state=0), mixture.GaussianMixture(2, random_state=0)],
    ids=name,
)
def test_clusterers(model: Any, numbers: np.ndarray[Any, Any]) -> None:
    # GIVEN a clusterer
    pipe = fitted(scaled(model), numbers)
    # WHEN it is converted
    artifact = build(pipe, numbers, name="m")
    # THEN it gives the cluster of each row
    assert artifact.manifest["kind"] == "clusterer"
    assert artifact.predict(numbers[:30])["label"] == pipe.predict(numbers[:30]).tolist()


@pytest.mark.parametrize(
    "model",
    [
        tree.DecisionTreeClassifier(random_state=0),
        ensemble.RandomForestClassifier(8, random_state=0),
        ensemble.HistGradientBoostingClassifier(max_iter=8, random_state=0),
    ],
    ids=name,
)
def test_trees_trained_on_missing_values(model: Any, numbers: np.ndarray[Any, Any]) -> None:
    # GIVEN a tree model that learnt where missing values go
    holes = np.where(np.random.default_rng(0).random(numbers.shape) < 0.2, np.nan, numbers)
    fitted(model, holes, numbers[:, 0] > 0)
    # WHEN it is converted
    artifact = build(model, holes, name="m")
    # THEN missing values are admitted and go the same way
    assert all(entry["nullable"] for entry in artifact.manifest["inputs"])
    np.testing.assert_allclose(artifact.predict(holes)["probability"], model.predict_proba(holes), atol=1e-6)


MIXED: dict[str, Callable[[], Any]] = {
    "linear": linear_model.LogisticRegression,
    "forest": lambda: ensemble.RandomForestClassifier(8, random_state=0),
    "boosting": lambda: ensemble.HistGradientBoostingClassifier(max_iter=8, random_state=0),
}


@pytest.mark.parametrize("last", MIXED)
def test_column_transformers(last: str, people: pd.DataFrame) -> None:
    # GIVEN numbers with holes, texts with holes, integers as categories, and columns that are dropped
    columns = compose.ColumnTransformer(
        [
            ("n", make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler()), ["age", "income"]),
            (
                "t",
                make_pipeline(
                    impute.SimpleImputer(strategy="most_frequent"),
                    preprocessing.OneHotEncoder(handle_unknown="ignore", sparse_output=False),
                ),
                ["city", "job"],
            ),
            ("o", preprocessing.OrdinalEncoder(), ["zone"]),
        ]
    )
    pipe = fitted(make_pipeline(columns, MIXED[last]()), people, people["target"])
    # WHEN it is converted with a sample that holds the target
    artifact = build(pipe, people, name="m")
    # THEN only what the model reads is an input, and it answers as the original does
    assert [entry["name"] for entry in artifact.manifest["inputs"]] == [
        "age",
        "income",
        "city",
        "job",
        "zone",
    ]
    check_classifier(pipe, artifact, people)


@pytest.mark.parametrize("remainder", ["passthrough", "drop"])
def test_column_transformer_trained_on_a_matrix(remainder: str, numbers: np.ndarray[Any, Any]) -> None:
    # GIVEN a ColumnTransformer that calls its columns by position
    columns = compose.ColumnTransformer([("s", preprocessing.StandardScaler(), [2, 0])], remainder=remainder)
    pipe = fitted(make_pipeline(columns, linear_model.Ridge()), numbers, numbers.sum(axis=1))
    # WHEN it is converted
    artifact = build(pipe, numbers, name="m")
    # THEN the inputs are those that it reads
    names = ["x0", "x1", "x2", "x3"] if remainder == "passthrough" else ["x0", "x2"]
    assert [entry["name"] for entry in artifact.manifest["inputs"]] == names
    rows = pd.DataFrame(numbers[:9], columns=["x0", "x1", "x2", "x3"])
    np.testing.assert_allclose(artifact.predict(rows)["value"], pipe.predict(numbers[:9]), rtol=1e-9)


def test_pandas_categories_in_boosting(people: pd.DataFrame) -> None:
    # GIVEN a boosting model that takes categories from the columns' type
    frame = people[["city", "age"]].astype({"city": "category"})
    model = ensemble.HistGradientBoostingClassifier(max_iter=8, categorical_features="from_dtype")
    fitted(model, frame, people["target"])
    # WHEN it is converted
    artifact = build(model, frame, name="m")
    # THEN the texts themselves are its input
    assert artifact.manifest["inputs"][0]["dtype"] == "string"
    check_classifier(model, artifact, frame)


TEXT_MODELS = {
    "tfidf": lambda: make_pipeline(text.TfidfVectorizer(), linear_model.LogisticRegression()),
    "bigrams": lambda: make_pipeline(
        text.TfidfVectorizer(ngram_range=(1, 2), min_df=2), linear_model.LogisticRegression()
    ),
    "counts": lambda: make_pipeline(text.CountVectorizer(stop_words="english"), naive_bayes.MultinomialNB()),
}


@pytest.mark.parametrize("kind", TEXT_MODELS)
def test_texts(kind: str, texts: list[str]) -> None:
    # GIVEN a model of texts
    model = fitted(TEXT_MODELS[kind](), texts, np.array(["spam" in document for document in texts]))
    # WHEN it is converted
    artifact = build(model, texts, name="m")
    # THEN it takes a list of texts, and its classes are true and false
    assert artifact.manifest["tensors"] == [{"name": "c0", "dtype": "string", "columns": [0], "rank": 1}]
    answer = artifact.predict(["great café", *texts])
    assert answer["classes"] == [False, True]
    assert answer["label"] == model.predict(["great café", *texts]).tolist()


def test_text_beside_numbers(texts: list[str]) -> None:
    # GIVEN a ColumnTransformer of a text column and a number
    frame = pd.DataFrame({"text": texts, "length": [len(document) for document in texts]})
    columns = compose.ColumnTransformer(
        [("t", text.TfidfVectorizer(), "text"), ("n", preprocessing.StandardScaler(), ["length"])]
    )
    model = fitted(
        make_pipeline(columns, linear_model.LogisticRegression()),
        frame,
        ["spam" in document for document in texts],
    )
    # WHEN it is converted
    artifact = build(model, frame, name="m")
    # THEN it answers as the original does
    check_classifier(model, artifact, frame)


def test_nested_pipelines_are_flattened(credit: Any, people: pd.DataFrame) -> None:
    # GIVEN a ColumnTransformer inside two pipelines, and a search at the end
    search = model_selection.GridSearchCV(linear_model.LogisticRegression(), {"C": [1.0]}, cv=2)
    nested = pipeline.Pipeline([("prepare", make_pipeline(credit[0])), ("model", search)])
    fitted(nested, people, people["target"])
    # WHEN it is converted
    artifact = build(nested, people, name="m")
    # THEN it answers as the original does
    check_classifier(nested, artifact, people)


def test_feature_union(numbers: np.ndarray[Any, Any]) -> None:
    # GIVEN a union of features
    union = pipeline.FeatureUnion([("s", preprocessing.StandardScaler()), ("p", decomposition.PCA(2))])
    model = fitted(make_pipeline(union, linear_model.LogisticRegression()), numbers, numbers[:, 0] > 0)
    # WHEN it is converted
    # THEN it answers as the original does
    check_classifier(model, build(model, numbers, name="m"), numbers)


def test_the_original_is_not_changed(credit: Any, people: pd.DataFrame) -> None:
    # GIVEN a fitted model
    import joblib

    before = joblib.hash(credit)
    # WHEN it is converted
    build(credit, people, name="m")
    # THEN it is the same to the last bit
    assert joblib.hash(credit) == before
