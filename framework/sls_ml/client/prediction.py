"""What a model says, as a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Prediction:
    """What a model says, one entry per row; a key that its kind does not have is None.

    Attributes:
        model: Name of the model.
        digest: First 12 hex digits of the artifact's digest.
        classes: The classes, in the order of the columns of `probability`; where a row has several labels, a
            list of classes per label.
        label: A class per row, or a list of classes where it has several labels; of an outlier detector 1 or
            -1.
        probability: Rows of probabilities, one per class; of several labels, a list per label.
        value: A number per row, or a list of numbers where the model has several outputs.
        score: The score of an outlier detector.
        transformed: A list of numbers per row.
        extra: What the ``after`` hook of the function has added.
    """

    model: str
    digest: str
    classes: list[Any] | None = None
    label: list[Any] | None = None
    probability: list[list[Any]] | None = None
    value: list[Any] | None = None
    score: list[float] | None = None
    transformed: list[list[float]] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_frame(self) -> pd.DataFrame:
        """The results as columns, named as in a batch: label, probability_<class>, value, score, ..."""
        import pandas as pd

        columns: dict[str, list[Any]] = {}
        for key in ("label", "probability", "value", "score", "transformed"):
            values: list[Any] | None = getattr(self, key)
            if values is None:
                continue
            if not values or not isinstance(values[0], list):
                columns[key] = values
                continue
            if values[0] and isinstance(values[0][0], list):
                columns |= self._of_labels(values)
                continue
            width = len(values[0])
            names = self.classes if key == "probability" and self.classes else range(width)
            for position, name in enumerate(names):
                alone = width == 1 and key != "probability"
                columns[key if alone else f"{key}_{name}"] = [row[position] for row in values]
        return pd.DataFrame(columns | {name: list(values) for name, values in self._extra_columns(columns)})

    def _of_labels(self, rows: Sequence[Sequence[Sequence[float]]]) -> dict[str, list[Any]]:
        """The probabilities of several labels, named probability_<label>_<class>."""
        return {
            f"probability_{at}_{name}": [row[at][place] for row in rows]
            for at, names in enumerate(self.classes or ())
            for place, name in enumerate(names)
        }

    def _extra_columns(self, columns: Mapping[str, list[Any]]) -> Iterable[tuple[str, list[Any]]]:
        rows = len(next(iter(columns.values()), []))
        for name, values in self.extra.items():
            if isinstance(values, list) and len(values) == rows:
                yield name, values


def joined(answers: Sequence[Mapping[str, Any]]) -> Prediction:
    """One prediction of the answers to its parts."""
    whole = dict(answers[0])
    for answer in answers[1:]:
        for key, values in answer.items():
            if key != "classes" and isinstance(values, list) and isinstance(whole.get(key), list):
                whole[key] = whole[key] + values
    known = {each.name for each in fields(Prediction)} - {"extra"}
    extra = {key: whole[key] for key in whole.keys() - known}
    return Prediction(**{key: whole[key] for key in whole.keys() & known}, extra=extra)
