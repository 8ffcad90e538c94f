"""Excuse a neighbour model whose nearest neighbours are tied: which of them counts is nobody's promise.

scikit-learn takes the one that its search met first, an ONNX graph the one that stands first. A row is
excused only if exact arithmetic proves that the distances are equal, or closer than the original's own
search can tell apart, and a choice among the tied can give the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from sls_ml.artifact import structure

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_NEAR = 1e-9
"""Neighbours whose computed distances differ by less, relatively, are compared exactly."""

_SLACK = 1e-6

_DISTANCES: dict[str, Callable[[list[Fraction]], Fraction]] = {
    "euclidean": lambda gaps: sum((gap * gap for gap in gaps), Fraction()),
    "sqeuclidean": lambda gaps: sum((gap * gap for gap in gaps), Fraction()),
    "manhattan": lambda gaps: sum(map(abs, gaps), Fraction()),
    "chebyshev": lambda gaps: max(map(abs, gaps), default=Fraction()),
}
"""Exact distances, or their squares, from the gaps in each column."""


@dataclass(frozen=True)
class _Tie:
    """The neighbours of a row: those that count surely, and those of which only `seats` count."""

    sure: Array
    tied: Array
    seats: int
    weights: Array
    weight: float


def excused(model: Any, rows: Any, key: str, got: Array, classes: list[Any] | None) -> Array:
    """Tell for each row whether another choice among tied neighbours explains the answer.

    Args:
        model: The original.
        rows: The rows, as the original takes them.
        key: The key of the answer.
        got: The graph's answers, ``[N]`` or ``[N, C]``.
        classes: The classes of a classifier, a list for each label where it predicts several.
    """
    import numpy as np
    from sklearn.multioutput import MultiOutputClassifier
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    *before, (_, last) = structure.steps(model)
    if isinstance(last, MultiOutputClassifier):
        for _, step in before:
            rows = step.transform(rows)
        return _of_each(last, rows, key, got, classes or ())
    fits = isinstance(last, (KNeighborsClassifier, KNeighborsRegressor))
    nothing = np.zeros(len(got), dtype=bool)
    if not fits or last.effective_metric_ not in _DISTANCES or callable(last.weights):
        return nothing
    for _, step in before:
        rows = step.transform(rows)
    if hasattr(rows, "toarray"):
        rows = rows.toarray()
    labels = classes if classes and isinstance(classes[0], list) else [classes or ()]
    targets = np.asarray(last._y).reshape(last._fit_X.shape[0], -1)
    of_label: list[_Label] = []
    if key in ("label", "probability"):
        of_label = [_Label(names, column) for names, column in zip(labels, targets.T, strict=True)]
    found = []
    for row, answer in zip(np.asarray(rows, dtype=float), got, strict=True):
        tie = _tie(last, row)
        if tie is None:
            found.append(False)
        elif key == "label":
            each = zip(of_label, np.ravel(answer), strict=True)
            found.append(all(label.may_be(said, tie) for label, said in each))
        elif key == "probability":
            ends = np.cumsum([len(names) for names in labels])[:-1]
            each = zip(of_label, np.split(np.ravel(answer), ends), strict=True)
            found.append(all(_within(said, label.ballots, tie) for label, said in each))
        else:
            found.append(_within(answer, targets, tie))
    return np.asarray(found, dtype=bool)


def _of_each(model: Any, rows: Any, key: str, got: Array, classes: Sequence[Sequence[Any]]) -> Array:
    """Tell for each row whether the neighbours of every classifier's label explain the answer."""
    import numpy as np

    ends = np.cumsum([1 if key == "label" else len(names) for names in classes])[:-1]
    answers = np.split(got.reshape(len(got), -1), ends, axis=1)
    each = zip(model.estimators_, answers, classes, strict=True)
    found = [excused(one, rows, key, answer, list(names)) for one, answer, names in each]
    return np.asarray(np.asarray(found).all(axis=0))


