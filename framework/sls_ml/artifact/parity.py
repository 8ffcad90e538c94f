"""The parity gate: the graph, run by the engines that will serve it, must answer as the original does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sls_ml.artifact import manifest as manifests
from sls_ml.artifact.original import Original
from sls_ml.artifact.serving import Served
from sls_ml.artifact.signature import plain_rows, plain_table
from sls_ml.spec.model import Tolerance

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Array = np.ndarray[Any, Any]


_FURTHEST, _PAIRS = 5, 240
"""Rows and pairs of numbers that a verdict keeps for the report."""


@dataclass(frozen=True)
class Difference:
    """The worst row on which two models differ.

    Attributes:
        key: The answer's key.
        row: The row as plain values.
        expected: What the original answers for it.
        got: What the graph answers.
        error: How far apart, in the tolerance's own measure.
        rows: The number of rows that differ.
    """

    key: str
    row: dict[str, Any]
    expected: Any
    got: Any
    error: float
    rows: int


@dataclass(frozen=True)
class Verdict:
    """What one engine's answers were worth.

    Attributes:
        engine: The engine.
        rows: The rows compared.
        worst: Per answer key the largest error seen: absolute for probabilities, relative to 1 + |y| for
            values, the share of rows that differ for labels.
        difference: The worst row out of tolerance, or None when the engine passed.
        ties: The rows on which other neighbours at the very same distance were chosen.
        furthest: The rows with the largest errors, within tolerance or not, worst first.
        pairs: Numbers of the original with those of the engine, on rows spread over all.
    """

    engine: str
    rows: int
    worst: Mapping[str, float] = field(default_factory=dict)
    difference: Difference | None = None
    ties: int = 0
    furthest: Sequence[Difference] = ()
    pairs: Sequence[tuple[float, float]] = ()


def rehearse(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> Served:
    """Lay a candidate out for its trial."""
    listed = {name: manifests.entry(data) for name, data in files.items()}
    return Served({**manifest, "files": listed}, files)


def outputs(
    served: Served, manifest: Mapping[str, Any], engine: str, frame: pd.DataFrame
) -> dict[str, Array]:
    """Give the graph's output tensors for rows inside the domain.

    Raises:
        sls_ml_runtime.errors.EngineError: The engine is not available here, or failed.
    """
    import numpy as np

    from sls_ml_runtime.errors import EngineError

    table = plain_table(frame, [entry["dtype"] for entry in manifest["inputs"]])
    parts: dict[str, list[Array]] = {}
    for arrays in served.run(engine, served.columns(table)):
        for name, (dtype, shape, flat) in arrays.items():
            kind = object if dtype == "string" else dtype
            parts.setdefault(name, []).append(np.array(flat, dtype=kind).reshape(shape))
    found = {}
    for name, chunks in parts.items():
        if len({chunk.shape[1:] for chunk in chunks}) > 1 or sum(map(len, chunks)) != len(frame):
            raise EngineError(f"the output {name} has shapes {[chunk.shape for chunk in chunks][:4]}")
        found[name] = np.concatenate(chunks)
    return found


def inside(manifest: Mapping[str, Any], frame: pd.DataFrame) -> pd.DataFrame:
    """Give those of the rows that the manifest's domain admits."""
    from sls_ml_runtime.signature import Signature

    table = plain_table(frame, [entry["dtype"] for entry in manifest["inputs"]])
    _, kept, _ = Signature(manifest).separate(table)
    return frame.iloc[kept].reset_index(drop=True)


def judge_engine(
    judge: Original,
    manifest: Mapping[str, Any],
    served: Served,
    engine: str,
    frame: pd.DataFrame,
    expected: Mapping[str, Array],
    tolerance: Tolerance,
) -> Verdict:
    """Compare an engine's answers with the original's, row by row.

    Args:
        judge: The original.
        manifest: The manifest of the graph under test.
        served: That graph, laid out.
        engine: The engine that runs it.
        frame: Rows inside the domain.
        expected: The original's answers for them.
        tolerance: How far apart they may be.

    Raises:
        sls_ml_runtime.errors.EngineError: The engine is not available, or failed.
    """
    import numpy as np

    from sls_ml_runtime.errors import EngineError

    arrays = outputs(served, manifest, engine, frame)
    worst: dict[str, float] = {}
    found: Difference | None = None
    furthest: list[Difference] = []
    pairs: list[tuple[float, float]] = []
    tied = np.zeros(len(frame), dtype=bool)
    free = _close_calls(expected, tolerance, judge.labels)
    for output in manifest["outputs"]:
        key = output["key"]
        want, got = expected[key], arrays[output["tensor"]]
        if got.size != want.size:
            raise EngineError(f"the output {key} has the shape {got.shape}, not {want.shape}")
        if key == "label":
            got = _labels(got, output, judge.classes)
            labels = zip(plain_labels(want.ravel()), got.tolist(), strict=True)
            differs = np.asarray([str(right) != str(said) for right, said in labels], dtype=bool)
            wrong_labels = differs.reshape(len(want), -1) & ~free
            got = got.reshape(want.shape)
            errors = wrong_labels.any(axis=1).astype(float)
            limit = 0.0
        else:
            got = got.reshape(want.shape)
            errors = _errors(want, got, key)
            limit = _limit(key, tolerance)
        if wrong := np.flatnonzero(errors > limit).tolist():
            excused = judge.excuses(frame.iloc[wrong], key, got[wrong])
            tied[wrong] |= excused
            errors[wrong] = np.where(excused, 0.0, errors[wrong])
        worst[key] = float(errors.mean() if key == "label" else errors.max(initial=0.0))
        told = [
            _difference(frame, manifest, key, want, got, errors, at) for at in _largest(errors, want, got)
        ]
        if errors.max(initial=0.0) > limit and found is None:
            found = replace(told[0], rows=int((errors > limit).sum()))
        if key != "label":
            furthest, pairs = told, _pairs(want, got)
    return Verdict(engine, len(frame), worst, found, int(tied.sum()), furthest, pairs)


