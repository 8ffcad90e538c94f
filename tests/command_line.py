"""Runs `sls-ml` as a user runs it, on copies of the samples."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Done:
    """A finished command."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What a command printed with ``--json``."""
        return json.loads(self.out)


def environment(**more: str) -> dict[str, str]:
    """What `sls-ml` runs with: this process's variables without those of an AWS account."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    return own | {"PYTHONPATH": str(ROOT / "framework"), "NO_COLOR": "1", "COLUMNS": "120"} | more


def run(
    folder: Path, *words: str, stdin: str | None = None, variables: Mapping[str, str] | None = None
) -> Done:
    """Run ``sls-ml`` in a folder, with further environment variables."""
    done = subprocess.run(
        [sys.executable, "-m", "sls_ml", *words],
        cwd=folder,
        env=environment(**(variables or {})),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def copy_sample(name: str, into: Path) -> Path:
    """A sample with its checked-in artifacts and functions, in the layout of the repository."""
    sample = into / "samples" / name
    ignored = shutil.ignore_patterns(".sls-ml", "__pycache__")
    shutil.copytree(ROOT / "samples" / name, sample, ignore=ignored)
    for tree in ("artifacts", "handlers"):
        shutil.copytree(ROOT / tree, into / tree, ignore=ignored)
    return sample
