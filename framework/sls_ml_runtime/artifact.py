"""Open an artifact's folder and refuse it when its bytes are not what its digest says."""

# pathlib and hashlib cost milliseconds of a cold start.
# ruff: noqa: PTH116, PTH118, PTH119, PTH123

from __future__ import annotations

import json
import os

from sls_ml_runtime.errors import ArtifactRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FORMAT = 1
"""The manifest format that this runtime reads."""

_CHUNK = 1 << 20


class Artifact:
    """A verified artifact on disk.

    Attributes:
        name: The model's name in the spec.
        digest: sha256 of manifest.json, 64 hex digits.
        manifest: The parsed manifest.json.
        folder: Path of the folder that holds manifest.json and the model files.
    """

    __slots__ = ("digest", "folder", "manifest", "name")

    def __init__(self, name: str, digest: str, manifest: dict[str, Any], folder: str) -> None:
        self.name = name
        self.digest = digest
        self.manifest = manifest
        self.folder = folder

    def path(self, file: str) -> str:
        """The path of one of the artifact's files."""
        return os.path.join(self.folder, file)


def open_folder(path: str | os.PathLike[str], digest: str, *, verify: bool = True) -> Artifact:
    """Open an artifact's folder.

    Args:
        path: The folder with manifest.json.
        digest: The expected sha256 of manifest.json, 64 hex digits.
        verify: Hash manifest.json and every file that it lists and that is there. False for an artifact
            that rides in a package and was verified when that was built: then only sizes are compared.

    Raises:
        ArtifactRefused: The format is unknown, or a digest or a size differs.
    """
    folder = os.fspath(path)
    try:
        with open(os.path.join(folder, "manifest.json"), "rb") as file:
            text = file.read()
    except OSError as error:
        raise ArtifactRefused(f"{folder} holds no readable manifest.json: {error.strerror}") from error
    if verify:
        check_digest("manifest.json", _sha256(text), digest)
    manifest = parse_manifest(text)
    present = 0
    for name, facts in manifest["files"].items():
        file_path = os.path.join(folder, name)
        try:
            size = os.stat(file_path).st_size
        except FileNotFoundError:
            continue  # a function brings only the files that its engine reads
        present += 1
        if size != facts["bytes"]:
            raise ArtifactRefused(f"{name} has {size} bytes, its manifest says {facts['bytes']}")
        if verify:
            check_digest(name, _sha256_of_file(file_path), facts["sha256"])
    if not present:
        raise ArtifactRefused(f"{folder} holds a manifest but none of the files that it lists")
    return Artifact(manifest["name"], digest, manifest, folder)


def parse_manifest(text: bytes) -> dict[str, Any]:
    """Parse the bytes of manifest.json and refuse an unknown format, and files that lie elsewhere."""
    try:
        manifest: dict[str, Any] = json.loads(text)
        found = manifest["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ArtifactRefused("manifest.json is not the manifest of an artifact") from error
    if found != FORMAT:
        raise ArtifactRefused(
            f"the artifact has format {found}, this runtime reads format {FORMAT}: "
            "deploy it with the version of sls-ml that wrote it"
        )
    try:
        for name, facts in manifest["files"].items():
            if name != os.path.basename(name) or name in {"", ".", ".."} or facts["bytes"] < 0:
                raise ValueError(name)
            facts["sha256"].isalnum()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactRefused("manifest.json lists its files in a way that no artifact has") from error
    return manifest


def check_digest(file: str, found: str, expected: str) -> None:
    """Refuse a file whose sha256 is not the expected one."""
    if found != expected:
        # ASCII alone: Lambda's runtime client cannot report the failed start otherwise.
        raise ArtifactRefused(
            f"{file} has digest {found[:12]}, expected {expected[:12]}: it was changed; "
            "delete it from its store, and sls-ml deploy puts it back"
        )


def _sha256(data: bytes) -> str:
    from hashlib import sha256

    return sha256(data).hexdigest()


def _sha256_of_file(path: str) -> str:
    from hashlib import sha256

    state = sha256()
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            state.update(chunk)
    return state.hexdigest()
