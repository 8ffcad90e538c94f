"""An artifact comes back from a store whole, or is refused with the file named."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sls_ml.artifact import Artifact, build, load
from sls_ml.artifact import manifest as manifests
from sls_ml.artifact.folder import verified
from sls_ml.errors import ArtifactError
from sls_ml_runtime.errors import ArtifactRefused
from sls_ml_runtime.fetch import fetch

KEPT = Path(__file__).parents[2] / "golden" / "artifact" / "store"


@pytest.fixture(scope="module")
def artifact(credit: Any, people: pd.DataFrame) -> Artifact:
    return build(credit, people, name="credit")


@pytest.fixture
def folder(artifact: Artifact, tmp_path: Path) -> Path:
    return Path(artifact.save(tmp_path / "store"))


def test_it_comes_back_as_it_went(artifact: Artifact, folder: Path, people: pd.DataFrame) -> None:
    # GIVEN a saved artifact
    # WHEN it is loaded
    back = load(folder)
    # THEN all is there, and it predicts the same
    assert back.manifest == artifact.manifest
    assert back.files == artifact.files
    assert back.report == artifact.report
    assert folder.name == back.digest == artifact.digest
    assert back.predict(people) == artifact.predict(people)


def test_a_uri_is_an_address_too(artifact: Artifact, tmp_path: Path) -> None:
    # GIVEN a store by URI
    # WHEN the artifact goes there and back
    address = artifact.save(tmp_path.as_uri())
    # THEN the address is a URI
    assert address == f"{tmp_path.as_uri()}/credit/{artifact.digest}"
    assert load(address).digest == artifact.digest


def test_saving_again_writes_nothing(artifact: Artifact, folder: Path) -> None:
    # GIVEN a saved artifact
    before = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    # WHEN it is saved again
    address = artifact.save(folder.parents[1])
    # THEN no file changes
    assert Path(address) == folder
    assert {file.name: file.stat().st_mtime_ns for file in folder.iterdir()} == before


def test_other_bytes_under_the_digest_are_not_overwritten(artifact: Artifact, folder: Path) -> None:
    # GIVEN a store whose object was cut short
    (folder / "model.onnx").write_bytes(b"x")
    # WHEN the artifact is saved again
    # THEN that is an error, not a repair in silence
    with pytest.raises(ArtifactError, match="1 bytes there"):
        artifact.save(folder.parents[1])
    # AND so it is where the size is the same
    (folder / "model.onnx").write_bytes(artifact.files["model.onnx"][:-1] + b"x")
    with pytest.raises(ArtifactError, match="other bytes under this digest"):
        artifact.save(folder.parents[1])


def _flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


TAMPERED: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "graph-changed": ("model.onnx", _flip, "artifact-digest"),
    "graph-cut": ("model.onnx", _cut, "artifact-corrupt"),
    "graph-gone": ("model.onnx", Path.unlink, "artifact-incomplete"),
    "lite-changed": ("model.lite", _flip, "artifact-digest"),
    "lite-cut": ("model.lite", _cut, "artifact-corrupt"),
    "lite-gone": ("model.lite", Path.unlink, "artifact-incomplete"),
    "manifest-cut": ("manifest.json", _cut, "artifact-digest"),
    "manifest-changed": ("manifest.json", _flip, "artifact-digest"),
    "manifest-gone": ("manifest.json", Path.unlink, "artifact-missing"),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_tampering_is_refused(case: str, folder: Path) -> None:
    # GIVEN an artifact of which one file was tampered with
    file, tamper, code = TAMPERED[case]
    tamper(folder / file)
    # WHEN it is loaded
    with pytest.raises(ArtifactError) as caught:
        load(folder)
    # THEN it is refused, and the file is named
    assert caught.value.code == code
    assert file in str(caught.value.where) or code == "artifact-missing"


def _written(manifest: Any, tmp_path: Path) -> Path:
    """Keep a manifest, right or wrong, under its own digest."""
    text = manifest if isinstance(manifest, bytes) else manifests.canonical(manifest)
    folder = tmp_path / "credit" / manifests.digest_of(text)
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_bytes(text)
    return folder


@pytest.mark.parametrize("name", ["../model.onnx", "a/b", "..", "", "/etc/passwd", "a\\b"])
def test_a_file_outside_the_folder_is_refused(name: str, artifact: Artifact, tmp_path: Path) -> None:
    # GIVEN a manifest that lists a file elsewhere
    folder = _written({**artifact.manifest, "files": {name: manifests.entry(b"x")}}, tmp_path)
    # WHEN it is loaded
    # THEN it is refused
    with pytest.raises(ArtifactError, match="not a plain file name"):
        load(folder)


def test_a_newer_format_says_which_version_reads_it(artifact: Artifact, tmp_path: Path) -> None:
    # GIVEN a manifest that a later version wrote, under its own digest
    folder = _written({**artifact.manifest, "format": 99}, tmp_path)
    # WHEN it is loaded
    # THEN the way out is said
    with pytest.raises(ArtifactError, match="install the version of sls-ml that wrote") as caught:
        load(folder)
    assert caught.value.code == "artifact-format"


WRONG: dict[str, Any] = {
    "list": b"[]",
    "not-json": b"{",
    "deep": b"[" * 100_000,
    "empty": {"format": 1},
    "no-files": {"files": {}},
    "no-digest": {"files": {"model.onnx": {"bytes": 1}}},
    "digest": {"files": {"model.onnx": {"bytes": 1, "sha256": "x"}}},
    "less-than-nothing": {"files": {"model.onnx": {"bytes": -1, "sha256": "0" * 64}}},
    "inputs": {"inputs": [1, 2]},
    "dtype": {"inputs": [{"name": "a", "dtype": "float16"}]},
    "columns": {"tensors": [{"name": "x", "dtype": "float64", "columns": [9], "rank": 2}]},
    "engines": {"engines": ["magic"]},
    "outputs": {"outputs": []},
    "kind": {"kind": "oracle"},
    "name": {"name": "../elsewhere"},
    "classes": {"classes": {"a": 1}},
    "example": {"example": [[1]]},
}


@pytest.mark.parametrize("case", WRONG)
def test_a_manifest_of_another_form_is_refused(case: str, artifact: Artifact, tmp_path: Path) -> None:
    # GIVEN something else than a manifest, under its own digest
    wrong = WRONG[case]
    partly = isinstance(wrong, dict) and "format" not in wrong
    folder = _written({**artifact.manifest, **wrong} if partly else wrong, tmp_path)
    # WHEN it is loaded
    with pytest.raises(ArtifactError) as caught:
        load(folder)
    # THEN it is refused, and the part is named
    assert caught.value.code in {"artifact-corrupt", "artifact-format"}
    assert not partly or str(caught.value.why).startswith(next(iter(wrong)))


def test_a_report_that_cannot_be_read_is_no_reason_to_refuse(folder: Path) -> None:
    # GIVEN an artifact whose report, which is not hashed, is broken
    (folder / "report.json").write_text("{")
    # WHEN it is loaded
    # THEN it is whole without
    assert load(folder).report == {}


KEPT_ENGINES = [
    pytest.param(folder, engine, id=f"{folder.parent.name}-{engine}")
    for folder in sorted(KEPT.glob("*/*"))
    for engine in json.loads((folder / "manifest.json").read_bytes())["engines"]
]


@pytest.mark.parametrize(("folder", "engine"), KEPT_ENGINES)
def test_kept_artifacts_still_load_and_predict(folder: Path, engine: Any, tmp_path: Path) -> None:
    # GIVEN an artifact that an earlier version wrote, with the answer it gave then
    answer = json.loads((KEPT.parent / f"{folder.parent.name}.json").read_text())
    shutil.copytree(folder, tmp_path / folder.parent.name / folder.name)
    # WHEN this version loads it
    kept = load(tmp_path / folder.parent.name / folder.name)
    # THEN each of its engines predicts the same from its own examples, save the last bits that differ
    # between processors; ONNX Runtime adds up in float32 where it was told to
    found = kept.predict(kept.manifest["example"], engine=engine)
    for key in ("probability", "value"):
        np.testing.assert_allclose(found.pop(key, []), answer.pop(key, []), rtol=1e-6, atol=1e-9)
    assert found == answer


DRIFT: dict[str, dict[str, Any]] = {
    "forest-1": {"rows": 60, "bins": [10, 10, 10], "nulls": [0, 0, 0], "predicted": 10},
    "linear-1": {"rows": 60, "bins": [10, 10, 2], "nulls": [0, 9, 0], "predicted": 2},
    "texts-1": {"rows": 30, "bins": [3], "nulls": [0], "predicted": 2},
}


@pytest.mark.parametrize("folder", sorted(KEPT.glob("*/*")), ids=lambda folder: folder.parent.name)
def test_kept_artifacts_bring_their_drift_reference(folder: Path) -> None:
    # GIVEN an artifact that an earlier version wrote
    kept = load(folder)
    drift = kept.manifest["drift"]
    features = drift["features"]
    # THEN its reference is what it was: rows, bins and gaps of each input, and of the predictions
    assert {
        "rows": drift["rows"],
        "bins": [len(each["counts"]) for each in features],
        "nulls": [each["nulls"] for each in features],
        "predicted": len(drift["prediction"]["counts"]),
    } == DRIFT[folder.parent.name]
    # AND it adds up, so that this version can count against it
    assert len(features) == len(kept.manifest["inputs"])
    for each in [*features, drift["prediction"]]:
        assert sum(each["counts"]) + each["nulls"] + each.get("rest", 0) == drift["rows"]
        assert each.get("edges", []) == sorted(each.get("edges", []))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_changed_byte_is_refused(data: st.DataObject) -> None:
    # GIVEN an artifact with one byte of one file changed, or the file cut anywhere
    (folder,) = KEPT.glob("linear-1/*")
    file = data.draw(st.sampled_from(["manifest.json", "model.onnx", "model.lite"]))
    content = bytearray((folder / file).read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[place:]
    else:
        content[place] ^= data.draw(st.integers(1, 255))
    with tempfile.TemporaryDirectory() as root:
        copy = Path(root) / folder.parent.name / folder.name
        shutil.copytree(folder, copy)
        (copy / file).write_bytes(content)
        # WHEN it is loaded, looked at before it is packaged, and fetched as a function does at its start
        # THEN each refuses it
        with pytest.raises(ArtifactError):
            load(copy)
        with pytest.raises(ArtifactError):
            verified(copy, copy.name)
        with pytest.raises(ArtifactRefused):
            fetch(f"file://{root}", copy.parent.name, copy.name, Path(root) / "into")
