"""What we refuse to convert, by name and with a way out, rather than convert it wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from skl2onnx._supported_operators import sklearn_operator_name_map
from sklearn.base import is_classifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectorMixin
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline

from sls_ml.artifact import several, structure
from sls_ml.artifact.converters import words
from sls_ml.artifact.converters.functions import known
from sls_ml.artifact.converters.kernels import KERNELS
from sls_ml.artifact.converters.registry import owns
from sls_ml.errors import ModelError

_WRITE_ONE = "write a converter for a class of your own: see sls_ml.artifact.converters.converter"
_NO_NEW_ROWS = (
    "it describes the rows that it was fitted on, and says nothing about new ones",
    "train a classifier on its labels, or use an estimator that predicts, such as KMeans",
)
_ITERATES = (
    "it solves an optimisation for each row, which an ONNX graph does not",
    "use PCA, TruncatedSVD, FactorAnalysis or FastICA",
)
_NEIGHBOURHOOD = (
    "its answer takes all training rows, by an algorithm that has no exact ONNX form",
    "use KNeighborsClassifier, KNeighborsRegressor, or a model of trees",
)
_TARGETS = (
    "it encodes targets, not features",
    "leave it out of the model; classifiers encode their own targets",
)
_TARGET_ENCODERS = ("LabelBinarizer", "LabelEncoder", "MultiLabelBinarizer")
_DICTS = (
    "it reads dictionaries or hashes, not columns",
    "use OneHotEncoder in a ColumnTransformer on the columns",
)
_LABELS = (
    "it predicts several labels at once, which this estimator does in a form of its own",
    "fit a MultiOutputClassifier with one such classifier for each label",
)
_SEVERAL = frozenset(
    (
        *("ClassifierChain", "DecisionTreeClassifier", "DummyClassifier", "ExtraTreeClassifier"),
        *("ExtraTreesClassifier", "KNeighborsClassifier", "MLPClassifier", "MultiOutputClassifier"),
        *("OneVsRestClassifier", "RandomForestClassifier", "RidgeClassifier", "RidgeClassifierCV"),
        *("CatBoostClassifier", "XGBClassifier", "XGBRFClassifier"),
    )
)
"""Classifiers whose converters know several labels."""
_CHI2 = ("its kernel map has no ONNX form here", "use Nystroem or RBFSampler")

_REFUSED: dict[str, tuple[str, str]] = {
    **dict.fromkeys(_TARGET_ENCODERS, _TARGETS),
    **dict.fromkeys(
        (
            *("AgglomerativeClustering", "ClassicalMDS", "DBSCAN", "HDBSCAN", "MDS", "OPTICS"),
            *(
                "SpectralBiclustering",
                "SpectralClustering",
                "SpectralCoclustering",
                "SpectralEmbedding",
                "TSNE",
            ),
        ),
        _NO_NEW_ROWS,
    ),
    **dict.fromkeys(
        (
            *(
                "BisectingKMeans",
                "DictionaryLearning",
                "Isomap",
                "IterativeImputer",
                "LatentDirichletAllocation",
            ),
            *("LocallyLinearEmbedding", "MiniBatchDictionaryLearning", "MiniBatchNMF", "MiniBatchSparsePCA"),
            *("NMF", "SparseCoder", "SparsePCA"),
        ),
        _ITERATES,
    ),
    **dict.fromkeys(
        (
            *("GaussianProcessClassifier", "KNeighborsTransformer", "KernelDensity", "NearestNeighbors"),
            "RadiusNeighborsTransformer",
        ),
        _NEIGHBOURHOOD,
    ),
    **dict.fromkeys(("DictVectorizer", "FeatureHasher", "HashingVectorizer"), _DICTS),
    **dict.fromkeys(("AdditiveChi2Sampler", "PolynomialCountSketch", "SkewedChi2Sampler"), _CHI2),
}

_SKL2ONNX = frozenset(
    (
        *("AdaBoostRegressor", "BernoulliNB", "ColumnTransformer", "ComplementNB", "CountVectorizer"),
        *("FeatureUnion", "GammaRegressor", "GaussianNB", "GaussianProcessRegressor"),
        *("GaussianRandomProjection", "IncrementalPCA", "KMeans", "KernelPCA", "LogisticRegression"),
        *("LogisticRegressionCV", "MaxAbsScaler", "MinMaxScaler", "MiniBatchKMeans"),
        *("MultinomialNB", "NeighborhoodComponentsAnalysis", "PCA"),
        *("PassiveAggressiveClassifier", "Perceptron", "Pipeline", "PoissonRegressor"),
        *("RANSACRegressor", "RobustScaler", "SGDClassifier", "StandardScaler", "TruncatedSVD"),
        *("TweedieRegressor",),
    )
)
"""Estimators for which skl2onnx's own converter is right in double precision, as the sweep found."""


