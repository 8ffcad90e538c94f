"""The validators of others, in an environment of their own: SAM and parliament."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from environments import installed

_HERE = Path(__file__).parent / "e2e" / "validators"


def judge(**asked: Any) -> dict[str, Any]:
    """What they say; questions and answers are described in judge.py."""
    done = subprocess.run(
        [installed(_HERE / "requirements.txt") / "bin" / "python", _HERE / "judge.py"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
        env={
            **{name: os.environ[name] for name in ("HOME", "PATH")},
            "AWS_DEFAULT_REGION": "eu-west-1",
            "SAM_CLI_TELEMETRY": "0",
        },
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found
