"""Kept measurements of what engine, observability and style add to a start: data with its source."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from sls_ml.intent.model import ModelRef

MB_PER_CPU = 1769
"""Lambda gives one vCPU for so much memory, and a share of it for less (AWS Lambda: Configure memory)."""

FETCH_MB_PER_SECOND = 70.0
"""What a function is assumed to read from S3 in a second."""


SMALL_MODEL_MB: Mapping[str, int] = {"lite": 40, "ort_capi": 65, "ort_python": 82}
"""Memory of a function with a small model: its process (docs/benchmarks.md), and 24 MB that Lambda counts
beside it, assumed."""

TREE_MB, NETWORK_MB = 11, 2
"""What ONNX Runtime takes for a MB of model.onnx: measured with a forest of a million nodes, whose file is
packed tightly, and with a network of 9 million weights. `lite` maps its file."""


@dataclass(frozen=True)
class Figures:
    """Processor milliseconds of a cold start on one core, and what a request of a small model takes.

    Attributes:
        source: The page that tells how they were measured.
        measured: The day.
        empty: A start of an empty handler.
        engine: What each engine adds to it.
        observability: What logs and metrics add.
        style: What the style of the function adds.
        request_ms: A warm request of one row.
        log_bytes: What a request writes to the log, by observability.
        answer_bytes: Size of an answer for one row.
    """

    source: str
    measured: str
    empty: float
    engine: Mapping[str, float]
    observability: Mapping[str, float]
    style: Mapping[str, float]
    request_ms: float
    log_bytes: Mapping[str, float]
    answer_bytes: float

    def start_cpu_ms(self, engine: str, observability: str, style: str) -> float:
        """Processor milliseconds of a start with a small model."""
        return self.empty + self.engine[engine] + self.observability[observability] + self.style[style]


@cache
def figures() -> Figures:
    """The figures as they are kept."""
    file = resources.files("sls_ml.intent").joinpath("data", "starts.json")
    kept = json.loads(file.read_text(encoding="utf-8"))
    del kept["what"]
    return Figures(**kept)


def slowdown(memory: int) -> float:
    """How much longer than on one core a function of so many MB waits for its processor time.

    More than a core is of no use to it: a start and a request run in one thread.
    """
    return max(1.0, MB_PER_CPU / memory)


def fetch_ms(size: int) -> float:
    """Milliseconds that so many bytes are expected to take from the store."""
    return size / (FETCH_MB_PER_SECOND * 1e6) * 1000


def start_ms(*, engine: str, observability: str, style: str, memory: int, fetched: int) -> float:
    """The expected milliseconds of a plain start.

    Args:
        engine: The engine that runs the model.
        observability: How the function logs.
        style: How it is written.
        memory: Its memory in MB.
        fetched: Bytes of models that it reads from the store.
    """
    return figures().start_cpu_ms(engine, observability, style) * slowdown(memory) + fetch_ms(fetched)


def needed_mb(models: Iterable[ModelRef]) -> int:
    """The memory in MB that a function with these models is expected to need."""
    most, large = 0, 0.0
    for model in models:
        most = max(most, SMALL_MODEL_MB[model.engine])
        factor = TREE_MB if "ai.onnx.ml" in model.manifest.get("opset", ()) else NETWORK_MB
        large += sum(model.files.values()) / (1 << 20) * (1 if model.engine == "lite" else factor)
    return int(most + large)
