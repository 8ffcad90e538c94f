"""Classifiers that predict several labels for a row: the classes of each, and their answers side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from sls_ml.artifact.exporters.libraries import library_of

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

Scores = Literal["predict_proba", "decision_function"]


def classes_of(part: Any) -> list[Array] | None:
    """Give the classes of each label in the order of the targets; None where a row has one label.

    A label of an indicator matrix, which a row has or has not, has the classes 0 and 1.
    """
    import numpy as np

    classes = getattr(part, "classes_", None)
    if isinstance(classes, list):
        if type(part).__name__ == "ClassifierChain":  # which lists them in the order of the chain
            classes = [classes[place] for place in np.argsort(part.order_)]
        return [np.asarray(each) for each in classes]
    return [np.asarray([0, 1])] * count if (count := _indicators(part)) else None


def scores_of(part: Any) -> Scores | None:
    """Tell what a classifier says besides its labels.

    A chain says of each label how likely its second class is, which tells nothing of a third.
    """
    classes = classes_of(part)
    if classes is not None and type(part).__name__ == "ClassifierChain" and {*map(len, classes)} != {2}:
        return None
    found: tuple[Scores, ...] = ("predict_proba", "decision_function")
    return next((method for method in found if hasattr(part, method)), None)


def labels(part: Any, predicted: Any) -> Array:
    """Give predicted labels as an array ``[N, labels]``; those of indicators are 0 and 1."""
    import numpy as np

    found = np.asarray(predicted.toarray() if hasattr(predicted, "toarray") else predicted)
    return found.astype(np.int64) if _indicators(part) else found


def probabilities(said: Any) -> Array:
    """Give probabilities as one array: those of the first label's classes, then those of the second's ...

    Args:
        said: What `predict_proba` gives: an array ``[N, classes]`` for each label, or for labels with two
            classes one array ``[N, labels]`` with the second's.
    """
    import numpy as np

    if isinstance(said, list):
        return np.hstack(said)
    second = np.asarray(said)
    return np.stack([1.0 - second, second], axis=2).reshape(len(second), -1)


def told(classes: Sequence[Any], most: int | None = None) -> str:
    """Give a manifest's classes in words: those of several labels are parted by semicolons.

    Args:
        classes: Classes, or a list of them for each label.
        most: So many classes of a label are told at most.
    """
    labels = classes if classes and isinstance(classes[0], list) else [classes]
    return "; ".join(", ".join(map(str, each[:most])) for each in labels)


def _indicators(part: Any) -> int:
    """Give the number of labels of a classifier trained on an indicator matrix, 0 for others."""
    if (library := library_of(part)) is not None:
        return library.labels(part)
    binarizer = vars(part).get("_label_binarizer")
    own = binarizer is not None and str(binarizer.y_type_).startswith("multilabel")
    return len(part.classes_) if own or getattr(part, "multilabel_", False) is True else 0
