"""XGBoost, LightGBM and CatBoost: every objective, both interfaces, files, categories, pipelines."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.compose import make_column_transformer
from sklearn.ensemble import VotingClassifier
from sklearn.feature_selection import VarianceThreshold
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, OneHotEncoder, StandardScaler

from conformance.sources.conftest import Data
from sls_ml.artifact import Artifact, build
from sls_ml.errors import ModelError

XGB = {"n_estimators": 12, "max_depth": 4, "n_jobs": 1}
LGB = {
    "n_estimators": 12,
    "verbose": -1,
    "n_jobs": 1,
    "min_data_per_group": 5,
    "cat_smooth": 1,
    "max_cat_to_onehot": 1,
}
CAT = {"thread_count": 1, "iterations": 12, "depth": 4, "verbose": 0, "allow_writing_files": False}

Case = tuple[Callable[[], Any], str, str]
"""An estimator to fit, and the names of the rows and the target in `Data`."""

CASES: dict[str, Case] = {
    "xgboost-binary": (lambda: xgboost.XGBClassifier(**XGB), "matrix", "two"),
    "xgboost-base-score": (lambda: xgboost.XGBClassifier(base_score=0.2, **XGB), "matrix", "two"),
    "xgboost-hinge": (lambda: xgboost.XGBClassifier(objective="binary:hinge", **XGB), "matrix", "two"),
    "xgboost-softprob": (lambda: xgboost.XGBClassifier(**XGB), "numbers", "three"),
    "xgboost-softmax": (lambda: xgboost.XGBClassifier(objective="multi:softmax", **XGB), "matrix", "three"),
    "xgboost-categories": (
        lambda: xgboost.XGBClassifier(enable_categorical=True, max_cat_to_onehot=1, **XGB),
        "frame",
        "three",
    ),
    "xgboost-missing-is-zero": (lambda: xgboost.XGBClassifier(missing=0.0, **XGB), "matrix", "two"),
    "xgboost-forest": (lambda: xgboost.XGBRFClassifier(**XGB), "matrix", "two"),
    "xgboost-squared": (lambda: xgboost.XGBRegressor(n_estimators=200), "matrix", "values"),
    "xgboost-logistic": (lambda: xgboost.XGBRegressor(objective="reg:logistic", **XGB), "matrix", "two"),
    "xgboost-poisson": (lambda: xgboost.XGBRegressor(objective="count:poisson", **XGB), "matrix", "values"),
    "xgboost-gamma": (lambda: xgboost.XGBRegressor(objective="reg:gamma", **XGB), "matrix", "values"),
    "xgboost-quantiles": (
        lambda: xgboost.XGBRegressor(objective="reg:quantileerror", quantile_alpha=[0.1, 0.5], **XGB),
        "matrix",
        "values",
    ),
    "xgboost-dart": (
        lambda: xgboost.XGBRegressor(booster="dart", rate_drop=0.5, **XGB),
        "matrix",
        "values",
    ),
    "lightgbm-binary": (lambda: lightgbm.LGBMClassifier(**LGB), "matrix", "two"),
    "lightgbm-multiclass": (lambda: lightgbm.LGBMClassifier(**LGB), "numbers", "three"),
    "lightgbm-one-against-all": (
        lambda: lightgbm.LGBMClassifier(objective="multiclassova", **LGB),
        "matrix",
        "three",
    ),
    "lightgbm-categories": (lambda: lightgbm.LGBMClassifier(**LGB), "frame", "three"),
    "lightgbm-zero-is-missing": (
        lambda: lightgbm.LGBMRegressor(zero_as_missing=True, **LGB),
        "matrix",
        "values",
    ),
    "lightgbm-squared": (lambda: lightgbm.LGBMRegressor(**LGB), "matrix", "values"),
    "lightgbm-root": (lambda: lightgbm.LGBMRegressor(reg_sqrt=True, **LGB), "matrix", "values"),
    "lightgbm-poisson": (lambda: lightgbm.LGBMRegressor(objective="poisson", **LGB), "matrix", "values"),
    "lightgbm-cross-entropy": (
        lambda: lightgbm.LGBMRegressor(objective="cross_entropy", **LGB),
        "matrix",
        "two",
    ),
    "lightgbm-intensity": (
        lambda: lightgbm.LGBMRegressor(objective="cross_entropy_lambda", **LGB),
        "matrix",
        "two",
    ),
    "lightgbm-forest": (
        lambda: lightgbm.LGBMRegressor(boosting_type="rf", subsample=0.7, subsample_freq=1, **LGB),
        "matrix",
        "values",
    ),
    "lightgbm-dart": (lambda: lightgbm.LGBMRegressor(boosting_type="dart", **LGB), "matrix", "values"),
    "catboost-binary": (lambda: catboost.CatBoostClassifier(**CAT), "numbers", "two"),
    "catboost-multiclass": (lambda: catboost.CatBoostClassifier(**CAT), "matrix", "three"),
    "catboost-one-against-all": (
        lambda: catboost.CatBoostClassifier(loss_function="MultiClassOneVsAll", **CAT),
        "matrix",
        "three",
    ),
    "catboost-squared": (lambda: catboost.CatBoostRegressor(**CAT), "matrix", "values"),
    "catboost-missing-is-largest": (
        lambda: catboost.CatBoostRegressor(nan_mode="Max", **CAT),
        "matrix",
        "values",
    ),
    "catboost-poisson": (
        lambda: catboost.CatBoostRegressor(loss_function="Poisson", **CAT),
        "matrix",
        "values",
    ),
    "catboost-grown-by-leaf": (
        lambda: catboost.CatBoostClassifier(grow_policy="Lossguide", **CAT),
        "matrix",
        "three",
    ),
    "xgboost-behind-a-scaler": (
        lambda: make_pipeline(StandardScaler(), xgboost.XGBClassifier(**XGB)),
        "matrix",
        "two",
    ),
    "lightgbm-behind-a-scaler": (
        lambda: make_pipeline(StandardScaler(), lightgbm.LGBMRegressor(**LGB)),
        "matrix",
        "values",
    ),
    "catboost-behind-a-scaler": (
        lambda: make_pipeline(StandardScaler(), catboost.CatBoostClassifier(**CAT)),
        "matrix",
        "three",
    ),
    "xgboost-behind-a-sparse-table": (
        lambda: make_pipeline(
            make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["city"])),
            xgboost.XGBClassifier(**XGB),
        ),
        "frame",
        "two",
    ),
    "xgboost-behind-a-sparse-table-and-a-selector": (
        lambda: make_pipeline(
            make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["city"])),
            VarianceThreshold(),
            MaxAbsScaler(),
            xgboost.XGBClassifier(**XGB),
        ),
        "frame",
        "two",
    ),
    "lightgbm-beside-a-linear-model": (
        lambda: make_pipeline(
            make_column_transformer((StandardScaler(), ["a b", "y"])),
            VotingClassifier(
                [("trees", lightgbm.LGBMClassifier(**LGB)), ("linear", LogisticRegression())], voting="soft"
            ),
        ),
        "frame",
        "two",
    ),
}


def fitted(estimator: Any, rows: Any, target: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(rows, target)


def built(model: Any, sample: Any, **options: Any) -> Artifact:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return build(model, sample, name="m", **options)


@pytest.mark.parametrize("case", CASES)
def test_a_model_predicts_as_its_library_does(case: str, data: Data) -> None:
    # GIVEN a fitted model
    make, rows, target = CASES[case]
    model = fitted(make(), getattr(data, rows), getattr(data, target))
    # WHEN it is converted with its own rows as the sample
    artifact = built(model, getattr(data, rows))
    # THEN it passed the gate on made-up rows too, on both engines of ONNX Runtime
    assert artifact.report["rows"]["adversarial"] > 10
    assert artifact.manifest["engines"][-2:] == ["ort_capi", "ort_python"]


def test_what_single_precision_takes_for_zero_is_no_gap_of_a_sparse_table(data: Data) -> None:
    # GIVEN a sparse table, whose zeros XGBoost takes for missing, but not numbers that it rounds to zero
    small = np.random.default_rng(0).choice([0.0, 1e-60, 1.0], len(data.frame))
    frame = pd.DataFrame({"city": data.frame["city"].astype(str), "small": small})
    model = make_pipeline(
        make_column_transformer(
            (OneHotEncoder(), ["city"]), ("passthrough", ["small"]), sparse_threshold=1.0
        ),
        xgboost.XGBClassifier(**XGB),
    )
    fitted(model, frame, small == 1e-60)
    assert (model.predict(frame) == (small == 1e-60)).all()
    # WHEN it is converted
    artifact = built(model, frame)
    # THEN it tells them apart as well
    assert artifact.predict(frame)["label"] == model.predict(frame).tolist()


@pytest.mark.parametrize("suffix", [".ubj", ".json"])
def test_a_booster_of_xgboost_from_a_file(suffix: str, data: Data, tmp_path: Path) -> None:
    # GIVEN a booster trained on a DataFrame with categories, in a file
    table = xgboost.DMatrix(data.frame, label=data.two, enable_categorical=True)
    booster = xgboost.train({"objective": "binary:logistic"}, table, 8)
    booster.save_model(tmp_path / f"model{suffix}")
    # WHEN it is converted, with rows from plain values as the sample
    data.frame.to_csv(tmp_path / "sample.csv", index=False)
    artifact = built(tmp_path / f"model{suffix}", tmp_path / "sample.csv")
    # THEN it answers as the booster, by the users' values, and refuses categories that it does not know
    rows = data.frame.head(20).astype({"city": str, "zone": int})
    said = np.asarray(artifact.predict(rows)["probability"])[:, 1]
    np.testing.assert_allclose(said, booster.predict(table)[:20], atol=1e-6)
    city = next(entry for entry in artifact.manifest["inputs"] if entry["name"] == "city")
    assert city["categories"] == ["Bern", "Lyon", "Paris", "Rom", "Ulm"]
    # AND the booster in hand is the same, and left as it was
    assert built(booster, tmp_path / "sample.csv").digest == artifact.digest
    assert booster.feature_names == list(data.frame.columns)


def test_unseen_categories_that_xgboost_takes_for_others_are_refused(data: Data) -> None:
    # GIVEN categories behind which few texts sort: XGBoost takes an unseen one for the next that it knows
    frame = data.frame.assign(city=pd.Categorical(np.asarray(["x", "y", "z"])[data.three], ["x", "y", "z"]))
    model = fitted(xgboost.XGBClassifier(enable_categorical=True, **XGB), frame, data.two)
    unseen = frame.head(5).assign(city=pd.Categorical(["xx"] * 5))
    as_known = frame.head(5).assign(city=pd.Categorical(["y"] * 5))
    assert np.array_equal(model.predict_proba(unseen), model.predict_proba(as_known))
    # WHEN it is converted
    artifact = built(model, frame)
    # THEN only the categories of training are answered
    city = next(entry for entry in artifact.manifest["inputs"] if entry["name"] == "city")
    assert city["categories"] == ["x", "y", "z"]
    with pytest.raises(ModelError, match="which the model was not trained on"):
        artifact.predict(unseen)


def test_a_booster_of_lightgbm_from_a_file(data: Data, tmp_path: Path) -> None:
    # GIVEN a booster with categories, saved as text
    model = fitted(lightgbm.LGBMClassifier(**LGB), data.frame, data.three)
    model.booster_.save_model(tmp_path / "model.txt")
    # WHEN it is converted
    artifact = built(tmp_path / "model.txt", data.frame)
    # THEN it answers as the estimator, and an unknown category counts as missing, as in LightGBM
    rows = data.frame.head(20).copy()
    said = np.asarray(artifact.predict(rows)["probability"])
    np.testing.assert_allclose(said, model.predict_proba(rows), atol=1e-9)
    rows["city"] = pd.Categorical(["Oslo"] * 20)
    said = np.asarray(artifact.predict(rows)["probability"])
    np.testing.assert_allclose(said, model.predict_proba(rows), atol=1e-9)


def test_a_model_of_catboost_from_a_file(data: Data, tmp_path: Path) -> None:
    # GIVEN a .cbm file of a classifier with texts as classes
    names = np.asarray(["low", "mid", "top"])[data.three]
    model = fitted(catboost.CatBoostClassifier(**CAT), data.numbers, names)
    model.save_model(str(tmp_path / "model.cbm"))
    # WHEN it is converted
    artifact = built(tmp_path / "model.cbm", data.frame)
    # THEN classes and column names are those of training
    assert artifact.manifest["classes"] == ["low", "mid", "top"]
    assert [entry["name"] for entry in artifact.manifest["inputs"]] == ["a b", "x", "y", "z"]
    assert (
        artifact.predict(data.numbers.head(9))["label"] == model.predict(data.numbers.head(9))[:, 0].tolist()
    )


def test_early_stopping_counts_for_estimators_alone(data: Data) -> None:
    # GIVEN an estimator and a booster that both trained beyond their best round
    against = [(data.matrix[:100], 1 - data.two[:100])]
    estimator = xgboost.XGBClassifier(n_estimators=30, early_stopping_rounds=3)
    estimator.fit(data.matrix, data.two, eval_set=against, verbose=False)
    table = xgboost.DMatrix(data.matrix, label=data.two)
    other = xgboost.DMatrix(against[0][0], label=against[0][1])
    booster = xgboost.train(
        {"objective": "binary:logistic"},
        table,
        30,
        evals=[(other, "other")],
        early_stopping_rounds=3,
        verbose_eval=False,
    )
    # WHEN both are converted
    by_estimator = built(estimator, data.matrix).predict(data.matrix[:9])["probability"]
    by_booster = built(booster, data.matrix).predict(data.matrix[:9])["probability"]
    # THEN each answers as it does itself
    np.testing.assert_allclose(by_estimator, estimator.predict_proba(data.matrix[:9]), atol=1e-6)
    np.testing.assert_allclose(np.asarray(by_booster)[:, 1], booster.predict(table)[:9], atol=1e-6)


REFUSED: dict[str, tuple[Callable[[], Any], str, str]] = {
    "xgboost-linear": (lambda: xgboost.XGBRegressor(booster="gblinear"), "matrix", "gblinear"),
    "xgboost-raw": (
        lambda: xgboost.XGBClassifier(objective="binary:logitraw", **XGB),
        "matrix",
        "binary:logitraw",
    ),
    "lightgbm-linear-trees": (
        lambda: lightgbm.LGBMRegressor(linear_tree=True, **LGB),
        "numbers",
        "linear trees",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_exact_form_is_refused_by_name(case: str, data: Data) -> None:
    # GIVEN a model of a form that ONNX has not
    make, rows, reason = REFUSED[case]
    table = getattr(data, rows)
    model = fitted(make(), table, data.two)
    # WHEN it is converted
    with pytest.raises(ModelError) as caught:
        built(model, table)
    # THEN the error names what it is
    assert reason in caught.value.what


def test_categories_that_xgboost_stores_wrongly(data: Data) -> None:
    # GIVEN a model of XGBoost with a category beyond ASCII
    frame = data.frame.assign(city=data.frame["city"].cat.rename_categories({"Bern": "Köln"}))
    model = fitted(xgboost.XGBClassifier(enable_categorical=True, **XGB), frame, data.two)
    # WHEN it is converted
    with pytest.raises(ModelError) as caught:
        built(model, frame)
    # THEN it is refused: XGBoost itself mixes them up
    assert "ASCII" in caught.value.what


@pytest.mark.parametrize(
    ("ranker", "groups"),
    [
        (xgboost.XGBRanker(n_estimators=5, n_jobs=1), {"xgbranker__qid": np.repeat(np.arange(10), 20)}),
        (
            lightgbm.LGBMRanker(n_estimators=5, min_child_samples=3, n_jobs=1, verbose=-1),
            {"lgbmranker__group": [20] * 10},
        ),
    ],
    ids=["xgboost", "lightgbm"],
)
def test_ranker_at_the_end_of_a_pipeline(ranker: Any, groups: dict[str, Any]) -> None:
    # GIVEN a pipeline that ends in a ranker
    random = np.random.default_rng(0)
    x = pd.DataFrame(random.normal(size=(200, 3)), columns=["a", "b", "c"])
    model = make_pipeline(StandardScaler(), ranker).fit(x, random.integers(0, 4, 200), **groups)

    # WHEN it is converted
    artifact = build(model, x, name="rank")

    # THEN it gives the ranker's values
    fresh = pd.DataFrame(random.normal(size=(50, 3)), columns=["a", "b", "c"])
    np.testing.assert_allclose(artifact.predict(fresh)["value"], model.predict(fresh), atol=1e-6)
