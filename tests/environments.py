"""Environments of programs that cannot live in ours, pinned by hashes and made once."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from uv import find_uv_bin

from sls_ml.local.managed_runtime import cache_folder


def installed(pins: Path) -> Path:
    """An environment with all of some ``requirements.txt``, made once for each set of pins."""
    return _once(pins, _pip)


def installed_by_npm(lock: Path) -> Path:
    """A folder with all of some ``package-lock.json`` in ``node_modules``, made once for each set of pins."""
    return _once(lock, _npm)


def _pip(pins: Path, into: Path) -> None:
    uv = find_uv_bin()
    subprocess.run([uv, "venv", "--quiet", "--relocatable", "--python", "3.11", into], check=True)
    command = [uv, "pip", "install", "--quiet", "--require-hashes", "--python", into / "bin" / "python"]
    subprocess.run([*command, "-r", pins], check=True)


def _npm(lock: Path, into: Path) -> None:
    for file in (lock, lock.with_name("package.json")):
        shutil.copy(file, into)
    command = ["npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(command, cwd=into, check=True)


def _once(pins: Path, install: Callable[[Path, Path], None]) -> Path:
    name = hashlib.sha256(pins.read_bytes()).hexdigest()[:16]
    folder = cache_folder() / pins.parent.name / name
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=folder.parent))
    install(pins, partial)
    try:
        partial.rename(folder)
    except OSError:  # another process was faster
        shutil.rmtree(partial)
    return folder
