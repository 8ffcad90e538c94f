"""Fixtures for all tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
os.environ["SLS_ML_STAGE"] = "dev"  # under which functions in this process count what they do

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare a text with a checked-in file byte for byte; SLS_ML_REGEN=1 writes the file instead."""

    def compare(name: str, text: str) -> None:
        file = GOLDEN / name
        if os.environ.get("SLS_ML_REGEN"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode())
        assert file.exists(), f"{file} is missing: run `make regen` and look at the diff"
        assert text.encode() == file.read_bytes()

    return compare
