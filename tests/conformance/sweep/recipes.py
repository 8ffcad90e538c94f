"""Every estimator of scikit-learn with the data that it is tried on."""

from __future__ import annotations

import numpy as np
from builders import (
    Recipe,
    around,
    before_linear,
    classifiers,
    coder,
    column_transformer,
    forest,
    frozen,
    given,
    linear,
    of_function,
    pipeline,
    regressors,
    ridge,
    scaled_svm,
    standard_scaler,
    svm,
    tried,
    union,
)
from variants import VARIANTS

TREES = "DecisionTree{0} ExtraTree{0} RandomForest{0} ExtraTrees{0}"
GRID = {"C": [0.1, 1.0]}

CLASSIFIERS = [
    *tried(TREES.format("Classifier") + " HistGradientBoostingClassifier", "holed", "two"),
    *tried(
        TREES.format("Classifier") + " HistGradientBoostingClassifier",
        "holed",
        "three",
        note="three classes",
    ),
    *tried(
        "HistGradientBoostingClassifier", "codes", "three", given(categorical_features=[0, 1]), "categories"
    ),
    *tried(
        """
        AdaBoostClassifier BernoulliNB DummyClassifier GaussianNB GaussianProcessClassifier
        GradientBoostingClassifier LabelPropagation LabelSpreading LinearDiscriminantAnalysis LinearSVC
        LogisticRegression LogisticRegressionCV NearestCentroid NuSVC PassiveAggressiveClassifier
        Perceptron QuadraticDiscriminantAnalysis RidgeClassifier RidgeClassifierCV SGDClassifier SVC
        """,
        "numbers",
        "two",
    ),
    *tried(
        """
        AdaBoostClassifier BernoulliNB DummyClassifier GaussianNB GaussianProcessClassifier
        GradientBoostingClassifier LabelPropagation LabelSpreading LinearDiscriminantAnalysis LinearSVC
        LogisticRegression LogisticRegressionCV NearestCentroid NuSVC PassiveAggressiveClassifier
        Perceptron QuadraticDiscriminantAnalysis RidgeClassifier RidgeClassifierCV SGDClassifier SVC
        """,
        "numbers",
        "three",
        note="three classes",
    ),
    *tried("MLPClassifier", "numbers", "two", given(max_iter=30)),
    *tried("MLPClassifier", "numbers", "three", given(max_iter=30), "three classes"),
    *tried("RadiusNeighborsClassifier", "reals", "two", given(radius=2.0, outlier_label="most_frequent")),
    *tried(
        "RadiusNeighborsClassifier",
        "reals",
        "three",
        given(radius=1.0, weights="distance", outlier_label="most_frequent"),
        "weights by distance",
    ),
    *tried("RadiusNeighborsClassifier", "numbers", "two", given(radius=4.0), "without a label for outliers"),
    *tried("SVC", "numbers", "three", given(probability=True), "probabilities"),
    *tried("SGDClassifier", "numbers", "three", given(loss="log_loss"), "log loss"),
    *tried("SGDClassifier", "numbers", "three", given(loss="modified_huber"), "modified Huber loss"),
    *tried("KNeighborsClassifier", "reals", "two"),
    *tried("LabelPropagation LabelSpreading", "numbers", "two", given(kernel="knn"), "nearest neighbours"),
    *tried("KNeighborsClassifier", "reals", "three", given(weights="distance"), "weights by distance"),
    *tried("KNeighborsClassifier", "reals", "three", given(metric="manhattan"), "manhattan"),
    *tried("ComplementNB MultinomialNB", "positive", "three"),
    *tried("CategoricalNB", "codes", "three"),
    *tried("CalibratedClassifierCV", "numbers", "three", around(forest, cv=3)),
    *tried("CalibratedClassifierCV", "numbers", "two", around(forest, cv=3, method="isotonic"), "isotonic"),
    *tried(
        "CalibratedClassifierCV",
        "numbers",
        "three",
        around(forest, cv=3, method="isotonic"),
        "isotonic, three",
    ),
    *tried("CalibratedClassifierCV", "numbers", "two", around(linear, cv=3, ensemble=False), "one model"),
    *tried("BaggingClassifier", "numbers", "three"),
    *tried(
        "BaggingClassifier", "numbers", "two", around(linear, max_features=0.5), "linear, half the features"
    ),
    *tried("ClassifierChain MultiOutputClassifier", "numbers", "labels", around(linear)),
    *tried(
        """
        DecisionTreeClassifier DummyClassifier ExtraTreeClassifier ExtraTreesClassifier MLPClassifier
        RandomForestClassifier RidgeClassifier RidgeClassifierCV
        """,
        "numbers",
        "labels",
        note="two labels",
    ),
    *tried("KNeighborsClassifier", "reals", "labels", note="two labels"),
    *tried("MultiOutputClassifier", "holed", "labels", around(forest), "forests, missing values"),
    *tried("MultiOutputClassifier", "numbers", "names", around(svm), "texts, without probabilities"),
    *tried("RandomForestClassifier", "holed", "names", note="three and two texts, missing values"),
    *tried("KNeighborsClassifier", "reals", "names", given(weights="distance"), "three and two texts"),
    *tried("ClassifierChain", "numbers", "labels", around(forest, order=[1, 0], cv=3), "forests, reversed"),
    *tried("ClassifierChain", "numbers", "labels", around(svm), "support vector machines"),
    *tried(
        "ClassifierChain", "numbers", "labels", around(linear, chain_method="predict_proba"), "by probability"
    ),
    *tried("OneVsRestClassifier", "numbers", "labels", around(svm), "two labels by scores"),
    *tried("TunedThresholdClassifierCV", "numbers", "two", around(linear)),
    *tried("FixedThresholdClassifier", "numbers", "two", around(forest, threshold=0.3)),
    *tried("OneVsOneClassifier OneVsRestClassifier OutputCodeClassifier", "numbers", "three", around(linear)),
    *tried("SelfTrainingClassifier", "numbers", "two", around(linear)),
    *tried("StackingClassifier", "numbers", "three", around(classifiers)),
    *tried("StackingClassifier", "numbers", "two", around(classifiers, passthrough=True), "passthrough"),
    *tried(
        "CalibratedClassifierCV",
        "numbers",
        "three",
        around(scaled_svm, cv=3),
        "pipeline of a support vector machine",
    ),
    *tried(
        "BaggingClassifier OneVsRestClassifier AdaBoostClassifier",
        "numbers",
        "three",
        around(svm),
        "without probabilities",
    ),
    *tried("OneVsRestClassifier", "numbers", "labels", around(linear), "two labels"),
    *tried("VotingClassifier", "numbers", "three", around(classifiers)),
    *tried("VotingClassifier", "numbers", "three", around(classifiers, voting="soft"), "soft"),
]

