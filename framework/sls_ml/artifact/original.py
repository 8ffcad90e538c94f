"""The trained model as the judge: what it answers, and on which rows it raises."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sls_ml.artifact import structure
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
        classes: The classes of a classifier as JSON values, else None.
    """

    model: Any
    sample: Sample
    kind: str
    classes: list[Any] | None

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
        """Tell for each row whether an answer other than the model's is as right: ties of neighbours."""
        import numpy as np

        from sls_ml.artifact import ties

        if isinstance(self.model, GraphModel):
            return np.zeros(len(frame), dtype=bool)
        return ties.excused(self.model, self.sample.native(frame), key, got, self.classes)

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
        if isinstance(raw, list):
            raise _several_labels(model)
        classes = [_json_class(value) for value in raw.tolist()]
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
    if kind == "classifier" and found["label"].ndim != 1:
        raise _several_labels(model)
    return judged


def _gives_texts(values: np.ndarray[Any, Any]) -> bool:
    objects = values.dtype.kind == "O" and any(isinstance(value, str) for value in values.ravel())
    return objects or values.dtype.kind in "SUT"


def _several_labels(model: Any) -> ModelError:
    return ModelError(
        f"{structure.describe(model)} predicts several labels per row; an artifact holds one.",
        code="model-multi-output",
        mend="convert one classifier per label",
    )


def _json_class(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _flat(labels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Give labels without a second axis, which CatBoost adds."""
    return labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels


def _dense(value: Any) -> np.ndarray[Any, Any]:
    import numpy as np

    return np.asarray(value.toarray() if hasattr(value, "toarray") else value)
