"""Measures what engine, observability and style add to a start, by which `plan` and `start: auto` go.

    python benchmarks/styles.py [--starts 20]

Starts the function of samples/breast-cancer with one key changed at a time, in turn with an empty handler.
Prints the table of docs/benchmarks.md, and then framework/sls_ml/intent/data/starts.json with what it found.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from coldstart import ROOT, row, sls_ml
from ruamel.yaml import YAML

SAMPLE = ROOT / "samples/breast-cancer"
KEPT = ROOT / "framework/sls_ml/intent/data/starts.json"
CASES: dict[str, tuple[str, dict[str, str]]] = {
    "`lite`, native": ("lite", {}),
    "`ort_capi`, native": ("ort_capi", {}),
    "`ort_python`, native": ("ort_python", {}),
    "`lite`, `observability: powertools`": ("lite", {"observability": "powertools"}),
    "`lite`, `style: chalice`": ("lite", {"style": "chalice"}),
}


def main() -> None:
    """Measure all cases."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--starts", type=int, default=20)
    options = parser.parse_args()
    row("function", "CPU ms", "of empty", "x empty", "MB", "x empty", "zip KB")
    row(*["---"] * 7)
    found = {}
    for case, (engine, keys) in CASES.items():
        with tempfile.TemporaryDirectory(prefix="sls-ml-bench-") as name:
            found[case] = document = measure(Path(name) / "project", engine, keys, options.starts)
        ours, empty = document["subjects"]["predict"], document["subjects"]["empty"]
        row(
            case,
            f"{ours['cpu_ms']:.1f}",
            f"{empty['cpu_ms']:.1f}",
            f"{ours['cpu_ratio']:.2f}",
            f"{ours['resident_mb']:.1f}",
            f"{ours['memory_ratio']:.2f}",
            f"{ours['package_bytes'] / 1000:,.0f}",
        )
    print("\n" + json.dumps(figures([*found.values()], options.starts), indent=2))


def measure(folder: Path, engine: str, keys: dict[str, str], starts: int) -> dict[str, Any]:
    """Build the sample with an engine and with keys of its function; gives what `bench coldstart` prints."""
    folder.mkdir()
    for name in ("model.skops", "sample.csv"):
        shutil.copy(SAMPLE / name, folder)
    spec = YAML(typ="safe").load(SAMPLE / "sls-ml.yaml")
    spec |= {"artifacts": "artifacts", "handlers": "handlers"}
    spec["models"]["tumour"]["engine"] = engine
    spec["functions"] = {"predict": spec["functions"]["predict"] | keys}
    (folder / "sls-ml.yaml").write_text(json.dumps(spec), encoding="utf-8")
    document: dict[str, Any] = sls_ml(folder, "bench", "coldstart", "predict", "--starts", str(starts))
    return document


def figures(documents: list[dict[str, Any]], starts: int) -> dict[str, Any]:
    """The kept figures with what was found now: differences to the empty handler of the same run."""
    lite, ort_capi, ort_python, powertools, chalice = (
        each["subjects"]["predict"]["cpu_ms"] - each["subjects"]["empty"]["cpu_ms"] for each in documents
    )
    kept: dict[str, Any] = json.loads(KEPT.read_text(encoding="utf-8"))
    return kept | {
        "what": f"processor milliseconds of a cold start on one core, medians of {starts} starts "
        "beside an empty handler",
        "measured": f"{datetime.now(UTC):%Y-%m-%d}",
        "empty": round(documents[0]["subjects"]["empty"]["cpu_ms"]),
        "engine": {"lite": round(lite), "ort_capi": round(ort_capi), "ort_python": round(ort_python)},
        "observability": {"native": 0, "powertools": round(powertools - lite)},
        "style": {"function": 0, "chalice": round(chalice - lite)},
        "log_bytes": {
            "native": round(documents[0]["log_bytes"]),
            "powertools": round(documents[3]["log_bytes"]),
        },
        "answer_bytes": round(documents[0]["answer_bytes"]),
    }


if __name__ == "__main__":
    main()
