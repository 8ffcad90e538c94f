"""An artifact is opened when its bytes are what its digest says, and refused otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sls_ml_runtime.artifact import open_folder
from sls_ml_runtime.errors import ArtifactRefused


def test_opens_what_its_digest_describes(stored: Any) -> None:
    # GIVEN an artifact as it was written
    # WHEN it is opened
    artifact = open_folder(stored.folder, stored.digest)

    # THEN it carries name, digest and manifest
    assert (artifact.name, artifact.digest) == ("credit", stored.digest)
    assert artifact.manifest == stored.manifest
    assert artifact.path("model.onnx") == str(stored.folder / "model.onnx")


@pytest.mark.parametrize("file", ["manifest.json", "model.onnx"])
def test_refuses_a_changed_byte(stored: Any, file: str) -> None:
    # GIVEN one bit of a file turned over
    path = stored.folder / file
    content = bytearray(path.read_bytes())
    content[10] ^= 1
    path.write_bytes(bytes(content))

    # WHEN it is opened THEN it is refused, by the file's name
    with pytest.raises(ArtifactRefused, match=f"{file} has digest"):
        open_folder(stored.folder, stored.digest)


def test_refuses_a_cut_file_even_unverified(stored: Any) -> None:
    # GIVEN a model that lost its last byte
    path = stored.folder / "model.onnx"
    path.write_bytes(path.read_bytes()[:-1])

    # WHEN it is opened without hashing THEN its size gives it away
    with pytest.raises(ArtifactRefused, match=r"model\.onnx has \d+ bytes"):
        open_folder(stored.folder, stored.digest, verify=False)


def test_refuses_another_format(write: Callable[..., Any]) -> None:
    # GIVEN an artifact of a later format
    stored = write(format=2)

    # WHEN it is opened THEN the error says which version reads it
    with pytest.raises(ArtifactRefused, match="format 2, this runtime reads format 1"):
        open_folder(stored.folder, stored.digest)


@pytest.mark.parametrize("text", [b"", b"[1]", b"{}", b"\xff", b"[" * 100_000])
def test_refuses_what_is_no_manifest(stored: Any, text: bytes) -> None:
    # GIVEN a manifest.json that is something else
    (stored.folder / "manifest.json").write_bytes(text)

    # WHEN it is opened THEN it is refused
    with pytest.raises(ArtifactRefused, match="not the manifest"):
        open_folder(stored.folder, stored.digest, verify=False)


def test_refuses_a_manifest_without_its_files(stored: Any) -> None:
    # GIVEN an artifact whose model is gone
    (stored.folder / "model.onnx").unlink()

    # WHEN it is opened THEN it is refused
    with pytest.raises(ArtifactRefused, match="none of the files"):
        open_folder(stored.folder, stored.digest)


def test_refuses_an_empty_folder(stored: Any) -> None:
    # GIVEN a folder without manifest.json
    (stored.folder / "manifest.json").unlink()

    # WHEN it is opened THEN it is refused
    with pytest.raises(ArtifactRefused, match=r"no readable manifest\.json"):
        open_folder(stored.folder, stored.digest)


@pytest.mark.parametrize(
    "files",
    [
        None,
        [],
        {"model.onnx": None},
        {"model.onnx": {"bytes": 1}},
        {"model.onnx": {"bytes": -1, "sha256": "0" * 64}},
        {"../elsewhere": {"bytes": 1, "sha256": "0" * 64}},
        {"/tmp/elsewhere": {"bytes": 1, "sha256": "0" * 64}},
        {"..": {"bytes": 1, "sha256": "0" * 64}},
    ],
)
def test_refuses_files_that_no_artifact_lists(write: Callable[..., Any], files: Any) -> None:
    # GIVEN a manifest, right by its digest, that lists its files in another way or elsewhere
    stored = write(files=files)

    # WHEN it is opened THEN it is refused before any of them is touched
    with pytest.raises(ArtifactRefused, match="lists its files in a way that no artifact has"):
        open_folder(stored.folder, stored.digest)
