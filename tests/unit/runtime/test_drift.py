"""Watched models count how inputs and predictions are spread, a line at a time."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sls_ml_runtime import drift
from sls_ml_runtime.serve import COUNTED_ROWS, COUNTED_SECONDS, Service
from sls_ml_runtime.signature import Input

JSON = {"content-type": "application/json"}
REFERENCE = {
    "rows": 200,
    "features": [
        {"edges": [30.0, 40.0, 50.0], "counts": [50, 50, 50, 50], "nulls": 0},
        {"edges": [4.0, 6.0], "counts": [60, 80, 60], "nulls": 0},
    ],
    "prediction": {"top": ["no", "yes"], "counts": [120, 80], "rest": 0, "nulls": 0},
}


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def groups(text: str) -> list[list[int]]:
    return [[int(count) for count in group.split()] for group in text.split(";")]


def watched(runtime: Any, hooks: Any = None, max_rows: int = 1000) -> Service:
    stored = runtime.write(drift=REFERENCE)
    service: Service = runtime.make_service(stored, hooks=hooks, max_rows=max_rows, max_body=1 << 20)
    for model in service.models.values():
        model.seen = []
    return service


def rows(count: int) -> list[dict[str, float]]:
    values = np.random.default_rng(7).normal([40, 5], [10, 2], size=(count, 2))
    return [{"age": age, "income": income} for age, income in values.tolist()]


def ask(service: Service, asked: list[dict[str, float]]) -> list[str]:
    reply = service.respond("POST", "/predict", JSON, json.dumps(asked).encode())
    assert reply.status == 200
    labels: list[str] = json.loads(reply.body)["label"]
    return labels


def test_counts_are_those_of_numpy(runtime: Any, capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN a watched model
    service = watched(runtime)
    asked = rows(250)
    # WHEN it is asked, a few rows at a time
    labels = [label for at in range(0, 250, 5) for label in ask(service, asked[at : at + 5])]
    found = lines(capsys)
    # THEN each hundred rows are a line
    assert [line["rows"] for line in found] == [COUNTED_ROWS, COUNTED_ROWS]
    assert {(line["type"], line["function"], line["model"]) for line in found} == {
        ("sls-ml.drift", "predict", "credit")
    }
    # AND its counts are those of the rows, and of the answers
    for place, line in enumerate(found):
        part = slice(place * COUNTED_ROWS, (place + 1) * COUNTED_ROWS)
        for name, entry, group in zip(
            ("age", "income"), REFERENCE["features"], groups(line["counts"]), strict=True
        ):
            places = np.searchsorted(entry["edges"], [row[name] for row in asked[part]], side="right")
            assert group == [*np.bincount(places, minlength=len(entry["edges"]) + 1), 0]
        assert groups(line["predicted"]) == [[labels[part].count("no"), labels[part].count("yes"), 0, 0]]


@pytest.mark.parametrize(("count", "kept"), [(100, 100), (101, 51), (1000, 100), (1001, 91)])
def test_of_many_rows_at_once_some_are_counted(
    runtime: Any, capsys: pytest.CaptureFixture[str], count: int, kept: int
) -> None:
    # GIVEN a watched model
    service = watched(runtime, max_rows=2000)
    asked = rows(count)
    # WHEN it is asked many rows in one request
    labels = ask(service, asked)
    service.count()
    (line,) = lines(capsys)
    # THEN rows that are evenly spread are counted, and the line says how many
    step = -(-count // COUNTED_ROWS)
    assert line["rows"] == kept == len(asked[::step])
    for name, entry, group in zip(
        ("age", "income"), REFERENCE["features"], groups(line["counts"]), strict=True
    ):
        places = np.searchsorted(entry["edges"], [row[name] for row in asked[::step]], side="right")
        assert group == [*np.bincount(places, minlength=len(entry["edges"]) + 1), 0]
    assert groups(line["predicted"]) == [[labels[::step].count(label) for label in ("no", "yes")] + [0, 0]]


def test_few_rows_wait_for_more_or_for_a_minute(runtime: Any, capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN a watched model that has answered a few rows
    service = watched(runtime)
    ask(service, rows(3))
    assert lines(capsys) == []
    # WHEN a request comes a minute later
    service._counted_at -= COUNTED_SECONDS
    ask(service, rows(1))
    # THEN all are counted, once
    (line,) = lines(capsys)
    assert line["rows"] == 4
    service.count()
    assert lines(capsys) == []


def test_no_rows_are_nothing_to_count(runtime: Any) -> None:
    # GIVEN a watched model WHEN it is asked for no rows THEN it answers with none
    service = watched(runtime)
    reply = service.respond("POST", "/predict", {}, b"[]")
    assert (reply.status, reply.error, json.loads(reply.body)["label"]) == (200, None, [])
    assert [model.seen for model in service.models.values()] == [[]]


def test_a_model_that_is_not_watched_keeps_nothing(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN a model that is not watched WHEN it is asked
    ask(service, rows(9))
    service.count()
    # THEN nothing is kept, and nothing written
    assert [model.seen for model in service.models.values()] == [None]
    assert lines(capsys) == []


def test_refused_rows_are_not_counted(runtime: Any, capsys: pytest.CaptureFixture[str]) -> None:
    service = watched(runtime)
    assert service.respond("POST", "/predict", JSON, b'[{"age":"old","income":1}]').status == 422
    service.count()
    assert lines(capsys) == []


def test_what_a_hook_makes_of_an_answer_is_not_counted(
    runtime: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN a hook that writes over the labels
    def after(result: dict[str, Any]) -> dict[str, Any]:
        result["label"][:] = ["maybe"] * len(result["label"])
        return result

    service = watched(runtime, hooks=SimpleNamespace(after=after))
    # WHEN the model is asked
    ask(service, rows(COUNTED_ROWS))
    # THEN the model's own labels are counted
    (line,) = lines(capsys)
    ((no, yes, others, missing),) = groups(line["predicted"])
    assert (no + yes, others, missing) == (COUNTED_ROWS, 0, 0)


def field(dtype: str, **more: Any) -> Input:
    return Input({"name": "x", "dtype": dtype, **more})


NUMBER = field("float64", nullable=True)
TEXT = field("string", nullable=True)
NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("entry", "values", "given", "counts"),
    [
        ({"edges": [0.0, 1.0]}, [-1.0, 0.0, 0.5, 1.0, NAN], NUMBER, [1, 2, 1, 1]),
        ({"edges": [0.0]}, [-INF, INF], field("float64", finite=False), [1, 1, 0]),
        ({"edges": []}, [1, 2], field("int64"), [2, 0]),
        ({"of": "length", "edges": [3.0]}, ["", "ab", "abc"], field("string"), [2, 1, 0]),
        ({"top": ["a", "b"], "rest": 0}, ["b", "b", "c", "", "a"], TEXT, [1, 2, 1, 1]),
        ({"top": [True, False], "rest": 0}, [1, 0, 1], field("bool"), [2, 1, 0, 0]),
        ({"top": [3, 1], "rest": 4}, [1, 1, 2, None], None, [0, 2, 1, 1]),
        ({"edges": [2.0]}, [1.0, None, 3.0], None, [1, 1, 1]),
    ],
)
def test_every_kind_of_value_has_its_place(
    entry: dict[str, Any], values: list[Any], given: Input | None, counts: list[int]
) -> None:
    assert drift._count(entry, values, given) == counts


def seen_by(inputs: list[Input], entries: list[dict[str, Any]], columns: list[list[Any]]) -> Any:
    manifest = {"drift": {"features": entries, "prediction": None}}
    return SimpleNamespace(
        artifact=SimpleNamespace(name="credit", digest="ab" * 32, manifest=manifest),
        signature=SimpleNamespace(inputs=inputs),
        seen=[([(each.dtype, values) for each, values in zip(inputs, columns, strict=True)], ())],
    )


def test_missing_values_and_new_texts_become_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN inputs that may be missing, and a text of which the sample had two values
    model = seen_by(
        [NUMBER, TEXT],
        [{"edges": [1.0], "nulls": 3}, {"top": ["a", "b"], "counts": [9, 9], "rest": 0, "nulls": 1}],
        [[0.5, NAN, 2.0], ["a", "new", ""]],
    )
    # WHEN they are counted
    drift.write("risk", "predict", [model])
    (line,) = lines(capsys)
    # THEN the line is an EMF document with both, by function and model
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "sls-ml/risk/dev"
    assert directive["Dimensions"] == [["function", "model"]]
    assert [metric["Name"] for metric in directive["Metrics"]] == ["missing_values", "unseen_categories"]
    assert (line["missing_values"], line["unseen_categories"]) == ([2.0], [1.0])
    assert line["type"] == "sls-ml.drift"


def test_of_a_wide_model_fewer_rows_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN a model with twice as many inputs as are counted of each row
    width = 2 * drift.FEATURES
    model = seen_by(
        [field("float64")] * width,
        [{"edges": [2.0], "counts": [5, 5], "nulls": 0}] * width,
        [[1.0, 3.0, 1.0, 3.0, 1.0]] * width,
    )
    # WHEN five rows are counted
    drift.write("risk", "predict", [model])
    # THEN it is each second one
    (line,) = lines(capsys)
    assert line["rows"] == 3
    assert set(line["counts"].split(";")) == {"3 0 0"}
