"""Estimators with parameters that change the form of their answer."""

from __future__ import annotations

import numpy as np
from builders import (
    Recipe,
    around,
    classifiers,
    forest,
    given,
    kernels,
    linear,
    of_function,
    regressors,
    ridge,
    svm,
    tree,
    tried,
)

VARIANTS = [
    *[Recipe("GaussianProcessRegressor", "numbers", "value", kernels(n), f"kernel {n}") for n in range(4)],
    *tried("LogisticRegression", "numbers", "three", given(fit_intercept=False, C=0.1), "no intercept"),
    *tried(
        "LogisticRegression",
        "numbers",
        "two",
        given(solver="liblinear", class_weight="balanced"),
        "liblinear",
    ),
    *tried("MLPClassifier MLPRegressor", "numbers", "two", given(activation="tanh", max_iter=30), "tanh"),
    *tried(
        "MLPClassifier MLPRegressor", "numbers", "two", given(activation="logistic", max_iter=30), "logistic"
    ),
    *tried("MLPRegressor", "numbers", "pair", given(max_iter=30, hidden_layer_sizes=(8, 4)), "two values"),
    *tried("LinearRegression Ridge KernelRidge PLSRegression", "numbers", "pair", note="two values"),
    *tried("LinearRegression Lasso Ridge", "numbers", "value", given(fit_intercept=False), "no intercept"),
    *tried("StandardScaler", "numbers", "none", given(with_mean=False), "no mean"),
    *tried("StandardScaler", "numbers", "none", given(with_std=False), "no scale"),
    *tried(
        "RobustScaler", "numbers", "none", given(with_centering=False, quantile_range=(10, 90)), "no centre"
    ),
    *tried("RobustScaler", "numbers", "none", given(with_scaling=False, unit_variance=True), "no scale"),
    *tried("MinMaxScaler", "numbers", "none", given(clip=True, feature_range=(-1, 2)), "clipped"),
    *tried("MaxAbsScaler MinMaxScaler RobustScaler StandardScaler", "one", "none", note="one feature"),
    *tried("Normalizer", "numbers", "none", given(norm="l1"), "l1"),
    *tried("Normalizer", "numbers", "none", given(norm="max"), "max"),
    *tried("KernelPCA", "numbers", "none", given(kernel="poly", n_components=2), "poly"),
    *tried("KernelPCA", "numbers", "none", given(kernel="sigmoid", n_components=2), "sigmoid"),
    *tried("KernelPCA", "numbers", "none", given(kernel="cosine", n_components=2), "cosine"),
    *tried("TruncatedSVD IncrementalPCA", "numbers", "none", given(n_components=3), "three"),
    *tried("IncrementalPCA", "numbers", "none", given(n_components=3, whiten=True), "whitened"),
    *tried("SGDClassifier", "numbers", "two", given(loss="log_loss", penalty="elasticnet"), "log loss, two"),
    *tried("SGDClassifier", "numbers", "two", given(loss="modified_huber"), "modified Huber loss, two"),
    *tried("SGDClassifier", "numbers", "two", given(loss="squared_hinge", average=True), "averaged"),
    *tried("BernoulliNB", "numbers", "three", given(binarize=0.5, fit_prior=False), "threshold"),
    *tried("BernoulliNB", "codes", "three", given(binarize=None), "no threshold"),
    *tried("GaussianNB", "numbers", "three", given(priors=[0.2, 0.3, 0.5]), "priors"),
    *tried("ComplementNB MultinomialNB", "positive", "two", given(alpha=0.1), "two classes"),
    *tried("ComplementNB", "positive", "three", given(norm=True), "normed"),
    *tried("QuadraticDiscriminantAnalysis", "numbers", "three", given(reg_param=0.2), "regularised"),
    *tried(
        "LinearDiscriminantAnalysis", "numbers", "three", given(solver="lsqr", shrinkage="auto"), "shrunk"
    ),
    *tried(
        "AdaBoostRegressor", "numbers", "value", around(tree, loss="square", n_estimators=10), "square loss"
    ),
    *tried(
        "BaggingRegressor",
        "holed",
        "value",
        around(tree, n_estimators=5, max_features=0.5),
        "missing values",
    ),
    *tried("MultiOutputRegressor", "numbers", "pair", around(ridge), "two values"),
    *tried("MultiOutputRegressor", "numbers", "pair", around(tree), "trees"),
    *tried("StackingRegressor", "numbers", "value", around(regressors, passthrough=True), "passthrough"),
    *tried("VotingRegressor", "numbers", "value", around(regressors, weights=[1, 3]), "weights"),
    *tried(
        "VotingClassifier", "numbers", "two", around(classifiers, voting="soft", weights=[1, 3]), "weights"
    ),
    *tried("VotingClassifier", "numbers", "two", around(classifiers, weights=[1, 3]), "hard, weights"),
    *tried(
        "StackingClassifier", "numbers", "three", around(classifiers, stack_method="predict"), "by labels"
    ),
    *tried("KMeans MiniBatchKMeans", "reals", "none", given(n_clusters=3), "three"),
    *tried(
        "GaussianMixture BayesianGaussianMixture",
        "reals",
        "none",
        given(n_components=3, covariance_type="diag"),
        "diagonal",
    ),
    *tried(
        "GaussianMixture BayesianGaussianMixture",
        "reals",
        "none",
        given(n_components=3, covariance_type="spherical"),
        "spherical",
    ),
    *tried("TweedieRegressor", "numbers", "value", given(power=0, link="identity"), "identity"),
    *tried("TweedieRegressor", "numbers", "counts", given(power=0, link="log"), "log link"),
    *tried(
        "NuSVC SVC",
        "numbers",
        "three",
        given(decision_function_shape="ovo", kernel="poly"),
        "one against one",
    ),
    *tried("SVC", "numbers", "two", given(probability=True), "probabilities, two"),
    *tried("SVC", "numbers", "three", given(kernel="sigmoid", gamma=0.01, break_ties=True), "ties broken"),
    *tried(
        "KBinsDiscretizer",
        "one",
        "none",
        given(n_bins=2, encode="onehot-dense", strategy="uniform"),
        "two bins",
    ),
    *tried("SplineTransformer", "numbers", "none", given(degree=1, include_bias=False), "straight"),
    *tried("SplineTransformer", "numbers", "none", given(degree=2, knots="quantile"), "quantiles"),
    *tried("PolynomialFeatures", "one", "none", given(degree=(2, 4), include_bias=False), "from 2 to 4"),
    *tried("FunctionTransformer", "positive", "none", of_function(np.cbrt), "cbrt"),
    *tried("FunctionTransformer", "numbers", "none", of_function(np.expm1), "expm1"),
    *tried("FunctionTransformer", "numbers", "none", of_function(np.tanh), "tanh"),
    *tried("FunctionTransformer", "numbers", "none", of_function(np.cumsum), "cumsum"),
    *tried(
        "CalibratedClassifierCV",
        "numbers",
        "three",
        around(linear, cv=3, method="temperature"),
        "temperature",
    ),
    *tried(
        "CalibratedClassifierCV",
        "numbers",
        "two",
        around(forest, cv=3, method="temperature"),
        "temperature, two",
    ),
    *tried(
        "FixedThresholdClassifier",
        "numbers",
        "two",
        around(linear, threshold=0.4, pos_label=0),
        "first class",
    ),
    *tried("FixedThresholdClassifier", "numbers", "two", around(svm, threshold=-0.5), "by score"),
    *tried(
        "TunedThresholdClassifierCV",
        "numbers",
        "two",
        around(linear, response_method="decision_function"),
        "by score",
    ),
    *tried("RegressorChain", "numbers", "pair", around(tree, order=[1, 0]), "trees, reversed"),
    *tried(
        "SelfTrainingClassifier GridSearchCV",
        "numbers",
        "two",
        lambda cls: cls(forest()) if cls.__name__[0] == "S" else cls(forest(), {"max_depth": [3]}),
        "forest",
    ),
    *tried("NearestCentroid", "numbers", "three", given(shrink_threshold=0.1), "shrunk"),
    *tried("NearestCentroid", "numbers", "three", given(priors=[0.2, 0.3, 0.5]), "priors"),
    *tried("NearestCentroid", "numbers", "three", given(metric="manhattan"), "manhattan"),
    *tried("SimpleImputer", "holed", "none", given(strategy="median"), "median"),
    *tried(
        "HistGradientBoostingClassifier", "holed", "two", given(max_iter=5, class_weight="balanced"), "few"
    ),
    *tried("GradientBoostingRegressor", "numbers", "value", given(loss="huber", init="zero"), "huber"),
    *tried("GradientBoostingRegressor", "numbers", "value", lambda cls: cls(init=ridge()), "another start"),
    *tried("GradientBoostingClassifier", "numbers", "two", given(loss="exponential"), "exponential"),
    *tried(
        "RandomForestClassifier", "numbers", "two", given(class_weight="balanced", max_depth=3), "balanced"
    ),
    *tried("IsolationForest", "holed", "none", note="missing values"),
    *tried("SGDOneClassSVM OneClassSVM", "numbers", "none", given(nu=0.2), "nu"),
    *tried("DummyClassifier", "words", "two", given(strategy="most_frequent"), "most frequent"),
    *tried("DummyClassifier", "words", "two", given(strategy="uniform"), "at random"),
    *tried("DummyRegressor", "holed", "value", given(strategy="median"), "median"),
    *tried(
        "TransformedTargetRegressor",
        "numbers",
        "counts",
        lambda cls: cls(tree(), func=np.sqrt, inverse_func=np.square),
        "square",
    ),
    *tried(
        "BaggingClassifier", "numbers", "two", around(linear, n_estimators=4, max_samples=0.02), "few rows"
    ),
]
