"""One model behind functions of every style, each laid out as Lambda would find it and started here."""

from __future__ import annotations

import json
import logging
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aws_lambda_powertools import Metrics

import sls_ml_runtime
from sls_ml import codegen
from sls_ml.intent.model import Deployment, Function, ModelRef, WriteLogs
from sls_ml.provider import aws
from sls_ml.spec.model import Concurrency, Http, Rollout

TESTS = Path(__file__).parents[2]
(ARTIFACT,) = (TESTS / "golden" / "artifact" / "store" / "linear-1").iterdir()
MANIFEST = json.loads((ARTIFACT / "manifest.json").read_text("utf-8"))

CONTEXT = SimpleNamespace(
    function_name="risk-dev-predict",
    function_version="7",
    invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:risk-dev-predict:live",
    memory_limit_in_mb=512,
    aws_request_id="0b9f6c2e-4d83-4a6e-9d6b-6f7a1c2d3e4f",
)

ROW = {"age": 47.0, "income": 38_880.0, "city": "Bern"}

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


def url_event(method: str = "POST", path: str = "/predict", body: str = "", **headers: str) -> dict[str, Any]:
    """The recorded event of a function URL with another request in it; ``_`` in a header is ``-``."""
    event: dict[str, Any] = json.loads((TESTS / "events" / "url-post.json").read_text("utf-8"))
    event["requestContext"]["http"] |= {"method": method, "path": path}
    event["headers"] |= {name.replace("_", "-"): value for name, value in headers.items()}
    return event | {"rawPath": path, "body": body}


def function(**changed: Any) -> Function:
    files = {file.name: file.stat().st_size for file in ARTIFACT.iterdir()}
    values: dict[str, Any] = {
        "models": (ModelRef("linear-1", ARTIFACT.name, files, "lite", True, MANIFEST),),
        "http": Http(),
        "batch": None,
        "memory": 512,
        "timeout": 10,
        "python": "3.13",
        "architecture": "x86_64",
        "start": "plain",
        "concurrency": Concurrency(),
        "observability": "native",
        "style": "function",
        "environment": {},
        "grants": (WriteLogs(),),
        "log_retention": 30,
    }
    return Function(name="predict", **(values | changed))


def deployment(*functions: Function, stage: str = "dev") -> Deployment:
    return Deployment(
        project="risk",
        stage=stage,
        provider="aws",
        region="eu-west-1",
        store="auto",
        vendor=False,
        functions=functions,
        rollout=Rollout(),
    )


def generate(what: Function, folder: Path, **own: str) -> Path:
    """Generate a function into a folder, with its artifact and files of the user's own; gives its folder."""
    deployed = deployment(what)
    files = codegen.generate(
        deployed,
        aws.sources(deployed),
        requirements=aws.requirements(deployed),
        runtime_root=Path(sls_ml_runtime.__path__[0]),
    )
    codegen.write(files, folder)
    root = folder / "risk" / "aws" / "predict"
    for name, text in own.items():
        (root / f"{name}.py").write_text(text)
    shutil.copytree(ARTIFACT, root / "artifacts" / "linear-1" / ARTIFACT.name)
    return root


def forget_modules() -> None:
    """Forget the modules of a function: the next one has others of the same names."""
    for name in list(sys.modules):
        if name.partition(".")[0] in {"app", "chalicelib", "handler", "hooks"}:
            del sys.modules[name]
    logging.Logger.manager.loggerDict.pop("predict", None)  # Powertools' keeps the stdout of its test


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Handler]]:
    """Generate a function, and run its init phase, with Powertools' metrics as in a process of its own."""
    for kept in ("_metrics", "_dimensions", "_metadata", "_default_dimensions"):
        monkeypatch.setattr(Metrics, kept, {})
    folders = (tmp_path / str(number) for number in count())

    def run(*, hooks: str = "", app: str = "", **changed: Any) -> Handler:
        own = {name: text for name, text in (("hooks", hooks), ("app", app)) if text}
        root = generate(function(**changed), next(folders), **own)
        forget_modules()
        monkeypatch.setenv("LAMBDA_TASK_ROOT", str(root))
        monkeypatch.syspath_prepend(root)
        entry: Handler = import_module("handler").handler
        return entry

    yield run
    forget_modules()
