"""Which files of the runtime ride along."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from sls_ml.artifact.lite import compile_lite
from sls_ml.package import prune


def test_a_function_brings_the_runtime_that_it_uses(make: Callable[..., Any]) -> None:
    # GIVEN a function that answers requests with the lite engine, its model beside it
    project = make()
    project.configure("lite")
    # WHEN it is packaged
    built = project.build()
    names = {file.path for file in built.files}
    # THEN the engine is there, and what it never reads is listed with the reason
    assert "sls_ml_runtime/engines/lite.py" in names
    left = {file.path: file.why for file in built.pruned}
    assert left["sls_ml_runtime/engines/ort_capi.py"] == "no model runs on this engine"
    assert left["sls_ml_runtime/score.py"] == "the function scores no objects"
    assert left["sls_ml_runtime/page.html"] == "the function serves no page"
    assert {
        f"sls_ml_runtime/{name}.py" for name in ("s3", "fetch", "follow", "secrets", "wire")
    } <= left.keys()
    # THEN nothing is in both, bytecode included
    assert not {path.rpartition("/")[2].removesuffix(".py") for path in left} & {
        path.rpartition("/")[2].partition(".")[0] for path in names if path.endswith(".pyc")
    }


@pytest.mark.parametrize(
    ("path", "settings"),
    [
        ("engines/ort_python.py", {"engines": {"ort_python"}}),
        ("engines/lite_ops/trees.py", {"engines": {"lite"}}),
        ("engines/lite_ops/trees.py", {"engines": {"lite"}, "lite": {"trees"}}),
        ("engines/lite_ops/__init__.py", {"engines": {"lite"}, "lite": set()}),
        ("fetch.py", {"fetches": True}),
        ("follow.py", {"follows": True}),
        ("s3.py", {"fetches": True}),
        ("s3.py", {"scores": True}),
        ("scorer.py", {"scores": True}),
        ("aws_pending.py", {"scores": True}),
        ("page.html", {"page": True}),
        ("drift.py", {"watched": True}),
        ("secrets.py", {"secret": True}),
        ("wire.py", {"secret": True}),
        ("signing.py", {"fetches": True}),
        ("signing.py", {"scores": True}),
        ("serve.py", {}),
        ("dialects/csv_rows.py", {}),
    ],
)
def test_what_a_function_uses_stays(path: str, settings: dict[str, Any]) -> None:
    # GIVEN a function that uses a file THEN there is no reason to leave it out
    unused: Callable[..., str | None] = prune.unused
    none = {
        "engines": set(),
        "lite": None,
        "scores": False,
        "fetches": False,
        "follows": False,
        "page": False,
        "watched": False,
        "secret": False,
    }
    asked = none | settings
    assert unused(path, asked.pop("engines"), **asked) is None


def test_a_function_brings_the_operations_of_its_models(make: Callable[..., Any]) -> None:
    # GIVEN a function whose model runs on the lite engine, without any tree
    entries = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None, 2]) for name in ("x", "y")]
    weights = numpy_helper.from_array(np.eye(2), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "g", entries[:1], entries[1:], [weights]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    tensor = {"name": "x", "dtype": "float64", "columns": [0, 1], "rank": 2}
    manifest = {"tensors": [tensor], "outputs": [{"tensor": "y"}]}
    project = make(lite=compile_lite(model.SerializeToString(), manifest, row_budget=None))
    # WHEN it is packaged
    built = project.build()
    # THEN what the model does not ask for is left out
    left = {file.path: file.why for file in built.pruned}
    assert left["sls_ml_runtime/engines/lite_ops/trees.py"] == "no model asks for these operations"
    assert "sls_ml_runtime/engines/lite_ops/linear.py" in {file.path for file in built.files}
