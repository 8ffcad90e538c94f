"""Cold starts of a real package under the real runtime client."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from command_line import ROOT, Done
from sls_ml.artifact import load
from sls_ml.errors import ExternalError, ParityError, StaleError, UsageError
from sls_ml.local import managed_runtime
from sls_ml.measure import subject as subjects
from sls_ml.measure.coldstart import ColdStarts, measure
from sls_ml.measure.profile import shares
from sls_ml.measure.question import Questions
from sls_ml.measure.start import start
from sls_ml.measure.subject import Subject

ANSWERING = """
import json
def handler(event, context):
    return {"statusCode": 200, "body": json.dumps(%s)}
"""


@pytest.fixture(scope="session")
def artifact(sample: Path) -> Path:
    return next((sample / "../../artifacts/tumour").resolve().iterdir())


@pytest.fixture(scope="session")
def questions(sample: Path, artifact: Path) -> Questions:
    return Questions(load(artifact), engine="lite", sample=sample / "sample.csv", seed=1)


@pytest.fixture
def function(tmp_path: Path) -> Callable[[str], Subject]:
    """Make a function of some source, without bytecode."""

    def make(source: str) -> Subject:
        folder = tmp_path / "function"
        folder.mkdir()
        (folder / "handler.py").write_text(source)
        return Subject("function", folder, managed_runtime.find("python3.13"))

    return make


def run(subject: Subject, questions: Questions, *, exactly: bool = False) -> ColdStarts:
    return measure(subject, [], questions.next, starts=1, exactly=exactly, progress=lambda _done: None)


def test_a_package_is_measured_beside_an_empty_handler(sls_ml: Callable[..., Done], sample: Path) -> None:
    # GIVEN a sample WHEN its endpoint is measured against an empty handler
    done = sls_ml("bench", "coldstart", "--starts", "2", "--svg", "start.svg", "--json")
    # THEN both are in the document with time and memory, and the function with its package
    assert done.code == 0, done.out + done.err
    document = done.document
    assert (document["function"], document["starts"]) == ("predict", 2)
    ours, empty = document["subjects"]["predict"], document["subjects"]["empty"]
    assert ours["package_bytes"] < 500_000
    for figures in (ours, empty):
        assert min(figures["median_ms"], figures["cpu_ms"], figures["resident_mb"]) > 0
    # THEN the start is split into its phases, and the runtime's modules are among the imports
    phases = {phase["phase"] for phase in document["phases"]}
    assert {"interpreter", "client", "imports", "open", "session", "first prediction", "request"} <= phases
    assert "sls_ml_runtime" in {phase["module"] for phase in document["phases"]}
    # THEN the picture is there, and the figures are kept for estimates
    ET.parse(sample / "start.svg")  # noqa: S314 - our own file
    assert json.loads((sample / ".sls-ml/bench/coldstart-predict.json").read_text()) == document


def test_the_page_of_an_artifact_shows_the_last_start(sls_ml: Callable[..., Done], sample: Path) -> None:
    # GIVEN a start that was measured with this artifact WHEN the page is written THEN it has the picture
    assert sls_ml("bench", "coldstart", "--starts", "1").code == 0
    assert sls_ml("inspect", "tumour", "--html", "page.html").code == 0
    embedded = re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", (sample / "page.html").read_text())
    drawn = (sample / ".sls-ml/bench/coldstart-predict.svg").read_bytes()
    assert [base64.b64decode(each) for each in embedded] == [drawn]
    # GIVEN a start with another artifact WHEN the page is written THEN it has none
    record = sample / ".sls-ml/bench/coldstart-predict.json"
    measured = json.loads(record.read_text())
    record.write_text(json.dumps(measured | {"artifacts": {"tumour": "0" * 64}}))
    assert sls_ml("inspect", "tumour", "--html", "page.html").code == 0
    assert "A cold start" not in (sample / "page.html").read_text()


def test_the_page_measures_a_start_when_asked(sls_ml: Callable[..., Done], sample: Path) -> None:
    # GIVEN nothing that was measured WHEN the page is asked to measure a start THEN it shows it
    (sample / ".sls-ml/bench/coldstart-predict.json").unlink(missing_ok=True)
    done = sls_ml("inspect", "tumour", "--html", "page.html", "--with-start")
    assert done.code == 0, done.err
    assert "A cold start" in (sample / "page.html").read_text()


def test_a_start_without_a_page_is_refused(sls_ml: Callable[..., Done]) -> None:
    # GIVEN no page to put it on WHEN a start is asked for THEN that is refused
    done = sls_ml("inspect", "tumour", "--with-start")
    assert done.code == 2
    assert "start-without-page" in done.err


def test_a_start_that_no_endpoint_has_is_refused(sls_ml: Callable[..., Done], sample: Path) -> None:
    # GIVEN a spec without endpoints WHEN a start is asked for THEN that is refused
    spec = (sample / "sls-ml.yaml").read_text()
    (sample / "other.yaml").write_text(spec.replace("    http: {auth: iam}\n", "    objects: {}\n"))
    done = sls_ml("inspect", "tumour", "--html", "page.html", "--with-start", "-p", "other.yaml")
    assert "no-endpoint" in done.err


def test_a_budget_that_is_exceeded_fails_after_the_figures_are_shown(sls_ml: Callable[..., Done]) -> None:
    # GIVEN a budget that no function can keep WHEN it is measured
    done = sls_ml("bench", "coldstart", "--starts", "1", "--max-ratio", "0.1")
    # THEN the figures are shown, and the command fails with a code of its own
    assert done.code == 10
    assert "predict" in done.out
    assert "budget-exceeded" in done.err


def test_an_exceeded_budget_is_one_document_too(sls_ml: Callable[..., Done]) -> None:
    # GIVEN a budget that no function can keep WHEN programs read the result
    done = sls_ml("bench", "coldstart", "--starts", "1", "--max-ratio", "0.1", "--json")
    # THEN figures and error are one document
    assert done.code == 10
    assert done.document["error"]["code"] == "budget-exceeded"
    assert done.document["subjects"].keys() == {"predict", "empty"}


def test_fetching_and_verifying_are_phases_of_a_start(
    function: Callable[[str], Subject], artifact: Path, tmp_path: Path, questions: Questions
) -> None:
    # GIVEN a function that fetches its artifact while it starts
    subject = function(
        "from sls_ml_runtime.fetch import fetch\n"
        f"fetch({artifact.parents[1].as_uri()!r}, 'tumour', {artifact.name!r}, {str(tmp_path / 'in')!r})\n"
        + ANSWERING
        % "1"
    )
    shutil.copytree(ROOT / "framework/sls_ml_runtime", subject.folder / "sls_ml_runtime")
    # WHEN its start is split THEN both have a place in it
    marks = start(subject, questions.next().event, probed=True).marks or ()
    phases = {share.phase: share.milliseconds for share in shares([marks])}
    assert phases["fetch"] > 0
    assert phases["verify"] > 0


def test_a_function_without_endpoint_is_refused(sls_ml: Callable[..., Done]) -> None:
    # GIVEN a batch function WHEN its start is to be measured THEN that is refused
    done = sls_ml("bench", "coldstart", "score")
    assert done.code == 2
    assert "no-endpoint" in done.err


def test_a_function_of_ones_own_is_built_and_started(
    artifact: Path, questions: Questions, tmp_path: Path
) -> None:
    # GIVEN a folder with a handler that reads the model beside it, and requirements
    source = tmp_path / "mine"
    source.mkdir()
    (source / "requirements.txt").write_text("six==1.17.0\n")
    (source / "handler.py").write_text(
        "import pathlib, six\n"
        "MODEL = pathlib.Path(__file__).with_name('artifact') / 'manifest.json'\n"
        "def handler(event, context):\n"
        "    return {'statusCode': 200, 'body': str(MODEL.exists())}\n"
    )
    built = tmp_path / "built"
    built.mkdir()
    # WHEN it is built and started
    subject = subjects.from_source(source, built, managed_runtime.find("python3.13"), artifact)
    done = run(subject, questions)
    # THEN it answers, and has all its bytecode
    assert done.timings[0].name == "mine"
    assert start(subject, questions.next().event).answer["body"] == "True"


def test_a_folder_that_is_no_function_is_refused(tmp_path: Path) -> None:
    # GIVEN an empty folder THEN it is nothing to compare with
    with pytest.raises(UsageError):
        subjects.from_source(tmp_path, tmp_path, managed_runtime.find("python3.13"), tmp_path)


def test_a_start_that_writes_bytecode_is_refused(
    function: Callable[[str], Subject], questions: Questions
) -> None:
    # GIVEN a function without bytecode, in a folder that can be written to
    subject = function("import other\n" + ANSWERING % "1")
    (subject.folder / "other.py").write_text("")
    # WHEN it is measured THEN what Python wrote is noticed: on Lambda each start would compile again
    with pytest.raises(StaleError) as refused:
        run(subject, questions)
    assert refused.value.code == "task-root-written"


def test_a_wrong_answer_is_refused(function: Callable[[str], Subject], questions: Questions) -> None:
    # GIVEN a function that answers something else than the artifact THEN nothing is measured
    with pytest.raises(ParityError) as refused:
        run(function(ANSWERING % '{"label": ["benign"]}'), questions, exactly=True)
    assert refused.value.code == "wrong-answer"


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("import nothing_of_this_name", "nothing_of_this_name"),
        ("def handler(event, context): raise ValueError('no')", "ValueError"),
        ("import os; os._exit(3)", "ended"),
    ],
)
def test_a_function_that_does_not_start_is_told_with_its_reason(
    function: Callable[[str], Subject], questions: Questions, source: str, word: str
) -> None:
    # GIVEN a function that fails at its import, in its handler, or ends
    # WHEN it is started THEN the error says why
    with pytest.raises(ExternalError) as refused:
        start(function(source), questions.next().event)
    assert word in (refused.value.why or "")
