"""The rows that the parity gate compares: the sample's, then those that are made to break conversions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sls_ml.artifact import adversarial, parity
from sls_ml.artifact.exporters.graph_model import GraphModel
from sls_ml.artifact.original import Original
from sls_ml.errors import ModelError

if TYPE_CHECKING:
    import pandas as pd

_FEWEST, _MOST, _CELLS = 300, 4000, 1_000_000
"""Bounds on the sample rows that the gate compares, and on their cells where there are many columns."""

_MOST_JUDGED = 1000
"""Bound on the sample rows of a model that brings its graph."""


@dataclass(frozen=True)
class GateRows:
    """The rows of the gate.

    Attributes:
        frame: The sample's, then those that were made up.
        sampled: How many are the sample's.
        raised: How many others the signature admits though the original raises on them.
    """

    frame: pd.DataFrame
    sampled: int
    raised: int


def rows_of(judge: Original, manifest: Mapping[str, Any]) -> GateRows:
    """Give the rows on which the original answers and that the manifest admits.

    Raises:
        ModelError: The original raises on every row of the sample.
    """
    import pandas as pd

    most = max(_FEWEST, min(_MOST, _CELLS // len(judge.sample.dtypes)))
    if isinstance(judge.model, GraphModel):
        most = min(most, _MOST_JUDGED)  # ONNX's reference takes trees row by row
    given = judge.sample.frame.iloc[:most].reset_index(drop=True)
    sampled = judge.accepted(given)
    if not len(sampled):
        raise ModelError(
            "The model raises on every row of the sample.",
            code="sample-refused",
            mend="give a sample with rows like those that the model was trained on",
        )
    admitted = parity.inside(manifest, adversarial.rows_for(judge, manifest["inputs"]))
    made = judge.accepted(admitted)
    raised = len(admitted) - len(made)
    if len(sampled) < len(given):
        raised += max(0, len(parity.inside(manifest, given)) - len(sampled))
    frame = pd.concat([sampled, made], ignore_index=True) if len(made) else sampled
    return GateRows(frame, len(sampled), raised)
