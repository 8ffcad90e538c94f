"""Files of models: read where they may be, refused with a remedy elsewhere."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import skops.io
from lightgbm import LGBMClassifier
from sklearn.linear_model import LogisticRegression

from conformance.artifact.refusing import refusal
from sls_ml.artifact import build
from sls_ml.errors import ExternalError, ModelError

Matrix = np.ndarray[Any, Any]


class Own(LogisticRegression):
    """A type that skops does not know."""


def test_a_pickle_is_refused_until_trusted(linear: Any, numbers: Matrix, tmp_path: Path) -> None:
    # GIVEN a joblib file
    joblib.dump(linear, tmp_path / "model.joblib")
    # WHEN it is converted without trust
    error = refusal(ModelError, "model-untrusted", tmp_path / "model.joblib", numbers)
    # THEN the error says that it runs code, and trust converts it to the same artifact as the object
    assert "unpickling runs whatever code" in error.what
    assert "trust: true" in str(error.mend)
    trusted = build(tmp_path / "model.joblib", numbers, name="m", trust=True)
    assert trusted.digest == build(linear, numbers, name="m").digest


def test_a_skops_file_of_known_types_needs_no_trust(linear: Any, numbers: Matrix, tmp_path: Path) -> None:
    # GIVEN a skops file with scikit-learn's types alone
    skops.io.dump(linear, tmp_path / "model.skops")
    # WHEN it is converted
    artifact = build(str(tmp_path / "model.skops"), numbers, name="m")
    # THEN it is the artifact of the object
    assert artifact.digest == build(linear, numbers, name="m").digest


def test_a_skops_file_with_other_types_names_them(numbers: Matrix, tmp_path: Path) -> None:
    # GIVEN a skops file with a type of the user's own
    skops.io.dump(Own().fit(numbers, numbers[:, 0] > 0), tmp_path / "model.skops")
    # WHEN it is converted without trust
    error = refusal(ModelError, "model-untrusted", tmp_path / "model.skops", numbers)
    # THEN the type is named
    assert "Own" in error.what
    assert "trust: true" in str(error.mend)


@pytest.mark.parametrize("suffix", [".skops", ".pkl", ".joblib"])
def test_a_corrupt_file(suffix: str, numbers: Matrix, tmp_path: Path) -> None:
    # GIVEN a file cut short
    file = tmp_path / f"model{suffix}"
    file.write_bytes(b"\x80\x04\x95not a model")
    # WHEN it is converted
    # THEN the error names the file
    error = refusal(ModelError, "model-corrupt", file, numbers, trust=True)
    assert error.where == str(file)


def test_a_missing_file(numbers: Matrix, tmp_path: Path) -> None:
    # GIVEN no file
    # WHEN it is converted
    # THEN the error names it
    assert refusal(ModelError, "model-missing", tmp_path / "no.skops", numbers).where == str(
        tmp_path / "no.skops"
    )


def test_a_model_of_another_scikit_learn(linear: Any, numbers: Matrix, tmp_path: Path) -> None:
    # GIVEN a pickle that says it was made by scikit-learn 1.2.0
    import sklearn

    data = pickle.dumps(linear)
    mine = sklearn.__version__.encode()
    other = b"1.2.0".ljust(len(mine), b"0")[: len(mine)]
    (tmp_path / "model.pkl").write_bytes(data.replace(mine, other))
    # WHEN it is converted
    error = refusal(ModelError, "model-version", tmp_path / "model.pkl", numbers, trust=True)
    # THEN both versions are named
    assert other.decode() in error.what
    assert mine.decode() in error.what


def test_a_file_that_holds_no_model(numbers: Matrix, tmp_path: Path) -> None:
    # GIVEN a pickle of a dict
    joblib.dump({"a": 1}, tmp_path / "model.joblib")
    # WHEN it is converted
    # THEN the error says what it holds
    assert "dict" in refusal(ModelError, "model-format", tmp_path / "model.joblib", numbers, trust=True).what


@pytest.mark.parametrize(
    ("suffix", "extra"),
    [
        (".ubj", "xgboost"),
        (".json", "xgboost"),
        (".txt", "lightgbm"),
        (".cbm", "catboost"),
        (".pt", "torch"),
        (".pt2", "torch"),
    ],
)
@pytest.mark.parametrize("missing", [None, "skl2onnx"])
def test_formats_that_come_with_an_extra(
    suffix: str,
    extra: str,
    missing: str | None,
    numbers: Matrix,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # GIVEN a file of another library, of which nothing is installed, or all but the library itself
    monkeypatch.setitem(sys.modules, missing or extra, None)
    (tmp_path / f"model{suffix}").write_bytes(b"x")
    # WHEN it is converted
    error = refusal(ExternalError, "extra-missing", tmp_path / f"model{suffix}", numbers, trust=True)
    # THEN the command that installs it is given
    assert error.mend == f"pip install 'sls-ml[{extra}]'"


def test_a_pickle_that_needs_a_library_of_an_extra(
    numbers: Matrix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an estimator of LightGBM in joblib's file, and no LightGBM
    model = LGBMClassifier(n_estimators=2, verbose=-1).fit(numbers, numbers[:, 0] > 0)
    joblib.dump(model, tmp_path / "model.joblib")
    for name in [name for name in sys.modules if name.partition(".")[0] == "lightgbm"]:
        monkeypatch.setitem(sys.modules, name, None)
    # WHEN it is converted
    error = refusal(ModelError, "model-module", tmp_path / "model.joblib", numbers, trust=True)
    # THEN the command that installs it is given
    assert error.mend == "pip install 'sls-ml[lightgbm]'"


@pytest.mark.parametrize("suffix", [".ubj", ".json", ".txt", ".cbm", ".onnx"])
def test_a_corrupt_file_of_another_library(suffix: str, numbers: Matrix, tmp_path: Path) -> None:
    # GIVEN a file that holds something else
    (tmp_path / f"model{suffix}").write_bytes(b'{"a": 1}')
    # WHEN it is converted
    # THEN the error names the file
    error = refusal(ModelError, "model-corrupt", tmp_path / f"model{suffix}", numbers)
    assert error.where == str(tmp_path / f"model{suffix}")
