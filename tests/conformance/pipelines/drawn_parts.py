"""Draws random pipelines of scikit-learn, XGBoost and LightGBM for a random table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
import xgboost
from drawn_rows import HOLED, NUMERIC, Table
from hypothesis import strategies as st
from sklearn import (
    calibration,
    cluster,
    compose,
    decomposition,
    discriminant_analysis,
    ensemble,
    feature_selection,
    impute,
    kernel_approximation,
    linear_model,
    mixture,
    model_selection,
    multiclass,
    multioutput,
    naive_bayes,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    svm,
    tree,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

Draw = Callable[[st.SearchStrategy[Any]], Any]


def one_of(draw: Draw, *options: Any) -> Any:
    """One of the options."""
    return draw(st.sampled_from(options))


def imputer(draw: Draw) -> Any:
    """Something that fills gaps in numbers."""
    strategy = one_of(draw, "mean", "median", "most_frequent", "constant")
    return one_of(
        draw,
        impute.SimpleImputer(strategy=strategy, add_indicator=draw(st.booleans())),
        impute.SimpleImputer(strategy="constant", fill_value=-1.0),
        impute.KNNImputer(n_neighbors=one_of(draw, 1, 3), weights=one_of(draw, "uniform", "distance")),
    )


def scaler(draw: Draw) -> Any:
    """A transformer of numbers, gaps and negative numbers among them."""
    return one_of(
        draw,
        "passthrough",
        preprocessing.StandardScaler(with_mean=draw(st.booleans())),
        preprocessing.MinMaxScaler(clip=draw(st.booleans())),
        preprocessing.MaxAbsScaler(),
        preprocessing.RobustScaler(),
        preprocessing.QuantileTransformer(
            n_quantiles=20, output_distribution=one_of(draw, "uniform", "normal"), random_state=0
        ),
        preprocessing.PowerTransformer(standardize=draw(st.booleans())),
    )


def shaper(draw: Draw) -> Any:
    """A transformer of complete numbers that changes their number."""
    return one_of(
        draw,
        "passthrough",
        preprocessing.PolynomialFeatures(
            degree=2, interaction_only=draw(st.booleans()), include_bias=draw(st.booleans())
        ),
        preprocessing.SplineTransformer(
            n_knots=4,
            degree=one_of(draw, 1, 2, 3),
            extrapolation=one_of(draw, "constant", "linear", "continue"),
        ),
        preprocessing.KBinsDiscretizer(
            n_bins=3, encode=one_of(draw, "onehot", "onehot-dense", "ordinal"), strategy="uniform"
        ),
        preprocessing.Binarizer(threshold=0.1),
        preprocessing.Normalizer(norm=one_of(draw, "l1", "l2", "max")),
        preprocessing.FunctionTransformer(one_of(draw, np.tanh, np.abs, np.square, np.sign, None)),
        decomposition.PCA(n_components=one_of(draw, 1, 0.9, None), whiten=draw(st.booleans())),
        kernel_approximation.RBFSampler(n_components=4, random_state=0),
        kernel_approximation.Nystroem(n_components=4, random_state=0),
    )


def selector(draw: Draw) -> Any:
    """A step before the model that chooses columns."""
    return one_of(
        draw,
        "passthrough",
        "passthrough",
        feature_selection.VarianceThreshold(),
        feature_selection.SelectKBest(k=one_of(draw, 1, "all")),
        preprocessing.MaxAbsScaler(),
        preprocessing.StandardScaler(with_mean=False),
    )


def encoder(draw: Draw) -> Any:
    """An encoder of categories."""
    rare = one_of(draw, {}, {"min_frequency": 5}, {"max_categories": 3})
    made = one_of(
        draw,
        preprocessing.OneHotEncoder(
            handle_unknown=one_of(draw, "ignore", "error", "infrequent_if_exist"),
            sparse_output=draw(st.booleans()),
            **rare,
        ),
        preprocessing.OneHotEncoder(
            drop=one_of(draw, "first", "if_binary"), handle_unknown=one_of(draw, "ignore", "error")
        ),
        preprocessing.OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=one_of(draw, -1, np.nan), **rare
        ),
        preprocessing.OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
        ),
        preprocessing.OrdinalEncoder(),
        preprocessing.TargetEncoder(random_state=0),
    )
    strategy = one_of(draw, None, "most_frequent", "constant")
    if strategy is None:
        return made
    fill = {"fill_value": "none"} if strategy == "constant" else {}
    return pipeline.make_pipeline(impute.SimpleImputer(strategy=strategy, **fill), made)


def vectorizer(draw: Draw) -> Any:
    """Something that counts words or letters."""
    options = {
        "lowercase": draw(st.booleans()),
        "ngram_range": one_of(draw, (1, 1), (1, 2), (2, 2)),
        "binary": draw(st.booleans()),
        "max_features": one_of(draw, None, 8),
        "analyzer": one_of(draw, "word", "word", "char", "char_wb"),
    }
    if options["analyzer"] == "word" and draw(st.booleans()):
        options["stop_words"] = ["bad", "1984"]
    if draw(st.booleans()):
        return CountVectorizer(**options)
    return TfidfVectorizer(sublinear_tf=draw(st.booleans()), norm=one_of(draw, "l1", "l2", None), **options)


def columns(draw: Draw, table: Table) -> Any:
    """A ColumnTransformer that reads the table, a column or two of which it may drop or pass on."""
    parts: list[tuple[str, Any, Any]] = []
    plain, holed = table.named((*NUMERIC, "code", "flag")), table.named(HOLED)
    cities = table.named(("city", "city-none", "city-nan"))
    codes = table.named(("code",))
    coded = bool(codes) and draw(st.booleans())
    if coded:
        plain = [name for name in plain if name not in codes]
        cities_and_codes = [("codes", encoder_of_numbers(draw), codes)]
    else:
        cities_and_codes = []
    gaps = one_of(draw, "fill", "fill", "keep")
    if plain:
        parts.append(("plain", pipeline.make_pipeline(scaler(draw), shaper(draw)), plain))
    if holed:
        first = imputer(draw) if gaps == "fill" else scaler(draw)
        then = pipeline.make_pipeline(scaler(draw), shaper(draw)) if gaps == "fill" else "passthrough"
        parts.append(("holed", pipeline.make_pipeline(first, then), holed))
    parts += cities_and_codes
    if cities:
        parts.append(("cities", encoder(draw), cities))
    parts += [(name, vectorizer(draw), name) for name in table.named(("text",))]
    parts = draw(st.permutations(parts))
    if len(parts) > 1 and draw(st.integers(0, 7)) == 0:
        name, _, chosen = parts[0]
        parts[0] = (name, "drop", chosen)
    return compose.ColumnTransformer(parts, sparse_threshold=one_of(draw, 0.0, 0.3, 1.0))


def encoder_of_numbers(draw: Draw) -> Any:
    """An encoder of categories that are numbers."""
    return one_of(
        draw,
        preprocessing.OneHotEncoder(handle_unknown=one_of(draw, "ignore", "error")),
        preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
        preprocessing.OrdinalEncoder(),
        preprocessing.TargetEncoder(random_state=0),
    )


def small_classifier(draw: Draw) -> Any:
    """A classifier that stands alone or within others."""
    return one_of(
        draw,
        linear_model.LogisticRegression(C=one_of(draw, 0.1, 1.0), max_iter=50),
        linear_model.SGDClassifier(loss=one_of(draw, "hinge", "log_loss", "modified_huber"), random_state=0),
        linear_model.RidgeClassifier(),
        svm.LinearSVC(max_iter=200),
        tree.DecisionTreeClassifier(max_depth=4, random_state=0),
        ensemble.RandomForestClassifier(5, max_depth=5, random_state=0),
        ensemble.ExtraTreesClassifier(5, random_state=0),
        ensemble.HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5),
        ensemble.GradientBoostingClassifier(n_estimators=4, random_state=0),
        naive_bayes.GaussianNB(),
        naive_bayes.BernoulliNB(),
        neighbors.KNeighborsClassifier(one_of(draw, 1, 4), weights=one_of(draw, "uniform", "distance")),
        neighbors.RadiusNeighborsClassifier(one_of(draw, 0.5, 4.0), outlier_label="most_frequent"),
        svm.SVC(kernel=one_of(draw, "rbf", "linear", "poly")),
        discriminant_analysis.LinearDiscriminantAnalysis(),
        neural_network.MLPClassifier(hidden_layer_sizes=(5,), max_iter=20, random_state=0),
    )


def classifier(draw: Draw) -> Any:
    """A classifier, wrapped in another estimator or not."""
    inner = small_classifier(draw)
    return one_of(
        draw,
        inner,
        inner,
        calibration.CalibratedClassifierCV(inner, method=one_of(draw, "isotonic", "sigmoid"), cv=2),
        ensemble.BaggingClassifier(
            inner, n_estimators=3, max_features=one_of(draw, 0.7, 1.0), random_state=0
        ),
        ensemble.VotingClassifier(
            [("a", inner), ("b", linear_model.LogisticRegression(max_iter=50))],
            voting=one_of(draw, "hard", "soft"),
        ),
        ensemble.StackingClassifier(
            [("a", inner), ("b", naive_bayes.GaussianNB())], cv=2, passthrough=draw(st.booleans())
        ),
        ensemble.AdaBoostClassifier(tree.DecisionTreeClassifier(max_depth=2), n_estimators=4, random_state=0),
        multiclass.OneVsRestClassifier(inner),
        multiclass.OneVsOneClassifier(inner),
        model_selection.FixedThresholdClassifier(inner, threshold=0.3),
        model_selection.TunedThresholdClassifierCV(inner, cv=2),
        model_selection.GridSearchCV(
            tree.DecisionTreeClassifier(random_state=0), {"max_depth": [2, 3]}, cv=2
        ),
        xgboost.XGBClassifier(n_estimators=4, max_depth=3, n_jobs=1),
        lightgbm.LGBMClassifier(n_estimators=4, num_leaves=6, min_child_samples=3, verbose=-1, n_jobs=1),
    )


def classifier_of_labels(draw: Draw) -> Any:
    """A classifier of several labels."""
    inner = small_classifier(draw)
    order = one_of(draw, None, [1, 0], [1, 0])
    return one_of(
        draw,
        multioutput.MultiOutputClassifier(inner),
        multioutput.MultiOutputClassifier(inner),
        multioutput.ClassifierChain(inner, order=order),
        multiclass.OneVsRestClassifier(inner),
        tree.DecisionTreeClassifier(max_depth=5, random_state=0),
        ensemble.RandomForestClassifier(5, max_depth=6, random_state=0),
        ensemble.ExtraTreesClassifier(5, random_state=0),
        neighbors.KNeighborsClassifier(one_of(draw, 1, 4), weights=one_of(draw, "uniform", "distance")),
        neural_network.MLPClassifier(hidden_layer_sizes=(5,), max_iter=20, random_state=0),
        linear_model.RidgeClassifier(),
        xgboost.XGBClassifier(n_estimators=4, max_depth=3, n_jobs=1),
    )


def small_regressor(draw: Draw) -> Any:
    """A regressor that stands alone or within others."""
    return one_of(
        draw,
        linear_model.LinearRegression(),
        linear_model.Ridge(),
        linear_model.Lasso(0.01),
        linear_model.HuberRegressor(max_iter=50),
        linear_model.BayesianRidge(),
        svm.SVR(kernel=one_of(draw, "rbf", "linear")),
        tree.DecisionTreeRegressor(max_depth=5, random_state=0),
        ensemble.RandomForestRegressor(5, max_depth=6, random_state=0),
        ensemble.ExtraTreesRegressor(5, random_state=0),
        ensemble.HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=5),
        ensemble.GradientBoostingRegressor(n_estimators=4, random_state=0),
        neighbors.KNeighborsRegressor(one_of(draw, 1, 4), weights=one_of(draw, "uniform", "distance")),
        neighbors.RadiusNeighborsRegressor(
            one_of(draw, 0.5, 4.0), weights=one_of(draw, "uniform", "distance")
        ),
        neural_network.MLPRegressor(hidden_layer_sizes=(5,), max_iter=20, random_state=0),
    )


def regressor(draw: Draw) -> Any:
    """A regressor, wrapped in another estimator or not."""
    inner = small_regressor(draw)
    return one_of(
        draw,
        inner,
        inner,
        compose.TransformedTargetRegressor(
            inner, transformer=one_of(draw, None, preprocessing.StandardScaler())
        ),
        compose.TransformedTargetRegressor(inner, func=np.log1p, inverse_func=np.expm1),
        ensemble.BaggingRegressor(inner, n_estimators=3, max_features=one_of(draw, 0.7, 1.0), random_state=0),
        ensemble.VotingRegressor([("a", inner), ("b", linear_model.Ridge())]),
        ensemble.StackingRegressor(
            [("a", inner), ("b", linear_model.Ridge())], cv=2, passthrough=draw(st.booleans())
        ),
        ensemble.AdaBoostRegressor(tree.DecisionTreeRegressor(max_depth=3), n_estimators=4, random_state=0),
        linear_model.PoissonRegressor(max_iter=50),
        linear_model.TweedieRegressor(power=1.5, link="log", max_iter=50),
        xgboost.XGBRegressor(n_estimators=4, max_depth=3, n_jobs=1),
        lightgbm.LGBMRegressor(n_estimators=4, num_leaves=6, min_child_samples=3, verbose=-1, n_jobs=1),
    )


def other(draw: Draw) -> Any:
    """An estimator that needs no target."""
    return one_of(
        draw,
        ensemble.IsolationForest(n_estimators=10, random_state=0),
        svm.OneClassSVM(),
        neighbors.LocalOutlierFactor(5, novelty=True),
        cluster.KMeans(3, n_init=1, random_state=0),
        mixture.GaussianMixture(2, random_state=0),
        decomposition.TruncatedSVD(1),
        preprocessing.StandardScaler(with_mean=False),
    )
