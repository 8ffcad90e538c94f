"""Tells skl2onnx about our converters, and lets users add theirs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from skl2onnx import _parse, update_registered_converter
from skl2onnx._parse import _parse_sklearn, _parse_sklearn_simple_model
from skl2onnx._supported_operators import sklearn_operator_name_map
from skl2onnx.common import _topology
from sklearn.base import ClusterMixin, is_classifier, is_outlier_detector
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectorMixin

from sls_ml.artifact import several
from sls_ml.artifact.converters.graph import Graph, Kind, Tensor, declared, kind_of
from sls_ml.artifact.converters.labels import kind_of_labels

Outputs = Tensor | tuple[Tensor, ...]
_C = TypeVar("_C", bound=Callable[..., Outputs])

_skl2onnx_version = _topology.get_default_opset_for_domain
_registrations: dict[type, Callable[[], None]] = {}
_registered: set[type] = set()
_OPTIONS = {
    "zipmap": [True, False],
    "raw_scores": [True, False],
    "counted": [True, False],
    "locale": None,
    "tokenexp": None,
}
"""What callers may ask of skl2onnx; ours heed `raw_scores` and `counted` alone."""
_OF_TRANSFORMERS = dict.fromkeys(("locale", "tokenexp", "separators", "nan", "keep_empty_string"))
"""What skl2onnx's own converters of texts ask for, which `when` may leave in place."""


def converter(
    *classes: type,
    output: Kind = "float64",
    columns: bool = False,
    when: Callable[[Any], bool] | None = None,
) -> Callable[[_C], _C]:
    """Register a function that converts fitted estimators of these classes to ONNX.

    For a transformer of your own::

        @converter(LogRatio)
        def log_ratio(model: LogRatio, x: Tensor, graph: Graph) -> Tensor:
            return graph.op("Log", x.columns([0]) / x.columns([1])) * model.scale_

    The function takes the estimator, its input and the graph, and returns one tensor ``[N, C]`` for a
    regressor or transformer; a tuple (label ``[N]``, scores ``[N, C]``) for a classifier, an outlier
    detector or a clusterer; a classifier with probabilities and a decision function may return both
    (label, probabilities, decision ``[N, 1 or classes]``).

    The input `x` is one float64 tensor ``[N, features]``; with ``columns=True`` it is the list of all tensors
    that feed the estimator, strings among them, in the order of the features.
    Anything that `Tensor` and `Graph` do not spell is ``graph.op("AnyOnnxOperator", ...)``.

    Args:
        classes: Classes of estimators; subclasses are not included.
        output: Kind of a transformer's output: ``float64``, ``int64``, ``bool`` or ``string``; ``same``
            for that of its first input where it is a string.
        columns: Whether the function takes the list of tensors.
        when: Which estimators to convert so; the others keep the converter of skl2onnx.
    """

    def register_function(function: _C) -> _C:
        for cls in classes:
            _registrations[cls] = partial(_register, cls, function, output, columns, when)
            _registered.discard(cls)
        return function

    return register_function


