"""Every estimator of scikit-learn with the data that it is tried on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

TRAINING, FRESH = 300, 200


@dataclass(frozen=True)
class Recipe:
    """One trial of an estimator.

    Attributes:
        estimator: Name of the class.
        data: Key of `DATA`.
        target: ``two``, ``three``, ``value``, ``counts``, ``pair`` (two values) or ``none``.
        build: Gives the unfitted estimator from its class.
        note: What the trial is about, where the class is tried more than once.
    """

    estimator: str
    data: str
    target: str
    build: Callable[[Any], Any]
    note: str = ""


def numbers(rows: int, seed: int) -> Array:
    """Six features on a grid of 0.1, with many ties."""
    return np.round(np.random.default_rng(seed).normal(size=(rows, 6)), 1)


def holed(rows: int, seed: int) -> Array:
    """Numbers of which a tenth is missing, in fresh rows in all features."""
    random = np.random.default_rng(seed + 1000)
    x = numbers(rows, seed)
    return np.where((random.random(x.shape) < 0.1) & ((seed > 0) | (np.arange(6) < 4)), np.nan, x)


def positive(rows: int, seed: int) -> Array:
    """Numbers from 0 up."""
    return np.abs(numbers(rows, seed))


def unit(rows: int, seed: int) -> Array:
    """Numbers between 0 and 1."""
    return np.random.default_rng(seed).random((rows, 6))


def codes(rows: int, seed: int) -> Array:
    """Category codes from 0 to 4."""
    return np.random.default_rng(seed).integers(0, 5, (rows, 4)).astype(np.float64)


def words(rows: int, seed: int) -> Array:
    """Two text columns of categories, some of them rare."""
    random = np.random.default_rng(seed)
    city = np.array(["Bern", "Genf", "Zürich", "Olten", "Ftan"])
    size = np.array(["S", "M", "L", ""])
    x = np.empty((rows, 2), dtype=object)
    x[:, 0] = random.choice(city, rows, p=[0.5, 0.3, 0.17, 0.02, 0.01])
    x[:, 1] = random.choice(size, rows)
    return x


def words_with_unknown(rows: int, seed: int) -> Array:
    """Categories of which fresh rows have one that training had not."""
    x = words(rows, seed)
    if seed > 0:
        x[::7, 0] = "Chur"
    return x


def texts(rows: int, seed: int) -> Array:
    """Short texts with accents, digits, hyphens, emoji, one-letter words and an empty one."""
    random = np.random.default_rng(seed)
    pool = np.array(
        [
            "good",
            "bad",
            "Éclair",
            "naïve",
            "x",
            "a",
            "well-made",
            "1984",
            "日本語",
            "🙂",
            "don't",
            "under_score",
        ],
        dtype=object,
    )
    made = [" ".join(random.choice(pool, random.integers(1, 8))) for _ in range(rows)]
    made[0] = made[0] if seed == 0 else ""
    return np.array(made, dtype=object)


def reals(rows: int, seed: int) -> Array:
    """Six features without ties, for estimators that break ties in no fixed order."""
    return np.random.default_rng(seed).normal(size=(rows, 6))


def spaced(rows: int, seed: int) -> Array:
    """Texts with runs of spaces and line ends."""
    return np.array(
        [text.replace(" ", "  ").replace("bad", "bad\n\t") for text in texts(rows, seed)], dtype=object
    )


def one(rows: int, seed: int) -> Array:
    """One feature."""
    return numbers(rows, seed)[:, :1]


DATA: dict[str, Callable[[int, int], Array]] = {
    function.__name__: function
    for function in (
        numbers,
        holed,
        positive,
        unit,
        codes,
        words,
        words_with_unknown,
        texts,
        one,
        reals,
        spaced,
    )
}


def target(kind: str, x: Array, seed: int) -> Array | None:
    """The target of a trial for these features."""
    random = np.random.default_rng(seed + 2000)
    if x.ndim == 2 and x.dtype != object:
        filled = np.nan_to_num(x)
        base = filled[:, 0] + (np.sin(filled[:, 1]) * filled[:, 2] if x.shape[1] > 2 else 0)
    else:
        base = np.array([len(str(row)) for row in x]) / 5.0
    base = (base - base.mean()) / (base.std() + 1e-9) + random.normal(size=len(x)) * 0.2
    match kind:
        case "two":
            return (base > 0).astype(np.int64)
        case "three":
            return np.array(["a", "b", "c"])[np.digitize(base, [-0.5, 0.5])]
        case "value":
            return 100 * base
        case "counts":
            return np.exp(base)
        case "labels":
            return (np.c_[base, -base + 0.3] > 0).astype(np.int64)
        case "pair":
            return np.c_[base, base**2]
        case _:
            return None


def _plain(cls: Any) -> Any:
    return cls()


def _each(
    names: str, data: str, target_: str, build: Callable[[Any], Any] = _plain, note: str = ""
) -> list[Recipe]:
    return [Recipe(name, data, target_, build, note) for name in names.split()]


def _with(**arguments: Any) -> Callable[[Any], Any]:
    return lambda cls: cls(**arguments)


def _linear() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression()


def _svm() -> Any:
    from sklearn.svm import LinearSVC

    return LinearSVC()


def _scaled_svm() -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    return make_pipeline(StandardScaler(), SVC())


def _forest() -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(10, random_state=0)


def _around(make: Callable[[], Any], **arguments: Any) -> Callable[[Any], Any]:
    return lambda cls: cls(make(), **arguments)


def _ridge() -> Any:
    from sklearn.linear_model import Ridge

    return Ridge()


def _tree() -> Any:
    from sklearn.tree import DecisionTreeRegressor

    return DecisionTreeRegressor(max_depth=4)


def _classifiers() -> list[tuple[str, Any]]:
    return [("line", _linear()), ("forest", _forest())]


def _regressors() -> list[tuple[str, Any]]:
    return [("line", _ridge()), ("tree", _tree())]


def _log() -> Any:
    from sklearn.preprocessing import StandardScaler

    return StandardScaler()


def _column_transformer(cls: Any) -> Any:
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    return cls([("a", StandardScaler(), [0, 1]), ("b", MinMaxScaler(), [3]), ("c", "passthrough", [5])])


def _union(cls: Any) -> Any:
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    return cls([("a", StandardScaler()), ("b", PCA(2))], transformer_weights={"b": 2.0})


def _pipeline(cls: Any) -> Any:
    from sklearn.preprocessing import StandardScaler

    return cls([("scale", StandardScaler()), ("forest", _forest())])


def _frozen(cls: Any) -> Any:
    x = numbers(TRAINING, 0)
    return cls(_linear().fit(x, target("two", x, 0)))


def _function(function: Any) -> Callable[[Any], Any]:
    return lambda cls: cls(function)


def _before_linear(cls: Any) -> Any:
    from sklearn.pipeline import make_pipeline

    return make_pipeline(cls(_linear()), _linear())


def _coder(cls: Any) -> Any:
    return cls(np.eye(6)[:3])


_TREES = "DecisionTree{0} ExtraTree{0} RandomForest{0} ExtraTrees{0}"
_GRID = {"C": [0.1, 1.0]}

CLASSIFIERS = [
    *_each(_TREES.format("Classifier") + " HistGradientBoostingClassifier", "holed", "two"),
    *_each(
        _TREES.format("Classifier") + " HistGradientBoostingClassifier",
        "holed",
        "three",
        note="three classes",
    ),
    *_each(
        "HistGradientBoostingClassifier", "codes", "three", _with(categorical_features=[0, 1]), "categories"
    ),
    *_each(
        "AdaBoostClassifier BernoulliNB DummyClassifier GaussianNB GaussianProcessClassifier "
        "GradientBoostingClassifier LabelPropagation LabelSpreading "
        "LinearDiscriminantAnalysis LinearSVC LogisticRegression LogisticRegressionCV NearestCentroid NuSVC "
        "PassiveAggressiveClassifier Perceptron QuadraticDiscriminantAnalysis RidgeClassifier "
        "RidgeClassifierCV SGDClassifier SVC",
        "numbers",
        "two",
    ),
    *_each(
        "AdaBoostClassifier BernoulliNB DummyClassifier GaussianNB GaussianProcessClassifier "
        "GradientBoostingClassifier LabelPropagation LabelSpreading "
        "LinearDiscriminantAnalysis LinearSVC LogisticRegression LogisticRegressionCV NearestCentroid NuSVC "
        "PassiveAggressiveClassifier Perceptron QuadraticDiscriminantAnalysis RidgeClassifier "
        "RidgeClassifierCV SGDClassifier SVC",
        "numbers",
        "three",
        note="three classes",
    ),
    *_each("MLPClassifier", "numbers", "two", _with(max_iter=30)),
    *_each("MLPClassifier", "numbers", "three", _with(max_iter=30), "three classes"),
    *_each("RadiusNeighborsClassifier", "numbers", "two", _with(radius=4.0)),
    *_each("SVC", "numbers", "three", _with(probability=True), "probabilities"),
    *_each("SGDClassifier", "numbers", "three", _with(loss="log_loss"), "log loss"),
    *_each("SGDClassifier", "numbers", "three", _with(loss="modified_huber"), "modified Huber loss"),
    *_each("KNeighborsClassifier", "reals", "two"),
    *_each("LabelPropagation LabelSpreading", "numbers", "two", _with(kernel="knn"), "nearest neighbours"),
    *_each("KNeighborsClassifier", "reals", "three", _with(weights="distance"), "weights by distance"),
    *_each("KNeighborsClassifier", "reals", "three", _with(metric="manhattan"), "manhattan"),
    *_each("ComplementNB MultinomialNB", "positive", "three"),
    *_each("CategoricalNB", "codes", "three"),
    *_each("CalibratedClassifierCV", "numbers", "three", _around(_forest, cv=3)),
    *_each("CalibratedClassifierCV", "numbers", "two", _around(_forest, cv=3, method="isotonic"), "isotonic"),
    *_each(
        "CalibratedClassifierCV",
        "numbers",
        "three",
        _around(_forest, cv=3, method="isotonic"),
        "isotonic, three",
    ),
    *_each("CalibratedClassifierCV", "numbers", "two", _around(_linear, cv=3, ensemble=False), "one model"),
    *_each("BaggingClassifier", "numbers", "three"),
    *_each(
        "BaggingClassifier", "numbers", "two", _around(_linear, max_features=0.5), "linear, half the features"
    ),
    *_each("ClassifierChain MultiOutputClassifier", "numbers", "labels", _around(_linear)),
    *_each(
        "RandomForestClassifier KNeighborsClassifier MLPClassifier", "numbers", "labels", note="two labels"
    ),
    *_each("TunedThresholdClassifierCV", "numbers", "two", _around(_linear)),
    *_each("FixedThresholdClassifier", "numbers", "two", _around(_forest, threshold=0.3)),
    *_each(
        "OneVsOneClassifier OneVsRestClassifier OutputCodeClassifier", "numbers", "three", _around(_linear)
    ),
    *_each("SelfTrainingClassifier", "numbers", "two", _around(_linear)),
    *_each("StackingClassifier", "numbers", "three", _around(_classifiers)),
    *_each("StackingClassifier", "numbers", "two", _around(_classifiers, passthrough=True), "passthrough"),
    *_each(
        "CalibratedClassifierCV",
        "numbers",
        "three",
        _around(_scaled_svm, cv=3),
        "pipeline of a support vector machine",
    ),
    *_each(
        "BaggingClassifier OneVsRestClassifier AdaBoostClassifier",
        "numbers",
        "three",
        _around(_svm),
        "without probabilities",
    ),
    *_each("OneVsRestClassifier", "numbers", "labels", _around(_linear), "two labels"),
    *_each("VotingClassifier", "numbers", "three", _around(_classifiers)),
    *_each("VotingClassifier", "numbers", "three", _around(_classifiers, voting="soft"), "soft"),
]

REGRESSORS = [
    *_each(_TREES.format("Regressor") + " HistGradientBoostingRegressor", "holed", "value"),
    *_each(
        "HistGradientBoostingRegressor", "codes", "value", _with(categorical_features=[0, 1]), "categories"
    ),
    *_each("RandomForestRegressor", "numbers", "pair", note="two values"),
    *_each(
        "ARDRegression AdaBoostRegressor BaggingRegressor BayesianRidge DummyRegressor ElasticNet ElasticNetCV "
        "GaussianProcessRegressor GradientBoostingRegressor HuberRegressor KernelRidge Lars "
        "LarsCV Lasso LassoCV LassoLars LassoLarsCV LassoLarsIC LinearRegression LinearSVR NuSVR "
        "OrthogonalMatchingPursuit OrthogonalMatchingPursuitCV PassiveAggressiveRegressor QuantileRegressor "
        "RANSACRegressor Ridge RidgeCV SGDRegressor SVR TheilSenRegressor TransformedTargetRegressor",
        "numbers",
        "value",
    ),
    *_each("KernelRidge SVR", "numbers", "value", _with(kernel="rbf"), "rbf"),
    *_each("SVR", "numbers", "value", _with(kernel="poly"), "poly"),
    *_each("KNeighborsRegressor", "reals", "value"),
    *_each(
        "KNeighborsRegressor",
        "reals",
        "pair",
        _with(weights="distance", n_neighbors=9),
        "weights by distance, two values",
    ),
    *_each(
        "TransformedTargetRegressor",
        "numbers",
        "value",
        lambda cls: cls(_ridge(), transformer=_log()),
        "scaled",
    ),
    *_each(
        "TransformedTargetRegressor",
        "numbers",
        "counts",
        lambda cls: cls(_ridge(), func=np.log, inverse_func=np.exp),
        "log",
    ),
    *_each("GammaRegressor PoissonRegressor TweedieRegressor", "numbers", "counts"),
    *_each("TweedieRegressor", "numbers", "counts", _with(power=1.5), "power 1.5"),
    *_each("IsotonicRegression", "one", "value"),
    *_each("IsotonicRegression", "one", "value", _with(out_of_bounds="clip"), "clip"),
    *_each("MLPRegressor", "numbers", "value", _with(max_iter=30)),
    *_each("RadiusNeighborsRegressor", "numbers", "value", _with(radius=4.0)),
    *_each(
        "CCA MultiTaskElasticNet MultiTaskElasticNetCV MultiTaskLasso MultiTaskLassoCV PLSCanonical PLSRegression",
        "numbers",
        "pair",
    ),
    *_each("MultiOutputRegressor RegressorChain", "numbers", "pair", _around(_ridge)),
    *_each("StackingRegressor VotingRegressor", "numbers", "value", _around(_regressors)),
]

TRANSFORMERS = [
    *_each(
        "Binarizer BernoulliRBM Birch BisectingKMeans DictionaryLearning FactorAnalysis FastICA FeatureAgglomeration "
        "FunctionTransformer IncrementalPCA Isomap KBinsDiscretizer KMeans KNeighborsTransformer KernelCenterer "
        "KernelPCA LocallyLinearEmbedding MaxAbsScaler MinMaxScaler MiniBatchDictionaryLearning MiniBatchKMeans "
        "MiniBatchSparsePCA Normalizer Nystroem PCA PolynomialCountSketch PolynomialFeatures PowerTransformer "
        "QuantileTransformer RBFSampler RadiusNeighborsTransformer RandomTreesEmbedding RobustScaler SparsePCA "
        "SplineTransformer StandardScaler TruncatedSVD VarianceThreshold",
        "numbers",
        "none",
    ),
    *_each(
        "MaxAbsScaler MinMaxScaler PowerTransformer QuantileTransformer RobustScaler StandardScaler",
        "holed",
        "none",
        note="missing values",
    ),
    *_each("GaussianRandomProjection SparseRandomProjection", "numbers", "none", _with(n_components=3)),
    *_each("KernelPCA", "numbers", "none", _with(kernel="rbf", n_components=3), "rbf"),
    *_each("PCA", "numbers", "none", _with(n_components=3, whiten=True), "whitened"),
    *_each("KBinsDiscretizer", "numbers", "none", _with(encode="onehot-dense"), "dense"),
    *_each("KBinsDiscretizer", "numbers", "none", _with(encode="ordinal"), "ordinal"),
    *_each(
        "QuantileTransformer",
        "numbers",
        "none",
        _with(output_distribution="normal", n_quantiles=100),
        "normal",
    ),
    *_each(
        "PowerTransformer",
        "positive",
        "none",
        lambda cls: cls(method="yeo-johnson", standardize=False),
        "bare",
    ),
    *_each("PolynomialFeatures", "numbers", "none", _with(degree=3, interaction_only=True), "interactions"),
    *_each("SplineTransformer", "numbers", "none", _with(extrapolation="linear", n_knots=4), "linear"),
    *_each("SplineTransformer", "numbers", "none", _with(extrapolation="continue"), "continue"),
    *_each("SplineTransformer", "numbers", "none", _with(extrapolation="periodic"), "periodic"),
    *_each("FunctionTransformer", "positive", "none", _function(np.log1p), "log1p"),
    *_each("KNNImputer SimpleImputer", "holed", "none"),
    *_each("MissingIndicator", "holed", "none", _with(error_on_new=False)),
    *_each("MissingIndicator", "holed", "none", _with(features="all"), "all features"),
    *_each("SimpleImputer", "holed", "none", _with(add_indicator=True), "indicator"),
    *_each("SimpleImputer", "words", "none", _with(strategy="most_frequent", missing_values=""), "text"),
    *_each(
        "AdditiveChi2Sampler LatentDirichletAllocation MiniBatchNMF NMF SkewedChi2Sampler TfidfTransformer",
        "positive",
        "none",
    ),
    *_each("PowerTransformer", "unit", "none", lambda cls: cls(method="box-cox"), "Box-Cox"),
    *_each("OneHotEncoder OrdinalEncoder", "codes", "none"),
    *_each("OneHotEncoder OrdinalEncoder", "words", "none", note="text"),
    *_each(
        "OneHotEncoder",
        "words_with_unknown",
        "none",
        _with(handle_unknown="ignore", drop="if_binary"),
        "unknown",
    ),
    *_each(
        "OneHotEncoder",
        "words_with_unknown",
        "none",
        _with(handle_unknown="infrequent_if_exist", min_frequency=10),
        "infrequent",
    ),
    *_each(
        "OrdinalEncoder",
        "words_with_unknown",
        "none",
        _with(handle_unknown="use_encoded_value", unknown_value=-1, max_categories=3),
        "unknown",
    ),
    *_each(
        "OneHotEncoder OrdinalEncoder",
        "holed",
        "none",
        lambda cls: (
            cls(handle_unknown="ignore")
            if cls.__name__ == "OneHotEncoder"
            else cls(handle_unknown="use_encoded_value", unknown_value=-1)
        ),
        "missing values",
    ),
    *_each("TargetEncoder", "words_with_unknown", "two"),
    *_each("TargetEncoder", "words_with_unknown", "three", note="three classes"),
    *_each("TargetEncoder", "codes", "value", note="value"),
    *_each(
        "LabelBinarizer LabelEncoder MultiLabelBinarizer DictVectorizer FeatureHasher PatchExtractor TSNE",
        "numbers",
        "none",
    ),
    *_each("NeighborhoodComponentsAnalysis", "numbers", "three"),
    *_each("GenericUnivariateSelect SelectFdr SelectFpr SelectFwe SelectPercentile", "numbers", "three"),
    *_each("SelectKBest", "numbers", "three", _with(k=3)),
    *_each("RFE RFECV", "numbers", "three", _around(_linear), "as the last step"),
    *_each("RFE RFECV", "numbers", "three", _before_linear, "before a classifier"),
    *_each("SelectFromModel", "numbers", "three", _around(_linear)),
    *_each("SequentialFeatureSelector", "numbers", "three", _around(_linear, n_features_to_select=3)),
    *_each("PLSSVD", "numbers", "pair"),
    *_each("SparseCoder", "numbers", "none", _coder),
    *_each("ColumnTransformer", "numbers", "none", _column_transformer),
    *_each("FeatureUnion", "numbers", "none", _union),
    *_each("CountVectorizer HashingVectorizer TfidfVectorizer", "texts", "none"),
    *_each("CountVectorizer TfidfVectorizer", "texts", "none", _with(ngram_range=(1, 2)), "bigrams"),
    *_each("TfidfTransformer", "positive", "none", _with(sublinear_tf=True, norm=None), "sublinear"),
    *_each(
        "TfidfVectorizer",
        "texts",
        "none",
        _with(sublinear_tf=True, stop_words="english", max_features=5),
        "sublinear",
    ),
    *_each("TfidfVectorizer", "texts", "none", _with(analyzer="char", ngram_range=(1, 3)), "characters"),
    *_each(
        "TfidfVectorizer",
        "spaced",
        "none",
        _with(analyzer="char", ngram_range=(1, 3)),
        "characters, runs of spaces",
    ),
    *_each("TfidfVectorizer", "spaced", "none", note="runs of spaces"),
    *_each(
        "TfidfVectorizer",
        "texts",
        "none",
        _with(stop_words=["bad", "good"], ngram_range=(1, 2)),
        "stop words in bigrams",
    ),
    *_each(
        "TfidfVectorizer",
        "texts",
        "none",
        _with(analyzer="char_wb", ngram_range=(2, 3)),
        "characters in words",
    ),
    *_each("TfidfVectorizer", "texts", "none", _with(token_pattern=r"[a-z]+"), "own pattern"),
    *_each("TfidfVectorizer", "texts", "none", _with(strip_accents="unicode"), "accents"),
    *_each("TfidfVectorizer", "texts", "none", _with(lowercase=False, binary=True, norm="l1"), "case kept"),
]

OTHERS = [
    *_each(
        "AffinityPropagation AgglomerativeClustering BayesianGaussianMixture ClassicalMDS DBSCAN EllipticEnvelope "
        "EmpiricalCovariance GaussianMixture GraphicalLasso GraphicalLassoCV HDBSCAN IsolationForest KernelDensity "
        "LedoitWolf LocalOutlierFactor MDS MeanShift MinCovDet NearestNeighbors OAS OPTICS OneClassSVM "
        "SGDOneClassSVM ShrunkCovariance SpectralBiclustering SpectralClustering SpectralCoclustering "
        "SpectralEmbedding",
        "numbers",
        "none",
    ),
    *_each("IsolationForest", "numbers", "none", _with(contamination=0.1, max_features=0.5), "contamination"),
    *_each("LocalOutlierFactor", "reals", "none", _with(novelty=True), "novelty"),
    *_each("GaussianMixture", "numbers", "none", _with(n_components=3, covariance_type="tied"), "tied"),
    *_each("FrozenEstimator", "numbers", "two", _frozen),
    *_each("GridSearchCV", "numbers", "three", lambda cls: cls(_linear(), _GRID)),
    *_each("RandomizedSearchCV", "numbers", "three", lambda cls: cls(_linear(), _GRID, n_iter=2)),
    *_each("Pipeline", "numbers", "three", _pipeline),
]


def _kernels(number: int) -> Callable[[Any], Any]:
    def build(cls: Any) -> Any:
        from sklearn.gaussian_process.kernels import (
            RBF,
            ConstantKernel,
            DotProduct,
            Matern,
            RationalQuadratic,
            WhiteKernel,
        )

        kernel = (
            ConstantKernel(2.0) * RBF(1.5) + WhiteKernel(0.1),
            Matern(nu=1.5),
            RationalQuadratic(),
            DotProduct(),
        )[number]
        return cls(kernel=kernel, alpha=1e-3, normalize_y=True)

    return build


VARIANTS = [
    *[Recipe("GaussianProcessRegressor", "numbers", "value", _kernels(n), f"kernel {n}") for n in range(4)],
    *_each("LogisticRegression", "numbers", "three", _with(fit_intercept=False, C=0.1), "no intercept"),
    *_each(
        "LogisticRegression",
        "numbers",
        "two",
        _with(solver="liblinear", class_weight="balanced"),
        "liblinear",
    ),
    *_each("MLPClassifier MLPRegressor", "numbers", "two", _with(activation="tanh", max_iter=30), "tanh"),
    *_each(
        "MLPClassifier MLPRegressor", "numbers", "two", _with(activation="logistic", max_iter=30), "logistic"
    ),
    *_each("MLPRegressor", "numbers", "pair", _with(max_iter=30, hidden_layer_sizes=(8, 4)), "two values"),
    *_each("LinearRegression Ridge KernelRidge PLSRegression", "numbers", "pair", note="two values"),
    *_each("LinearRegression Lasso Ridge", "numbers", "value", _with(fit_intercept=False), "no intercept"),
    *_each("StandardScaler", "numbers", "none", _with(with_mean=False), "no mean"),
    *_each("StandardScaler", "numbers", "none", _with(with_std=False), "no scale"),
    *_each(
        "RobustScaler", "numbers", "none", _with(with_centering=False, quantile_range=(10, 90)), "no centre"
    ),
    *_each("RobustScaler", "numbers", "none", _with(with_scaling=False, unit_variance=True), "no scale"),
    *_each("MinMaxScaler", "numbers", "none", _with(clip=True, feature_range=(-1, 2)), "clipped"),
    *_each("MaxAbsScaler MinMaxScaler RobustScaler StandardScaler", "one", "none", note="one feature"),
    *_each("Normalizer", "numbers", "none", _with(norm="l1"), "l1"),
    *_each("Normalizer", "numbers", "none", _with(norm="max"), "max"),
    *_each("KernelPCA", "numbers", "none", _with(kernel="poly", n_components=2), "poly"),
    *_each("KernelPCA", "numbers", "none", _with(kernel="sigmoid", n_components=2), "sigmoid"),
    *_each("KernelPCA", "numbers", "none", _with(kernel="cosine", n_components=2), "cosine"),
    *_each("TruncatedSVD IncrementalPCA", "numbers", "none", _with(n_components=3), "three"),
    *_each("IncrementalPCA", "numbers", "none", _with(n_components=3, whiten=True), "whitened"),
    *_each("SGDClassifier", "numbers", "two", _with(loss="log_loss", penalty="elasticnet"), "log loss, two"),
    *_each("SGDClassifier", "numbers", "two", _with(loss="modified_huber"), "modified Huber loss, two"),
    *_each("SGDClassifier", "numbers", "two", _with(loss="squared_hinge", average=True), "averaged"),
    *_each("BernoulliNB", "numbers", "three", _with(binarize=0.5, fit_prior=False), "threshold"),
    *_each("BernoulliNB", "codes", "three", _with(binarize=None), "no threshold"),
    *_each("GaussianNB", "numbers", "three", _with(priors=[0.2, 0.3, 0.5]), "priors"),
    *_each("ComplementNB MultinomialNB", "positive", "two", _with(alpha=0.1), "two classes"),
    *_each("ComplementNB", "positive", "three", _with(norm=True), "normed"),
    *_each("QuadraticDiscriminantAnalysis", "numbers", "three", _with(reg_param=0.2), "regularised"),
    *_each(
        "LinearDiscriminantAnalysis", "numbers", "three", _with(solver="lsqr", shrinkage="auto"), "shrunk"
    ),
    *_each(
        "AdaBoostRegressor", "numbers", "value", _around(_tree, loss="square", n_estimators=10), "square loss"
    ),
    *_each(
        "BaggingRegressor",
        "holed",
        "value",
        _around(_tree, n_estimators=5, max_features=0.5),
        "missing values",
    ),
    *_each("MultiOutputRegressor", "numbers", "pair", _around(_ridge), "two values"),
    *_each("MultiOutputRegressor", "numbers", "pair", _around(_tree), "trees"),
    *_each("StackingRegressor", "numbers", "value", _around(_regressors, passthrough=True), "passthrough"),
    *_each("VotingRegressor", "numbers", "value", _around(_regressors, weights=[1, 3]), "weights"),
    *_each(
        "VotingClassifier", "numbers", "two", _around(_classifiers, voting="soft", weights=[1, 3]), "weights"
    ),
    *_each("VotingClassifier", "numbers", "two", _around(_classifiers, weights=[1, 3]), "hard, weights"),
    *_each(
        "StackingClassifier", "numbers", "three", _around(_classifiers, stack_method="predict"), "by labels"
    ),
    *_each("KMeans MiniBatchKMeans", "reals", "none", _with(n_clusters=3), "three"),
    *_each(
        "GaussianMixture BayesianGaussianMixture",
        "reals",
        "none",
        _with(n_components=3, covariance_type="diag"),
        "diagonal",
    ),
    *_each(
        "GaussianMixture BayesianGaussianMixture",
        "reals",
        "none",
        _with(n_components=3, covariance_type="spherical"),
        "spherical",
    ),
    *_each("TweedieRegressor", "numbers", "value", _with(power=0, link="identity"), "identity"),
    *_each("TweedieRegressor", "numbers", "counts", _with(power=0, link="log"), "log link"),
    *_each(
        "NuSVC SVC",
        "numbers",
        "three",
        _with(decision_function_shape="ovo", kernel="poly"),
        "one against one",
    ),
    *_each("SVC", "numbers", "two", _with(probability=True), "probabilities, two"),
    *_each("SVC", "numbers", "three", _with(kernel="sigmoid", gamma=0.01, break_ties=True), "ties broken"),
    *_each(
        "KBinsDiscretizer",
        "one",
        "none",
        _with(n_bins=2, encode="onehot-dense", strategy="uniform"),
        "two bins",
    ),
    *_each("SplineTransformer", "numbers", "none", _with(degree=1, include_bias=False), "straight"),
    *_each("SplineTransformer", "numbers", "none", _with(degree=2, knots="quantile"), "quantiles"),
    *_each("PolynomialFeatures", "one", "none", _with(degree=(2, 4), include_bias=False), "from 2 to 4"),
    *_each("FunctionTransformer", "positive", "none", _function(np.cbrt), "cbrt"),
    *_each("FunctionTransformer", "numbers", "none", _function(np.expm1), "expm1"),
    *_each("FunctionTransformer", "numbers", "none", _function(np.tanh), "tanh"),
    *_each("FunctionTransformer", "numbers", "none", _function(np.cumsum), "cumsum"),
    *_each(
        "CalibratedClassifierCV",
        "numbers",
        "three",
        _around(_linear, cv=3, method="temperature"),
        "temperature",
    ),
    *_each(
        "CalibratedClassifierCV",
        "numbers",
        "two",
        _around(_forest, cv=3, method="temperature"),
        "temperature, two",
    ),
    *_each(
        "FixedThresholdClassifier",
        "numbers",
        "two",
        _around(_linear, threshold=0.4, pos_label=0),
        "first class",
    ),
    *_each("FixedThresholdClassifier", "numbers", "two", _around(_svm, threshold=-0.5), "by score"),
    *_each(
        "TunedThresholdClassifierCV",
        "numbers",
        "two",
        _around(_linear, response_method="decision_function"),
        "by score",
    ),
    *_each("RegressorChain", "numbers", "pair", _around(_tree, order=[1, 0]), "trees, reversed"),
    *_each(
        "SelfTrainingClassifier GridSearchCV",
        "numbers",
        "two",
        lambda cls: cls(_forest()) if cls.__name__[0] == "S" else cls(_forest(), {"max_depth": [3]}),
        "forest",
    ),
    *_each("NearestCentroid", "numbers", "three", _with(shrink_threshold=0.1), "shrunk"),
    *_each("NearestCentroid", "numbers", "three", _with(priors=[0.2, 0.3, 0.5]), "priors"),
    *_each("NearestCentroid", "numbers", "three", _with(metric="manhattan"), "manhattan"),
    *_each("SimpleImputer", "holed", "none", _with(strategy="median"), "median"),
    *_each(
        "HistGradientBoostingClassifier", "holed", "two", _with(max_iter=5, class_weight="balanced"), "few"
    ),
    *_each("GradientBoostingRegressor", "numbers", "value", _with(loss="huber", init="zero"), "huber"),
    *_each("GradientBoostingRegressor", "numbers", "value", lambda cls: cls(init=_ridge()), "another start"),
    *_each("GradientBoostingClassifier", "numbers", "two", _with(loss="exponential"), "exponential"),
    *_each(
        "RandomForestClassifier", "numbers", "two", _with(class_weight="balanced", max_depth=3), "balanced"
    ),
    *_each("IsolationForest", "holed", "none", note="missing values"),
    *_each("SGDOneClassSVM OneClassSVM", "numbers", "none", _with(nu=0.2), "nu"),
    *_each("DummyClassifier", "words", "two", _with(strategy="most_frequent"), "most frequent"),
    *_each("DummyClassifier", "words", "two", _with(strategy="uniform"), "at random"),
    *_each("DummyRegressor", "holed", "value", _with(strategy="median"), "median"),
    *_each(
        "TransformedTargetRegressor",
        "numbers",
        "counts",
        lambda cls: cls(_tree(), func=np.sqrt, inverse_func=np.square),
        "square",
    ),
    *_each(
        "BaggingClassifier", "numbers", "two", _around(_linear, n_estimators=4, max_samples=0.02), "few rows"
    ),
]

RECIPES: tuple[Recipe, ...] = (*CLASSIFIERS, *REGRESSORS, *TRANSFORMERS, *OTHERS, *VARIANTS)
