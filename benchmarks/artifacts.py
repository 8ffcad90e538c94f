"""Measures artifacts: how large, how fast converted, how fast ready, beside what skl2onnx alone makes.

    python benchmarks/artifacts.py [--rounds 9] [--json] [MODEL ...] models of benchmarks/models.py, with bars
    python benchmarks/artifacts.py sizes [ESTIMATOR ...]             the estimators of the sweep, beside raw

"Raw" is what skl2onnx writes by itself, in a process of its own, for the same input types, ZipMap off. Where
ONNX Runtime refuses that graph, as it does trees with doubles, time and memory are those of raw with float32;
where skl2onnx does not end within a minute, size and conversion too.
Each raw graph is asked for fresh rows first: only one that answers them to 1e-9 is a bar for bytes.
Prints Markdown, and ends with 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
from artifacts_inside import LONGEST
from models import ARTIFACTS, Trained

EXACT = 1e-9
"""A raw graph further from the original holds numbers rounded to float32, of half the bytes of ours."""
FAIR, ROUNDED, WRONG = "exact", "rounded, no fair comparison", "wrong, no comparison"
INSIDE = Path(__file__).with_name("artifacts_inside.py")


@dataclass(frozen=True)
class Bars:
    """What a model must keep: MB of model.onnx, seconds to convert, share of raw's time until it is ready."""

    size: float | None = None
    seconds: float | None = None
    ready: float | None = None


BARS = {
    "forest": Bars(size=8.6, seconds=1.0, ready=0.65),
    "forest, three classes": Bars(size=18.4, seconds=1.0),
}


