"""The trained model as the judge: what it answers, and on which rows it raises."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sls_ml.artifact import several, structure
from sls_ml.artifact.exporters.graph_model import GraphModel
from sls_ml.artifact.sample import Sample
from sls_ml.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Answers = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Original:
    """A fitted model with the sample that says how its rows look.

    Attributes:
        model: The estimator, never changed.
        sample: Its sample.
        kind: The manifest's kind.
        classes: The classes of a classifier as JSON values, a list for each label where it predicts several,
            else None.
    """

    model: Any
    sample: Sample
    kind: str
    classes: list[Any] | None

    @property
    def labels(self) -> list[list[Any]] | None:
        """The classes of each label of a classifier that predicts several, else None."""
        return self.classes if self.classes and isinstance(self.classes[0], list) else None

    def answers(self, frame: pd.DataFrame) -> Answers:
        """Give the model's answers by the manifest's output keys, one array of N or [N, C] each.

        Raises:
            Exception: Whatever the model raises on these rows.
        """
        import numpy as np

        if isinstance(self.model, GraphModel):
            return self.model.answers(frame)
        rows = self.sample.native(frame)
        model = structure.unwrapped(self.model)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            match self.kind:
                case "classifier" if self.labels is not None:
                    return self._several(rows)
                case "classifier":
                    found = {"label": _flat(model.predict(rows))}
                    if hasattr(model, "predict_proba"):
                        found["probability"] = model.predict_proba(rows)
                    elif hasattr(model, "decision_function"):
                        found["score"] = model.decision_function(rows)
                case "regressor":
                    found = {"value": model.predict(rows)}
                case "outlier_detector":
                    found = {"label": model.predict(rows), "score": model.decision_function(rows)}
                case "clusterer":
                    found = {"label": _flat(model.predict(rows))}
                    if hasattr(model, "predict_proba"):
                        found["probability"] = model.predict_proba(rows)
                case _:
                    found = {"transformed": model.transform(rows)}
        return {key: _dense(value) for key, value in found.items()}

    def _several(self, rows: Any) -> Answers:
        model = structure.unwrapped(self.model)
        last = _last(model)
        found = {"label": several.labels(last, model.predict(rows))}
        match several.scores_of(last):
            case "predict_proba":
                found["probability"] = several.probabilities(model.predict_proba(rows))
            case "decision_function":
                found["score"] = _dense(model.decision_function(rows))
            case None:
                pass
        return found

    def accepts(self, frame: pd.DataFrame) -> bool:
        """Tell whether the model answers these rows without raising."""
        import numpy as np

        if isinstance(self.model, GraphModel):
            try:
                self.model.answers(frame)
            except Exception:  # noqa: BLE001 - the question is whether it raises at all
                return False
            return True
        model = structure.unwrapped(self.model)
        ask = model.transform if self.kind == "transformer" else model.predict
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                ask(self.sample.native(frame))
            except Exception:  # noqa: BLE001 - the question is whether it raises at all
                return False
        return True

    def excuses(self, frame: pd.DataFrame, key: str, got: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Tell for each row whether an answer other than the model's is as right: a tie, or rounding."""
        import numpy as np

        from sls_ml.artifact import rounding, tied_parts, ties

        if isinstance(self.model, GraphModel):
            return np.zeros(len(frame), dtype=bool)
        found = ties.excused(self.model, self.sample.native(frame), key, got, self.classes)
        found |= rounding.excused(self.model, frame, key, got, self.answers)
        return found | tied_parts.excused(
            key, got, self.model, lambda other: replace(self, model=other).answers(frame)
        )

    def accepted(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Give those of the rows that the model answers."""
        import pandas as pd

        if not len(frame) or self.accepts(frame):
            return frame
        if len(frame) == 1:
            return frame.iloc[:0]
        middle = len(frame) // 2
        halves = [self.accepted(frame.iloc[:middle]), self.accepted(frame.iloc[middle:])]
        return pd.concat(halves, ignore_index=True)


def original(model: Any, sample: Sample) -> Original:
    """Judge what a model is, by asking it about its sample.

    Raises:
        ModelError: The model is not fitted, raises on its own sample, or answers in a form that we lack.
    """
    if isinstance(model, GraphModel):
        model = model.columns(len(sample.dtypes)).understood(sample.frame)
        return Original(model, sample, model.kind, model.classes)
    kind = structure.kind_of(model)
    classes = None
    if kind == "classifier":
        raw = getattr(structure.unwrapped(model), "classes_", None)
        if raw is None:
            raise ModelError(
                f"{structure.describe(model)} is not fitted.",
                code="model-not-fitted",
                why="it has no classes_",
                mend="fit the model before you convert it",
            )
        each = several.classes_of(_last(model))
        classes = _json_classes(raw) if each is None else [_json_classes(one) for one in each]
    judged = Original(model, sample, kind, classes)
    try:
        found = judged.answers(sample.frame.iloc[:1])
    except Exception as error:
        raise ModelError(
            f"{structure.describe(model)} does not predict the sample's first row.",
            code="sample-refused",
            why=f"{type(error).__name__}: {' '.join(str(error).split())[:300]}",
            mend="fit the model, and give a sample with rows like those that it was trained on",
        ) from error
    if kind == "transformer" and _gives_texts(found["transformed"]):
        raise ModelError(
            f"{structure.describe(model)} gives texts; an artifact that transforms gives numbers.",
            code="model-gives-texts",
            mend="convert the whole pipeline, or put an encoder of these texts behind it",
        )
    if kind == "classifier" and found["label"].ndim != (1 if judged.labels is None else 2):
        raise _several_labels(model)
    return judged


def _last(model: Any) -> Any:
    """The estimator that predicts: the last step, also where it is frozen."""
    from sklearn.frozen import FrozenEstimator

    last = structure.steps(model)[-1][1]
    while isinstance(last, FrozenEstimator):
        last = structure.steps(last.estimator)[-1][1]
    return last


def _gives_texts(values: np.ndarray[Any, Any]) -> bool:
    objects = values.dtype.kind == "O" and any(isinstance(value, str) for value in values.ravel())
    return objects or values.dtype.kind in "SUT"


def _several_labels(model: Any) -> ModelError:
    return ModelError(
        f"{structure.describe(model)} predicts several labels per row in a form that is not known.",
        code="model-multi-output",
        mend="train one classifier for each label in a MultiOutputClassifier",
    )


def _json_classes(classes: np.ndarray[Any, Any]) -> list[Any]:
    return [
        int(value) if isinstance(value, float) and value.is_integer() else value for value in classes.tolist()
    ]


def _flat(labels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Give labels without a second axis, which CatBoost adds."""
    return labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels


def _dense(value: Any) -> np.ndarray[Any, Any]:
    import numpy as np

    return np.asarray(value.toarray() if hasattr(value, "toarray") else value)
