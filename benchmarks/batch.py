"""Memory and speed of scoring files from 3 to 300 MB, each in a process of its own: what the size changes.

    python benchmarks/batch.py [MB ...]

The files are rows of samples/breast-cancer over and over, one in 140 bad. What is measured is the
path of the generated function from a stream of bytes to finished objects, without S3. Speed is rows by
processor time, and relative to the first file.
"""

# ruff: noqa: ARG002 - as the protocols have them

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "samples" / "breast-cancer" / "incoming.csv"
FUNCTION = ROOT / "handlers" / "breast-cancer" / "aws" / "score"
SIZES = (3, 30, 300)


class Rows:
    """A stream of so many bytes."""

    def __init__(self, size: int) -> None:
        header, *rows = SAMPLE.read_bytes().splitlines(keepends=True)
        bad = rows[0].replace(b",", b",x", 1)
        self._blocks = self._endless(header, b"".join([*rows[1:], bad]), size)

    def _endless(self, header: bytes, block: bytes, size: int) -> Iterator[bytes]:
        yield header
        for _ in range(size // len(block)):
            yield block

    def read(self, size: int, /) -> bytes:
        """The next block, whatever its size."""
        return next(self._blocks, b"")


class Nowhere:
    """Results that are read as a socket reads them, and forgotten."""

    def get(self, key: str) -> bytes | None:
        """Nothing."""

    def facts(self, key: str) -> Mapping[str, str] | None:
        """Nothing."""

    def create(self, key: str, body: BinaryIO, facts: Mapping[str, str]) -> bool:
        """Read it."""
        while body.read(1 << 16):
            pass
        return True


def measure(megabytes: int) -> dict[str, float]:
    """Score so many megabytes in this process."""
    from sls_ml_runtime import engines
    from sls_ml_runtime.artifact import open_folder
    from sls_ml_runtime.score import Source, score_object
    from sls_ml_runtime.scorer import Scorer
    from sls_ml_runtime.serve import Service

    config = json.loads((FUNCTION / "config.json").read_text())
    ((name, entry),) = config["models"].items()
    artifact = open_folder(ROOT / "artifacts" / name / entry["digest"], entry["digest"])
    engine = engines.load(artifact, engine=entry["engine"])
    hooks: Any = SimpleNamespace(before=None, after=None)
    scorer = Scorer(Service(config, {name: artifact}, {name: engine}, hooks), release="1")
    rows, begun = Rows(megabytes * 1_000_000), time.process_time()
    outcome = score_object(scorer, lambda *_: rows, Nowhere(), Source("b", "k", "e", None, 1))
    return {
        "rows": outcome.manifest["rows_in"],
        "rejected": outcome.manifest["rows_rejected"],
        "parts": len(outcome.manifest["parts"]),
        "seconds": time.process_time() - begun,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main(sizes: tuple[int, ...]) -> None:
    """Print a line for each size."""
    first = 0.0
    print("    MB       rows  parts  peak MB  rows by processor time")
    for size in sizes:
        done = subprocess.run(
            [sys.executable, __file__, "--measure", str(size)],
            env={**os.environ, "ORT_DISABLE_TELEMETRY": "1", "PYTHONPATH": str(ROOT / "framework")},
            stdout=subprocess.PIPE,
            check=True,
        )
        found = json.loads(done.stdout.splitlines()[-1])
        speed = found["rows"] / found["seconds"]
        first = first or speed
        print(
            f"{size:6} {found['rows']:10,} {found['parts']:6} {found['peak_mb']:8.0f}  {speed / first:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(int(sys.argv[2]))))
    else:
        main(tuple(map(int, sys.argv[1:])) or SIZES)
