"""The runtime's tree as bytes: what is copied into a project, and the digest that pins it."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath


def runtime_files(root: Path) -> dict[PurePosixPath, bytes]:
    """Every file of the runtime but bytecode, by its path below `root`, sorted."""
    files = {
        PurePosixPath(file.relative_to(root).as_posix()): file.read_bytes()
        for file in root.rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    }
    return dict(sorted(files.items()))


def runtime_digest(root: Path) -> str:
    """sha256 over the sorted paths, sizes and bytes of the runtime below `root`, as 64 hex digits."""
    digest = hashlib.sha256()
    for path, content in runtime_files(root).items():
        digest.update(f"{path}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
