"""Measures what a warm request costs beside the engine's own work, and whether memory stays steady.

    python benchmarks/warm.py [--calls 20000] [--memory-calls 1000000]

Builds the package of StandardScaler and LogisticRegression on 30 numbers for each engine, unpacks it, and
runs benchmarks/warm_inside.py in the function's own Python: the generated handler is called in that process
with function URL events; checks, metrics and logs are on. The usual function is called beside them.
Prints Markdown, and ends with 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from coldstart import USUAL, build, row, sls_ml

from sls_ml.artifact import load
from sls_ml.local import managed_runtime
from sls_ml.measure import subject as subjects
from sls_ml.measure.question import Questions, event
from sls_ml.measure.start import variables

INSIDE = Path(__file__).with_name("warm_inside.py")
ROW_MICROSECONDS = 60.0
"""What one row may cost beside the engine."""
ROWS = 1000
ROWS_RATIO = 1.3
"""What a request of a thousand rows may take, in terms of the engine and `json.loads` of its body."""
GROWTH_KB = 256
"""How much a million calls may add to resident memory, once the first tenth has settled it."""


def main() -> int:
    """Measure both engines."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--memory-calls", type=int, default=1_000_000)
    options = parser.parse_args()
    missed: list[str] = []
    notes: list[str] = []
    row(
        "engine",
        "one row µs",
        "engine µs",
        "beside it µs",
        "bar",
        f"{ROWS} rows ms",
        "engine ms",
        "json.loads ms",
        "ratio",
        "bar",
    )
    row(*["---"] * 10)
    for engine in ("lite", "ort_capi"):
        with tempfile.TemporaryDirectory(prefix="sls-ml-bench-") as name:
            found = measure(Path(name) / "project", engine, options.calls, options.memory_calls)
        for subject, figures in found.items():
            report(subject, figures, missed, notes)
    for line in notes:
        print(f"\n{line}")
    for line in missed:
        print(f"missed: {line}")
    return 1 if missed else 0


def measure(folder: Path, engine: str, calls: int, memory_calls: int) -> dict[str, dict[str, Any]]:
    """Build one engine's package, and with ort_capi the usual function, and measure inside of each."""
    ours, rows = prepared(folder, engine)
    asked = {
        "one": json.loads(event("/predict", json.dumps({"rows": rows[:1]}))),
        "many": json.loads(event("/predict", json.dumps({"rows": rows}))),
        "calls": calls,
        "memory_calls": memory_calls if engine == "ort_capi" else 0,
    }
    found = {engine: inside(ours, asked)}
    if engine == "ort_capi":
        (address,) = (folder / "artifacts/model").iterdir()
        usual = subjects.from_source(USUAL, folder / "unpacked", ours.runtime, address)
        found["usual"] = inside(usual, asked | {"memory_calls": 0})
    return found


def prepared(folder: Path, engine: str) -> tuple[subjects.Subject, list[dict[str, Any]]]:
    """The unpacked package of the logistic regression for an engine, and rows that it has not seen."""
    address = build(folder, "logistic", engine)
    built = sls_ml(folder, "package", "--stage", "local")["packages"]["predict"]
    runtime = managed_runtime.find(f"python{built['python']}")
    unpacked = folder / "unpacked"
    unpacked.mkdir()
    ours = subjects.unpack(
        Path(built["package"]),
        unpacked,
        runtime,
        name="predict",
        memory=1769,
        environment={"SLS_ML_STAGE": "local"},
    )
    questions = Questions(load(str(address)), engine=engine, sample=folder / "sample.csv", seed=1)
    rows = [dict(questions.next().row) for _ in range(ROWS)]
    return ours, rows


def inside(subject: subjects.Subject, asked: dict[str, Any]) -> dict[str, Any]:
    """Run warm_inside.py in a subject's task root."""
    done = subprocess.run(
        [str(subject.runtime.executable), "-S", str(INSIDE)],
        cwd=subject.folder,
        env=variables(subject),
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{subject.name}: {done.stderr}")
    found: dict[str, Any] = json.loads(done.stderr.splitlines()[-1])
    return found


def report(engine: str, found: dict[str, Any], missed: list[str], notes: list[str]) -> None:
    """Print an engine's row, and note the bars that it misses."""
    beside = found["one_us"] - found["one_engine_us"]
    ratio = found["many_ms"] / (found["many_engine_ms"] + found["many_json_ms"])
    row(
        engine,
        f"{found['one_us']:.1f}",
        f"{found['one_engine_us']:.1f}",
        f"{beside:.1f}",
        "" if engine == "usual" else f"{ROW_MICROSECONDS:g}",
        f"{found['many_ms']:.2f}",
        f"{found['many_engine_ms']:.2f}",
        f"{found['many_json_ms']:.2f}",
        f"{ratio:.2f}",
        f"{ROWS_RATIO:g}" if engine == "ort_capi" else "",
    )
    if engine != "usual" and beside > ROW_MICROSECONDS:
        missed.append(f"{engine}: {beside:.1f} µs beside the engine, the bar is {ROW_MICROSECONDS:g}")
    if engine == "ort_capi" and ratio > ROWS_RATIO:
        missed.append(
            f"{engine}: {ratio:.2f} times engine and JSON for {ROWS} rows, the bar is {ROWS_RATIO:g}"
        )
    if samples := found["resident_kb"]:
        growth = samples[-1] - samples[len(samples) // 10]
        notes.append(
            f"{engine}, resident KB over {found['memory_calls']:,} calls: "
            f"{', '.join(f'{sample:,}' for sample in samples[:: max(1, len(samples) // 10)])}"
        )
        if growth > GROWTH_KB:
            missed.append(f"{engine}: memory grows by {growth} KB")


if __name__ == "__main__":
    sys.exit(main())