REGRESSORS = [
    *tried(TREES.format("Regressor") + " HistGradientBoostingRegressor", "holed", "value"),
    *tried(
        "HistGradientBoostingRegressor", "codes", "value", given(categorical_features=[0, 1]), "categories"
    ),
    *tried("RandomForestRegressor", "numbers", "pair", note="two values"),
    *tried(
        """
        ARDRegression AdaBoostRegressor BaggingRegressor BayesianRidge DummyRegressor ElasticNet
        ElasticNetCV GaussianProcessRegressor GradientBoostingRegressor HuberRegressor KernelRidge Lars
        LarsCV Lasso LassoCV LassoLars LassoLarsCV LassoLarsIC LinearRegression LinearSVR NuSVR
        OrthogonalMatchingPursuit OrthogonalMatchingPursuitCV PassiveAggressiveRegressor
        QuantileRegressor RANSACRegressor Ridge RidgeCV SGDRegressor SVR TheilSenRegressor
        TransformedTargetRegressor
        """,
        "numbers",
        "value",
    ),
    *tried("KernelRidge SVR", "numbers", "value", given(kernel="rbf"), "rbf"),
    *tried("SVR", "numbers", "value", given(kernel="poly"), "poly"),
    *tried("KNeighborsRegressor", "reals", "value"),
    *tried(
        "KNeighborsRegressor",
        "reals",
        "pair",
        given(weights="distance", n_neighbors=9),
        "weights by distance, two values",
    ),
    *tried(
        "TransformedTargetRegressor",
        "numbers",
        "value",
        lambda cls: cls(ridge(), transformer=standard_scaler()),
        "scaled",
    ),
    *tried(
        "TransformedTargetRegressor",
        "numbers",
        "counts",
        lambda cls: cls(ridge(), func=np.log, inverse_func=np.exp),
        "log",
    ),
    *tried("GammaRegressor PoissonRegressor TweedieRegressor", "numbers", "counts"),
    *tried("TweedieRegressor", "numbers", "counts", given(power=1.5), "power 1.5"),
    *tried("IsotonicRegression", "one", "value"),
    *tried("IsotonicRegression", "one", "value", given(out_of_bounds="clip"), "clip"),
    *tried("MLPRegressor", "numbers", "value", given(max_iter=30)),
    *tried("RadiusNeighborsRegressor", "reals", "value", given(radius=2.0)),
    *tried(
        "RadiusNeighborsRegressor",
        "reals",
        "value",
        given(radius=1.0, weights="distance"),
        "weights by distance",
    ),
    *tried(
        """
        CCA MultiTaskElasticNet MultiTaskElasticNetCV MultiTaskLasso MultiTaskLassoCV PLSCanonical
        PLSRegression
        """,
        "numbers",
        "pair",
    ),
    *tried("MultiOutputRegressor RegressorChain", "numbers", "pair", around(ridge)),
    *tried("StackingRegressor VotingRegressor", "numbers", "value", around(regressors)),
]

