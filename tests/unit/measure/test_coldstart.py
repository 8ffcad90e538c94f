"""What is held of a measurement: log, answer, budget, picture."""

from __future__ import annotations

import json
from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest

from sls_ml.errors import ParityError
from sls_ml.measure.coldstart import ColdStarts, Timing, require_one_record
from sls_ml.measure.profile import Share
from sls_ml.measure.question import Question, event
from sls_ml.measure.start import Mark
from sls_ml.measure.waterfall import draw

LINE = '{"level": "INFO"}'
EMF = '{"_aws": {}}'
EXPECTED = {"label": ["a"], "probability": [[0.25, 0.75]]}


def measured(*, ratio: float, least: float) -> ColdStarts:
    """A function that takes `ratio` times what an empty one does, and at the least `least` times."""
    return ColdStarts(
        timings=(
            Timing(
                "predict", (100.0 * ratio, 100.0 * least), (2048, 2048), (20_000,) * 2, ratio, 1.0, 1.0, 9
            ),
            Timing("empty", (100.0, 100.0), (2048, 2048), (20_000,) * 2, 1.0, 1.0, 1.0, None),
        ),
        phases=(Share("client", "", 60.0), Share("imports", "numpy", 30.0), Share("request", "", 1.0)),
        marks=(
            Mark("phase", "start", 0.0, 0.1),
            Mark("phase", "client", 0.01, 0.05),
            Mark("import", "logging", 0.02, 0.04),
            Mark("import", "numpy<&>", 0.06, 0.09),
        ),
        log_bytes=800,
        answer_bytes=100,
        python="3.13.0",
        machine={},
    )


@pytest.mark.parametrize(
    "lines", [(), (LINE,), (EMF,), (EMF, EMF), (LINE, LINE), (LINE, EMF, LINE), (LINE, EMF, "text")]
)
def test_a_log_with_more_or_less_than_a_line_and_a_document_is_refused(lines: tuple[str, ...]) -> None:
    # GIVEN a log that is not exactly one line and one document THEN it is refused
    with pytest.raises(ParityError):
        require_one_record(lines)


def test_a_line_and_a_document_are_what_a_request_leaves() -> None:
    # GIVEN one line and one EMF document THEN all is well
    require_one_record((LINE, EMF))


@pytest.mark.parametrize(
    ("probability", "right"), [(0.75, True), (0.7500000000000002, True), (0.7501, False)]
)
def test_answers_may_differ_in_the_last_digits_alone(probability: float, right: bool) -> None:
    # GIVEN a response with another probability
    body = json.dumps({"label": ["a"], "probability": [[0.25, probability]]})
    question = Question({"x": 1}, event("/predict", "{}"), EXPECTED)
    response = {"statusCode": 200, "body": body}
    # WHEN it is checked THEN it is taken only when that is a matter of rounding
    if right:
        question.check(response, exactly=True)
    else:
        with pytest.raises(ParityError):
            question.check(response, exactly=True)


@pytest.mark.parametrize(
    "response", [None, {"statusCode": 500, "body": "{}"}, {"statusCode": 200, "body": '{"label": ["b"]}'}]
)
def test_other_responses_are_wrong(response: object) -> None:
    # GIVEN something else than the answer THEN it is refused
    with pytest.raises(ParityError):
        Question({"x": 1}, event("/predict", "{}"), EXPECTED).check(response, exactly=True)


def test_a_budget_that_is_exceeded_names_what_takes_the_time() -> None:
    # GIVEN a function that takes three times as long WHEN it is held to two
    error = measured(ratio=3.0, least=2.9).over(2.0)
    # THEN its own largest part is named, not what no function can change
    assert error is not None
    assert (error.code, error.exit_code) == ("budget-exceeded", 10)
    assert "numpy" in (error.why or "")


@pytest.mark.parametrize(("ratio", "least"), [(1.5, 1.5), (3.0, 1.5), (1.5, 3.0)])
def test_a_busy_machine_does_not_exceed_a_budget(ratio: float, least: float) -> None:
    # GIVEN medians or least times within the budget THEN it is kept
    assert measured(ratio=ratio, least=least).over(2.0) is None


def test_the_picture_is_well_formed_and_shows_what_was_compared() -> None:
    # GIVEN measurements with a name that needs escaping
    # WHEN they are drawn
    root = ET.fromstring(draw(measured(ratio=1.2, least=1.2)))  # noqa: S314 - our own text
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    # THEN both functions and the import are there, and not what lies inside the client
    assert {"predict", "empty", "import numpy<&>"} <= set(texts)
    assert "import logging" not in texts


@pytest.fixture
def document() -> Callable[[], dict[str, object]]:
    return measured(ratio=1.2, least=1.1).document


def test_the_document_is_json_with_every_subject(document: Callable[[], dict[str, object]]) -> None:
    # GIVEN measurements WHEN they become a document THEN it survives JSON and names the subjects
    read = json.loads(json.dumps(document()))
    assert list(read["subjects"]) == ["predict", "empty"]
    assert read["subjects"]["predict"]["ratio"] == 1.2
    assert read["starts"] == 2
