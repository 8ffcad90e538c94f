"""The validators of others, in an environment of their own: SAM and parliament."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from uv import find_uv_bin

from sls_ml.local.managed_runtime import cache_folder

_HERE = Path(__file__).parent / "e2e" / "validators"


def judge(**asked: Any) -> dict[str, Any]:
    """What they say; questions and answers are described in judge.py."""
    done = subprocess.run(
        [_installed() / "bin" / "python", _HERE / "judge.py"],
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


def _installed() -> Path:
    """The validators' environment, made once for each set of pins."""
    pins = _HERE / "requirements.txt"
    folder = cache_folder() / "validators" / hashlib.sha256(pins.read_bytes()).hexdigest()[:16]
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=folder.parent))
    uv = find_uv_bin()
    subprocess.run([uv, "venv", "--quiet", "--relocatable", "--python", "3.11", partial], check=True)
    command = [uv, "pip", "install", "--quiet", "--require-hashes", "--python", partial / "bin" / "python"]
    subprocess.run([*command, "-r", pins], check=True)
    try:
        partial.rename(folder)
    except OSError:  # another process was faster
        shutil.rmtree(partial)
    return folder