def main() -> int:
    """Run what was asked for; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="*", help="models, nothing for all; or `sizes`, estimators")
    parser.add_argument("--rounds", type=int, default=9, help="sessions of each graph")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sls-ml-bench-") as name:
        if options.what[:1] == ["sizes"]:
            return sizes(Path(name), options.what[1:])
        found = {
            title: measured(Path(name) / str(at), train(), options.rounds)
            for at, (title, train) in enumerate(ARTIFACTS.items())
            if not options.what or title in options.what
        }
    missed = [line for title, facts in found.items() for line in judged(title, facts)]
    if options.json:
        print(json.dumps({"models": found, "missed": missed}, indent=2))
    else:
        table(found)
        for line in missed:
            print(f"missed: {line}")
    return 1 if missed else 0


def measured(folder: Path, trained: Trained, rounds: int) -> dict[str, Any]:
    """Convert one model both ways, and start what comes of it in turn."""
    folder.mkdir()
    joblib.dump(trained.model, folder / "model.joblib")
    joblib.dump(trained.held_out, folder / "rows.joblib")
    ours = inside("ours", folder)
    raw = inside("raw", folder)
    subjects = {"raw": raw["ready"], "onnx": str(folder / "ours.onnx"), "lite": ours["lite"]}
    runs: dict[str, list[dict[str, float]]] = {name: [] for name, path in subjects.items() if path}
    for number in range(rounds + 1):
        order = list(runs)
        for name in order[number % len(order) :] + order[: number % len(order)]:
            run = inside("start", Path(str(subjects[name])))
            if number:  # the first round fills the file cache
                runs[name].append(run)

    def ratio(name: str, key: str) -> float | None:
        if name not in runs:
            return None
        pairs = zip(runs[name], runs["raw"], strict=True)
        return statistics.median(one[key] / other[key] for one, other in pairs)

    return {
        "joblib_bytes": (folder / "model.joblib").stat().st_size,
        "raw_bytes": raw["bytes"],
        "raw_error": raw["error"],
        "raw_inputs_when_started": raw["kind"],
        "onnx_bytes": ours["bytes"],
        "lite_bytes": ours["lite_bytes"],
        "zlib_bytes": ours["zlib_bytes"],
        "inflate_ms": ours["inflate_seconds"] * 1e3,
        "convert_seconds": ours["seconds"],
        "raw_convert_seconds": raw["seconds"],
        "build_seconds": ours["build_seconds"],
        "bit_identical_to_unslimmed": ours["identical"],
        "worst_error": ours["worst"],
        "raw_ready_ms": statistics.median(run["ms"] for run in runs["raw"]),
        "onnx_ready_ratio": ratio("onnx", "ms"),
        "lite_ready_ratio": ratio("lite", "ms"),
        "raw_peak_mb": statistics.median(run["mb"] for run in runs["raw"]),
        "onnx_peak_mb": statistics.median(run["mb"] for run in runs["onnx"]),
        "lite_peak_mb": statistics.median(run["mb"] for run in runs["lite"]) if "lite" in runs else None,
    }


def inside(what: str, path: Path) -> dict[str, Any]:
    """Run one step in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(INSIDE), what, str(path)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{what} {path}: {done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def judged(title: str, facts: dict[str, Any]) -> list[str]:
    """Say which bars a model misses."""
    bars = BARS.get(title, Bars())
    limits = [
        ("MB of model.onnx", facts["onnx_bytes"] / 1e6, bars.size),
        ("seconds to convert", facts["convert_seconds"], bars.seconds),
        ("of raw's time until ready", facts["onnx_ready_ratio"], bars.ready),
    ]
    if facts["raw_error"] is None or facts["raw_error"] <= EXACT:
        limits.append(("bytes in terms of raw's", facts["onnx_bytes"] / facts["raw_bytes"], 1.0))
    missed = [
        f"{title}: {found:.3g} {what}, the bar is {limit:g}"
        for what, found, limit in limits
        if limit is not None and found > limit
    ]
    if not facts["bit_identical_to_unslimmed"]:
        missed.append(f"{title}: slimming changes an answer")
    return missed


def table(found: dict[str, dict[str, Any]]) -> None:
    """Print the models as Markdown."""
    row(
        "model", "joblib KB", "raw KB", "error", "onnx KB", "bar", "lite KB", "convert s", "bar", "raw / ours"
    )
    row(*["---"] * 10)
    for title, facts in found.items():
        bars = BARS.get(title, Bars())
        row(
            title,
            *(f"{facts[key] / 1e3:,.1f}" for key in ("joblib_bytes", "raw_bytes")),
            "does not load" if facts["raw_error"] is None else f"{facts['raw_error']:.0e}",
            f"{facts['onnx_bytes'] / 1e3:,.1f}",
            f"{bars.size * 1e3:,.0f}" if bars.size else "raw" if (facts["raw_error"] or 0.0) <= EXACT else "",
            f"{facts['lite_bytes'] / 1e3:,.1f}" if facts["lite_bytes"] else "",
            f"{facts['convert_seconds']:.2f}",
            f"{bars.seconds:g}" if bars.seconds else "",
            f"{facts['raw_convert_seconds'] / facts['convert_seconds']:.1f}",
        )
    print()
    row("model", "onnx KB", "zlib KB", "inflate ms", "pays below MB/s")
    row(*["---"] * 5)
    for title, facts in found.items():
        saved = facts["onnx_bytes"] - facts["zlib_bytes"]
        row(
            title,
            *(f"{facts[key] / 1e3:,.1f}" for key in ("onnx_bytes", "zlib_bytes")),
            f"{facts['inflate_ms']:.1f}",
            f"{saved / facts['inflate_ms'] / 1e3:,.0f}",
        )
    print()
    row("model", "raw ready ms", "onnx / raw", "bar", "lite / raw", "raw MB", "onnx MB", "lite MB", "error")
    row(*["---"] * 9)
    for title, facts in found.items():
        bars = BARS.get(title, Bars())
        row(
            f"{title} ({facts['raw_inputs_when_started']})",
            f"{facts['raw_ready_ms']:.1f}",
            f"{facts['onnx_ready_ratio']:.2f}",
            f"{bars.ready:g}" if bars.ready else "",
            f"{facts['lite_ready_ratio']:.2f}" if facts["lite_ready_ratio"] is not None else "",
            *(
                f"{facts[key]:.0f}" if facts[key] is not None else ""
                for key in ("raw_peak_mb", "onnx_peak_mb", "lite_peak_mb")
            ),
            f"{facts['worst_error']:.0e}",
        )


def row(*cells: str) -> None:
    """Print a row of a Markdown table."""
    print("| " + " | ".join(cells) + " |", flush=True)


def sizes(folder: Path, names: Sequence[str]) -> int:
    """Compare the graphs of the sweep with raw ones; 1 if one is larger than a raw one that is exact."""
    (folder / "names.json").write_text(json.dumps(list(names)))
    ours, raw = inside("sweep-ours", folder), inside("sweep-raw", folder)
    both = sorted(set(ours) & set(raw), key=lambda one: raw[one][0] / ours[one])
    missed = []
    for title, keys in by_raw({key: raw[key][1] for key in both}).items():
        print(f"\n## Raw is {title}: {len(keys)}\n")
        row("trial", "raw bytes", "raw's error", "ours", "ours / raw")
        row(*["---"] * 5)
        for key in keys:
            size, error = raw[key]
            said = "wrong" if error is None else f"{error:.0e}"
            row(key, f"{size:,}", said, f"{ours[key]:,}", f"{ours[key] / size:.2f}")
        larger = [key for key in keys if ours[key] > raw[key][0]]
        print(f"\n{len(larger)} of ours are larger than these: {'; '.join(larger) or 'none'}")
        if title == FAIR:
            missed = larger
    ratios = [ours[key] / raw[key][0] for key in both]
    if alone := sorted(set(ours) - set(raw)):
        print(f"\nskl2onnx alone writes no graph, or none within {LONGEST:g} s, for: {'; '.join(alone)}")
    print(f"\n{len(ours)} graphs of ours, {len(both)} that skl2onnx writes too", end="")
    print(f"; median of ours / raw {statistics.median(ratios):.2f}" if ratios else "")
    for key in missed:
        print(f"missed: {key}: {ours[key]:,} bytes, the bar is raw's {raw[key][0]:,}")
    return 1 if missed else 0


def by_raw(errors: Mapping[str, float | None]) -> dict[str, list[str]]:
    """Sort trials by what raw answers for fresh rows, as measured in this run.

    A graph that answers wrong does not do the work of ours. One within the sweep's tolerance, not to `EXACT`,
    keeps numbers as float32, which are half of the bytes.
    """
    found: dict[str, list[str]] = {FAIR: [], ROUNDED: [], WRONG: []}
    for key, error in errors.items():
        found[WRONG if error is None else FAIR if error <= EXACT else ROUNDED].append(key)
    return found


if __name__ == "__main__":
    sys.exit(main())
