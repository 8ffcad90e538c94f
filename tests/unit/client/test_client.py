"""The client speaks rows, frames, arrays and texts; cuts, retries and says what was wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.unit.client.conftest import Server

from sls_ml.client import Client, Prediction, RequestRefused
from sls_ml.errors import ExternalError, UsageError

Serve = Callable[..., Server]
MakeClient = Callable[..., Client]

ROWS = [
    {"age": 47.0, "income": None, "city": "Bern"},
    {"age": 49.0, "income": 71_178.0, "city": "Köln"},
    {"age": 64.0, "income": 38_880.0, "city": None},
]


def test_predicts_rows(serve: Serve, client: MakeClient) -> None:
    # GIVEN a function
    server = serve("linear-1")
    # WHEN rows are predicted
    prediction = client(server).predict(ROWS)
    # THEN each has a label and a probability for each class
    assert prediction.model == "linear-1"
    assert len(prediction.digest) == 12
    assert prediction.classes == ["no", "yes"]
    assert prediction.label is not None
    assert prediction.probability is not None
    assert len(prediction.label) == len(prediction.probability) == 3
    assert prediction.value is None


def test_frames_arrays_and_lists_say_the_same_as_rows(serve: Serve, client: MakeClient) -> None:
    # GIVEN the same rows as whatever there is in a notebook
    frame = pd.DataFrame(ROWS)
    given: dict[str, Any] = {
        "frame": frame,
        "frame in another order": frame[["city", "age", "income"]],
        "frame with NA": frame.convert_dtypes(),
        "array": frame.to_numpy(),
        "lists": [list(row.values()) for row in ROWS],
        "rows of numpy": [{"age": np.float32(47), "income": np.nan, "city": np.str_("Bern")}, *ROWS[1:]],
    }
    asked = client(serve("linear-1"))
    expected = asked.predict(ROWS)
    # WHEN they are predicted THEN the answer is the same
    for name, data in given.items():
        assert asked.predict(data) == expected, name


def test_texts_for_a_model_with_one_input(serve: Serve, client: MakeClient) -> None:
    # GIVEN a model of texts
    server = serve("texts-1")
    name = client(server).metadata()["models"]["texts-1"]["inputs"][0]["name"]
    # WHEN texts are predicted, as they are or as rows
    texts = ["good value", "nothing but trouble"]
    # THEN both are the same
    asked = client(server)
    assert asked.predict(texts) == asked.predict([{name: text} for text in texts])


def test_one_of_several_models_is_asked_by_its_name(serve: Serve, client: MakeClient) -> None:
    asked = client(serve("linear-1", "forest-1"))
    assert asked.predict(ROWS, model="linear-1").model == "linear-1"
    with pytest.raises(RequestRefused) as caught:
        asked.predict(ROWS)
    assert caught.value.status == 404
    with pytest.raises(UsageError) as unknown:
        asked.predict([[1.0]], model="other")
    assert unknown.value.mend == "models: linear-1, forest-1"


def test_many_rows_are_sent_in_parts_and_come_back_in_order(serve: Serve, client: MakeClient) -> None:
    # GIVEN 2,500 rows that can be told apart
    frame = pd.DataFrame({"age": np.linspace(18, 90, 2500), "income": 40_000.0, "city": "Bern"})
    server = serve("linear-1")
    # WHEN they are predicted
    prediction = client(server).predict(frame)
    # THEN three requests carried them
    assert [len(document["columns"]["age"]) for document in server.predictions] == [1000, 1000, 500]
    # AND the answers are in the order of the rows
    whole = client(serve("linear-1", max_rows=2500), max_rows=2500).predict(frame)
    assert prediction == whole


def test_a_request_is_cut_to_the_bytes_that_the_function_takes(serve: Serve, client: MakeClient) -> None:
    server = serve("linear-1")
    prediction = client(server, max_body=150).predict(ROWS * 4)
    assert all(len(body) <= 150 for _, _, _, body in server.requests)
    assert prediction == client(server).predict(ROWS * 4)


@pytest.mark.parametrize("limit", [{"max_rows": 4}, {"max_body": 300}])
def test_what_the_function_finds_too_large_is_sent_in_halves(
    serve: Serve, client: MakeClient, limit: dict[str, int]
) -> None:
    # GIVEN a function with tighter limits than the client knows
    expected = client(serve("linear-1")).predict(ROWS * 5)
    # WHEN more is asked THEN the answer is whole
    assert client(serve("linear-1", **limit)).predict(ROWS * 5) == expected


def test_a_row_that_is_too_large_alone_is_refused(serve: Serve, client: MakeClient) -> None:
    server = serve("linear-1", max_body=200)
    with pytest.raises(RequestRefused) as caught:
        client(server).predict([*ROWS, {"city": "B" * 300}])
    assert (caught.value.code, caught.value.status) == ("too-large", 413)


def test_no_rows_are_no_results(serve: Serve, client: MakeClient) -> None:
    asked = client(serve("linear-1"))
    assert asked.predict([]).label == asked.predict(pd.DataFrame(ROWS)[:0]).label == []


def test_a_refusal_names_field_and_row_of_what_was_given(serve: Serve, client: MakeClient) -> None:
    # GIVEN a wrong value far into rows that are sent in parts
    rows = [*ROWS, *ROWS, ROWS[0] | {"age": "old"}]
    # WHEN they are predicted
    with pytest.raises(RequestRefused) as caught:
        client(serve("linear-1"), max_rows=2).predict(rows)
    # THEN the refusal counts from the first row of all
    refused = caught.value
    assert (refused.status, refused.code, refused.field, refused.row) == (422, "wrong-type", "age", 6)
    assert refused.where == "row 6, field age"


@pytest.mark.parametrize("status", [429, 502, 503])
def test_a_busy_function_is_asked_again(serve: Serve, client: MakeClient, status: int) -> None:
    # GIVEN a function that is busy twice, and a connection that breaks once
    server = serve("linear-1")
    busy = (status, {"retry-after": "3"}, b"busy")
    server.troubles += [busy, None, busy]
    # WHEN it is asked THEN it answers in the end
    assert client(server).predict(ROWS).label is not None


def test_patience_ends(serve: Serve, client: MakeClient) -> None:
    server = serve("linear-1")
    server.troubles += [(503, {}, b"down")] * 9
    with pytest.raises(ExternalError) as caught:
        client(server, retries=2).predict(ROWS)
    assert caught.value.code == "endpoint-busy"
    assert caught.value.why == "503 down"
    assert len(server.requests) == 3


def test_a_failure_of_the_function_is_told_once(serve: Serve, client: MakeClient) -> None:
    # GIVEN hooks that fail
    def after(result: dict[str, Any]) -> dict[str, Any]:
        raise ValueError(result)

    server = serve("linear-1", hooks=SimpleNamespace(after=after))
    # WHEN it is asked
    with pytest.raises(ExternalError) as caught:
        client(server).predict(ROWS)
    # THEN a failure is no reason to ask again
    assert caught.value.code == "endpoint-failed"
    assert len(server.requests) == 1


def test_a_denied_caller_is_told_what_to_mend(serve: Serve, client: MakeClient) -> None:
    server = serve("linear-1")
    server.troubles.append((403, {"content-type": "application/json"}, b'{"Message":"Forbidden"}'))
    with pytest.raises(ExternalError) as caught:
        client(server).health()
    assert caught.value.code == "endpoint-denied"


def test_nobody_there(client: MakeClient) -> None:
    with pytest.raises(ExternalError) as caught:
        client(Server("http://127.0.0.1:9"), retries=1).health()
    assert caught.value.code == "endpoint-unreachable"


def test_a_kept_connection_that_was_closed_is_opened_again(serve: Serve, client: MakeClient) -> None:
    # GIVEN a client whose connection the other side has closed, and who does not retry
    server = serve("linear-1")
    asked = client(server, retries=0)
    asked.health()
    server.troubles.append(None)
    # WHEN it asks again THEN it gets its answer
    assert asked.health() == {"status": "ok"}


def test_a_model_that_is_exchanged_meanwhile_is_not_mixed(serve: Serve, client: MakeClient) -> None:
    server = serve("linear-1")
    other = b'{"model":"linear-1","digest":"000000000000","label":["no"]}'
    server.troubles.append((200, {"content-type": "application/json"}, other))
    with pytest.raises(ExternalError) as caught:
        client(server, max_rows=1).predict(ROWS)
    assert caught.value.code == "model-exchanged"


def test_what_hooks_add_is_kept(serve: Serve, client: MakeClient) -> None:
    def after(result: dict[str, Any]) -> dict[str, Any]:
        return result | {"decision": ["refer" for _ in result["label"]], "policy": "2026-11"}

    prediction = client(serve("linear-1", hooks=SimpleNamespace(after=after)), max_rows=2).predict(ROWS)
    assert prediction.extra == {"decision": ["refer"] * 3, "policy": "2026-11"}
    assert list(prediction.to_frame().columns) == ["label", "probability_no", "probability_yes", "decision"]


@pytest.mark.parametrize(
    ("prediction", "columns"),
    [
        (Prediction("m", "d", value=[1.5, 2.5]), {"value": [1.5, 2.5]}),
        (Prediction("m", "d", value=[[1, 2], [3, 4]]), {"value_0": [1, 3], "value_1": [2, 4]}),
        (Prediction("m", "d", label=[1, -1], score=[0.5, -0.5]), {"label": [1, -1], "score": [0.5, -0.5]}),
        (Prediction("m", "d", transformed=[[0.5], [0.25]]), {"transformed": [0.5, 0.25]}),
        (
            Prediction("m", "d", classes=["no", "yes"], label=["no"], probability=[[0.9, 0.1]]),
            {"label": ["no"], "probability_no": [0.9], "probability_yes": [0.1]},
        ),
        (
            Prediction(
                "m", "d", classes=[["no", "yes"], [7]], label=[["no", 7]], probability=[[[0.9, 0.1], [1.0]]]
            ),
            {
                "label_0": ["no"],
                "label_1": [7],
                "probability_0_no": [0.9],
                "probability_0_yes": [0.1],
                "probability_1_7": [1.0],
            },
        ),
    ],
)
def test_results_as_a_frame_have_the_names_of_a_batch(
    prediction: Prediction, columns: dict[str, list[Any]]
) -> None:
    pd.testing.assert_frame_equal(prediction.to_frame(), pd.DataFrame(columns))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("text", "not-rows"),
        (7, "not-rows"),
        ([[1.0, 2.0]], "wrong-width"),
        ([{"age": object()}], "not-a-value"),
    ],
)
def test_what_is_no_table_is_refused_before_it_is_sent(
    serve: Serve, client: MakeClient, data: Any, code: str
) -> None:
    server = serve("linear-1")
    with pytest.raises(UsageError) as caught:
        client(server).predict(data)
    assert caught.value.code == code
    assert server.predictions == []


@pytest.mark.parametrize("endpoint", ["", "predict", "ftp://host", "http://host:port", "https://"])
def test_what_is_no_url_is_refused(endpoint: str) -> None:
    with pytest.raises(UsageError):
        Client(endpoint, auth="public")


def test_importing_it_loads_nothing_heavy() -> None:
    heavy = ("boto3", "botocore", "numpy", "pandas", "pydantic", "sls_ml_runtime", "sls_ml.spec")
    code = f"import sys, sls_ml.client; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
