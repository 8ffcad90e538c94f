"""Graphs that reach out of their folder, lie of their size, never end, or are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from conformance.sources.conftest import Data
from conformance.sources.graphs import dense, matrix_of, saved
from sls_ml.artifact import build
from sls_ml.errors import ArtifactError, SlsMlError


def external(folder: Path, location: str, **entries: str) -> Path:
    """A graph whose weights lie where `location` says."""
    model = dense()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=value)
    return saved(model, folder)


def refusal(path: Path, data: Data) -> SlsMlError:
    with pytest.raises(SlsMlError) as caught:
        build(path, matrix_of(data), name="m")
    return caught.value


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/passwd", "a/../../secret.bin", "", "link.bin"])
def test_data_outside_the_folder_is_refused(location: str, data: Data, tmp_path: Path) -> None:
    # GIVEN a graph that names a file elsewhere, by a path or by a link
    folder = tmp_path / "model"
    (folder / "a").mkdir(parents=True)
    (tmp_path / "secret.bin").write_bytes(bytes(48))
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    # WHEN it is converted
    error = refusal(external(folder, location), data)
    # THEN it is refused before anything is read
    assert isinstance(error, ArtifactError)
    assert error.code == "onnx-outside"


@pytest.mark.parametrize("entries", [{}, {"offset": "40"}, {"length": "4096"}, {"offset": "-8"}])
def test_data_that_is_too_short_is_refused(entries: dict[str, str], data: Data, tmp_path: Path) -> None:
    # GIVEN a graph whose data file does not hold what it says
    (tmp_path / "weights.bin").write_bytes(bytes(47))
    # WHEN it is converted
    # THEN it is refused
    assert refusal(external(tmp_path, "weights.bin", **entries), data).code == "onnx-tensor"


@pytest.mark.parametrize("dims", [[1 << 20, 1 << 20], [1 << 62, 4], [-4, 3], [4, 4]])
def test_a_tensor_that_says_to_be_larger_is_refused(dims: list[int], data: Data, tmp_path: Path) -> None:
    # GIVEN a tensor of another shape than its bytes have
    model = dense()
    del model.graph.initializer[0].dims[:]
    model.graph.initializer[0].dims.extend(dims)
    # WHEN it is converted
    # THEN it is refused before memory is taken
    assert refusal(saved(model, tmp_path), data).code == "onnx-tensor"


def test_operators_of_a_library_are_refused(data: Data, tmp_path: Path) -> None:
    # GIVEN a graph with an operator that a library of code would bring, within a branch
    model = dense()
    inner = helper.make_graph(
        [helper.make_node("Run", [], ["r"], domain="evil.ops")],
        "b",
        [],
        [helper.make_tensor_value_info("r", TensorProto.FLOAT, [1])],
    )
    model.graph.node.append(
        helper.make_node("If", ["scores"], ["never"], then_branch=inner, else_branch=inner)
    )
    # WHEN it is converted
    error = refusal(saved(model, tmp_path), data)
    # THEN it is named
    assert error.code == "onnx-operator"
    assert "evil.ops.Run" in error.what


def test_bytes_that_do_not_fill_their_tensor_are_refused(data: Data, tmp_path: Path) -> None:
    # GIVEN a tensor with fewer bytes than its shape needs
    model = dense()
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:40]
    # WHEN it is converted
    # THEN both sizes are said
    error = refusal(saved(model, tmp_path), data)
    assert error.code == "onnx-tensor"
    assert error.why == "it holds 40 bytes where its shape needs 48"


@pytest.mark.parametrize(
    ("node", "stored"),
    [
        ("ConstantOfShape", [helper.make_tensor("s", TensorProto.INT64, [2], [1 << 20, 1 << 20])]),
        (
            "Range",
            [
                helper.make_tensor(name, TensorProto.INT64, [], [value])
                for name, value in (("start", 0), ("limit", 1 << 40), ("step", 1))
            ],
        ),
    ],
)
def test_a_tensor_made_of_a_shape_has_a_bound(
    node: str, stored: list[Any], data: Data, tmp_path: Path
) -> None:
    # GIVEN a graph of some hundred bytes that makes terabytes
    model = dense()
    model.graph.initializer.extend(stored)
    model.graph.node.extend(
        [
            helper.make_node(node, [tensor.name for tensor in stored], ["large"]),
            helper.make_node("Size", ["large"], ["size"]),
        ]
    )
    # WHEN it is converted
    error = refusal(saved(model, tmp_path), data)
    # THEN it is refused before it is run
    assert error.code == "onnx-large"
    assert "'large'" in str(error.why)


def _calling(calls: dict[str, list[str]]) -> onnx.ModelProto:
    """A graph with functions that call others, each the next one's result."""
    sets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    model = dense()
    for name, called in calls.items():
        names = ["a", *(f"t{at}" for at in range(len(called) - 1)), "b"]
        nodes = [
            helper.make_node(one, [names[at]], [names[at + 1]], domain="" if one == "Neg" else "own")
            for at, one in enumerate(called)
        ]
        model.functions.append(helper.make_function("own", name, ["a"], ["b"], nodes, sets))
    model.graph.node[0].output[0] = "first"
    model.graph.node.insert(1, helper.make_node(list(calls)[-1], ["first"], ["scores"], domain="own"))
    model.opset_import.extend(sets[1:])
    return model


