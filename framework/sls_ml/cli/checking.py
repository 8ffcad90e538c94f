"""The command that looks for what is missing: doctor."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import typer

from sls_ml import deploy as story
from sls_ml.cli.console import Output
from sls_ml.cli.options import HERE, JsonOption, ProjectOption, StageOption
from sls_ml.errors import ExternalError, SlsMlError, UsageError
from sls_ml.package import interpreters
from sls_ml.spec import LOCAL_STAGE, SPEC_FILE, Project, read

_EXTRAS = {
    "sklearn": ("converting models", ("sklearn", "skl2onnx", "skops", "pandas", "onnx", "onnxruntime")),
    "aws": ("deploying to AWS", ("boto3",)),
    "local": ("the embedded cloud", ("boto3", "moto")),
}
_MARKS = {"ok": "✓", "hint": "!", "bad": "✗"}
_FREE_BYTES = 1_000_000_000


@dataclass(frozen=True)
class Finding:
    """How one thing stands.

    Attributes:
        subject: What was looked at.
        state: ``ok``; ``hint``: something cannot be done without it; ``bad``: nothing works.
        detail: What was found.
        mend: The command that mends it.
    """

    subject: str
    state: Literal["ok", "hint", "bad"]
    detail: str
    mend: str | None = None


def doctor(*, project: ProjectOption = HERE, stage: StageOption = None, json: JsonOption = False) -> None:
    """Look for what is missing on this machine and in the account, with the command that mends it."""
    output = Output.open(as_json=json)
    with output.working("looking") as show:
        findings = list(_examine(project, stage, show))
    output.document({"findings": [asdict(finding) for finding in findings]})
    if not json:
        output.table(("", "", ""), ((_MARKS[each.state], each.subject, each.detail) for each in findings))
        mends = [f"  {each.subject}: {each.mend}" for each in findings if each.mend]
        output.say("\nto mend\n" + "\n".join(mends) if mends else "\nnothing is missing")
    if any(each.state == "bad" for each in findings):
        raise typer.Exit(ExternalError.exit_code)


def _examine(folder: Path, stage: str | None, show: Callable[[str], None]) -> Iterator[Finding]:
    yield Finding("Python", "ok", f"{platform.python_version()} at {sys.executable}")
    yield from _tools()
    yield from _machine(folder)
    try:
        spec = read(folder, stage)
    except UsageError as error:
        yield Finding("project", "bad", error.what, error.mend)
        return
    except SlsMlError as error:
        missing = not (folder / SPEC_FILE).exists() and not folder.is_file()
        mend = (
            "sls-ml init --model MODEL --sample ROWS" if missing else "sls-ml plan says what is wrong in it"
        )
        yield Finding("project", "hint" if missing else "bad", error.what, mend)
        return
    yield Finding("project", "ok", f"{spec.project}, stage {spec.stage}")
    yield from _interpreters(spec)
    if spec.stage != LOCAL_STAGE and importlib.util.find_spec("boto3"):
        show("looking at the account")
        yield from _account(spec)


def _tools() -> Iterator[Finding]:
    for extra, (purpose, modules) in _EXTRAS.items():
        absent = [module for module in modules if importlib.util.find_spec(module) is None]
        if absent:
            detail = f"{', '.join(absent)} not installed: needed for {purpose}"
            yield Finding(f"extra {extra}", "hint", detail, f"pip install 'sls-ml[{extra}]'")
        else:
            yield Finding(f"extra {extra}", "ok", purpose)
    try:
        from uv import find_uv_bin

        yield Finding("uv", "ok", find_uv_bin())
    except (ImportError, FileNotFoundError) as error:
        yield Finding("uv", "bad", f"needed for packaging: {error}", "pip install uv")


def _machine(folder: Path) -> Iterator[Finding]:
    here = folder if folder.is_dir() else folder.parent
    free = shutil.disk_usage(here).free
    size = f"{free / 1e9:,.1f} GB free"
    if free < _FREE_BYTES:
        yield Finding("disk", "hint", f"{size}: packages may not fit", "rm -rf .sls-ml/cache, or make room")
    else:
        yield Finding("disk", "ok", size)
    try:
        socket.create_server(("127.0.0.1", 0)).close()
        yield Finding("loopback", "ok", "ports of 127.0.0.1 can be opened")
    except OSError as error:
        yield Finding("loopback", "hint", f"the embedded cloud cannot listen on 127.0.0.1: {error}")


def _interpreters(spec: Project) -> Iterator[Finding]:
    for version in sorted({function.python for function in spec.functions.values()}):
        found = interpreters.find(version)
        if found is None:
            detail = f"not here: the embedded cloud runs functions with {platform.python_version()} instead"
            yield Finding(f"Python {version}", "hint", detail, f"uv python install {version}")
        else:
            yield Finding(f"Python {version}", "ok", f"{found.version} at {found.executable}")


def _account(spec: Project) -> Iterator[Finding]:
    """Credentials, and the buckets that every deploy needs."""
    try:
        store = story.connect(spec).store
    except SlsMlError as error:
        yield Finding("AWS", "hint", error.what, error.mend)
        return
    yield Finding("AWS", "ok", f"credentials work in {spec.region}")
    try:
        next(story.operate(spec).list_objects(f"{store}/"), None)
    except SlsMlError as error:
        mend = "sls-ml bootstrap" if error.code in {"bucket-missing", "not-found"} else error.mend
        yield Finding("bootstrap", "hint", f"{store}: {error.what}", mend)
        return
    yield Finding("bootstrap", "ok", store)
