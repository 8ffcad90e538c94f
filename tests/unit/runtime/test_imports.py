"""What a function imports at its start is part of every cold start: nothing that costs and is not needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FRAMEWORK = Path(__file__).parents[3] / "framework"
COSTLY = {
    "asyncio",
    "base64",
    "concurrent",
    "dataclasses",
    "datetime",
    "email",
    "hashlib",
    "http",
    "inspect",
    "logging",
    "numpy",
    "onnxruntime",
    "pathlib",
    "random",
    "shutil",
    "ssl",
    "tempfile",
    "typing",
    "urllib",
}


@pytest.mark.parametrize("module", ["aws", "metrics", "engines.ort_capi", "engines.lite"])
def test_starts_without_costly_modules(module: str) -> None:
    # GIVEN a bare interpreter
    program = (
        f"import sys; sys.path.insert(0, {str(FRAMEWORK)!r}); before = set(sys.modules)\n"
        f"import sls_ml_runtime.{module}\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules.keys() - before}))"
    )

    # WHEN a module of the HTTP path is imported
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True, timeout=120
    )

    # THEN it brings nothing costly along
    assert COSTLY.isdisjoint(done.stdout.split())