def check(estimator: Any) -> None:
    """Refuse a model with a part that would be converted wrong, or not at all.

    Args:
        estimator: A fitted estimator.

    Raises:
        ModelError: Names the part, where it is in the model, and the way out.
    """
    sealed: set[int] = set()
    steps = {id(step) for _, step in structure.steps(estimator)}
    last = structure.steps(estimator)[-1][1]
    for part in structure.parts(estimator):
        if id(part) in sealed or (type(part).__name__ in _TARGET_ENCODERS and id(part) not in steps):
            continue
        if isinstance(part, SelectorMixin):
            # A selector's estimator has done its work: only the columns that it chose are converted.
            sealed |= {id(inner) for inner in structure.parts(part)}
        refusal = _predicting_selector(part) if part is last else None
        refusal = refusal or _refusal(part)
        if refusal is not None:
            reason, way_out = refusal
            raise ModelError(
                f"{type(part).__name__} cannot be converted to ONNX: {reason}.",
                code="model-unsupported",
                where=_where(estimator, part),
                mend=way_out,
            )


def _where(estimator: Any, part: Any) -> str:
    for name, step in structure.steps(estimator):
        if any(inner is part for inner in structure.parts(step)):
            return f"step {name!r} ({type(step).__name__})"
    return type(estimator).__name__


def _refusal(part: Any) -> tuple[str, str] | None:
    cls = type(part)
    if cls.__module__.startswith("sklearn.") and cls.__name__.startswith("_"):
        return None
    if not (owns(cls) or cls.__name__ in _SKL2ONNX) or cls.__name__ in _REFUSED:
        return _unknown(cls, part)
    return next((found for rule in _RULES if (found := rule(part)) is not None), None)


def _unknown(cls: type, part: Any) -> tuple[str, str] | None:
    ours = cls.__module__.startswith("sklearn.")
    if not ours and (cls in sklearn_operator_name_map or not hasattr(part, "fit")):
        return None
    return _REFUSED.get(cls.__name__ if ours else "") or (
        "there is no converter for it",
        f"replace it by an estimator of docs/estimators.md, or {_WRITE_ONE}",
    )


def _predicting_selector(part: Any) -> tuple[str, str] | None:
    if isinstance(part, SelectorMixin) and hasattr(part, "predict"):
        return (
            "it selects columns and predicts, and only the first converts",
            "put its estimator behind it in a Pipeline",
        )
    return None


def _several_labels(part: Any) -> tuple[str, str] | None:
    if not is_classifier(part) or isinstance(part, (BaseSearchCV, FrozenEstimator, Pipeline, SelectorMixin)):
        return None
    if several.classes_of(part) is None:
        return None
    if getattr(part, "chain_method_", "") == "predict_log_proba":
        return (
            "logarithms of small probabilities have other digits in a graph",
            "use chain_method='predict_proba'",
        )
    if type(part).__name__ not in _SEVERAL:
        return _LABELS
    return None


def _fractional_classes(part: Any) -> tuple[str, str] | None:
    if not is_classifier(part) or not isinstance(getattr(part, "classes_", None), (list, np.ndarray)):
        return None
    labels = several.classes_of(part) or [part.classes_]
    if all(each.dtype.kind != "f" or (each == np.round(each)).all() for each in labels):
        return None
    return "its classes are numbers that are not whole", "train it on whole numbers or texts as classes"


def _used_as_step(part: Any) -> tuple[str, str] | None:
    if not isinstance(part, Pipeline):
        return None
    for name, step in part.steps[:-1]:
        if hasattr(step, "predict") and not isinstance(step, SelectorMixin):
            return (
                f"its step {name!r} ({type(step).__name__}) predicts but is used to transform",
                "use a transformer there, such as PCA, or make it the last step",
            )
    return None


def _kernel(part: Any) -> tuple[str, str] | None:
    kernel = getattr(part, "kernel", None)
    names = ("SVC", "NuSVC", "SVR", "NuSVR", "OneClassSVM", "KernelRidge", "Nystroem")
    if type(part).__name__ in names and (not isinstance(kernel, str) or kernel not in KERNELS):
        return f"the kernel {kernel!r} has no ONNX form", "use one of " + ", ".join(sorted(KERNELS))
    return None


