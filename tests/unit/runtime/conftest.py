"""A small artifact and the function around it, for the runtime's tests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType
from sklearn.linear_model import LogisticRegression

from sls_ml_runtime import engines
from sls_ml_runtime.artifact import open_folder
from sls_ml_runtime.serve import Service


def canonical(value: Any) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def field(name: str, dtype: str = "float64", **more: Any) -> dict[str, Any]:
    entry = {"name": name, "dtype": dtype, "nullable": False, "finite": True, "range": None}
    return entry | {"categories": None} | more


@dataclass(frozen=True)
class Stored:
    """An artifact in a store on disk: ``<store>/<name>/<digest>``."""

    store: Path
    name: str
    digest: str
    manifest: dict[str, Any]

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self.store / self.name / self.digest


def write_artifact(store: Path, model: bytes, **changes: Any) -> Stored:
    manifest = {
        "format": 1,
        "name": "credit",
        "kind": "classifier",
        "inputs": [field("age"), field("income")],
        "tensors": [{"name": "x", "dtype": "float64", "columns": [0, 1], "rank": 2}],
        "outputs": [
            {"key": "label", "tensor": "label", "dtype": "int64", "columns": None, "positions": True},
            {"key": "probability", "tensor": "probabilities", "dtype": "float64", "columns": 2},
        ],
        "classes": ["no", "yes"],
        "files": {"model.onnx": {"sha256": hashlib.sha256(model).hexdigest(), "bytes": len(model)}},
        "engines": ["ort_capi", "ort_python"],
        "example": [{"age": 41.0, "income": 3.0}],
        "opset": {"": 18, "ai.onnx.ml": 3},
        "source": {"library": "scikit-learn", "estimator": "LogisticRegression"},
    } | changes
    text = canonical(manifest)
    digest = hashlib.sha256(text).hexdigest()
    folder = store / manifest["name"] / digest
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_bytes(text)
    (folder / "model.onnx").write_bytes(model)
    return Stored(store, manifest["name"], digest, manifest)


@pytest.fixture(scope="session")
def model() -> bytes:
    """A logistic regression of two features as ONNX."""
    generator = np.random.default_rng(0)
    features = generator.normal(size=(200, 2)) * [10, 2] + [40, 5]
    classifier = LogisticRegression().fit(features, features[:, 0] + features[:, 1] > 45)
    exported = to_onnx(
        classifier,
        initial_types=[("x", DoubleTensorType([None, 2]))],
        options={"zipmap": False},
        target_opset={"": 18, "ai.onnx.ml": 3},
    )
    return bytes(exported.SerializeToString())


@pytest.fixture
def write(tmp_path: Path, model: bytes) -> Callable[..., Stored]:
    """Write an artifact whose manifest differs by the given keys."""
    return lambda **changes: write_artifact(tmp_path / "store", model, **changes)


@pytest.fixture
def stored(write: Callable[..., Stored]) -> Stored:
    return write()


def config(*artifacts: Stored, bundled: bool = True, **http: Any) -> dict[str, Any]:
    return {
        "format": 1,
        "project": "risk",
        "function": "predict",
        "kind": "http",
        "models": {
            artifact.name: {
                "digest": artifact.digest,
                "files": {name: facts["bytes"] for name, facts in artifact.manifest["files"].items()},
                "bundled": bundled,
                "engine": "ort_capi",
            }
            for artifact in artifacts
        },
        "http": {"max_rows": 10, "max_body": 2000, "page": False, "cors": []} | http,
        "objects": None,
        "runtime": {"version": "1.2.3", "digest": "0" * 64},
    }


def make_service(*artifacts: Stored, hooks: Any = None, **http: Any) -> Service:
    opened = {artifact.name: open_folder(artifact.folder, artifact.digest) for artifact in artifacts}
    loaded = {name: engines.load(artifact) for name, artifact in opened.items()}
    return Service(config(*artifacts, **http), opened, loaded, hooks)


@pytest.fixture
def runtime(write: Callable[..., Stored]) -> SimpleNamespace:
    """What the tests build with."""
    return SimpleNamespace(
        canonical=canonical, field=field, write=write, config=config, make_service=make_service
    )


@pytest.fixture
def service(stored: Stored) -> Service:
    return make_service(stored)
