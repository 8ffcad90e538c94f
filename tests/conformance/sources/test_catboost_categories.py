"""CatBoost's categorical features: every kind of statistic, unseen values, what the sample must show."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sls_ml.artifact import Artifact, build
from sls_ml.artifact.exporters import catboost_categories
from sls_ml.artifact.exporters.catboost_hashes import of_texts
from sls_ml.errors import ModelError

FEW = {"thread_count": 1, "iterations": 25, "depth": 4, "verbose": 0, "allow_writing_files": False}
COLUMNS = ["city", "zone", "member", "kind"]
JOINED = {"max_ctr_complexity": 4}
"""Statistics of combinations too, which CatBoost leaves out of models of so few rows by itself."""


def rows(seed: int, count: int = 900) -> pd.DataFrame:
    """A table of numbers with gaps and of categories: texts, integers, booleans."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "x": random.normal(size=count),
            "city": random.choice([*(f"town {n}" for n in range(9)), "", "Zürich", "東京", "x" * 70], count),
            "zone": random.integers(-3, 5, count),
            "member": random.choice([True, False], count),
            "kind": random.choice(list("pqrst"), count),
            "y": random.normal(size=count).round(1),
        }
    )
    frame.loc[::17, "x"] = np.nan
    return frame


def score(frame: pd.DataFrame) -> Any:
    """A number that hangs on combinations of the columns."""
    weight = np.random.default_rng(5).normal(size=(13, 8, 5))
    city = pd.factorize(frame["city"], sort=True)[0]
    found = weight[city, frame["zone"] + 3, frame["kind"].map("pqrst".index)]
    return found * np.where(frame["x"] > 0.3, 2, -1) + frame["member"]


TRAIN = rows(0)
VALUE = score(TRAIN)
TWO = (VALUE > 0).astype(int)
THREE = TWO + (VALUE > 1)

FRESH = rows(1)
FRESH.loc[::5, "city"] = "nowhere"
FRESH.loc[1::7, "zone"] = 99
FRESH.loc[2::9, "kind"] = "P"

Case = tuple[Any, Any, dict[str, Any]]
Classifier, Regressor = catboost.CatBoostClassifier, catboost.CatBoostRegressor

CASES: dict[str, Case] = {
    "defaults": (Classifier, TWO, {}),
    "one-hot": (Classifier, TWO, {"one_hot_max_size": 50}),
    "one-hot-for-some": (Classifier, TWO, JOINED | {"one_hot_max_size": 6}),
    "combinations": (Classifier, TWO, JOINED),
    "multiclass": (Classifier, THREE, JOINED),
    "one-against-all": (Classifier, THREE, {"loss_function": "MultiClassOneVsAll"}),
    "regression": (Regressor, VALUE, JOINED),
    "counter": (Classifier, TWO, JOINED | {"simple_ctr": "Counter", "combinations_ctr": "Counter"}),
    "buckets": (Classifier, THREE, JOINED | {"simple_ctr": "Buckets", "combinations_ctr": "Buckets"}),
    "borders": (
        Regressor,
        VALUE,
        JOINED
        | {
            "simple_ctr": "Borders:TargetBorderCount=4:Prior=0.3/1",
            "combinations_ctr": "Borders:TargetBorderCount=2",
        },
    ),
    "means": (
        Regressor,
        VALUE,
        {"simple_ctr": "BinarizedTargetMeanValue:TargetBorderCount=3"},
    ),
    "two-targets": (Regressor, np.c_[VALUE, TRAIN["y"]], JOINED | {"loss_function": "MultiRMSE"}),
    "two-labels": (
        Classifier,
        np.c_[TWO, TRAIN["zone"] > 0].astype(int),
        JOINED | {"loss_function": "MultiLogloss"},
    ),
    "one-kind-twice": (
        Regressor,
        VALUE,
        {"simple_ctr": ["Borders:TargetBorderCount=4", "Borders:TargetBorderCount=2"]},
    ),
    "grown-by-leaf": (Classifier, TWO, {"grow_policy": "Lossguide"}),
    "grown-by-level": (Classifier, THREE, {"grow_policy": "Depthwise", "one_hot_max_size": 6}),
    "in-time": (
        Classifier,
        TWO,
        JOINED | {"has_time": True, "class_weights": [1, 3], "counter_calc_method": "Full"},
    ),
    "missing-is-largest": (Classifier, TWO, JOINED | {"nan_mode": "Max"}),
    "limited": (Classifier, TWO, JOINED | {"ctr_leaf_count_limit": 4, "store_all_simple_ctr": True}),
}


def fitted(kind: Any, target: Any, **options: Any) -> Any:
    return kind(**(FEW | {"cat_features": COLUMNS} | options)).fit(TRAIN, target)


def built(model: Any, sample: Any) -> Artifact:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return build(model, sample, name="m")


