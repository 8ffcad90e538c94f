"""No code of a model file runs without trust, whatever the file is called."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from conformance.sources.conftest import Data
from sls_ml.artifact import build
from sls_ml.errors import SlsMlError


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