def _neighbours(part: Any) -> tuple[str, str] | None:
    if not type(part).__name__.startswith(("KNeighbors", "LocalOutlier", "RadiusNeighbors")):
        return None
    if callable(getattr(part, "weights", None)):
        return "its weights are a function", "use weights='uniform' or 'distance'"
    metric = getattr(part, "effective_metric_", "euclidean")  # not fitted: the pattern of a wrapper's parts
    if metric == "euclidean":
        return None
    return f"the metric {metric!r} has no exact form", "use euclidean distances"


def _without_neighbours(part: Any) -> tuple[str, str] | None:
    if type(part).__name__ != "RadiusNeighborsClassifier" or not hasattr(part, "outlier_label_"):
        return None  # not fitted: the pattern of a wrapper's parts
    outlier = part.outlier_label_
    if outlier is None:
        return (
            "it raises for a row with no neighbour, and which rows these are no range of an input tells",
            "set outlier_label, such as outlier_label='most_frequent'",
        )
    if outlier[0] not in part.classes_:
        return f"its outlier_label {outlier[0]!r} is none of its classes", "use one of its classes"
    return None


def _imputing_neighbours(part: Any) -> tuple[str, str] | None:
    if type(part).__name__ != "KNNImputer":
        return None
    if callable(part.weights):
        return "its weights are a function", "use weights='uniform' or 'distance'"
    if part.metric != "nan_euclidean":
        return f"the metric {part.metric!r} has no exact form", "use metric='nan_euclidean'"
    return None


def _centroid(part: Any) -> tuple[str, str] | None:
    if type(part).__name__ == "NearestCentroid" and part.metric != "euclidean":
        return f"the metric {part.metric!r} has no ONNX form here", "use metric='euclidean'"
    return None


def _function(part: Any) -> tuple[str, str] | None:
    if type(part).__name__ != "FunctionTransformer" or (known(part.func) and not part.kw_args):
        return None
    name = getattr(part.func, "__name__", repr(part.func))
    instead = "use a numpy function such as log1p, sqrt or exp, compute these columns before the pipeline"
    return (
        f"the function {name} is not one that we know",
        f"{instead} (and in `before` of hooks.py), or {_WRITE_ONE}",
    )


def _text(part: Any) -> tuple[str, str] | None:
    if not isinstance(part, CountVectorizer | TfidfVectorizer):
        return None
    refused: tuple[tuple[bool, str, str], ...] = (
        (
            part.analyzer not in ("word", "char", "char_wb"),
            f"analyzer={part.analyzer!r}",
            "analyzer='word', 'char' or 'char_wb'",
        ),
        (part.strip_accents is not None, "strip_accents", "strip_accents=None"),
        (part.preprocessor is not None, "a preprocessor of its own", "preprocessor=None"),
        (part.tokenizer is not None, "a tokenizer of its own", "tokenizer=None"),
        (
            part.analyzer == "word" and words.pattern_of(part.token_pattern) is None,
            f"token_pattern={part.token_pattern!r}",
            "a sequence of classes of letters, such as the default or r'[a-z]+'",
        ),
        (words.ambiguous(part), "a vocabulary of n-grams whose words hold spaces", "ngram_range=(1, 1)"),
    )
    return next(
        ((f"{what} has no ONNX form", f"use {instead}") for holds, what, instead in refused if holds), None
    )


def _novelty(part: Any) -> tuple[str, str] | None:
    if type(part).__name__ == "LocalOutlierFactor" and not part.novelty:
        return "it judges only the rows that it was fitted on", "use novelty=True"
    if type(part).__name__.startswith("Label") and getattr(part, "kernel", "rbf") != "rbf":
        return f"the kernel {part.kernel!r} has no ONNX form", "use kernel='rbf'"
    return None


def _boosting_start(part: Any) -> tuple[str, str] | None:
    start = getattr(part, "init_", None)
    if not type(part).__name__.startswith("GradientBoosting") or start is None or start == "zero":
        return None
    if type(start).__name__.startswith("Dummy"):
        return None
    return "it starts from another estimator", "use init=None or init='zero'"


_RULES: tuple[Callable[[Any], tuple[str, str] | None], ...] = (
    _several_labels,
    _fractional_classes,
    _used_as_step,
    _kernel,
    _neighbours,
    _without_neighbours,
    _imputing_neighbours,
    _centroid,
    _function,
    _text,
    _novelty,
    _boosting_start,
)
