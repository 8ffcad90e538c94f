"""What the outputs of a graph mean: labels, probabilities, values or scores, and which classes there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from sls_ml.errors import ModelError

Array = np.ndarray[Any, Any]

_SUM_ERROR = 1e-3
_PASSES = ("Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze")


def without_zipmaps(model: Any) -> list[Any] | None:
    """Take ZipMap nodes out, in place, and give the classes that they name."""
    graph = model.graph
    classes = None
    for node in [node for node in graph.node if node.op_type == "ZipMap"]:
        classes = _labels(node) or classes
        for at, output in enumerate(graph.output):
            if output.name == node.output[0]:
                plain = helper.make_tensor_value_info(node.input[0], TensorProto.FLOAT, [None, None])
                graph.output[at].CopyFrom(plain)
        graph.node.remove(node)
    return classes


def _labels(node: Any) -> list[Any] | None:
    """Give the classes that a node names in its attributes."""
    for attribute in node.attribute:
        match attribute.name:
            case "classlabels_strings" | "values_strings" if attribute.strings:
                return [label.decode() for label in attribute.strings]
            case "classlabels_int64s" | "classlabels_ints" | "values_int64s" if attribute.ints:
                return list(attribute.ints)
            case _:
                continue
    return None


def meaning(
    model: Any, values: Mapping[str, Array], rows: int, named: list[Any] | None
) -> tuple[str, list[Any] | None, dict[str, str]]:
    """Give kind, classes, and the output for each key of the answer.

    Args:
        model: The onnx.ModelProto.
        values: What its outputs hold for some rows.
        rows: The number of these rows.
        named: The classes, where the graph names them for sure.

    Raises:
        ModelError: No output is a prediction, or the classes cannot be found.
    """
    usable = {name: value for name, value in values.items() if value.ndim and len(value) == rows}
    labels = [name for name, value in usable.items() if value.dtype.kind in "iOUSb" and value.size == rows]
    numbers = [name for name, value in usable.items() if value.dtype.kind == "f" and value.ndim <= 2]
    probable = sorted((name for name in numbers if _sums_to_one(usable[name])), key=_unlike_probability)
    if labels:
        return _labelled(model, usable, labels[0], numbers, probable, named)
    if not numbers:
        raise unfit("none of its outputs has one prediction for each row")
    if probable and (_made_by(model, probable[0]) == "Softmax" or "prob" in probable[0].lower()):
        width = usable[probable[0]].shape[1]
        return "classifier", list(range(width)), {"label": "", "probability": probable[0]}
    return "regressor", None, {"value": numbers[0]}


def _labelled(
    model: Any,
    values: Mapping[str, Array],
    label: str,
    numbers: Sequence[str],
    probable: Sequence[str],
    named: list[Any] | None,
) -> tuple[str, list[Any] | None, dict[str, str]]:
    said = set(values[label].ravel().tolist())
    score = next((name for name in numbers if name not in probable), None)
    classes = named or _classes_behind(model, label)
    if probable:
        width = values[probable[0]].shape[1]
        if classes is None and all(isinstance(value, int) for value in said):
            classes = list(range(width))
        if classes is None or len(classes) != width or not said <= set(classes):
            raise unfit(f"the classes that the output {label!r} may name cannot be found in the graph")
        return "classifier", classes, {"label": label, "probability": probable[0]}
    if score is not None and said <= {-1, 1} and values[score].size == len(values[score]):
        return "outlier_detector", None, {"label": label, "score": score}
    if classes is not None and said <= set(classes):
        return "classifier", classes, {"label": label} | ({"score": score} if score else {})
    if any(isinstance(value, str) for value in said):
        raise unfit(f"the classes that the output {label!r} may name cannot be found in the graph")
    return "clusterer", None, {"label": label}


def _sums_to_one(value: Array) -> bool:
    if value.ndim != 2 or value.shape[1] < 2 or not np.isfinite(value).all():
        return False
    return bool((value >= 0).all() and (np.abs(value.sum(axis=1) - 1) <= _SUM_ERROR).all())


def _unlike_probability(name: str) -> bool:
    return "prob" not in name.lower()


def _made_by(model: Any, name: str) -> str:
    node = _producers(model).get(name)
    while node is not None and node.op_type in _PASSES:
        node = _producers(model).get(node.input[0])
    return "" if node is None else str(node.op_type)


def _producers(model: Any) -> dict[str, Any]:
    return {output: node for node in model.graph.node for output in node.output}


def _classes_behind(model: Any, label: str) -> list[Any] | None:
    """Find the list of classes that the label is picked from."""
    producers = _producers(model)
    stored = {value.name: value for value in model.graph.initializer}
    node = producers.get(label)
    while node is not None and node.op_type in _PASSES:
        node = producers.get(node.input[0])
    if node is None:
        return None
    if node.op_type in ("ArrayFeatureExtractor", "Gather") and node.input[0] in stored:
        table = onnx.numpy_helper.to_array(stored[node.input[0]]).ravel().tolist()
        return [value.decode() if isinstance(value, bytes) else value for value in table]
    return _labels(node)


def unfit(why: str) -> ModelError:
    """Give the refusal of a graph that does not predict rows, for this reason."""
    return ModelError(
        "The graph does not predict rows of a table.",
        code="onnx-form",
        why=why,
        mend="export a model that takes rows of numbers or texts, and answers with one prediction for each",
    )
