"""Deployments and a runtime of two files, so that goldens do not move with the real one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sls_ml.intent.model import Batch, Deployment, EngineName, Function, ModelRef, Place
from sls_ml.spec.model import Concurrency, Http, Rollout


def model(name: str = "credit", *, engine: EngineName = "ort_capi", bundled: bool = True) -> ModelRef:
    return ModelRef(
        name=name,
        digest="ab" * 32,
        files={"manifest.json": 900, "model.onnx": 40_000},
        engine=engine,
        bundled=bundled,
        manifest={},
    )


def function(name: str = "predict", **changed: Any) -> Function:
    batch = changed.get("batch")
    values: dict[str, Any] = {
        "models": (model(),),
        "http": None if batch else Http(),
        "batch": None,
        "memory": 512,
        "timeout": 10,
        "python": "3.13",
        "architecture": "x86_64",
        "start": "plain",
        "concurrency": Concurrency(),
        "observability": "powertools" if batch else "native",
        "style": "function",
        "environment": {},
        "grants": (),
        "log_retention": 30,
    }
    return Function(name=name, **(values | changed))


def batch(**changed: Any) -> Batch:
    values: dict[str, Any] = {
        "source": Place(None, "score/in/"),
        "target": Place(None, "score/out/"),
        "format": "csv",
        "output": "csv",
        "join": ("id",),
        "max_rejected": 0.05,
    }
    return Batch(**(values | changed))


def deployment(*functions: Function, vendor: bool = False) -> Deployment:
    return Deployment(
        project="risk",
        stage="dev",
        provider="aws",
        region="eu-west-1",
        store="s3://store/artifacts",
        vendor=vendor,
        functions=functions,
        rollout=Rollout(),
    )


@pytest.fixture
def runtime_root(tmp_path: Path) -> Path:
    root = tmp_path / "runtime" / "sls_ml_runtime"
    (root / "engines").mkdir(parents=True)
    (root / "__init__.py").write_text('"""The runtime."""\n')
    (root / "engines" / "lite.py").write_text('"""An engine."""\n')
    return root


@pytest.fixture
def generated(runtime_root: Path) -> Callable[..., dict[str, bytes]]:
    """Generate for AWS; content by path as text."""
    from sls_ml import codegen
    from sls_ml.provider import aws

    def run(*functions: Function, vendor: bool = False) -> dict[str, bytes]:
        what = deployment(*functions, vendor=vendor)
        files = codegen.generate(
            what, aws.sources(what), requirements=aws.requirements(what), runtime_root=runtime_root
        )
        return {str(path): content for path, content in files.items()}

    return run
