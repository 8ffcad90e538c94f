"""An artifact's folder on this machine, held to its digest byte by byte."""

from __future__ import annotations

import hashlib
from pathlib import Path

from sls_ml.artifact import manifest as manifests

MEND = "restore the folder from version control, or run: sls-ml convert, then sls-ml generate"


def verified(folder: Path, digest: str) -> manifests.Manifest:
    """Read a folder's manifest, and compare every file that it lists with its size and sha256.

    A link is followed, since what it leads to is held to the digest too. A device or a folder is no file.

    Raises:
        ArtifactError: A file is missing or not what its digest says, or the format is unknown.
        OSError: A file may not be read.
    """
    place = folder / manifests.MANIFEST
    if not _is_file(place):
        raise manifests.lacking(manifests.MANIFEST, where=str(folder), mend=MEND)
    manifest = manifests.parse(place.read_bytes(), digest, where=str(place), mend=MEND)
    for name, listed in manifest["files"].items():
        file = folder / name
        if not _is_file(file):
            raise manifests.lacking(name, where=str(folder), mend=MEND)
        manifests.check_size(name, file.stat().st_size, listed, where=str(file), mend=MEND)
        with file.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
        manifests.check(name, found, listed["sha256"], where=str(file), mend=MEND)
    return manifest


def _is_file(path: Path) -> bool:
    """As `Path.is_file`, but what may not be looked at is an error, and not absent."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return path.is_file()
