"""The managed Python runtime of Lambda: an interpreter, and a folder with what AWS puts beside it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from sls_ml.errors import ExternalError
from sls_ml.package import interpreters


@dataclass(frozen=True)
class ManagedRuntime:
    """A Python and its libraries. `python` is its complete version, `exact` whether it was asked for."""

    executable: Path
    python: str
    libraries: Path
    exact: bool


def cache_folder() -> Path:
    """Where this user's caches of sls-ml lie."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sls-ml"


@cache
def find(runtime: str) -> ManagedRuntime:
    """The runtime for a name of Lambda's, such as ``python3.13``; installed on first use.

    Where no interpreter of that version is at hand, the one that runs this program stands in.

    Raises:
        ExternalError: The libraries cannot be installed.
    """
    wanted = runtime.removeprefix("python")
    found = interpreters.find(wanted)
    if found is None:
        executable, version = Path(sys.executable), ".".join(map(str, sys.version_info[:3]))
    else:
        executable, version = found.executable, found.version
    return ManagedRuntime(executable, version, _libraries(executable, version), found is not None)


def _libraries(executable: Path, version: str) -> Path:
    pins = resources.files("sls_ml.local").joinpath("data/managed-runtime.txt").read_text()
    name = f"python{'.'.join(version.split('.')[:2])}-{hashlib.sha256(pins.encode()).hexdigest()[:12]}"
    folder = cache_folder() / "managed-runtime" / name
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        _install(executable, pins, partial / "libraries")
        if not any((partial / "libraries").glob("runtime_client.*")):  # a Mac
            stand_in = resources.files("sls_ml.local").joinpath("data/runtime_client.py").read_bytes()
            (partial / "libraries" / "runtime_client.py").write_bytes(stand_in)
        try:
            (partial / "libraries").rename(folder)
        except OSError:  # another process was first
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(partial)
    return folder


def _install(executable: Path, pins: str, target: Path) -> None:
    from uv import find_uv_bin

    requirements = target.with_suffix(".txt")
    requirements.write_text(pins)
    command = [find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--compile-bytecode"]
    command += ["--python", str(executable), "--target", str(target), "--requirement", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ExternalError(
            "Lambda's Python libraries could not be installed for the embedded cloud.",
            code="managed-runtime",
            where=str(target.parent.parent),
            why=done.stderr.strip()[-2000:],
            mend="Connect to a package index once; later starts use the cache.",
        )
