"""The drift reference: how the sample's features and the model's answers are distributed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sls_ml.artifact.parity import plain_labels
from sls_ml.artifact.sample import Sample

if TYPE_CHECKING:
    import numpy as np

_BINS = 10
_TOP = 10


def reference_of(sample: Sample, answers: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
    """Give the manifest's ``drift`` entry.

    Returns:
        ``{"rows", "features": [entry per input], "prediction": entry}``. An entry of numbers holds `edges`
        (the inner bin edges, ascending; a value v belongs to bin ``bisect_right(edges, v)``), `counts` (one
        more than edges) and `nulls`; one of texts or labels holds `top` (values), `counts` (one for each of
        them) and `rest` (the rows with any other value) and `nulls`. Texts of a text model are counted by
        their length in characters.
    """
    import numpy as np

    features = []
    for place, dtype in enumerate(sample.dtypes):
        column = sample.frame.iloc[:, place]
        if sample.form == "texts":
            entry = {"of": "length", **_numbers(np.asarray([len(text) for text in column], dtype=float))}
        elif dtype in ("string", "bool"):
            kept = column.dropna().tolist()
            values = [str(value) for value in kept] if dtype == "string" else [bool(value) for value in kept]
            entry = _categories(values, int(column.isna().sum()))
        else:
            entry = _numbers(column.to_numpy(dtype=float, na_value=math.nan))
        features.append(entry)
    return {"rows": len(sample.frame), "features": features, "prediction": _prediction(answers)}


def _prediction(answers: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, Any] | None:
    """Describe the labels, or the values, the first of several per row; a transformer has no prediction."""
    import numpy as np

    if "label" in answers:
        labels = answers["label"]
        return _categories(plain_labels(labels.reshape(len(labels), -1)[:, 0]), 0)
    if "value" in answers:
        values = np.asarray(answers["value"], dtype=float)
        return _numbers(values.reshape(len(values), -1)[:, 0])
    return None


def _numbers(values: np.ndarray[Any, Any]) -> dict[str, Any]:
    import numpy as np

    present = values[np.isfinite(values)]
    edges: list[float] = []
    if len(present):
        ranks = np.arange(1, _BINS) / _BINS
        # Edges are values that occur, so that they are the same on every machine.
        found = np.unique(np.quantile(present, ranks, method="higher"))
        edges = [float(edge) for edge in found if edge > present.min()]
    counts = np.bincount(np.searchsorted(edges, present, side="right"), minlength=len(edges) + 1)
    return {"edges": edges, "counts": counts.tolist(), "nulls": int(np.isnan(values).sum())}


def _categories(values: Sequence[Any], nulls: int) -> dict[str, Any]:
    ranked = sorted(Counter(values).items(), key=lambda pair: (-pair[1], str(pair[0])))
    top = ranked[:_TOP]
    return {
        "top": [value for value, _ in top],
        "counts": [count for _, count in top],
        "rest": sum(count for _, count in ranked[_TOP:]),
        "nulls": nulls,
    }
