"""A model of several labels a row, in every dialect, the OpenAPI document, on the page and in the client."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import numpy as np
import pytest
from openapi_spec_validator import validate
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier

from sls_ml.artifact import build
from sls_ml.client import Client
from sls_ml_runtime import engines
from sls_ml_runtime.artifact import open_folder
from sls_ml_runtime.openapi_schemas import answer_schema
from sls_ml_runtime.serve import Service
from webdriver import AVAILABLE, browser

ROWS = [[1.5, -0.5], [-1.0, 2.0], [0.25, 0.0]]
CLASSES = [["no", "yes"], ["high", "low", "mid"]]


@pytest.fixture(scope="module")
def model() -> MultiOutputClassifier:
    """Two columns in; a label of two classes and one of three out."""
    x = np.random.default_rng(0).normal(size=(120, 2))
    first = np.where(x[:, 0] > 0, "yes", "no")
    second = np.asarray(["low", "mid", "high"])[np.digitize(x[:, 1], [-0.5, 0.5])]
    return MultiOutputClassifier(LogisticRegression()).fit(x, np.column_stack([first, second]))


@pytest.fixture(scope="module")
def service(model: MultiOutputClassifier, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """The model behind an endpoint."""
    made = build(model, np.random.default_rng(1).normal(size=(40, 2)), name="pair")
    address = made.save(tmp_path_factory.mktemp("store"))
    artifact = open_folder(Path(address.removeprefix("file://")), made.digest)
    config = {
        "project": "samples",
        "function": "predict",
        "models": {"pair": {}},
        "http": {"max_rows": 1000, "max_body": 1 << 20, "page": True, "cors": []},
        "runtime": {"version": "1.2.3", "digest": "0" * 64},
    }
    return Service(config, {"pair": artifact}, {"pair": engines.load(artifact)}, None)


@pytest.fixture(scope="module")
def labels(model: MultiOutputClassifier) -> list[list[str]]:
    """What the original says of the rows."""
    found: list[list[str]] = model.predict(np.asarray(ROWS)).tolist()
    return found


@pytest.fixture(scope="module")
def shares(model: MultiOutputClassifier) -> list[list[float]]:
    """The original's probabilities, those of both labels beside each other."""
    found: list[list[float]] = np.hstack(model.predict_proba(np.asarray(ROWS))).tolist()
    return found


def rows() -> list[dict[str, float]]:
    return [{"x0": first, "x1": second} for first, second in ROWS]


def test_the_plain_answer_has_a_list_for_each_row(
    service: Service, ask: Callable[..., Any], labels: list[list[str]], shares: list[list[float]]
) -> None:
    # GIVEN a model of two labels WHEN rows are sent as plain JSON
    answer = ask(service, "POST", "/predict", {"rows": rows()}).json

    # THEN each row has its labels, and the probabilities of each label's classes in a list of their own
    assert answer["classes"] == CLASSES
    assert answer["label"] == labels
    assert [[len(each) for each in row] for row in answer["probability"]] == [[2, 3]] * 3
    flat = [[share for each in row for share in each] for row in answer["probability"]]
    np.testing.assert_allclose(flat, shares, atol=1e-9)
    jsonschema.validate(answer, answer_schema(service.models["pair"].artifact.manifest))


def test_csv_has_a_column_for_each_label_and_class(
    service: Service, ask: Callable[..., Any], labels: list[list[str]], shares: list[list[float]]
) -> None:
    # GIVEN rows as CSV WHEN CSV is asked for
    body = "x0,x1\n" + "".join(f"{first},{second}\n" for first, second in ROWS)
    answer = ask(service, "POST", "/predict", body=body.encode(), content_type="text/csv", accept="text/csv")

    # THEN it has the columns that a batch has
    header, *lines = csv.reader(io.StringIO(answer.body.decode()))
    assert header == [
        *("label_0", "label_1", "probability_0_no", "probability_0_yes"),
        *("probability_1_high", "probability_1_low", "probability_1_mid"),
    ]
    assert [line[:2] for line in lines] == labels
    np.testing.assert_allclose([[*map(float, line[2:])] for line in lines], shares, atol=1e-9)


