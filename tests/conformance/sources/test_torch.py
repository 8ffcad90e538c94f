"""PyTorch: modules in hand, pickled modules, exported programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.sources.conftest import Data
from sls_ml.artifact import build
from sls_ml.errors import ModelError

torch = pytest.importorskip("torch", reason="PyTorch is not among the locked dependencies: it is too large")
pytest.importorskip("onnxscript", reason="PyTorch writes ONNX with it")


def network() -> Any:
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3), torch.nn.Softmax(dim=1)
    ).eval()


def program(module: Any, width: int = 4) -> Any:
    shapes = ({0: torch.export.Dim("rows")},)
    return torch.export.export(module, (torch.zeros(3, width),), dynamic_shapes=shapes)


def rows_of(data: Data) -> np.ndarray[Any, Any]:
    return np.nan_to_num(data.matrix).astype(np.float32)


def test_a_module_in_hand(data: Data) -> None:
    # GIVEN a network
    module = network()
    # WHEN it is converted
    artifact = build(module, rows_of(data), name="m")
    # THEN it answers as the network, and nothing in the graph says where it was made
    said = np.asarray(artifact.predict(rows_of(data)[:9])["probability"])
    with torch.no_grad():
        want = module(torch.from_numpy(rows_of(data)[:9])).numpy()
    np.testing.assert_allclose(said, want, atol=1e-6)
    assert artifact.manifest["source"] == {"library": "PyTorch", "estimator": "Sequential"}
    assert artifact.report["judge"] == "torch"
    assert b"stack_trace" not in artifact.files["model.onnx"]


def test_an_exported_program(data: Data, tmp_path: Path) -> None:
    # GIVEN a file of torch.export
    torch.export.save(program(network()), tmp_path / "model.pt2")
    # WHEN it is converted
    artifact = build(tmp_path / "model.pt2", rows_of(data), name="m", trust=True)
    # THEN it is a classifier of three classes
    assert artifact.manifest["classes"] == [0, 1, 2]


def test_a_pickled_module(data: Data, tmp_path: Path) -> None:
    # GIVEN a file of torch.save
    torch.save(network(), tmp_path / "model.pt")
    # WHEN it is converted with trust
    artifact = build(tmp_path / "model.pt", rows_of(data), name="m", trust=True)
    # THEN it is the artifact of the module
    assert artifact.digest == build(network(), rows_of(data), name="m").digest


def test_weights_alone_are_refused(data: Data, tmp_path: Path) -> None:
    # GIVEN a file with weights and no module
    torch.save(network().state_dict(), tmp_path / "model.pt")
    # WHEN it is converted
    with pytest.raises(ModelError) as caught:
        build(tmp_path / "model.pt", rows_of(data), name="m", trust=True)
    # THEN the error says so
    assert "weights alone" in caught.value.what
