"""Writes generated files into a project's handlers folder, and tells which of them are stale."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from sls_ml.codegen.functions import RUNTIME, USERS_OWN
from sls_ml.errors import StaleError


def write(files: Mapping[PurePosixPath, bytes], folder: Path) -> tuple[PurePosixPath, ...]:
    """Write what differs, and remove files of an older runtime from a vendored copy.

    Existing files of `USERS_OWN`, such as ``hooks.py``, and all other files in the folder are the user's and
    stay as they are.

    Args:
        files: What `generate` gave: content by path below `folder`.
        folder: The project's handlers folder; made when missing.

    Returns:
        The paths written or removed, sorted; empty when everything was fresh.
    """
    stale = check(files, folder)
    for path in stale:
        target = folder / path
        if path not in files:
            target.unlink()
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.partial")
        partial.write_bytes(files[path])
        partial.replace(target)  # a full disk leaves no file cut short
    return stale


def check(files: Mapping[PurePosixPath, bytes], folder: Path) -> tuple[PurePosixPath, ...]:
    """The paths whose bytes on disk are not what `generate` gave, sorted; empty when all is fresh.

    A file of `USERS_OWN` counts only when it is missing. A file in a vendored runtime that the runtime does
    not have (any more) counts, because it would be deployed.
    """
    stale = {path for path, content in files.items() if not _fresh(folder, path, content)}
    for vendored in {path for path in _ancestors(files) if path.name == RUNTIME}:
        found = (file for file in (folder / vendored).rglob("*") if file.is_file())
        below = {PurePosixPath(file.relative_to(folder).as_posix()) for file in found}
        stale |= {path for path in below - set(files) if path.suffix != ".pyc"}
    return tuple(sorted(stale))


def require_fresh(files: Mapping[PurePosixPath, bytes], folder: Path) -> None:
    """Refuse to go on with generated code that differs from what its inputs give now.

    Raises:
        StaleError: Names every stale file.
    """
    stale = check(files, folder)
    if stale:
        raise StaleError(
            f"{len(stale)} generated {'file differs' if len(stale) == 1 else 'files differ'} from the spec, "
            "the artifacts and this version of sls-ml.",
            code="stale-handlers",
            where=", ".join(str(folder / path) for path in stale),
            why="The spec, an artifact or sls-ml changed after the last `sls-ml generate`, or an edit.",
            mend="Run `sls-ml generate` and commit what it changes; code of your own belongs in hooks.py.",
        )


def _fresh(folder: Path, path: PurePosixPath, content: bytes) -> bool:
    file = folder / path
    if not file.is_file():
        return False
    users_own = path.name in USERS_OWN and RUNTIME not in path.parts
    return users_own or file.read_bytes() == content


def _ancestors(files: Mapping[PurePosixPath, bytes]) -> set[PurePosixPath]:
    return {parent for path in files for parent in path.parents}
