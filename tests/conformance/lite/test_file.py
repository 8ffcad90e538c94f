"""The file of a program: the same bytes for the same graph, read back as written, refused when damaged."""

from __future__ import annotations

import json
import zlib
from array import array
from math import nan
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from sls_ml.artifact.lite import compile_lite
from sls_ml_runtime.artifact import Artifact
from sls_ml_runtime.engines.lite import Engine
from sls_ml_runtime.errors import EngineError
from sls_ml_runtime.signature import TYPECODES

KEPT = Path(__file__).parent / "data" / "format-1"
MANIFEST = {
    "tensors": [{"name": "x", "dtype": "float64", "columns": [0, 1], "rank": 2}],
    "outputs": [{"tensor": "y"}],
}


def model():
    """Softmax of scores that are linear in two features."""
    graph = helper.make_graph(
        [
            helper.make_node("Sub", ["x", "m"], ["c"]),
            helper.make_node("MatMul", ["c", "w"], ["s"]),
            helper.make_node("Softmax", ["s"], ["y"], axis=1),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, [None, 2])],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, [None, 3])],
        [
            numpy_helper.from_array(np.array([1.0, 2.0]), "m"),
            numpy_helper.from_array(np.arange(6.0).reshape(2, 3) / 4, "w"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


CONTENT = compile_lite(model(), MANIFEST)
ROWS = [("float64", array("d", [1.5, 0.25])), ("float64", array("d", [0.5, 4.0]))]


def test_compiles_to_the_same_bytes():
    # GIVEN a graph
    # WHEN it is compiled again, from the model and from its bytes
    # THEN the bytes are the same
    assert compile_lite(model(), MANIFEST) == CONTENT
    assert compile_lite(model().SerializeToString(), MANIFEST) == CONTENT


def test_arrays_lie_at_multiples_of_eight():
    # GIVEN a compiled file
    # WHEN the length of the header is read
    length = int.from_bytes(CONTENT[24:28], "little")
    # THEN the arrays that follow it are aligned
    assert (32 + length) % 8 == 0


@pytest.mark.parametrize("name", sorted(file.stem for file in KEPT.glob("*.lite")))
def test_reads_kept_files_of_format_1(name, as_numpy):
    # GIVEN a file that an earlier version wrote, with columns and the answers of that version
    engine = Engine.of((KEPT / f"{name}.lite").read_bytes())
    kept = json.loads((KEPT / f"{name}.json").read_text())
    columns = [
        (
            dtype,
            values
            if dtype == "string"
            else array(TYPECODES[dtype], [nan if v is None else v for v in values]),
        )
        for dtype, values in kept["columns"]
    ]
    # WHEN it runs
    got = as_numpy(engine.run(columns))
    # THEN it answers as it did then
    for key, values in as_numpy(kept["arrays"]).items():
        assert got[key].dtype == values.dtype
        if values.dtype.kind == "f":
            np.testing.assert_allclose(got[key], values, rtol=1e-6, atol=1e-9)
        else:
            np.testing.assert_array_equal(got[key], values)


def test_runs_from_the_artifact_folder(tmp_path, as_numpy):
    # GIVEN an artifact's folder with a model.lite
    (tmp_path / "model.lite").write_bytes(CONTENT)
    # WHEN the engine opens it
    engine = Engine(Artifact("m", "0" * 64, dict(MANIFEST), str(tmp_path)))
    # THEN it answers a row for each row
    assert as_numpy(engine.run(ROWS))["y"].shape == (2, 3)


def test_no_rows_give_no_answers(as_numpy):
    # GIVEN a request without rows
    # WHEN the engine runs
    got = as_numpy(Engine.of(CONTENT).run([("float64", array("d")), ("float64", array("d"))]))
    # THEN the answers are empty, with the right width
    assert got["y"].shape == (0, 3)


def test_missing_file_is_an_engine_error(tmp_path):
    # GIVEN an artifact without model.lite
    artifact = Artifact("m", "0" * 64, dict(MANIFEST), str(tmp_path))
    # WHEN the engine opens it THEN it says so
    with pytest.raises(EngineError, match=r"model\.lite"):
        Engine(artifact)


def test_other_format_is_named():
    # GIVEN a file of a later format
    other = CONTENT[:8] + (7).to_bytes(4, "little") + CONTENT[12:]
    # WHEN it is read THEN the error names both formats
    with pytest.raises(EngineError, match="format 7; this version reads format 1"):
        Engine.of(other)


def test_unknown_operation_is_named():
    # GIVEN a file, whole in itself, that needs an operation of a later version
    body = CONTENT[16:].replace(b"linear.dense", b"linear.sense")
    file = CONTENT[:12] + zlib.crc32(body).to_bytes(4, "little") + body
    # WHEN it is read THEN the operation is named
    with pytest.raises(EngineError, match=r"linear\.sense"):
        Engine.of(file)


@given(st.integers(0, len(CONTENT) - 1))
def test_truncated_file_is_refused(length):
    # GIVEN the first part of a file
    # WHEN it is read THEN it is refused
    with pytest.raises(EngineError):
        Engine.of(CONTENT[:length])


@given(st.integers(0, len(CONTENT) - 1), st.integers(1, 255))
def test_damaged_file_is_refused(place, change):
    # GIVEN a file with one byte changed
    damaged = bytearray(CONTENT)
    damaged[place] ^= change
    # WHEN it is read THEN it is refused
    with pytest.raises(EngineError):
        Engine.of(bytes(damaged))


def test_a_value_that_cannot_be_computed_is_an_engine_error():
    # GIVEN a graph that reads numbers from texts
    graph = helper.make_graph(
        [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.INT64)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.STRING, [None, 1])],
        [helper.make_tensor_value_info("y", TensorProto.INT64, [None, 1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    tensor = {"name": "x", "dtype": "string", "columns": [0], "rank": 2}
    engine = Engine.of(compile_lite(model, {"tensors": [tensor], "outputs": [{"tensor": "y"}]}))
    # WHEN the second row's text is no number
    with pytest.raises(EngineError) as caught:
        engine.run([("string", ["12", "a secret"])])
    # THEN the error names the row, and keeps the text to itself
    assert "row 1" in str(caught.value)
    assert "secret" not in str(caught.value)
