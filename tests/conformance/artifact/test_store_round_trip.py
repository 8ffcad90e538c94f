"""An artifact comes back from a store whole, or is refused with the file named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sls_ml.artifact import Artifact, build, load
from sls_ml.artifact import manifest as manifests
from sls_ml.errors import ArtifactError

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
    with pytest.raises(ArtifactError, match="holds 1 bytes"):
        artifact.save(folder.parents[1])


def _flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def _reformat(file: Path) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 99}))


TAMPERED: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "graph-changed": ("model.onnx", _flip, "artifact-digest"),
    "graph-cut": ("model.onnx", _cut, "artifact-corrupt"),
    "graph-gone": ("model.onnx", Path.unlink, "artifact-incomplete"),
    "manifest-cut": ("manifest.json", _cut, "artifact-corrupt"),
    "manifest-changed": (
        "manifest.json",
        lambda file: file.write_bytes(file.read_bytes() + b" "),
        "artifact-digest",
    ),
    "manifest-gone": ("manifest.json", Path.unlink, "artifact-missing"),
    "manifest-newer": ("manifest.json", _reformat, "artifact-format"),
    "manifest-list": ("manifest.json", lambda file: file.write_text("[]") and None, "artifact-corrupt"),
    "manifest-empty": (
        "manifest.json",
        lambda file: file.write_text('{"format":1}') and None,
        "artifact-corrupt",
    ),
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


@pytest.mark.parametrize("name", ["../model.onnx", "a/b", "..", ""])
def test_a_file_outside_the_folder_is_refused(name: str, artifact: Artifact, tmp_path: Path) -> None:
    # GIVEN a manifest that lists a file elsewhere
    text = manifests.canonical({**artifact.manifest, "files": {name: manifests.entry(b"x")}})
    folder = tmp_path / "credit" / manifests.digest_of(text)
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_bytes(text)
    # WHEN it is loaded
    # THEN it is refused
    with pytest.raises(ArtifactError, match="lists"):
        load(folder)


def test_a_report_that_cannot_be_read_is_no_reason_to_refuse(folder: Path) -> None:
    # GIVEN an artifact whose report, which is not hashed, is broken
    (folder / "report.json").write_text("{")
    # WHEN it is loaded
    # THEN it is whole without
    assert load(folder).report == {}


@pytest.mark.parametrize("folder", sorted(KEPT.glob("*/*")), ids=lambda folder: folder.parent.name)
def test_kept_artifacts_still_load_and_predict(folder: Path, tmp_path: Path) -> None:
    # GIVEN an artifact that an earlier version wrote, with the answer it gave then
    answer = json.loads((KEPT.parent / f"{folder.parent.name}.json").read_text())
    shutil.copytree(folder, tmp_path / folder.parent.name / folder.name)
    # WHEN this version loads it
    kept = load(tmp_path / folder.parent.name / folder.name)
    # THEN it predicts the same from its own examples, save the last bits that differ between processors
    found = kept.predict(kept.manifest["example"])
    for key in ("probability", "value"):
        np.testing.assert_allclose(found.pop(key, []), answer.pop(key, []), rtol=1e-9)
    assert found == answer
