"""Memory and processor time of a real package under the real runtime client."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from command_line import Done
from sls_ml.artifact import load
from sls_ml.errors import ExternalError, ParityError
from sls_ml.local import managed_runtime
from sls_ml.measure import memory
from sls_ml.measure.question import Questions
from sls_ml.measure.subject import Subject
from sls_ml.measure.warm import environment


def test_a_package_is_measured_and_a_size_advised(sls_ml: Callable[..., Done], sample: Path) -> None:
    # GIVEN a sample WHEN the memory of its endpoint is measured
    done = sls_ml("bench", "memory", "--json")
    # THEN start, one row and the largest request have processor time and peaks
    assert done.code == 0, done.out + done.err
    document = done.document
    assert document.keys() == {
        *("function", "seed", "engine", "python", "package_sha256", "memory", "architecture", "cold_share"),
        *("currency", "prices", "start", "one_row", "largest", "needs_mb", "sizes"),
        *("least_mb", "recommended_mb", "reason"),
    }
    assert document["largest"]["rows"] == 1000
    assert 0 < document["one_row"]["cpu_ms"] < document["largest"]["cpu_ms"]
    assert 0 < document["start"]["peak_mb"] <= document["largest"]["peak_mb"] < document["needs_mb"]
    # THEN a size is recommended that is among those computed
    assert document["recommended_mb"] in {size["memory"] for size in document["sizes"]}
    # THEN it is kept, and an estimate uses it
    assert json.loads((sample / ".sls-ml/bench/memory-predict.json").read_text()) == document
    estimated = sls_ml("estimate", "--requests", "1M", "--memory", "1769", "--json").document
    assert estimated["measured"]
    assert estimated["usage"]["init_milliseconds"] == document["start"]["cpu_ms"]


def test_the_table_says_that_times_are_computed(sls_ml: Callable[..., Done]) -> None:
    # GIVEN a sample WHEN its memory is measured THEN people are told what was measured and what was not
    done = sls_ml("bench", "memory")
    assert "recommended" in done.out
    assert "Nothing was measured on Lambda." in done.out


def test_a_batch_function_is_refused(sls_ml: Callable[..., Done]) -> None:
    # GIVEN a batch function WHEN its memory is to be measured THEN that is refused
    assert "no-endpoint" in sls_ml("bench", "memory", "score").err


@pytest.fixture
def questions(sample: Path) -> Questions:
    artifact = next((sample / "../../artifacts/tumour").resolve().iterdir())
    return Questions(load(artifact), engine="lite", sample=sample / "sample.csv", seed=1)


@pytest.fixture
def function(tmp_path: Path) -> Callable[[str], Subject]:
    """Make a function of some source."""

    def make(source: str) -> Subject:
        (tmp_path / "handler.py").write_text(source)
        return Subject("function", tmp_path, managed_runtime.find("python3.13"))

    return make


def test_rows_that_are_too_many_for_an_answer_are_halved(
    function: Callable[[str], Subject], questions: Questions
) -> None:
    # GIVEN a function whose answers are too large from 30 rows on
    subject = function(
        "import json\n"
        "def handler(event, context):\n"
        "    rows = len(json.loads(event['body'])['rows'])\n"
        "    return {'statusCode': 413 if rows >= 30 else 200, 'body': ''}\n"
    )
    # WHEN it is measured with up to 100 rows THEN the largest request has 25
    found = memory.measure(subject, questions, max_rows=100, max_body=1 << 20)
    assert found.largest.rows == 25


def test_rows_that_are_too_many_for_a_body_are_cut(
    function: Callable[[str], Subject], questions: Questions
) -> None:
    # GIVEN a function that takes bodies of 20,000 bytes WHEN it is measured THEN the largest request fits
    subject = function("def handler(event, context):\n    return {'statusCode': 200, 'body': ''}\n")
    found = memory.measure(subject, questions, max_rows=1000, max_body=20_000)
    assert 10_000 < found.largest.request_bytes <= 20_000


@pytest.mark.parametrize("answer", ["{'statusCode': 500}", "None"])
def test_a_function_that_does_not_answer_is_refused(
    function: Callable[[str], Subject], questions: Questions, answer: str
) -> None:
    # GIVEN a function with another answer THEN nothing is measured
    subject = function(f"def handler(event, context):\n    return {answer}\n")
    with pytest.raises(ParityError) as refused:
        memory.measure(subject, questions, max_rows=10, max_body=1 << 20)
    assert refused.value.code == "wrong-answer"


def test_many_rows_that_are_not_answered_are_refused(
    function: Callable[[str], Subject], questions: Questions
) -> None:
    # GIVEN a function that fails on more than one row THEN that is told
    subject = function(
        "import json\n"
        "def handler(event, context):\n"
        "    rows = len(json.loads(event['body'])['rows'])\n"
        "    return {'statusCode': 200 if rows == 1 else 500}\n"
    )
    with pytest.raises(ParityError, match="does not answer a request of 10 rows"):
        memory.measure(subject, questions, max_rows=10, max_body=1 << 20)


@pytest.mark.parametrize(
    ("source", "word"),
    [("import nothing_of_this_name", "nothing_of_this_name"), ("import os; os._exit(3)", "ended")],
)
def test_a_function_that_does_not_start_is_told_at_once(
    function: Callable[[str], Subject], source: str, word: str
) -> None:
    # GIVEN a function that fails at its import WHEN it is started THEN the error says why
    with pytest.raises(ExternalError) as refused, environment(function(source)):
        pass
    assert word in (refused.value.why or "")
