"""Finds an interpreter of a given Python version on this machine, by running it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path


@dataclass(frozen=True)
class Interpreter:
    """A Python that runs here. `version` is complete: ``3.13.0``."""

    executable: Path
    version: str


@lru_cache
def find(python: str) -> Interpreter | None:
    """The newest interpreter of a version, such as ``3.13``, that starts on this machine; None without one.

    Looks at the running interpreter, pyenv's versions, uv's versions and PATH, in this order.
    """
    if python == f"{sys.version_info.major}.{sys.version_info.minor}":
        return Interpreter(Path(sys.executable), ".".join(map(str, sys.version_info[:3])))
    for candidate in _candidates(python):
        version = _version(candidate)
        if version and version.startswith(f"{python}."):
            return Interpreter(candidate, version)
    return None


def _candidates(python: str) -> Iterator[Path]:
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from _newest_first(pyenv / "versions", f"{python}.*/bin/python")
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    managed = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv/python")
    yield from _newest_first(managed, f"cpython-{python}.*/bin/python3")
    for folder in os.get_exec_path():
        # A shim of pyenv only forwards to the versions seen above, or fails.
        if Path(folder) != pyenv / "shims" and (program := Path(folder, f"python{python}")).is_file():
            yield program


def _newest_first(folder: Path, pattern: str) -> list[Path]:
    def patch_version(path: Path) -> int:
        numbers = re.findall(r"\d+\.\d+\.(\d+)", str(path.relative_to(folder)))
        return int(numbers[0]) if numbers else -1

    return sorted(folder.glob(pattern), key=patch_version, reverse=True)


def _version(executable: Path) -> str | None:
    """What an executable says it is; None when it does not start or is no CPython."""
    program = "import sys; print(sys.implementation.name, *sys.version_info[:3])"
    try:
        done = subprocess.run(
            [executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    name, *version = done.stdout.split() or [""]
    return ".".join(version) if done.returncode == 0 and name == "cpython" else None
