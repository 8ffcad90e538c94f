"""Boosted trees convert right with protobuf 7 too, in an environment of its own: ours leaves it out."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from environments import installed

HERE = Path(__file__).parent / "protobuf7"
FRAMEWORK = Path(__file__).parents[3] / "framework"


def test_boosted_trees_convert_with_protobuf_7() -> None:
    # GIVEN an environment with protobuf 7, under which skl2onnx once wrote truth values where numbers belong
    python = installed(HERE / "requirements.txt") / "bin" / "python"

    # WHEN boosted trees are trained and converted there
    done = subprocess.run(
        [python, HERE / "build_and_compare.py"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(FRAMEWORK), "ORT_DISABLE_TELEMETRY": "1"},
    )
    told = json.loads(done.stdout)

    # THEN they answer fresh rows, some values of which are missing, as the originals do
    assert told["protobuf"].startswith("7.")
    assert told["probability"] < 1e-9
    assert told["value"] < 1e-6
