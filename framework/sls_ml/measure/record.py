"""Measurements that are kept beside the spec, for `estimate`, `plan` and `inspect`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from sls_ml.spec.model import Project

Kind = Literal["coldstart", "memory"]


def path(project: Project, kind: Kind, function: str, suffix: str = "json") -> Path:
    """Where the last measurement of a function is kept."""
    return project.work_folder / "bench" / f"{kind}-{function}.{suffix}"


def keep(project: Project, kind: Kind, function: str, document: Mapping[str, Any]) -> None:
    """Keep a measurement in place of the last one."""
    file = path(project, kind, function)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def last(project: Project, kind: Kind, function: str) -> dict[str, Any] | None:
    """The last measurement of a function, or None where there is none that this version understands."""
    try:
        document = json.loads(path(project, kind, function).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) and document.get("function") == function else None


def picture(project: Project, function: str, model: str, digest: str) -> str | None:
    """The picture of a function's last measured start, if that was with this very artifact."""
    measured = last(project, "coldstart", function)
    file = path(project, "coldstart", function, "svg")
    if measured is None or measured.get("artifacts", {}).get(model) != digest or not file.is_file():
        return None
    return file.read_text(encoding="utf-8")