TRANSFORMERS = [
    *tried(
        """
        Binarizer BernoulliRBM Birch BisectingKMeans DictionaryLearning FactorAnalysis FastICA
        FeatureAgglomeration FunctionTransformer IncrementalPCA Isomap KBinsDiscretizer KMeans
        KNeighborsTransformer KernelCenterer KernelPCA LocallyLinearEmbedding MaxAbsScaler MinMaxScaler
        MiniBatchDictionaryLearning MiniBatchKMeans MiniBatchSparsePCA Normalizer Nystroem PCA
        PolynomialCountSketch PolynomialFeatures PowerTransformer QuantileTransformer RBFSampler
        RadiusNeighborsTransformer RandomTreesEmbedding RobustScaler SparsePCA SplineTransformer
        StandardScaler TruncatedSVD VarianceThreshold
        """,
        "numbers",
        "none",
    ),
    *tried(
        """
        MaxAbsScaler MinMaxScaler PowerTransformer QuantileTransformer RobustScaler StandardScaler
        """,
        "holed",
        "none",
        note="missing values",
    ),
    *tried("GaussianRandomProjection SparseRandomProjection", "numbers", "none", given(n_components=3)),
    *tried("KernelPCA", "numbers", "none", given(kernel="rbf", n_components=3), "rbf"),
    *tried("PCA", "numbers", "none", given(n_components=3, whiten=True), "whitened"),
    *tried("KBinsDiscretizer", "numbers", "none", given(encode="onehot-dense"), "dense"),
    *tried("KBinsDiscretizer", "numbers", "none", given(encode="ordinal"), "ordinal"),
    *tried(
        "QuantileTransformer",
        "numbers",
        "none",
        given(output_distribution="normal", n_quantiles=100),
        "normal",
    ),
    *tried(
        "PowerTransformer",
        "positive",
        "none",
        lambda cls: cls(method="yeo-johnson", standardize=False),
        "bare",
    ),
    *tried("PolynomialFeatures", "numbers", "none", given(degree=3, interaction_only=True), "interactions"),
    *tried("SplineTransformer", "numbers", "none", given(extrapolation="linear", n_knots=4), "linear"),
    *tried("SplineTransformer", "numbers", "none", given(extrapolation="continue"), "continue"),
    *tried("SplineTransformer", "numbers", "none", given(extrapolation="periodic"), "periodic"),
    *tried("FunctionTransformer", "positive", "none", of_function(np.log1p), "log1p"),
    *tried("SimpleImputer", "holed", "none"),
    *tried("KNNImputer", "gaps", "none"),
    *tried(
        "KNNImputer", "gaps", "none", given(weights="distance", add_indicator=True), "weights by distance"
    ),
    *tried("KNNImputer", "gaps", "none", given(weights=np.negative), "weights of its own"),
    *tried("MissingIndicator", "holed", "none", given(error_on_new=False)),
    *tried("MissingIndicator", "holed", "none", given(features="all"), "all features"),
    *tried("SimpleImputer", "holed", "none", given(add_indicator=True), "indicator"),
    *tried("SimpleImputer", "words", "none", given(strategy="most_frequent", missing_values=""), "text"),
    *tried(
        """
        AdditiveChi2Sampler LatentDirichletAllocation MiniBatchNMF NMF SkewedChi2Sampler
        TfidfTransformer
        """,
        "positive",
        "none",
    ),
    *tried("PowerTransformer", "unit", "none", lambda cls: cls(method="box-cox"), "Box-Cox"),
    *tried("OneHotEncoder OrdinalEncoder", "codes", "none"),
    *tried("OneHotEncoder OrdinalEncoder", "words", "none", note="text"),
    *tried(
        "OneHotEncoder",
        "words_with_unknown",
        "none",
        given(handle_unknown="ignore", drop="if_binary"),
        "unknown",
    ),
    *tried(
        "OneHotEncoder",
        "words_with_unknown",
        "none",
        given(handle_unknown="infrequent_if_exist", min_frequency=10),
        "infrequent",
    ),
    *tried(
        "OrdinalEncoder",
        "words_with_unknown",
        "none",
        given(handle_unknown="use_encoded_value", unknown_value=-1, max_categories=3),
        "unknown",
    ),
    *tried(
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
    *tried("TargetEncoder", "words_with_unknown", "two"),
    *tried("TargetEncoder", "words_with_unknown", "three", note="three classes"),
    *tried("TargetEncoder", "codes", "value", note="value"),
    *tried(
        """
        LabelBinarizer LabelEncoder MultiLabelBinarizer DictVectorizer FeatureHasher PatchExtractor TSNE
        """,
        "numbers",
        "none",
    ),
    *tried("NeighborhoodComponentsAnalysis", "numbers", "three"),
    *tried("GenericUnivariateSelect SelectFdr SelectFpr SelectFwe SelectPercentile", "numbers", "three"),
    *tried("SelectKBest", "numbers", "three", given(k=3)),
    *tried("RFE RFECV", "numbers", "three", around(linear), "as the last step"),
    *tried("RFE RFECV", "numbers", "three", before_linear, "before a classifier"),
    *tried("SelectFromModel", "numbers", "three", around(linear)),
    *tried("SequentialFeatureSelector", "numbers", "three", around(linear, n_features_to_select=3)),
    *tried("PLSSVD", "numbers", "pair"),
    *tried("SparseCoder", "numbers", "none", coder),
    *tried("ColumnTransformer", "numbers", "none", column_transformer),
    *tried("FeatureUnion", "numbers", "none", union),
    *tried("CountVectorizer HashingVectorizer TfidfVectorizer", "texts", "none"),
    *tried("CountVectorizer TfidfVectorizer", "texts", "none", given(ngram_range=(1, 2)), "bigrams"),
    *tried("TfidfTransformer", "positive", "none", given(sublinear_tf=True, norm=None), "sublinear"),
    *tried(
        "TfidfVectorizer",
        "texts",
        "none",
        given(sublinear_tf=True, stop_words="english", max_features=5),
        "sublinear",
    ),
    *tried("TfidfVectorizer", "texts", "none", given(analyzer="char", ngram_range=(1, 3)), "characters"),
    *tried(
        "TfidfVectorizer",
        "spaced",
        "none",
        given(analyzer="char", ngram_range=(1, 3)),
        "characters, runs of spaces",
    ),
    *tried("TfidfVectorizer", "spaced", "none", note="runs of spaces"),
    *tried(
        "TfidfVectorizer",
        "texts",
        "none",
        given(stop_words=["bad", "good"], ngram_range=(1, 2)),
        "stop words in bigrams",
    ),
    *tried(
        "TfidfVectorizer",
        "texts",
        "none",
        given(analyzer="char_wb", ngram_range=(2, 3)),
        "characters in words",
    ),
    *tried("TfidfVectorizer", "texts", "none", given(token_pattern=r"[a-z]+"), "own pattern"),
    *tried("CountVectorizer", "spaced", "none", given(analyzer="char", ngram_range=(2, 3)), "characters"),
    *tried(
        "CountVectorizer", "spaced", "none", given(analyzer="char_wb", ngram_range=(3, 5)), "within words"
    ),
    *tried(
        "CountVectorizer", "texts", "none", given(token_pattern=r"\S+", ngram_range=(1, 2)), "own pattern"
    ),
    *tried("CountVectorizer", "texts", "none", given(token_pattern=r"\b[a-z]+\b"), "pattern with boundaries"),
    *tried("CountVectorizer", "texts", "none", given(max_features=3, ngram_range=(1, 2)), "few"),
    *tried("CountVectorizer", "texts", "none", given(analyzer=str.split), "an analyzer of its own"),
    *tried("TfidfVectorizer", "texts", "none", given(strip_accents="unicode"), "accents"),
    *tried("TfidfVectorizer", "texts", "none", given(lowercase=False, binary=True, norm="l1"), "case kept"),
]

OTHERS = [
    *tried(
        """
        AffinityPropagation AgglomerativeClustering BayesianGaussianMixture ClassicalMDS DBSCAN
        EllipticEnvelope EmpiricalCovariance GaussianMixture GraphicalLasso GraphicalLassoCV HDBSCAN
        IsolationForest KernelDensity LedoitWolf LocalOutlierFactor MDS MeanShift MinCovDet
        NearestNeighbors OAS OPTICS OneClassSVM SGDOneClassSVM ShrunkCovariance SpectralBiclustering
        SpectralClustering SpectralCoclustering SpectralEmbedding
        """,
        "numbers",
        "none",
    ),
    *tried("IsolationForest", "numbers", "none", given(contamination=0.1, max_features=0.5), "contamination"),
    *tried("LocalOutlierFactor", "reals", "none", given(novelty=True), "novelty"),
    *tried("GaussianMixture", "numbers", "none", given(n_components=3, covariance_type="tied"), "tied"),
    *tried("FrozenEstimator", "numbers", "two", frozen),
    *tried("GridSearchCV", "numbers", "three", lambda cls: cls(linear(), GRID)),
    *tried("RandomizedSearchCV", "numbers", "three", lambda cls: cls(linear(), GRID, n_iter=2)),
    *tried("HalvingGridSearchCV", "numbers", "three", lambda cls: cls(linear(), GRID)),
    *tried("HalvingRandomSearchCV", "numbers", "three", lambda cls: cls(linear(), GRID, n_candidates=2)),
    *tried("Pipeline", "numbers", "three", pipeline),
]

RECIPES: tuple[Recipe, ...] = (*CLASSIFIERS, *REGRESSORS, *TRANSFORMERS, *OTHERS, *VARIANTS)
