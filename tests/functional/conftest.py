"""The command line, run as a user runs it, on a copy of a sample."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


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


def run(folder: Path, *words: str, stdin: str | None = None) -> Done:
    """Run ``sls-ml`` in a folder."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-m", "sls_ml", *words],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT / "framework"), "NO_COLOR": "1", "COLUMNS": "120"},
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


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The breast-cancer sample, deployed to an embedded cloud of its own."""
    sample = copy_sample("breast-cancer", tmp_path_factory.mktemp("deployed"))
    try:
        done = run(sample, "deploy", "--stage", "local", "--json")
        assert done.code == 0, done.out + done.err
        yield sample, done.document
    finally:
        run(sample, "local", "down")


@pytest.fixture
def sls_ml(deployed: tuple[Path, dict[str, Any]]) -> Callable[..., Done]:
    """Run a command in the folder of the deployed sample."""
    return lambda *words, stdin=None: run(deployed[0], *words, stdin=stdin)
