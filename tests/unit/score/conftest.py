"""A small model behind a batch function, and places for its results."""

# ruff: noqa: D102

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO, Protocol

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sls_ml_runtime import engines
from sls_ml_runtime.artifact import open_folder
from sls_ml_runtime.score import Source
from sls_ml_runtime.scorer import Scorer
from sls_ml_runtime.serve import Service


class Place(Protocol):
    """Results that a test can look into: content and facts by key."""

    objects: dict[str, bytes]

    def get(self, key: str) -> bytes | None: ...
    def facts(self, key: str) -> Mapping[str, str] | None: ...
    def create(self, key: str, body: BinaryIO, facts: Mapping[str, str]) -> bool: ...


class Memory:
    """Results in a dict."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.notes: dict[str, dict[str, str]] = {}

    def get(self, key: str) -> bytes | None:
        return self.objects.get(key)

    def facts(self, key: str) -> Mapping[str, str] | None:
        return self.notes.get(key)

    def create(self, key: str, body: BinaryIO, facts: Mapping[str, str]) -> bool:
        if key in self.objects:
            return False
        self.objects[key] = body.read()
        self.notes[key] = dict(facts)
        return True


class Folder:
    """Results in a folder; facts lie beside their object."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def objects(self) -> dict[str, bytes]:
        files = (file for file in self.root.rglob("*") if file.is_file() and file.suffix != ".facts")
        return {file.relative_to(self.root).as_posix(): file.read_bytes() for file in files}

    def get(self, key: str) -> bytes | None:
        file = self.root / key
        return file.read_bytes() if file.exists() else None

    def facts(self, key: str) -> Mapping[str, str] | None:
        file = self.root / f"{key}.facts"
        return json.loads(file.read_text()) if file.exists() else None

    def create(self, key: str, body: BinaryIO, facts: Mapping[str, str]) -> bool:
        file = self.root / key
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with file.open("xb") as new:
                new.write(body.read())
        except FileExistsError:
            return False
        (self.root / f"{key}.facts").write_text(json.dumps(dict(facts)))
        return True


class Input:
    """Objects to read, and from where each was opened."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.opened: list[int] = []

    def __call__(self, source: Source, position: int, /) -> BinaryIO:
        self.opened.append(position)
        return io.BytesIO(self.content[position:])


def source(key: str = "in/a.csv", etag: str = "e1") -> Source:
    return Source("data", key, etag, None, 0)


def field(name: str, dtype: str, **more: Any) -> dict[str, Any]:
    entry = {"name": name, "dtype": dtype, "nullable": False, "finite": True, "range": None}
    return entry | {"categories": None} | more


def _logistic_model() -> bytes:
    """Probability of yes is the sigmoid of age minus 40 plus children, in double precision."""
    double = TensorProto.DOUBLE
    constants = {"bias": np.array(-40.0), "one": np.array(1.0)}
    nodes = [
        helper.make_node("Cast", ["children"], ["more"], to=double),
        helper.make_node("Add", ["age", "more"], ["sum"]),
        helper.make_node("Add", ["sum", "bias"], ["score"]),
        helper.make_node("Sigmoid", ["score"], ["yes"]),
        helper.make_node("Sub", ["one", "yes"], ["no"]),
        helper.make_node("Concat", ["no", "yes"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "logistic",
        [
            helper.make_tensor_value_info("age", double, [None, 1]),
            helper.make_tensor_value_info("children", TensorProto.INT64, [None, 1]),
        ],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
            helper.make_tensor_value_info("probabilities", double, [None, 2]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


@pytest.fixture(scope="session")
def artifact_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact of the inputs age, children and city; the last is checked, but no tensor reads it."""
    model = _logistic_model()
    manifest = {
        "format": 1,
        "name": "credit",
        "kind": "classifier",
        "inputs": [
            field("age", "float64", range=[0, 150]),
            field("children", "int64"),
            field("city", "string", categories=["Bern", "Basel, BS"]),
        ],
        "tensors": [
            {"name": "age", "dtype": "float64", "columns": [0], "rank": 2},
            {"name": "children", "dtype": "int64", "columns": [1], "rank": 2},
        ],
        "outputs": [
            {"key": "label", "tensor": "label", "dtype": "int64", "columns": None, "positions": True},
            {"key": "probability", "tensor": "probabilities", "dtype": "float64", "columns": 2},
        ],
        "classes": ["no", "yes"],
        "files": {"model.onnx": {"sha256": hashlib.sha256(model).hexdigest(), "bytes": len(model)}},
        "engines": ["ort_capi", "ort_python"],
        "example": [{"age": 41.0, "children": 0, "city": "Bern"}],
        "opset": {"": 18},
        "source": {"library": "onnx", "estimator": "logistic"},
    }
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    folder = tmp_path_factory.mktemp("credit") / hashlib.sha256(text).hexdigest()
    folder.mkdir()
    (folder / "manifest.json").write_bytes(text)
    (folder / "model.onnx").write_bytes(model)
    return folder


def scorers(artifact_folder: Path) -> Callable[..., Scorer]:
    """What makes scorers of an artifact; keywords replace settings, ``before`` and ``after`` are hooks."""
    artifact = open_folder(artifact_folder, artifact_folder.name)
    engine = engines.load(artifact, engine="ort_capi")

    def make(*, release: str = "7", before: Any = None, after: Any = None, **settings: Any) -> Scorer:
        objects = {"format": "csv", "output": "csv", "join": ["id"], "max_rejected": 0.05} | settings
        config = {
            "project": "risk",
            "function": "score",
            "models": {"credit": {}},
            "http": None,
            "objects": objects,
            "runtime": {"version": "0.1.0", "digest": "d" * 64},
        }
        hooks: Any = SimpleNamespace(before=before, after=after)
        service = Service(config, {"credit": artifact}, {"credit": engine}, hooks)
        return Scorer(service, release=release)

    return make


@pytest.fixture(scope="session")
def scorer(artifact_folder: Path) -> Callable[..., Scorer]:
    return scorers(artifact_folder)


@pytest.fixture(params=["memory", "folder"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Memory() if request.param == "memory" else Folder(tmp_path)