def test_the_inference_protocol_has_tensors_of_two_dimensions(
    service: Service, ask: Callable[..., Any], labels: list[list[str]], shares: list[list[float]]
) -> None:
    # GIVEN the description of the model
    about = {tensor["name"]: tensor for tensor in ask(service, "GET", "/v2/models/pair").json["outputs"]}
    assert about["label"] == {"name": "label", "datatype": "BYTES", "shape": [-1, 2]}
    assert about["probability"]["shape"] == [-1, 5]
    assert about["probability"]["parameters"] == {"classes": CLASSES}

    # WHEN it is asked by tensors
    columns = zip(("x0", "x1"), zip(*ROWS, strict=True), strict=True)
    inputs = [{"name": name, "datatype": "FP64", "shape": [3], "data": [*data]} for name, data in columns]
    answer = ask(service, "POST", "/v2/models/pair/infer", {"inputs": inputs}).json

    # THEN labels stand row by row, and probabilities are those of the first label, then of the second
    found = {tensor["name"]: tensor for tensor in answer["outputs"]}
    assert (found["label"]["shape"], found["probability"]["shape"]) == ([3, 2], [3, 5])
    assert found["label"]["data"] == [name for row in labels for name in row]
    np.testing.assert_allclose(np.reshape(found["probability"]["data"], (3, 5)), shares, atol=1e-9)


@pytest.mark.parametrize(
    ("path", "document"),
    [("/v1/models/pair:predict", {"instances": ROWS}), ("/invocations", {"instances": ROWS})],
)
def test_predictions_are_lists_of_labels(
    service: Service, ask: Callable[..., Any], labels: list[list[str]], path: str, document: Any
) -> None:
    # GIVEN the dialects of other servers WHEN rows are sent THEN a prediction is what predict() returns
    assert ask(service, "POST", path, document).json["predictions"] == labels


def test_the_document_is_valid(service: Service, ask: Callable[..., Any]) -> None:
    # GIVEN the function WHEN its OpenAPI document is got THEN it is valid, and says what each label may be
    document = ask(service, "GET", "/openapi.json").json
    validate(document)
    assert '"enum": ["high", "low", "mid"]' in str(document).replace("'", '"')


def test_the_client_gives_the_columns_of_a_batch(
    service: Service, built: SimpleNamespace, labels: list[list[str]]
) -> None:
    # GIVEN a client of the endpoint, which sends a row at a time
    with (
        built.served(service, as_event=True) as address,
        Client(f"http://{address}", auth="public", max_rows=1) as client,
    ):
        # WHEN it predicts
        prediction = client.predict(rows())
    # THEN it has the labels, and a frame with the names of a batch
    assert prediction.label == labels
    frame = prediction.to_frame()
    assert list(frame.columns)[:3] == ["label_0", "label_1", "probability_0_no"]
    assert frame[["label_0", "label_1"]].to_numpy().tolist() == labels


@pytest.mark.browser
@pytest.mark.skipif(not AVAILABLE, reason="needs a browser that speaks WebDriver")
def test_the_page_shows_every_label(service: Service, built: SimpleNamespace, tmp_path: Path) -> None:
    # GIVEN the model's page WHEN it has answered its example
    with built.served(service) as address, browser(tmp_path) as page:
        page.open(f"http://{address}/")
        page.wait("document.querySelectorAll('#answer .main').length === 2")
        # THEN each label stands above the bars of its own classes
        shown = "[...document.querySelectorAll('#answer .main, #answer ul')].map(each => each.tagName)"
        assert page.run(f"return {shown}") == ["P", "UL", "P", "UL"]
        assert page.run("return document.querySelectorAll('#answer li').length") == 5
        assert page.log() == []
