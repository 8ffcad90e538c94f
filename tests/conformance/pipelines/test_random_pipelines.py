"""Random pipelines on random mixed tables answer fresh rows as scikit-learn does, or are refused."""

from __future__ import annotations

import os
import warnings
from typing import Any

import drawn_parts
import pytest
from drawn_rows import KINDS, Table, target
from hypothesis import HealthCheck, Phase, event, given, note, settings
from hypothesis import strategies as st
from judged import wrong_rows
from sklearn.pipeline import make_pipeline

from sls_ml.artifact import build
from sls_ml.errors import ParityError, SlsMlError

EXAMPLES = int(os.environ.get("SLS_ML_PIPELINES", "15"))
"""How many pipelines are drawn, as many of each kind; the same ones each time unless more are asked for."""
FRESH = 60


@st.composite
def tables(draw: Any, kinds: tuple[str, ...] = KINDS) -> Table:
    """A table of a few columns."""
    chosen = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=5))
    seen = [kind for at, kind in enumerate(chosen) if kind != "text" or kind not in chosen[:at]]
    return Table(tuple(seen), draw(st.integers(0, 2**31)), draw(st.sampled_from([40, 120])))


MAKERS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "classifier": (drawn_parts.classifier, ("two", "names", "truth", "four")),
    "regressor": (drawn_parts.regressor, ("value", "positive")),
    "other": (drawn_parts.other, ("none",)),
    "labels": (drawn_parts.classifier_of_labels, ("indicators", "two names")),
}
"""What draws a pipeline's last step, and the kinds of target that it takes."""


@st.composite
def trained(draw: Any, last: str) -> tuple[Any, Table, str]:
    """A pipeline that is not fitted, its table, and the kind of its target."""
    table = draw(tables())
    first = drawn_parts.columns(draw, table)
    maker, asks = MAKERS[last]
    model = make_pipeline(first, drawn_parts.selector(draw), maker(draw))
    return model, table, draw(st.sampled_from(asks))


@pytest.mark.parametrize("last", MAKERS)
@settings(
    max_examples=-(-EXAMPLES // len(MAKERS)),
    derandomize=EXAMPLES <= 25,
    deadline=None,
    database=None,
    phases=[Phase.generate],  # a failure is told at once: shrinking it takes minutes
    suppress_health_check=list(HealthCheck),
)
@given(st.data())
def test_random_pipeline_answers_as_the_original(last: str, data: st.DataObject) -> None:
    # GIVEN a random pipeline, trained on a random table
    model, table, asks = data.draw(trained(last))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame, y = table.training(), target(asks, table)
        try:
            model.fit(frame, y)
            model.predict(frame) if hasattr(model, "predict") else model.transform(frame)
        except Exception:  # noqa: BLE001 - not every pipeline fits every table
            return
        note(f"{table!r} {asks}\n{model!r}")

        # WHEN it is converted
        try:
            artifact = build(model, frame, name="drawn")
        except ParityError as stop:
            pytest.fail(f"stopped by the parity gate: {stop}")
        except SlsMlError:  # refused by name
            event("refused")
            return

    # THEN it answers fresh rows as the original does, and refuses those that the original refuses
    assert wrong_rows(model, artifact, table.fresh(FRESH), frame) == []