def right(artifact: Artifact, model: Any, frame: pd.DataFrame) -> None:
    said = artifact.predict(frame)
    if hasattr(model, "predict_proba"):
        label = np.asarray(said["label"])
        assert np.array_equal(label, np.asarray(model.predict(frame)).reshape(label.shape))
        probability = np.asarray(said["probability"])
        if probability.ndim == 3:  # of each label: no and yes
            probability = probability[..., 1]
        np.testing.assert_allclose(probability, model.predict_proba(frame), atol=1e-12)
    else:
        np.testing.assert_allclose(said["value"], model.predict(frame), atol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_models_with_categories_predict_as_catboost_does(case: str) -> None:
    # GIVEN a model with texts, integers and booleans as categories
    kind, target, options = CASES[case]
    model = fitted(kind, target, **options)
    # WHEN it is converted with its training rows as the sample
    artifact = built(model, TRAIN)
    # THEN it answers as CatBoost on fresh rows too, also where a category was never seen
    right(artifact, model, FRESH)
    # AND in plain Python
    assert artifact.manifest["engines"] == ["lite", "ort_capi", "ort_python"]
    kinds = {entry["name"]: entry["dtype"] for entry in artifact.manifest["inputs"]}
    assert kinds == {name: str(TRAIN[name].dtype) for name in kinds} | {"city": "string", "kind": "string"}


def test_the_cases_have_combinations_of_all_kinds(tmp_path: Path) -> None:
    # GIVEN a model of the cases above
    kind, target, options = CASES["one-hot-for-some"]
    # WHEN CatBoost writes it as JSON
    fitted(kind, target, **options).save_model(str(tmp_path / "model.json"), format="json")
    # THEN combinations with numbers and with single categories are in it, or the cases would show little
    features = json.loads((tmp_path / "model.json").read_text())["features_info"]
    found = {tuple(part["combination_element"] for part in one["elements"]) for one in features["ctrs"]}
    assert ("cat_feature_value", "cat_feature_value") in found
    assert ("cat_feature_value", "float_feature", "cat_feature_exact_value") in found


def test_missing_categories_are_refused_as_catboost_does() -> None:
    # GIVEN a model with categories, which CatBoost answers where they are known or not, but not missing
    model = fitted(Classifier, TWO)
    artifact = built(model, TRAIN)
    gone = TRAIN.head(3).astype({"city": object})
    gone.loc[0, "city"] = None
    with pytest.raises((catboost.CatBoostError, TypeError)):
        model.predict(gone)
    # WHEN the artifact gets one
    # THEN it refuses it
    with pytest.raises(ModelError, match="city"):
        artifact.predict(gone)


def test_a_file_with_a_table_of_plain_values(tmp_path: Path) -> None:
    # GIVEN a .cbm file, of a model trained on pandas' categories, and its rows as CSV
    frame = TRAIN.assign(city=TRAIN["city"].where(TRAIN["city"] != "", "?")).drop(columns="member")
    categories = dict.fromkeys(["city", "zone", "kind"], "category")
    model = Classifier(**FEW, cat_features=list(categories)).fit(frame.astype(categories), TWO)
    model.save_model(str(tmp_path / "model.cbm"))
    frame.to_csv(tmp_path / "rows.csv", index=False)
    # WHEN it is converted
    artifact = built(tmp_path / "model.cbm", tmp_path / "rows.csv")
    # THEN it answers as the model
    right(artifact, model, FRESH[frame.columns])


def test_a_matrix_without_names() -> None:
    # GIVEN a model trained on a matrix of numbers, some of them categories
    matrix = TRAIN[["x", "zone", "y"]].to_numpy(dtype=object)
    model = Classifier(**FEW, cat_features=[1]).fit(matrix, TWO)
    # WHEN it is converted
    artifact = built(model, matrix)
    # THEN the categories are integers
    assert [entry["dtype"] for entry in artifact.manifest["inputs"]] == ["float64", "int64", "float64"]
    right(artifact, model, pd.DataFrame(FRESH[["x", "zone", "y"]].to_numpy(dtype=object)))


def test_a_search_a_pipeline_of_one_step_and_the_bare_class() -> None:
    # GIVEN the same model in other hands
    table = catboost.Pool(TRAIN, TWO, cat_features=COLUMNS)
    bare = catboost.CatBoost(FEW | {"loss_function": "Logloss"}).fit(table)
    search = GridSearchCV(Classifier(**FEW), {"depth": [2, 4]}, cv=2).fit(TRAIN, TWO, cat_features=COLUMNS)
    piped = make_pipeline(fitted(Classifier, TWO))
    # WHEN they are converted
    # THEN each answers as itself
    right(built(search, TRAIN), search, FRESH)
    right(built(piped, TRAIN), piped, FRESH)
    second = bare.predict(FRESH, prediction_type="Probability")
    np.testing.assert_allclose(built(bare, TRAIN).predict(FRESH)["probability"], second, atol=1e-12)


def test_a_sample_without_some_of_the_categories() -> None:
    # GIVEN a sample in which a category of training does not occur
    model = fitted(Classifier, TWO, max_ctr_complexity=1)
    sample = TRAIN[TRAIN["city"] != "東京"]
    # WHEN the model is converted with it
    with pytest.raises(ModelError) as caught:
        built(model, sample)
    # THEN it is refused: nobody could answer for that category
    assert caught.value.code == "sample-categories"
    assert (
        caught.value.what
        == "The sample does not show 1 of the 13 categories of 'city' that the model tells apart."
    )
    assert "rows that the model was trained on" in str(caught.value.mend)


def test_a_sample_with_all_categories_but_few_combinations() -> None:
    # GIVEN a sample that is much smaller than the training data
    model = fitted(Classifier, TWO, **JOINED)
    sample = rows(2, 150)
    # WHEN the model is converted with it
    artifact = built(model, sample)
    # THEN the combinations that it lacks were found by trying all
    right(artifact, model, FRESH)
    right(artifact, model, TRAIN)


def test_combinations_that_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a model with more possible combinations than there are numbers for, made few here
    model = fitted(Classifier, TWO, **JOINED)
    monkeypatch.setattr(catboost_categories, "_MOST_KEYS", 30)
    # WHEN it is converted
    with pytest.raises(ModelError) as caught:
        built(model, TRAIN)
    # THEN it is refused with the way out
    assert caught.value.what.endswith("are too many to be numbered.")
    assert "max_ctr_complexity" in str(caught.value.mend)


def test_hashes_of_texts_of_any_length() -> None:
    # GIVEN texts of all lengths up to those that CityHash takes in blocks
    texts = [("aé日😀z9"[: 1 + size % 6] * 60)[:size] for size in range(300)]
    table = pd.DataFrame({"text": [*texts, *texts], "x": np.arange(600.0)})
    model = Regressor(**(FEW | {"one_hot_max_size": 255, "max_ctr_complexity": 1}), cat_features=["text"])
    model.fit(table, table["x"] % 7)
    # WHEN the model is converted, THEN all of its hashes are found among them
    right(built(model, table), model, table)
    # AND they are those that CatBoost writes beside its exported code
    assert of_texts(["", "Rom", "1"]).view(np.int64).tolist() == [797982799, -1591529882, 1121341681]


def renamed(model: Any, old: str, new: str, folder: Path) -> Any:
    """The same model with another kind of statistics, as graphics cards make them."""
    model.save_model(str(folder / "model.json"), format="json")
    written = (folder / "model.json").read_text()
    (folder / "model.json").write_text(written.replace(old, new))
    return type(model)().load_model(str(folder / "model.json"), format="json")


def test_frequencies_as_graphics_cards_count_them(tmp_path: Path) -> None:
    # GIVEN a model whose counts go by the name that they have when trained on a graphics card
    model = renamed(fitted(Classifier, TWO, simple_ctr="Counter"), "Counter", "FeatureFreq", tmp_path)
    # WHEN it is converted, THEN it answers as CatBoost
    right(built(model, TRAIN), model, FRESH)


def test_means_as_graphics_cards_take_them(tmp_path: Path) -> None:
    # GIVEN a model with means that CatBoost takes on graphics cards alone
    model = fitted(Regressor, VALUE, simple_ctr="BinarizedTargetMeanValue")
    model = renamed(model, "BinarizedTargetMeanValue", "FloatTargetMeanValue", tmp_path)
    # WHEN it is converted
    with pytest.raises(ModelError) as caught:
        built(model, TRAIN)
    # THEN it is refused by name
    assert "statistics of the kind 'FloatTargetMeanValue'" in caught.value.what
    assert "one_hot_max_size" in str(caught.value.mend)


def not_fitted() -> tuple[Any, pd.DataFrame]:
    return Classifier(cat_features=COLUMNS), TRAIN


def with_steps() -> tuple[Any, pd.DataFrame]:
    model = make_pipeline(FunctionTransformer(), Classifier(**FEW))
    return model.fit(TRAIN, TWO, catboostclassifier__cat_features=COLUMNS), TRAIN


def with_texts() -> tuple[Any, pd.DataFrame]:
    table = TRAIN[["x", "city"]].assign(city=TRAIN["city"] + " and so on")
    return Classifier(**FEW, text_features=["city"]).fit(table, TWO), table


def with_embeddings() -> tuple[Any, pd.DataFrame]:
    table = TRAIN[["x"]].assign(place=list(np.random.default_rng(0).normal(size=(len(TRAIN), 2))))
    return Classifier(**FEW, embedding_features=["place"]).fit(table, TWO), table


def with_means_of_targets() -> tuple[Any, pd.DataFrame]:
    twice = [f"BinarizedTargetMeanValue:TargetBorderCount={count}" for count in (2, 4)]
    return fitted(Regressor, VALUE, simple_ctr=twice), TRAIN


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (not_fitted, "is not fitted"),
        (with_steps, "is a part of another model"),
        (with_texts, "text features"),
        (with_embeddings, "embedding features"),
        (with_means_of_targets, "means of several targets"),
    ],
)
def test_what_has_no_exact_form_is_refused_by_name(
    make: Callable[[], tuple[Any, pd.DataFrame]], reason: str
) -> None:
    # GIVEN a model of a form that has no exact graph
    model, sample = make()
    # WHEN it is converted
    with pytest.raises(ModelError) as caught:
        built(model, sample)
    # THEN the error names what it is, and the way out
    assert reason in caught.value.what
    assert caught.value.mend
