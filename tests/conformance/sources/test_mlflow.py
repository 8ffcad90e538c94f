"""MLflow's model folders, as MLflow 3 writes them, read without it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import catboost
import joblib
import lightgbm
import numpy as np
import pytest
import xgboost
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression

from conformance.sources.conftest import Data
from sls_ml.artifact import build
from sls_ml.errors import ArtifactError, ModelError, UsageError

SIGNATURE = json.dumps([{"name": name, "type": "double", "required": True} for name in ("p", "q", "r", "s")])


def folder(path: Path, flavour: str, file: str, key: str = "data", *, example: bool = False) -> Path:
    """Write an MLmodel for a file that lies in the folder already."""
    lines = [
        "artifact_path: model",
        "flavors:",
        "  python_function:",
        f"    loader_module: mlflow.{flavour}",
        "    python_version: 3.11.7",
        f"  {flavour}:",
        f"    {key}: {file}",
        "mlflow_version: 3.18.0",
        "signature:",
        f"  inputs: '{SIGNATURE}'",
    ]
    if example:
        lines += [
            "saved_input_example_info:",
            "  artifact_path: input_example.json",
            "  pandas_orient: split",
            "  type: dataframe",
        ]
    (path / "MLmodel").write_text("\n".join(lines) + "\n")
    return path


def write(flavour: str, data: Data, path: Path) -> Path:
    rows = np.nan_to_num(data.matrix)
    match flavour:
        case "sklearn":
            joblib.dump(LogisticRegression().fit(rows, data.two), path / "model.pkl")
            return folder(path, flavour, "model.pkl", "pickled_model")
        case "xgboost":
            model = xgboost.XGBClassifier(n_estimators=4).fit(rows, data.two)
            model.save_model(path / "model.ubj")
            (path / "model.ubj").rename(path / "model.xgb")
            return folder(path, flavour, "model.xgb")
        case "lightgbm":
            booster = lightgbm.LGBMClassifier(n_estimators=4, verbose=-1).fit(rows, data.two).booster_
            booster.save_model(path / "model.lgb")
            return folder(path, flavour, "model.lgb")
        case "catboost":
            catboost.CatBoostClassifier(iterations=4, verbose=0, allow_writing_files=False).fit(
                rows, data.two
            ).save_model(str(path / "model.cb"))
            return folder(path, flavour, "model.cb")
        case _:
            graph = to_onnx(LogisticRegression().fit(rows, data.two), rows[:1].astype(np.float32))
            (path / "model.onnx").write_bytes(graph.SerializeToString())
            return folder(path, flavour, "model.onnx")


@pytest.mark.parametrize("flavour", ["sklearn", "xgboost", "lightgbm", "catboost", "onnx"])
def test_a_folder_goes_to_its_flavours_exporter(flavour: str, data: Data, tmp_path: Path) -> None:
    # GIVEN a folder of a model trained on a matrix, and a sample with the target first
    path = write(flavour, data, tmp_path)
    sample = data.numbers.fillna(0.0).set_axis(["p", "q", "r", "s"], axis=1)
    sample.insert(0, "target", data.two)
    # WHEN it is converted
    artifact = build(path, sample, name="m", trust=flavour == "sklearn")
    # THEN the signature's names say which columns are meant
    assert [entry["name"] for entry in artifact.manifest["inputs"]] == ["p", "q", "r", "s"]
    assert artifact.manifest["kind"] == "classifier"


def test_the_input_example_is_the_sample_where_none_is_given(data: Data, tmp_path: Path) -> None:
    # GIVEN a folder with an input example
    path = write("xgboost", data, tmp_path)
    folder(tmp_path, "xgboost", "model.xgb", example=True)
    example = {"columns": ["p", "q", "r", "s"], "data": np.nan_to_num(data.matrix)[:5].tolist()}
    (tmp_path / "input_example.json").write_text(json.dumps(example))
    # WHEN it is converted without a sample
    artifact = build(path, None, name="m")
    # THEN the example's rows were the sample
    assert artifact.report["rows"]["sample"] == 5
    assert artifact.manifest["example"][0].keys() == {"p", "q", "r", "s"}


def test_a_pickle_within_a_folder_needs_trust(data: Data, tmp_path: Path) -> None:
    # GIVEN a folder of the flavour sklearn, which is a pickle
    path = write("sklearn", data, tmp_path)
    # WHEN it is converted without trust
    with pytest.raises(ModelError) as caught:
        build(path, data.matrix, name="m")
    # THEN it is refused as any pickle
    assert caught.value.code == "model-untrusted"


@pytest.mark.parametrize("name", ["../model.ubj", "/etc/passwd", "link.ubj", "absent.ubj"])
def test_a_file_outside_the_folder_is_refused(name: str, data: Data, tmp_path: Path) -> None:
    # GIVEN a folder that names a file elsewhere
    path = tmp_path / "model"
    path.mkdir()
    (tmp_path / "model.ubj").write_bytes(b"{}")
    (path / "link.ubj").symlink_to(tmp_path / "model.ubj")
    # WHEN it is converted
    # THEN it is refused
    with pytest.raises(ArtifactError):
        build(folder(path, "xgboost", name), data.matrix, name="m")


def test_other_flavours_are_refused_by_name(data: Data, tmp_path: Path) -> None:
    # GIVEN a folder of a flavour without a graph
    # WHEN it is converted
    with pytest.raises(ModelError) as caught:
        build(folder(tmp_path, "prophet", "model.pr"), data.matrix, name="m")
    # THEN the error names it
    assert "prophet" in caught.value.what


@pytest.mark.parametrize("text", [None, "flavors: [", ""])
def test_what_is_no_folder_of_mlflow(text: str | None, data: Data, tmp_path: Path) -> None:
    # GIVEN a folder without a usable MLmodel
    if text is not None:
        (tmp_path / "MLmodel").write_text(text)
    # WHEN it is converted
    # THEN the error says so
    with pytest.raises(ModelError):
        build(tmp_path, data.matrix, name="m")


def test_no_sample_at_all(data: Data, tmp_path: Path) -> None:
    # GIVEN a model in hand
    model: Any = LogisticRegression().fit(np.nan_to_num(data.matrix), data.two)
    # WHEN it is converted without a sample
    # THEN the error says why one is needed
    with pytest.raises(UsageError):
        build(model, None, name="m")