def forwards(cls: type, part: Callable[[Any], Any]) -> None:
    """Register an estimator that predicts exactly as one of its parts, such as a search."""

    def parse(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
        inner = part(model)
        scope.add_options(id(inner), scope.options.get(id(model)) if scope.options else None)
        return _parse_sklearn(scope, inner, inputs, custom_parsers=custom_parsers)

    def never(scope: Any, operator: Any, container: Any) -> None:
        raise NotImplementedError

    def update() -> None:
        update_registered_converter(cls, _alias(cls), _no_shape, never, parser=parse, options=_OPTIONS)

    _registrations[cls] = update


def owns(cls: type) -> bool:
    """Whether estimators of this class have a converter of ours or of the user's."""
    return cls in _registrations


def register() -> None:
    """Make skl2onnx use our converters; calling it again adds only what is new."""
    _topology.get_default_opset_for_domain = _highest_version
    _parse.update_registered_parser(ColumnTransformer, _by_position)
    for cls in _registrations.keys() - _registered:
        _registrations[cls]()
        _registered.add(cls)


def _register(
    cls: type,
    function: Callable[..., Outputs],
    output: Kind,
    columns: bool,
    when: Callable[[Any], bool] | None,
) -> None:
    theirs = sklearn_operator_name_map.get(cls)

    def parse(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:  # noqa: ARG001
        if when is not None and not when(model):
            return _parse_sklearn_simple_model(scope, model, inputs, alias=theirs)
        operator = scope.declare_local_operator(_alias(cls), model)
        operator.inputs = inputs
        for name, kind in _output_kinds(model, inputs, output):
            operator.outputs.append(scope.declare_local_variable(name, declared(kind, [None, None])))
        return operator.outputs

    def convert(scope: Any, operator: Any, container: Any) -> None:
        fitted = operator.raw_operator
        asked = {"raw_scores": False, "counted": False}
        if hasattr(fitted, "predict"):  # transformers are registered without them
            asked = container.get_options(fitted, asked)
        graph = Graph(scope, container, counted=asked["counted"])
        tensors = [Tensor(graph, v.full_name, kind_of(v.type), _width(v)) for v in operator.inputs]
        fed = tensors if columns else graph.concat([t.cast("float64") for t in tensors])
        result = function(fitted, fed, graph)
        found = result if isinstance(result, tuple) else (result,)
        if len(found) == 3:
            label, probabilities, decision = found
            found = (label, decision if asked["raw_scores"] else probabilities)
        for variable, tensor in zip(operator.outputs, found, strict=True):
            kind = kind_of(variable.type)
            one_label = len(found) > 1 and not (is_classifier(fitted) and several.classes_of(fitted))
            one_dimension = one_label and variable is operator.outputs[0]
            variable.set_type(declared(kind, [None] if one_dimension else [None, tensor.width]))
            container.add_node(
                "Identity", tensor.cast(kind).name, variable.full_name, name=graph.name("result")
            )

    options = _OPTIONS if hasattr(cls, "predict") else _OF_TRANSFORMERS
    update_registered_converter(cls, _alias(cls), _no_shape, convert, parser=parse, options=options)
    if columns:
        # A ColumnTransformer of skl2onnx joins the columns of all others into one tensor.
        _parse.do_not_merge_columns = tuple({*_parse.do_not_merge_columns, cls})


def _highest_version(domain: str) -> int | None:
    """The newest version of a domain that may be in a graph.

    skl2onnx refuses a finished graph above ai.onnx.ml 3; `TreeEnsemble` is of 5.
    """
    version: int | None = 5 if domain == "ai.onnx.ml" else _skl2onnx_version(domain)
    return version


def _by_position(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
    """Parse a ColumnTransformer, wherever it is in a model, by the positions of its columns.

    skl2onnx looks columns up by the names of the graph's inputs, which only the first step of a pipeline has,
    and counts the columns of what a step before gives, which nothing says yet.
    """
    if len(inputs) == 1 and _width(inputs[0]) is None:
        inputs[0].set_type(declared(kind_of(inputs[0].type), [None, model.n_features_in_]))
    moved = copy.copy(model)
    positions = model._transformer_to_input_indices
    moved.transformers_ = [(name, part, list(positions[name])) for name, part, _ in model.transformers_]
    return _parse._parse_sklearn_column_transformer(scope, moved, inputs, custom_parsers=custom_parsers)


def _alias(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _no_shape(operator: Any) -> None:
    """Types are set by the converter, which skl2onnx calls right after."""


def _output_kinds(model: Any, inputs: Sequence[Any], output: Kind) -> list[tuple[str, Kind]]:
    if isinstance(model, SelectorMixin):
        return [("variable", "float64")]
    if is_classifier(model):
        if (labels := several.classes_of(model)) is not None:
            found: list[tuple[str, Kind]] = [("label", kind_of_labels(labels))]
            return [*found, ("scores", "float64")] if several.scores_of(model) else found
        kind = "string" if model.classes_.dtype.kind in "OUS" else "int64"
        scores = "probabilities" if hasattr(model, "predict_proba") else "scores"
        return [("label", kind), (scores, "float64")]
    if hasattr(model, "predict_proba") and not hasattr(model, "transform"):
        return [("label", "int64"), ("probabilities", "float64")]
    if is_outlier_detector(model) or (isinstance(model, ClusterMixin) and hasattr(model, "predict")):
        return [("label", "int64"), ("scores", "float64")]
    if output == "same":
        output = "string" if kind_of(inputs[0].type) == "string" else "float64"
    return [("variable", output)]


def _width(variable: Any) -> int | None:
    shape = variable.type.shape
    width = shape[1] if shape is not None and len(shape) == 2 else None
    return None if width is None else int(width)
