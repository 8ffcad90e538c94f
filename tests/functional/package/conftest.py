"""A generated function's folder and its artifact, made by hand; real wheels, real interpreters."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import sls_ml_runtime
from sls_ml import package
from sls_ml.intent.model import Function
from sls_ml.runtime_tree import runtime_digest
from sls_ml.spec.model import Concurrency

RUNTIME = Path(sls_ml_runtime.__file__).parent

MARKUPSAFE = "markupsafe==3.0.3 " + " ".join(
    f"--hash=sha256:{sha256}"
    for sha256 in (
        "d6dd0be5b5b189d31db7cda48b91d7e0a9795f31430b7f271219ab30f1d3ac9d",  # cp312, x86_64
        "ccfcd093f13f0f0b7fdd0f198b90053bf7b2f02a3927a30e63f3ccc9df56b676",  # cp313, x86_64
        "133a43e73a802c5562be9bbcd03d090aa5a1fe899db609c29e8c8d815c5f6de6",  # cp313, aarch64
    )
)
"""A small wheel with a shared library, pinned."""

NUMPY = (
    "numpy==2.4.6 "
    "--hash=sha256:a7830bab239b79cda9c08c2da014761cafb48da6150e1da17ac06283f43b6089"  # cp313, x86_64
)

ONNXRUNTIME = "onnxruntime==1.32.0 " + " ".join(
    f"--hash=sha256:{sha256}"
    for sha256 in (
        "02ea12a28c069ea8510093d95a7f6ff8126bfd9fc5c0d3381c03b80fb2b424ba",
        "2303372a85299b6757b0e11e1cbf13e410ddf7e10c37f4b37e99d1c90e7daf7c",
        "54d02baff2df38777b4c3cc7af326406fe8b8a48f54720f4c446d2d327920a79",
        "5a34fc4dfeb5a7b4a74c95dcba1e773d722abda720b474edf1b0c419dc6d163d",
        "99e1074c4b2197accd5073052a465361be17b89c093b8ffb6e6bd8f986c52df8",
        "e36c187006e7a7c8b8d6d57f1a209dd63f52430dca6c282b177718ad6b841054",
    )
)
"""The wheels of Python 3.11 to 3.13 for both architectures."""

FUNCTION = Function(
    name="predict",
    models=(),
    http=None,
    batch=None,
    memory=512,
    timeout=10,
    python="3.13",
    architecture="x86_64",
    start="plain",
    concurrency=Concurrency(),
    observability="native",
    style="function",
    environment={},
    grants=(),
    log_retention=30,
)


@dataclass
class Project:
    """A project on disk with one function that serves the model ``tumour``."""

    root: Path
    digest: str

    @property
    def source(self) -> Path:
        """The generated folder of the function."""
        return self.root / "handlers/demo/aws/predict"

    @property
    def artifact(self) -> Path:
        """The folder of the artifact."""
        return self.root / "artifacts/tumour" / self.digest

    def configure(self, engine: str, *, bundled: bool = True, runtime: str | None = None) -> None:
        """Write config.json."""
        model = {"digest": self.digest, "engine": engine, "bundled": bundled}
        model["files"] = {"model.lite": 4, "model.onnx": 4}
        config = {
            "format": 1,
            "project": "demo",
            "function": "predict",
            "kind": "http",
            "http": {"page": False},
            "models": {"tumour": model},
            "runtime": {"version": "0.1.0", "digest": runtime or runtime_digest(RUNTIME)},
        }
        (self.source / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True))

    def build(self, **changes: Any) -> package.Package:
        """Build the function, with other arguments or other values of the function."""
        function = {key: changes.pop(key) for key in ("python", "architecture") if key in changes}
        arguments: dict[str, Any] = {
            "source": self.source,
            "runtime": RUNTIME,
            "artifacts": {"tumour": self.artifact},
            "limits": {},
            "cache": self.root / ".sls-ml",
        }
        return package.build(replace(FUNCTION, **function), **(arguments | changes))


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Project]:
    """Make a project in a folder of its own."""

    def make_project(
        name: str = "one",
        *,
        requirements: str = "",
        engine: str = "lite",
        onnx: bytes = b"onnx",
        lite: bytes = b"lite",
    ) -> Project:
        root = tmp_path / name
        files = {"model.lite": lite, "model.onnx": onnx}
        listed = {
            file: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
            for file, data in files.items()
        }
        manifest = json.dumps(
            {
                "format": 1,
                "name": "tumour",
                "kind": "regressor",
                "inputs": [
                    {
                        "name": name,
                        "dtype": "float64",
                        "nullable": False,
                        "finite": True,
                        "range": None,
                        "categories": None,
                    }
                    for name in ("size", "age")
                ],
                "tensors": [{"name": "x", "dtype": "float64", "columns": [0, 1], "rank": 2}],
                "outputs": [{"key": "value", "tensor": "y", "dtype": "float64", "columns": 2}],
                "classes": None,
                "engines": ["lite", "ort_capi"],
                "example": [],
                "source": {},
                "files": listed,
            },
            sort_keys=True,
            separators=(",", ":"),
        ).encode()
        project = Project(root, hashlib.sha256(manifest).hexdigest())
        project.artifact.mkdir(parents=True)
        project.source.mkdir(parents=True)
        for file, data in {**files, "manifest.json": manifest, "report.json": b"{}"}.items():
            (project.artifact / file).write_bytes(data)
        (project.source / "handler.py").write_text(
            "import hooks\n\n\ndef handler(event, context):\n    return hooks.NAME\n"
        )
        (project.source / "hooks.py").write_text('NAME = "first"\n')
        (project.source / "requirements.txt").write_text(requirements)
        project.configure(engine)
        return project

    return make_project
