"""What is printed, where, and for whom."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from sls_ml.cli.console import Output
from sls_ml.provider.base import Progress

STEPS = [
    Progress("Queue", "started", "create in progress"),
    Progress("Queue", "done", "create complete"),
    Progress("Role", "failed", "the name is taken"),
    Progress("s3://bucket/a/very/deep/key.zip", "skipped", "there already"),
]


def opened(*, as_json: bool = False, terminal: bool = False) -> tuple[Output, io.StringIO, io.StringIO]:
    result, progress = io.StringIO(), io.StringIO()
    consoles = [
        Console(file=file, highlight=False, soft_wrap=True, force_terminal=terminal, width=60)
        for file in (result, progress)
    ]
    return Output(as_json, *consoles), result, progress


def test_counted_work_writes_failures_and_a_sum() -> None:
    # GIVEN an output that is piped
    output, result, progress = opened()
    # WHEN counted work is followed
    output.follow(STEPS, work="resources", total=3)
    # THEN only the failure has a line of its own, and the result's stream is empty
    first, last = progress.getvalue().splitlines()
    assert first == "  ✗ Role  the name is taken"
    assert last.startswith("  1 resource in ")
    assert result.getvalue() == ""


def test_other_work_writes_every_step_that_ends() -> None:
    output, _, progress = opened()
    output.follow(STEPS)
    assert progress.getvalue().splitlines() == [
        "  ✓ Queue  create complete",
        "  ✗ Role  the name is taken",
        "  · s3://bucket/…/key.zip  there already",
    ]


def test_programs_get_one_document_and_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN an output for programs
    output, result, progress = opened(as_json=True)
    # WHEN everything is said that can be
    output.step("deploying")
    output.follow(STEPS)
    with output.working("waiting"):
        output.note("by the way")
    output.say("done")
    output.document({"answer": "Zoë"})
    # THEN only the document is written
    assert json.loads(capsys.readouterr().out) == {"answer": "Zoë"}
    assert (result.getvalue(), progress.getvalue()) == ("", "")


def test_work_under_way_moves_only_on_a_terminal() -> None:
    # GIVEN a terminal and a pipe
    for terminal in (True, False):
        output, _, progress = opened(terminal=terminal)
        # WHEN something takes a while
        with output.working("converting") as show:
            show("comparing")
        # THEN the pipe sees nothing of it
        assert ("converting" in progress.getvalue()) is terminal


def test_tables_align_numbers_to_the_right_and_cut_nothing_off() -> None:
    # GIVEN cells that are wider than the terminal, and wide characters
    output, result, _ = opened()
    long = "s3://" + "a" * 80
    # WHEN a table is written
    output.table(("name", "bytes", "place"), [("漢字", "12", long), ("b", "1,234", "")])
    # THEN columns are aligned, no cell is cut, and no line ends with blanks
    assert result.getvalue().splitlines() == [
        "name  bytes  place",
        f"漢字     12  {long}",
        "b     1,234",
    ]
