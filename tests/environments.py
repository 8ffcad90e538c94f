"""Environments of programs that cannot live in ours, pinned by hashes and made once."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from uv import find_uv_bin

from sls_ml.local.managed_runtime import cache_folder


def installed(pins: Path) -> Path:
    """An environment with all of some ``requirements.txt``, made once for each set of pins."""
    name = hashlib.sha256(pins.read_bytes()).hexdigest()[:16]
    folder = cache_folder() / pins.parent.name / name
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=folder.parent))
    uv = find_uv_bin()
    subprocess.run([uv, "venv", "--quiet", "--relocatable", "--python", "3.11", partial], check=True)
    command = [uv, "pip", "install", "--quiet", "--require-hashes", "--python", partial / "bin" / "python"]
    subprocess.run([*command, "-r", pins], check=True)
    try:
        partial.rename(folder)
    except OSError:  # another process was faster
        shutil.rmtree(partial)
    return folder
