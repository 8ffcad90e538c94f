"""Fits an estimator by its recipe, builds its artifact, and compares the answers for fresh rows."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import Any, Literal

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import pandas as pd
from builders import Recipe
from data import DATA, FRESH, TRAINING, Array, target
from scipy import sparse
from sklearn.base import is_classifier, is_outlier_detector
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - all_estimators then knows these two
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import all_estimators

from sls_ml.artifact import build, several
from sls_ml.artifact.converters import check
from sls_ml.errors import ParityError, SlsMlError

Status = Literal["right", "refused", "stopped", "wrong", "error"]
"""Refused: by name, before the conversion. Stopped: by the parity gate, after it."""

CLASSES: dict[str, type] = dict(all_estimators())
PROBABILITY, VALUE = 1e-5, 1e-6


@dataclass(frozen=True)
class Outcome:
    """How a trial ended.

    Attributes:
        recipe: What was tried.
        status: How it ended.
        why: The largest error, the refusal, the difference, or the exception.
        mend: The way out that a refusal names.
        engines: The engines that passed the gate.
    """

    recipe: Recipe
    status: Status
    why: str
    mend: str = ""
    engines: tuple[str, ...] = ()


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
        return _converted(recipe, model, x, fresh, expected)


def _without_answers(recipe: Recipe, model: Any, error: Exception) -> Outcome:
    try:
        check(model)
    except SlsMlError as refusal:
        return Outcome(recipe, "refused", refusal.what, refusal.mend or "")
    return Outcome(recipe, "error", f"does not fit or answer: {error!r}"[:150])


def _converted(recipe: Recipe, model: Any, x: Array, fresh: Array, expected: list[Array]) -> Outcome:
    try:
        check(model)
        artifact = build(model, list(x) if x.ndim == 1 else x, name="trial")
        answer = artifact.predict(_rows(fresh))
    except ParityError as stop:
        return Outcome(recipe, "stopped", f"{stop.what} {stop.why}", stop.mend or "")
    except SlsMlError as refusal:
        return Outcome(recipe, "refused", refusal.what, refusal.mend or "")
    except Exception as error:  # noqa: BLE001 - the table tells what failed
        return Outcome(recipe, "error", f"{type(error).__name__}: {error}"[:150].replace("\n", " "))
    if answer.get("classes") and isinstance(answer["classes"][0], list) and "probability" in answer:
        answer["probability"] = [[share for each in row for share in each] for row in answer["probability"]]
    found = [
        np.asarray(answer[key])
        for key in ("label", "value", "probability", "score", "transformed")
        if key in answer
    ]
    return compared(recipe, expected, found, tuple(artifact.manifest["engines"]))


def _rows(x: Array) -> Any:
    """Fresh rows by name, so that columns which the model does not read may be among them."""
    if x.ndim == 1:
        return list(x)
    return pd.DataFrame(x, columns=[f"x{at}" for at in range(x.shape[1])])


def answers(model: Any, rows: Array) -> list[Array]:
    """What the original answers: labels and scores, values, or transformed rows."""
    if isinstance(model, SelectorMixin):
        return [model.transform(rows)]
    labels = model.predict(rows) if is_classifier(model) else np.empty(0)
    if labels.ndim == 2:
        asked = several.scores_of(model)
        said = None if asked is None else getattr(model, asked)(rows)
        said = several.probabilities(said) if asked == "predict_proba" else said
        return [
            labels if labels.dtype.kind in "OUS" else labels.astype(np.int64),
            *([] if said is None else [said]),
        ]
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


def compared(recipe: Recipe, expected: list[Array], found: list[Array], engines: tuple[str, ...]) -> Outcome:
    """Judge a trial: labels may differ only where the scores leave it open."""
    worst, notes = 0.0, []
    undecided = np.zeros(len(expected[0]), dtype=bool)
    if len(expected) == 2 and expected[1].ndim == 2 and expected[1].shape[1] > 1:
        top = np.sort(expected[1], axis=1)
        undecided = top[:, -1] - top[:, -2] < PROBABILITY
    if len(found) != len(expected):
        return Outcome(recipe, "wrong", f"{len(found)} answers for {len(expected)}")
    for want, got in zip(expected, found, strict=True):
        if got.size != want.size:
            notes.append(f"shape {got.shape} for {want.shape}")
        elif want.dtype.kind not in "fc":
            differs = got.reshape(want.shape).astype(str) != want.astype(got.dtype).astype(str)
            differs = differs & ~undecided if want.ndim == 1 else differs
            if differs.any():
                notes.append(f"{differs.mean():.1%} of the labels")
        else:
            off = _difference(want, got.reshape(want.shape).astype(np.float64))
            worst = max(worst, float(off.max(initial=0)))
            limit = PROBABILITY if len(expected) == 2 else VALUE
            if (off > limit).any():
                notes.append(f"{(off > limit).mean():.1%} of the values, by up to {worst:.1e}")
    if notes:
        return Outcome(recipe, "wrong", "; ".join(notes), engines=engines)
    return Outcome(recipe, "right", f"{worst:.0e}", engines=engines)


def _difference(want: Array, got: Array) -> Array:
    off = np.abs(got - want) / (1 + np.abs(want))
    off = np.where(np.isnan(want) & np.isnan(got), 0, off)
    return np.nan_to_num(off, nan=np.inf)
