"""Ask the original anew with the graph's choice among neighbours that lie as near, in the midst of a model.

KNNImputer and LocalOutlierFactor take any of them, by the order in which a search leaves them, and steps
behind make other answers of the choice. Such a row is excused only if the original itself gives the graph's
answer once these parts measure exactly and take the first of equals; nothing else of it is changed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sls_ml.artifact import structure

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_CHOOSING = ("KNNImputer", "LocalOutlierFactor")
_PROBABILITY, _VALUE = 1e-6, 1e-7
"""How near the answers must lie: a tenth of what the gate admits by default."""


def excused(key: str, got: Array, model: Any, answers: Callable[[Any], Mapping[str, Array]]) -> Array:
    """Tell for each row whether the choice among tied neighbours explains the answer.

    Args:
        key: The key of the answer.
        got: The graph's answers, ``[N]`` or ``[N, C]``.
        model: The original.
        answers: Gives the answers of a model for these rows.
    """
    import numpy as np

    from sls_ml.artifact.parity import plain_labels

    nothing = np.zeros(len(got), dtype=bool)
    if not any(type(part).__name__ in _CHOOSING for part in structure.parts(model)):
        return nothing
    said = np.asarray(answers(_with_first_of_equals(model))[key])
    said, given = said.reshape(len(got), -1), np.asarray(got).reshape(len(got), -1)
    if key == "label":
        pairs = zip(plain_labels(said.ravel()), plain_labels(given.ravel()), strict=True)
        same = np.asarray([str(left) == str(right) for left, right in pairs], dtype=bool)
        return np.asarray(same.reshape(said.shape).all(axis=1))
    said, given = said.astype(float), given.astype(float)
    limit = _PROBABILITY if key == "probability" else _VALUE * (1.0 + np.abs(said))
    return np.asarray(((np.abs(said - given) <= limit) | (np.isnan(said) & np.isnan(given))).all(axis=1))


def _with_first_of_equals(model: Any) -> Any:
    """Give a copy of the model whose parts take the first of neighbours that lie as near."""
    import numpy as np
    from sklearn.impute import KNNImputer
    from sklearn.neighbors import LocalOutlierFactor

    def squared(left: Array, right: Array, **_: Any) -> float:
        both = ~(np.isnan(left) | np.isnan(right))
        total = 0.0  # column by column, as the graph adds
        for gap in (left - right)[both].tolist():
            total += gap * gap
        return total / int(both.sum()) if both.any() else np.nan

    class FirstDonors(KNNImputer):  # type: ignore[misc]
        def _calc_impute(self, far: Array, count: int, values: Array, absent: Array) -> Array:
            chosen = []
            for row in far:
                order = np.argsort(row, kind="stable")[:count]
                near = np.sqrt(row[order])[None, :]
                chosen.append(super()._calc_impute(near, len(order), values[order], absent[order]))
            return np.concatenate(chosen)

    class FirstNeighbours(LocalOutlierFactor):  # type: ignore[misc]
        def kneighbors(
            self,
            X: Any = None,  # noqa: N803 - its name there
            n_neighbors: int | None = None,
            return_distance: bool = True,  # noqa: ARG002 - score_samples wants both
        ) -> tuple[Array, Array]:
            rows = np.asarray(X.toarray() if hasattr(X, "toarray") else X, dtype=float)
            points = self._fit_X.toarray() if hasattr(self._fit_X, "toarray") else self._fit_X
            far = np.zeros((len(rows), len(points)))
            for column in range(points.shape[1]):
                far += (rows[:, [column]] - points[None, :, column]) ** 2
            order = np.argsort(far, axis=1, kind="stable")[:, : n_neighbors or self.n_neighbors_]
            return np.sqrt(np.take_along_axis(far, order, axis=1)), order

    copied = copy.deepcopy(model)
    for part in structure.parts(copied):
        if type(part) is KNNImputer:
            part.__class__ = FirstDonors
            part.metric = squared
        elif type(part) is LocalOutlierFactor:
            part.__class__ = FirstNeighbours
    return copied
