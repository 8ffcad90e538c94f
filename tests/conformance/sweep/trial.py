"""Fits an estimator by its recipe, converts it, and compares its graph's answers with its own."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import Any, Literal

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnxruntime
from recipes import DATA, FRESH, TRAINING, Array, Recipe, target
from scipy import sparse
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import DoubleTensorType, StringTensorType
from sklearn.base import is_classifier, is_outlier_detector
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import all_estimators

from sls_ml.artifact import structure
from sls_ml.artifact.converters import check, options, register
from sls_ml.errors import SlsMlError

Status = Literal["right", "wrong", "refused", "error"]

CLASSES: dict[str, type] = dict(all_estimators())
PROBABILITY, VALUE = 1e-5, 1e-6


@dataclass(frozen=True)
class Outcome:
    """How a trial ended. `why` is the worst difference, the refusal, or the error."""

    recipe: Recipe
    status: Status
    why: str


def attempt(recipe: Recipe) -> Outcome:
    """Run one trial; never raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        x, fresh = DATA[recipe.data](TRAINING, 0), DATA[recipe.data](FRESH, 1)
        y = target(recipe.target, x, 0)
        model = recipe.build(CLASSES[recipe.estimator])
        try:
            model = model.fit(x) if y is None else model.fit(x, y)
            expected = answers(model, fresh)
        except Exception as error:  # noqa: BLE001 - those that have no answer must be refused
            return _without_answers(recipe, model, error)
        try:
            check(model)
            found = converted_answers(model, x, fresh)
        except SlsMlError as error:
            return Outcome(recipe, "refused", error.what)
        except Exception as error:  # noqa: BLE001 - the table tells what failed
            return Outcome(recipe, "error", f"{type(error).__name__}: {error}"[:150].replace("\n", " "))
    return compared(recipe, expected, found)


def _without_answers(recipe: Recipe, model: Any, error: Exception) -> Outcome:
    try:
        check(model)
    except SlsMlError as refusal:
        return Outcome(recipe, "refused", refusal.what)
    return Outcome(recipe, "error", f"does not fit or answer: {error!r}"[:150])


def answers(model: Any, rows: Array) -> list[Array]:
    """What the original answers: labels and scores, values, or transformed rows; none for what cannot."""
    if isinstance(model, SelectorMixin):
        return [model.transform(rows)]
    scores = next(
        (getattr(model, m)(rows) for m in ("predict_proba", "decision_function") if hasattr(model, m)), None
    )
    if is_classifier(model) or is_outlier_detector(model):
        return [model.predict(rows), *([] if scores is None else [scores])]
    if scores is not None:
        return [model.predict(rows), scores]
    if hasattr(model, "predict"):
        return [model.predict(rows)]
    moved = model.transform(rows)
    return [moved.toarray() if sparse.issparse(moved) else moved]


def converted_answers(model: Any, x: Array, rows: Array) -> list[Array]:
    """What the converted model answers."""
    register()
    kind = StringTensorType if x.dtype == object else DoubleTensorType
    chosen = {id(part): values for part in structure.parts(model) if (values := options(part))}
    graph = convert_sklearn(
        model,
        initial_types=[("c0", kind([None, *x.shape[1:]]))],
        target_opset={"": 18, "ai.onnx.ml": 3},
        options=chosen,
    )
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    settings.log_severity_level = 4
    session = onnxruntime.InferenceSession(graph.SerializeToString(), settings, providers=["CPUExecutionProvider"])
    outputs: list[Array] = session.run(None, {"c0": rows})
    return outputs


def compared(recipe: Recipe, expected: list[Array], found: list[Array]) -> Outcome:
    """Judge a trial: labels may differ only where the scores leave it open."""
    worst, notes = 0.0, []
    open_rows = np.zeros(len(expected[0]), dtype=bool)
    if len(expected) == 2 and expected[1].ndim == 2 and expected[1].shape[1] > 1:
        top = np.sort(expected[1], axis=1)
        open_rows = top[:, -1] - top[:, -2] < PROBABILITY
    for at, want in enumerate(expected):
        got = np.asarray(found[at])
        if want.dtype.kind not in "fc":
            wrong = (got.reshape(want.shape).astype(str) != want.astype(got.dtype).astype(str)) & (
                ~open_rows if want.ndim == 1 else True
            )
            if wrong.any():
                notes.append(f"{wrong.mean():.1%} of the labels")
            continue
        if got.size != want.size and got.ndim == 2 and want.ndim == 1 and got.shape[1] == 2:
            got = got[:, 1]
        if got.size != want.size:
            notes.append(f"shape {got.shape} for {want.shape}")
            continue
        difference = np.abs(got.reshape(want.shape) - want) / (1 + np.abs(want))
        difference = np.where(np.isnan(want) & np.isnan(got.reshape(want.shape)), 0, difference)
        limit = PROBABILITY if len(expected) == 2 else VALUE
        off = ~(difference <= limit)
        worst = max(worst, float(np.nan_to_num(difference, nan=np.inf).max(initial=0)))
        if off.any():
            notes.append(f"{off.mean():.1%} of the values, by up to {worst:.1e}")
    if notes:
        return Outcome(recipe, "wrong", "; ".join(notes))
    return Outcome(recipe, "right", f"{worst:.0e}")
