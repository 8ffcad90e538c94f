"""Judges an artifact against the pipeline that it was made from, row by fresh row."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_classifier, is_outlier_detector, is_regressor

from sls_ml.artifact import several, structure, tied_parts, ties
from sls_ml.artifact.artifact import Artifact
from sls_ml.artifact.signature import plain_rows, plain_table
from sls_ml_runtime.signature import Signature

PROBABILITY, VALUE = 1e-5, 1e-6
_SHAKEN = 2.0**-46
"""How far a number may be moved, relatively, to see whether rounding decides the original's answer.

It is what a hundred and some operations lose at most, each up to 2**-53."""
_SHAKES = 200
_WHOLE = 2.0**40
"""Integers beyond it are moved too: smaller ones stay what they are."""
_FAR = 2.0**78
"""Numbers beyond it are as far from any two values of training, which are at most 2**24 apart.

Squared distances (x - p)**2 to two such values differ by no more than 2 * x * 2**24, which is less than
what x * x loses by rounding, x * x / 2**53 (and x / (2 * pi) turns have no digit of the angle left)."""
_BY_DISTANCE = ("KMeans", "KNeighbors", "KNNImputer", "LocalOutlier", "RadiusNeighbors", "RBFSampler")
_OVERFLOWN = re.compile(r"infinity|too large|NaN|`inf`")
"""What the libraries say of numbers that have overflown."""
_MULTIPLIED = 1e9
"""Of smaller numbers no product of four overflows single precision."""


@dataclass(frozen=True)
class Wrong:
    """A row on which artifact and original do not agree.

    Attributes:
        what: How they differ.
        row: The row.
        expected: What the original says.
        got: What the artifact says.
    """

    what: str
    row: dict[str, Any]
    expected: Any
    got: Any


def asked(model: Any, rows: pd.DataFrame) -> dict[str, np.ndarray[Any, Any]]:
    """What the original answers, by the keys of our answers."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        if not hasattr(model, "predict"):
            moved = model.transform(rows)
            return {"transformed": moved.toarray() if hasattr(moved, "toarray") else np.asarray(moved)}
        said = np.asarray(model.predict(rows))
        if is_regressor(model):
            return {"value": said}
        if said.ndim == 2:
            return _of_labels(model, rows, said)
        found = {"label": said}
        if hasattr(model, "predict_proba"):
            found["probability"] = np.asarray(model.predict_proba(rows))
        elif (is_classifier(model) or is_outlier_detector(model)) and hasattr(model, "decision_function"):
            found["score"] = np.asarray(model.decision_function(rows))
        return found


