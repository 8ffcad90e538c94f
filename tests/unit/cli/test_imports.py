"""The command line starts without the libraries that only some commands need."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {"boto3", "botocore", "moto", "numpy", "obstore", "onnx", "onnxruntime", "pandas", "sklearn", "skops"}


def test_the_commands_load_no_heavy_library() -> None:
    # GIVEN a fresh interpreter
    program = f"import sls_ml.cli.commands, sys; print(*sorted({HEAVY!r} & set(sys.modules)))"
    # WHEN the commands are imported
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    # THEN none of these has been
    assert done.stdout.split() == []
