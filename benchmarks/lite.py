"""Measures the lite engine: bytes, time to load, time of a row, and of a fresh process to its first answer.

    python benchmarks/lite.py

Prints Markdown. Every number is the smallest of several runs; of a fresh process it is the processor time,
beyond that of one of the same Python that does nothing.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

FRAMEWORK = Path(__file__).parents[1] / "framework"
sys.path.insert(0, str(FRAMEWORK))
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np  # noqa: E402
from sklearn.ensemble import (  # noqa: E402
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

from sls_ml.artifact import build  # noqa: E402
from sls_ml.artifact.lite import compile_lite  # noqa: E402
from sls_ml_runtime.engines.lite import Engine  # noqa: E402

WIDTH = 30
FRESH = """
import sys
sys.path.insert(0, {framework!r})
from array import array
from sls_ml_runtime.artifact import Artifact
from sls_ml_runtime.engines.lite import Engine
engine = Engine(Artifact("model", "", {{}}, {folder!r}))
engine.run([("float64", array("d", [0.5]))] * {width})
"""


def models() -> dict[str, tuple[Any, str]]:
    """The models to measure, with the kind of their target."""
    return {
        "StandardScaler, LogisticRegression, 30 features": (
            make_pipeline(StandardScaler(), LogisticRegression()),
            "class",
        ),
        "GradientBoostingClassifier, 100 trees": (GradientBoostingClassifier(), "class"),
        "HistGradientBoostingClassifier, 200 trees": (HistGradientBoostingClassifier(max_iter=200), "class"),
        "RandomForestClassifier, 200 trees of depth 12": (RandomForestClassifier(200, max_depth=12), "class"),
        "RandomForestRegressor, 200 trees of any depth": (RandomForestRegressor(200), "number"),
    }


def smallest(runs: int, work: Callable[[], object]) -> float:
    """The shortest time of some runs, in seconds."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def fresh(code: str) -> float:
    """The least processor time of a fresh process with this code, in seconds."""
    times = []
    for _ in range(15):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-I", "-c", code], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times)


def main() -> None:
    """Train, convert, measure and print."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(6000, WIDTH))
    number = rows[:, 0] + rows[:, 1] * rows[:, 2] + rng.normal(size=6000)
    targets = {"class": (number > 0).astype(int), "number": number}
    columns: list[Any] = [("float64", array("d", [value])) for value in rows[0]]
    idle = fresh("")
    print("| model | model.onnx | model.lite | load | one row | fresh process to first answer |")
    print("|---|---|---|---|---|---|")
    for name, (estimator, target) in models().items():
        artifact = build(estimator.fit(rows, targets[target]), rows[:200], name="model")
        content = compile_lite(artifact.files["model.onnx"], artifact.manifest, row_budget=None)
        engine = Engine.of(content)
        load = smallest(9, lambda content=content: Engine.of(content))
        row = smallest(2000, lambda engine=engine: engine.run(columns))
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "model.lite").write_bytes(content)
            first = fresh(FRESH.format(framework=str(FRAMEWORK), folder=folder, width=WIDTH)) - idle
        print(
            f"| {name} | {len(artifact.files['model.onnx']) / 1000:,.0f} kB | {len(content) / 1000:,.0f} kB"
            f" | {load * 1e3:.2f} ms | {row * 1e6:.0f} µs | +{first * 1e3:.0f} ms |",
            flush=True,
        )


if __name__ == "__main__":
    main()