def _of_labels(model: Any, rows: pd.DataFrame, said: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """The answers of a classifier of several labels."""
    last = structure.steps(model)[-1][1]
    found = {"label": several.labels(last, said)}
    match several.scores_of(last):
        case "predict_proba":
            found["probability"] = several.probabilities(model.predict_proba(rows))
        case "decision_function":
            found["score"] = np.asarray(model.decision_function(rows))
        case None:
            pass
    return found


def wrong_rows(model: Any, artifact: Artifact, rows: pd.DataFrame, training: pd.DataFrame) -> list[Wrong]:
    """The rows that one side answers and the other refuses, and those answered differently."""
    dtypes = [entry["dtype"] for entry in artifact.manifest["inputs"]]
    known = [entry["name"] for entry in artifact.manifest["inputs"]]
    used = rows[known]
    plain = plain_rows(used, dtypes)
    _, kept, refused = Signature(artifact.manifest).separate(plain_table(used, dtypes))
    found = []
    admitted = set(kept)
    answers = {at: asked_or_none(model, rows.iloc[[at]]) for at in range(len(rows))}
    for at, refusal in zip(sorted(set(range(len(rows))) - admitted), refused, strict=True):
        if answers[at] is not None:
            found.append(
                Wrong("refused though the original answers", plain[at], answers[at], refusal.message)
            )
    both = [at for at in kept if answers[at] is not None]
    found += [
        Wrong("answered though the original refuses", plain[at], "raises", "answers")
        for at in kept
        if answers[at] is None and not _only_together(model, rows, at, training)
    ]
    if not both:
        return found
    for engine in artifact.manifest["engines"]:
        answer = artifact.predict([plain[at] for at in both], engine=engine)
        for place, at in enumerate(both):
            expected = answers[at]
            assert expected is not None
            got = {key: _side_by_side(answer[key][place]) for key in expected}
            what = _differs(model, rows.iloc[[at]], expected, got)
            if what is not None:
                found.append(Wrong(f"{engine}: {what}", plain[at], expected, got))
    return found


def _only_together(model: Any, rows: pd.DataFrame, at: int, training: pd.DataFrame) -> bool:
    """Whether several numbers of a row overflow, multiplied or summed, that the original takes one by one.

    The signature bounds each input by itself.
    """
    large = rows.iloc[[at]].select_dtypes("number").abs().to_numpy(dtype=float) > _MULTIPLIED
    if large.sum() < 2:
        return False
    try:
        asked(model, rows.iloc[[at]])
    except ValueError as error:
        if not _OVERFLOWN.search(str(error)):
            return False
    full = training[~training.isna().any(axis=1)]
    first = (full if len(full) else training).iloc[[0]].astype(object)
    alone = (first.assign(**{name: rows[name].iloc[at]}) for name in rows)
    return all(asked_or_none(model, row.infer_objects()) is not None for row in alone)


def _side_by_side(value: Any) -> Any:
    """A row's answer, the probabilities of several labels in one list."""
    nested = isinstance(value, list) and value and isinstance(value[0], list)
    return [share for each in value for share in each] if nested else value


def asked_or_none(model: Any, row: pd.DataFrame) -> dict[str, np.ndarray[Any, Any]] | None:
    """What the original answers for a row; None where it raises."""
    try:
        return asked(model, row)
    except Exception:  # noqa: BLE001 - the question is whether it raises at all
        return None


def _differs(model: Any, row: pd.DataFrame, expected: dict[str, Any], got: dict[str, Any]) -> str | None:
    what = _difference(expected, got)
    if what is None:
        return None
    for key, value in got.items():
        answer = np.asarray([value], dtype=object if key == "label" else float)
        labels = several.classes_of(structure.steps(model)[-1][1])
        if labels is not None:
            classes = [each.tolist() for each in labels]
        else:
            classes = model.classes_.tolist() if hasattr(model, "classes_") else None
        excused = ties.excused(model, row, key, answer, classes)
        excused |= tied_parts.excused(key, answer, model, lambda other: asked(other, row))
        if not excused.all():
            break
    else:
        return None
    if _all_as_far(model, row):
        return None
    return None if _decided_by_rounding(model, row, got) else what


def _difference(expected: dict[str, Any], got: dict[str, Any]) -> str | None:
    """How an answer differs from the original's, None where it does not."""
    for key, want in expected.items():
        if key == "label":
            wanted = [_plain(label) for label in want.ravel()]
            said = got[key] if isinstance(got[key], list) else [got[key]]
            if [*map(str, wanted)] != [*map(str, said)] and not _close_call(expected):
                return f"the label is {said!r}, not {wanted!r}"
            continue
        numbers = np.asarray(np.nan if got[key] is None else got[key], dtype=float).ravel()
        wanted = want.astype(float).ravel()
        wanted = np.where(np.isfinite(wanted), wanted, np.nan)  # JSON has no infinity
        if numbers.shape != wanted.shape:
            return f"{key} has {numbers.size} numbers, not {wanted.size}"
        limit = PROBABILITY if key == "probability" else VALUE * (1 + np.abs(wanted))
        both = np.isnan(numbers) & np.isnan(wanted)
        if not (both | (np.abs(numbers - wanted) <= limit)).all():
            return f"{key} is off by {np.nanmax(np.abs(numbers - wanted), initial=0):.2g}"
    return None


def _close_call(expected: dict[str, Any]) -> bool:
    if expected["label"].ndim == 2:  # of several labels: their own probabilities tell
        return False
    for key in ("probability", "score"):
        if key in expected:
            best = np.sort(expected[key].ravel())
            if best.size == 1:
                return bool(abs(best[0]) <= VALUE)
            return bool(best[-1] - best[-2] <= 2 * PROBABILITY)
    return False


def _plain(label: Any) -> Any:
    label = label.item() if hasattr(label, "item") else label
    return int(label) if isinstance(label, float) and label.is_integer() else label


def _all_as_far(model: Any, row: pd.DataFrame) -> bool:
    """Whether distances or angles are asked for from beyond what double precision tells apart."""
    numbers = row.select_dtypes("number").abs().max(axis=None)
    return numbers > _FAR and any(
        type(part).__name__.startswith(_BY_DISTANCE) for part in structure.parts(model)
    )


def _decided_by_rounding(model: Any, row: pd.DataFrame, got: dict[str, Any]) -> bool:
    """Whether the original itself gives this answer for a row whose numbers differ in the last digits."""
    random = np.random.default_rng(0)
    many = pd.concat([row] * _SHAKES, ignore_index=True)
    for name, column in many.items():
        if column.dtype.kind == "f" or (column.dtype.kind == "i" and abs(column.iloc[0]) > _WHOLE):
            many[name] = column * (1 + random.uniform(-_SHAKEN, _SHAKEN, len(many)))
    said = asked(model, many)
    low_high = {
        key: (values.min(axis=0), values.max(axis=0)) for key, values in said.items() if key != "label"
    }
    if "label" in got:
        rows = said["label"].reshape(len(many), -1)
        known = {str([_plain(value) for value in labels]) for labels in rows}
        if str(got["label"] if isinstance(got["label"], list) else [got["label"]]) not in known:
            return False
    for key, (low, high) in low_high.items():
        value = np.asarray(np.nan if got[key] is None else got[key], dtype=float)
        slack = PROBABILITY if key == "probability" else VALUE * (1 + np.abs(low))
        if not ((value >= low - slack) & (value <= high + slack)).all():
            return False
    return True
