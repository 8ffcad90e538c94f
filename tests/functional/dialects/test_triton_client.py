"""Triton's own HTTP client against the runtime over HTTP, unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException


@pytest.fixture(scope="module", params=[False, True], ids=["straight", "through Lambda"])
def client(built: SimpleNamespace, request: pytest.FixtureRequest) -> Iterator[InferenceServerClient]:
    """A client of a function with two models."""
    with built.served(built.service_of("tumour", "species"), as_event=request.param) as address:
        client = InferenceServerClient(address)
        yield client
        client.close()


@pytest.fixture(scope="module")
def rows(built: SimpleNamespace) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Example rows as a matrix."""
    manifest = built.sample("tumour").manifest
    names = [field["name"] for field in manifest["inputs"]]
    return np.array([[row[name] for name in names] for row in manifest["example"]])


def tensor(name: str, values: np.ndarray[Any, Any], datatype: str, *, binary: bool) -> InferInput:
    given = InferInput(name, list(values.shape), datatype)
    given.set_data_from_numpy(values, binary_data=binary)
    return given


def test_finds_server_and_models(client: InferenceServerClient) -> None:
    # GIVEN a client WHEN it looks around THEN all is there and ready
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("tumour")
    assert not client.is_model_ready("other")
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    about = client.get_model_metadata("species")
    assert client.is_model_ready("species", about["versions"][0])
    assert [output["name"] for output in about["outputs"]] == ["label", "probability"]


@pytest.mark.parametrize("binary_in", [False, True])
@pytest.mark.parametrize("binary_out", [False, True, None])
@pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
def test_infers_a_matrix(
    client: InferenceServerClient,
    rows: np.ndarray[Any, Any],
    binary_in: bool,
    binary_out: bool | None,
    compression: str | None,
) -> None:
    # GIVEN many rows as JSON or bytes, compressed or not WHEN all or chosen outputs are asked for
    many = np.repeat(rows, 100, axis=0)
    outputs = None
    if binary_out is not None:
        names = ("probability", "label")
        outputs = [InferRequestedOutput(name, binary_data=binary_out) for name in names]
    result = client.infer(
        "tumour",
        [tensor("x", many, "FP64", binary=binary_in)],
        outputs=outputs,
        request_id="7",
        request_compression_algorithm=compression,
        response_compression_algorithm=compression,
    )

    # THEN the client gets them as arrays
    probability = result.as_numpy("probability")
    labels = [text if isinstance(text, str) else text.decode() for text in result.as_numpy("label")]
    assert (probability.shape, probability.dtype) == ((300, 2), np.float64)
    assert np.allclose(probability.sum(axis=1), 1)
    assert labels == ["malignant" if share > 0.5 else "benign" for share in probability[:, 1]]
    assert result.get_response()["id"] == "7"


@pytest.mark.parametrize("binary", [False, True])
def test_infers_columns_of_texts_and_numbers(
    client: InferenceServerClient, built: SimpleNamespace, binary: bool
) -> None:
    # GIVEN one tensor per column WHEN they are inferred
    manifest = built.sample("species").manifest
    inputs = []
    for field in manifest["inputs"]:
        values = [row[field["name"]] for row in manifest["example"]]
        if field["dtype"] == "string":
            texts = np.array([str(value) for value in values], dtype=np.object_)
            inputs.append(tensor(field["name"], texts, "BYTES", binary=binary))
        else:
            inputs.append(tensor(field["name"], np.array(values, dtype=np.float64), "FP64", binary=binary))
    result = client.infer("species", inputs)

    # THEN there is a label for each row
    assert result.as_numpy("label").shape == (len(manifest["example"]),)


def test_a_refusal_reaches_the_client_as_its_exception(
    client: InferenceServerClient, rows: np.ndarray[Any, Any]
) -> None:
    # GIVEN a row with a missing value WHEN it is inferred THEN the client raises what the runtime says
    rows = rows.copy()
    rows[1, 0] = np.nan
    with pytest.raises(InferenceServerException, match="row 1: mean radius is missing"):
        client.infer("tumour", [tensor("x", rows, "FP64", binary=True)])
