"""No code of a model file runs without trust, whatever the file is called."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.tree._tree import Tree

from conformance.sources.conftest import Data
from sls_ml.artifact import build
from sls_ml.artifact.source import read_model
from sls_ml.errors import ModelError, SlsMlError


class Trap:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        """Tell pickle what to call."""
        return Path.touch, (self.mark,)


@pytest.mark.parametrize(
    "suffix",
    [".pkl", ".pickle", ".joblib", ".skops", ".onnx", ".ubj", ".json", ".txt", ".cbm", ".pt", ".pth", ".pt2"],
)
def test_a_pickle_under_any_name_runs_no_code(suffix: str, data: Data, tmp_path: Path) -> None:
    # GIVEN a pickle that leaves a mark when it is loaded
    mark = tmp_path / "ran"
    (tmp_path / f"model{suffix}").write_bytes(pickle.dumps(Trap(mark)))
    # WHEN it is converted without trust
    with pytest.raises(SlsMlError):
        build(tmp_path / f"model{suffix}", data.matrix, name="m")
    # THEN it is refused and left no mark
    assert not mark.exists()


def test_the_trap_works(tmp_path: Path) -> None:
    # GIVEN the same pickle
    mark = tmp_path / "ran"
    # WHEN it is unpickled
    pickle.loads(pickle.dumps(Trap(mark)))  # noqa: S301 - it is ours
    # THEN the mark is there
    assert mark.exists()


TAMPERED = {
    "child-beyond": ("left_child", 10_000, "a child beyond its"),
    "child-below": ("right_child", -7, "a child beyond its"),
    "cycle": ("right_child", 0, "leads back"),
    "feature": ("feature", 4_000_000, "a feature beyond the 4"),
}


def forest(rows: Any, targets: Any, field: str, value: int) -> Any:
    """A forest with one field of a root changed, which training never writes."""
    model = RandomForestClassifier(3, random_state=0).fit(rows, targets)
    before = model.estimators_[1].tree_
    state = before.__getstate__()
    state["nodes"] = state["nodes"].copy()
    state["nodes"][field][0] = value
    tree = Tree(before.n_features, before.n_classes, before.n_outputs)
    tree.__setstate__(state)
    model.estimators_[1].tree_ = tree
    return model


@pytest.mark.parametrize("suffix", [".skops", ".joblib"])
@pytest.mark.parametrize("case", TAMPERED)
def test_a_tampered_tree_is_refused_before_it_is_followed(case: str, suffix: str, tmp_path: Path) -> None:
    # GIVEN a forest, a root of which leads out of its tree
    field, value, why = TAMPERED[case]
    rows = np.random.default_rng(0).normal(size=(60, 4))
    model = forest(rows, rows[:, 0] > 0, field, value)
    path = tmp_path / f"model{suffix}"
    (skops.io if suffix == ".skops" else joblib).dump(model, path)
    # WHEN it is read with trust
    with pytest.raises(ModelError) as caught:
        read_model(path, trust=True)
    # THEN it is refused with what is wrong, where scikit-learn would read memory that is not its own
    assert caught.value.code == "model-corrupt"
    assert why in str(caught.value.why)


@pytest.mark.parametrize(("field", "value"), [("left", 10_000), ("right", 0), ("feature_idx", 77)])
def test_a_tampered_tree_of_boosting_is_refused(field: str, value: int, tmp_path: Path) -> None:
    # GIVEN a boosting model, a root of which leads out of its tree
    rows = np.random.default_rng(0).normal(size=(60, 4))
    model = HistGradientBoostingRegressor(max_iter=3).fit(rows, rows[:, 0])
    model._predictors[2][0].nodes[field][0] = value
    joblib.dump(model, tmp_path / "model.joblib")
    # WHEN it is read with trust THEN it is refused
    with pytest.raises(ModelError, match="a tree that no training makes"):
        read_model(tmp_path / "model.joblib", trust=True)


def test_a_whole_forest_is_read(tmp_path: Path) -> None:
    # GIVEN models as training wrote them
    rows = np.random.default_rng(0).normal(size=(60, 4))
    for model in (RandomForestClassifier(3), HistGradientBoostingRegressor(max_iter=3)):
        joblib.dump(model.fit(rows, rows[:, 0] > 0), tmp_path / "model.joblib")
        # WHEN they are read THEN nothing is wrong with them
        read_model(tmp_path / "model.joblib", trust=True)