def _difference(
    frame: pd.DataFrame,
    manifest: Mapping[str, Any],
    key: str,
    want: Array,
    got: Array,
    errors: Array,
    at: int,
) -> Difference:
    dtypes = [entry["dtype"] for entry in manifest["inputs"]]
    row = plain_rows(frame.iloc[at : at + 1], dtypes)[0]
    return Difference(key, row, _shown(want[at]), _shown(got[at]), float(errors[at]), 1)


def _largest(errors: Array, want: Array, got: Array) -> list[int]:
    """Give the places of the largest errors, the first of equals first; the same two answers once."""
    found: dict[str, int] = {}
    for at in (-errors).argsort(kind="stable").tolist():
        if errors[at] <= 0.0 or len(found) == _FURTHEST:
            break
        found.setdefault(f"{want[at]!r} {got[at]!r}", at)
    return list(found.values())


def _pairs(want: Array, got: Array) -> list[tuple[float, float]]:
    """Give numbers of both side by side, at most so many, spread evenly."""
    import numpy as np

    both = np.column_stack([want.astype(float).ravel(), got.astype(float).ravel()])
    both = both[np.isfinite(both).all(axis=1)]
    chosen = both[:: max(1, -(-len(both) // _PAIRS))]
    return [(float(left), float(right)) for left, right in chosen.tolist()]


def _limit(key: str, tolerance: Tolerance) -> float:
    return tolerance.probability if key == "probability" else tolerance.value


def _errors(want: Array, got: Array, key: str) -> Array:
    """Give each row's largest error; the same NaN or infinity on both sides is none."""
    import numpy as np

    want, got = want.astype(float).reshape(len(want), -1), got.astype(float).reshape(len(want), -1)
    same = (want == got) | (np.isnan(want) & np.isnan(got))
    with np.errstate(all="ignore"):
        errors = np.abs(want - got) / (1.0 if key == "probability" else 1.0 + np.abs(want))
    errors = np.where(same, 0.0, np.where(np.isfinite(errors), errors, np.inf))
    return np.asarray(errors.max(axis=1, initial=0.0))


def _close_calls(
    expected: Mapping[str, Array], tolerance: Tolerance, labels: Sequence[Sequence[Any]] | None
) -> Array:
    """Tell for each row and label whether its best two answers lie so close that either label is right.

    Returns:
        ``[N, labels]``; ``[N, 1]`` for a classifier of one label.
    """
    import numpy as np

    probability, score = expected.get("probability"), expected.get("score")
    rows = len(next(iter(expected.values())))
    if probability is not None and labels is not None:
        ends = np.cumsum([len(classes) for classes in labels])[:-1]
        each = [_close(part, tolerance) for part in np.split(probability, ends, axis=1)]
        return np.concatenate(each, axis=1)
    if probability is not None and probability.shape[1] > 1:
        return _close(probability, tolerance)
    if score is not None and (score.ndim == 1 or labels is not None):
        return np.asarray(np.abs(score.reshape(rows, -1)) <= tolerance.value)
    if score is not None and score.shape[1] > 1:
        best = np.sort(score, axis=1)[:, -2:]
        near = best[:, 1:] - best[:, :1] <= 2 * tolerance.value * (1 + np.abs(best[:, 1:]))
        return np.asarray(near)
    return np.zeros((rows, 1), dtype=bool)


def _close(probability: Array, tolerance: Tolerance) -> Array:
    """Tell for each row whether its two largest probabilities lie close, ``[N, 1]``."""
    import numpy as np

    if probability.shape[1] < 2:
        return np.zeros((len(probability), 1), dtype=bool)
    best = np.sort(probability, axis=1)[:, -2:]
    return np.asarray(best[:, 1:] - best[:, :1] <= 2 * tolerance.probability)


def _labels(got: Array, output: Mapping[str, Any], classes: list[Any] | None) -> Array:
    import numpy as np

    values = got.ravel()
    if output.get("positions") and classes is not None:
        return np.asarray(classes, dtype=object)[values]
    return values


def plain_labels(labels: Array) -> list[Any]:
    """Give labels as JSON values: 1.0 is 1, as the graph says it."""
    values = labels.tolist()
    return [int(value) if isinstance(value, float) and value.is_integer() else value for value in values]


def _shown(value: Any) -> Any:
    import numpy as np

    flat = np.asarray(value).tolist()
    return flat[:8] if isinstance(flat, list) else flat