def _tie(model: Any, row: Array) -> _Tie | None:
    import numpy as np
    from sklearn.metrics import pairwise_distances

    points = model._fit_X
    known = np.asarray(points.toarray() if hasattr(points, "toarray") else points, dtype=float)
    if model.effective_metric_ == "euclidean":
        distances = np.sqrt(((known - row) ** 2).sum(axis=1))
    else:
        distances = pairwise_distances(known, row[None, :], metric=model.effective_metric_).ravel()
    last = np.sort(distances)[model.n_neighbors - 1]
    lost = _lost(model, known, row)
    window = _NEAR * (1.0 + last) + np.sqrt(last * last + 2.0 * lost) - last
    near = np.flatnonzero(np.abs(distances - last) <= window)
    sure = np.flatnonzero(distances < last - window)
    measure = _DISTANCES[model.effective_metric_]
    here = [Fraction(value) for value in row.tolist()]
    exact = {
        int(at): measure([Fraction(a) - b for a, b in zip(known[at].tolist(), here, strict=True)])
        for at in near
    }
    edge = sorted(exact.values())[model.n_neighbors - len(sure) - 1]
    # What rounding can do to two sums of as many squares, relatively.
    blur = edge * Fraction(known.shape[1] + 2, 2**52) + 2 * Fraction(lost)
    sure = np.append(sure, [at for at, value in exact.items() if value < edge - blur]).astype(int)
    tied = np.asarray([at for at, value in exact.items() if abs(value - edge) <= blur])
    seats = model.n_neighbors - len(sure)
    if len(tied) <= seats:
        return None
    if model.weights == "distance":
        if distances[sure].min(initial=last) == 0.0:
            return None
        return _Tie(sure, tied, seats, 1.0 / distances[sure], float(1.0 / last))
    return _Tie(sure, tied, seats, np.ones(len(sure)), 1.0)


def _lost(model: Any, known: Array, row: Array) -> float:
    """What scikit-learn's search by brute force may lose of a squared distance; its trees lose nothing.

    It adds the squares of both rows, and takes twice their product away: that many roundings of numbers as
    large as the squares.
    """
    if model._fit_method != "brute" or model.effective_metric_ not in ("euclidean", "sqeuclidean"):
        return 0.0
    largest = float((known**2).sum(axis=1).max() + (row**2).sum())
    return float((known.shape[1] + 2) * 2.0**-53 * largest)


class _Label:
    """One label of a classifier: its classes, and for each known row a one at its class."""

    def __init__(self, classes: Sequence[Any], known: Array) -> None:
        import numpy as np

        self._places = {str(value): at for at, value in enumerate(classes)}
        self.ballots = (known[:, None] == np.arange(len(classes))).astype(float)

    def may_be(self, label: Any, tie: _Tie) -> bool:
        """Tell whether some choice among the tied gives this class the most votes."""
        import numpy as np

        low, high = _bounds(self.ballots, tie)
        at = self._places.get(str(label))
        return at is not None and bool((np.delete(low, at) <= high[at] + _SLACK).all())


def _within(answer: Any, targets: Array, tie: _Tie) -> bool:
    """Tell whether a mean of targets lies between those that choices among the tied give.

    Args:
        answer: The mean of each column.
        targets: What the known rows give, ``[rows, columns]``.
        tie: The neighbours.
    """
    import numpy as np

    low, high = _bounds(targets, tie)
    total = tie.weights.sum() + tie.weight * tie.seats
    value = np.asarray(answer, dtype=float).ravel()
    slack = _SLACK * (1.0 + np.abs(value))
    return bool(((value >= low / total - slack) & (value <= high / total + slack)).all())


def _bounds(targets: Array, tie: _Tie) -> tuple[Array, Array]:
    """The least and the largest sums of targets that choices among the tied give."""
    import numpy as np

    ordered = np.sort(targets[tie.tied], axis=0)
    base = (targets[tie.sure] * tie.weights[:, None]).sum(axis=0)
    low = base + tie.weight * ordered[: tie.seats].sum(axis=0)
    high = base + tie.weight * ordered[len(ordered) - tie.seats :].sum(axis=0)
    return low, high
