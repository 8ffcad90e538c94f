"""Kept measurements of what engine, observability and style add to a start: data with its source."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

MB_PER_CPU = 1769
"""Lambda gives one vCPU for so much memory, and a share of it for less (AWS Lambda: Configure memory)."""

FETCH_MB_PER_SECOND = 70.0
"""What a function is assumed to read from S3 in a second."""


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