@pytest.mark.parametrize(
    ("calls", "why"),
    [
        ({"f": ["f"]}, "the function own.f calls itself"),
        ({"f": ["g"], "g": ["f"]}, "calls itself"),
        ({"f0": ["Neg"] * 2} | {f"f{at}": [f"f{at - 1}"] * 2 for at in range(1, 40)}, "1099511627778 nodes"),
        ({"f": ["Neg"] * 100_001}, "nodes"),
    ],
)
def test_functions_that_never_end_are_refused(
    calls: dict[str, list[str]], why: str, data: Data, tmp_path: Path
) -> None:
    # GIVEN functions that call themselves, or twice the one before them, forty times over
    path = saved(_calling(calls), tmp_path)
    # WHEN the graph is converted
    error = refusal(path, data)
    # THEN it is refused before they are written out
    assert error.code == "onnx-large"
    assert why in str(error.why)


def test_functions_are_written_out(data: Data, tmp_path: Path) -> None:
    # GIVEN a graph that negates its scores twice, by functions
    path = saved(_calling({"f": ["Neg"], "g": ["f", "f"]}), tmp_path)
    # WHEN it is converted
    artifact = build(path, matrix_of(data), name="m")
    # THEN it answers
    assert artifact.manifest["kind"] == "classifier"


def _nested(depth: int) -> bytes:
    """The bytes of a graph within a node within a graph, so many times over."""
    content = b""
    for number in (6, 5, 1) * depth:  # a graph in an attribute in a node
        content = bytes([number << 3 | 2]) + _varint(len(content)) + content
    return bytes(dense().SerializeToString()) + b"\x3a" + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    found = bytearray()
    while value >= 128:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def test_graphs_within_graphs_have_a_bound(data: Data, tmp_path: Path) -> None:
    # GIVEN a file of graphs within graphs, two hundred deep
    (tmp_path / "model.onnx").write_bytes(_nested(200))
    # WHEN it is converted
    # THEN it is refused while it is read
    assert refusal(tmp_path / "model.onnx", data).code == "model-corrupt"


@pytest.mark.parametrize("content", [b"", b"not a graph", b"\x08\x07\x12" + bytes(40)])
def test_what_is_no_graph_is_refused(content: bytes, data: Data, tmp_path: Path) -> None:
    # GIVEN a file of other bytes
    (tmp_path / "model.onnx").write_bytes(content)
    # WHEN it is converted
    # THEN the error says so
    assert refusal(tmp_path / "model.onnx", data).code in ("model-corrupt", "onnx-form")


def test_a_fixed_number_of_rows_is_refused(data: Data, tmp_path: Path) -> None:
    # GIVEN a graph for one row at a time
    # WHEN it is converted
    # THEN the error says how to free it
    error = refusal(saved(dense(rows=1), tmp_path), data)
    assert error.code == "onnx-fixed-rows"
