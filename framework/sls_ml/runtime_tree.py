"""The runtime's tree: the files that functions run with, and the digest that pins them."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath

RUNTIME = "sls_ml_runtime"
"""Name of its folder, wherever it is copied to."""


def runtime_files(root: Path) -> dict[PurePosixPath, bytes]:
    """Every file of the runtime but bytecode and what is hidden, by its path below `root`, sorted."""
    files = {}
    for file in root.rglob("*"):
        path = PurePosixPath(file.relative_to(root).as_posix())
        if file.is_file() and path.suffix != ".pyc" and not any(part.startswith(".") for part in path.parts):
            files[path] = file.read_bytes()
    return dict(sorted(files.items()))


def runtime_digest(root: Path) -> str:
    """sha256 over the sorted paths, sizes and bytes of the runtime below `root`, as 64 hex digits."""
    digest = hashlib.sha256()
    for path, content in runtime_files(root).items():
        digest.update(f"{path}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
