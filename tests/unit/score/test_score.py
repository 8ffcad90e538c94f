"""Scoring an object: every row once in effect, and none lost."""

# ruff: noqa: D101, D102

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.score.conftest import Input, Memory, Place, source

from sls_ml_runtime import score as module
from sls_ml_runtime.score import LONGEST_KEY, ResultsDiffer, Unfinished, results_folder, score_object
from sls_ml_runtime.scorer import Scorer

Make = Callable[..., Scorer]

FOUR = b'id,age,children,city\n1,30,0,Bern\n2,50,1,Bern\n3,40.5,0,"Basel, BS"\n4,41,-2,Bern\n'


def folder_of(scorer: Scorer) -> str:
    return f"in/a.csv/e1-{scorer.digest[:12]}"


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def lines_of(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content.splitlines()]


def test_rows_are_scored_in_order_behind_the_joined_columns(scorer: Make, place: Place) -> None:
    # GIVEN an object of four rows
    chosen = scorer()
    # WHEN it is scored
    outcome = score_object(chosen, Input(FOUR), place, source())
    # THEN there is one part with the input's order, the joined column first
    part = place.objects[f"{folder_of(chosen)}/part-00000.csv"]
    assert part.splitlines()[0] == b"id,label,probability_no,probability_yes"
    assert [(row["id"], row["label"]) for row in rows_of(part)] == [
        ("1", "no"),
        ("2", "yes"),
        ("3", "yes"),
        ("4", "no"),
    ]
    # AND the manifest accounts for every row
    assert outcome.manifest == json.loads(place.objects[f"{folder_of(chosen)}/manifest.json"])
    assert outcome.manifest["status"] == "scored"
    assert (outcome.manifest["rows_in"], outcome.manifest["rows_scored"]) == (4, 4)
    assert (outcome.manifest["rows_rejected"], outcome.manifest["reasons"]) == (0, {})


def test_a_row_outside_the_domain_is_rejected_with_its_reason_and_spares_the_others(
    scorer: Make, place: Place
) -> None:
    # GIVEN rows that each break one rule, among two good ones
    content = (
        b"city,id,age,children\r\nBern,a,30,0\r\nBern,b,,0\r\nBern,c,abc,0\r\nBern,d,inf,0\r\nBern,e,30,1.5\r\n"
        b"Genf,f,30,0\r\nBern,g,1_0,0\r\nBern,h,30\r\nBern\xff,i,30,0\r\nBern,j,151,0\r\nBern,k,30,2.0\r\n"
    )
    chosen = scorer(max_rejected=0.9)
    # WHEN they are scored
    outcome = score_object(chosen, Input(content), place, source())
    # THEN the good ones are scored
    part = place.objects[f"{folder_of(chosen)}/part-00000.csv"]
    assert [row["id"] for row in rows_of(part)] == ["a", "k"]
    # AND the others say where, why, and what they were
    rejected = lines_of(place.objects[f"{folder_of(chosen)}/rejected/part-00000.jsonl"])
    assert [(line["row"], line["code"], line["field"]) for line in rejected] == [
        (2, "missing-value", "age"),
        (3, "wrong-type", "age"),
        (4, "not-finite", "age"),
        (5, "wrong-type", "children"),
        (6, "unknown-category", "city"),
        (7, "wrong-type", "age"),
        (8, "cell-count", None),
        (9, "not-utf8", "city"),
        (10, "out-of-range", "age"),
    ]
    assert rejected[4]["raw"] == "Genf,f,30,0"
    assert outcome.manifest["rows_in"] == 11
    assert outcome.manifest["rows_rejected"] == 9
    assert outcome.manifest["reasons"]["wrong-type"] == 3


def test_an_event_that_comes_again_changes_and_reads_nothing(scorer: Make, place: Place) -> None:
    # GIVEN an object that has been scored
    chosen, content = scorer(), Input(FOUR)
    first = score_object(chosen, content, place, source())
    before, content.opened[:] = dict(place.objects), []
    # WHEN its event comes again
    second = score_object(chosen, content, place, source())
    # THEN nothing happens
    assert second.replayed
    assert second.manifest == first.manifest
    assert place.objects == before
    assert content.opened == []


class Crash(Exception):  # noqa: N818
    pass


class Crashing(Memory):
    """Fails at a given creation; what was created before stays."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.left = at

    def create(self, key: str, body: BinaryIO, facts: Mapping[str, str]) -> bool:
        if self.left == 0:
            self.left = -1
            raise Crash
        self.left -= 1
        return super().create(key, body, facts)


MANY = b"id,age,children,city\n" + b"".join(
    b"%d,%s,0,Bern\n" % (row, b"x" if row % 5 == 0 else b"%d" % (30 + row)) for row in range(20)
)


@pytest.mark.parametrize("at", range(8))
def test_a_try_after_a_crash_ends_with_the_very_objects_of_one_that_went_through(
    scorer: Make, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    # GIVEN parts of six rows, and a try that breaks off at its n-th object
    monkeypatch.setattr(module, "PART_ROWS", 6)
    chosen, whole, broken = scorer(max_rejected=1), Memory(), Crashing(at)
    score_object(chosen, Input(MANY), whole, source())
    with pytest.raises(Crash):
        score_object(chosen, Input(MANY), broken, source())
    # WHEN the event comes again
    again = Input(MANY)
    score_object(chosen, again, broken, source())
    # THEN the results are the same, byte for byte
    assert broken.objects == whole.objects
    # AND behind a finished part, reading went on where it ends
    assert len(again.opened) == (1 if at < 2 else 2)


def test_a_part_of_another_release_is_compared_and_taken_when_it_is_the_same(
    scorer: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a release that stopped before its manifest
    results = Crashing(1)
    with pytest.raises(Crash):
        score_object(scorer(release="7"), Input(FOUR), results, source())
    # WHEN the next release scores the object
    outcome = score_object(scorer(release="8"), Input(FOUR), results, source())
    # THEN it finds its own bytes
    assert outcome.manifest["rows_scored"] == 4


def test_other_bytes_under_a_results_key_are_never_replaced(scorer: Make, place: Place) -> None:
    # GIVEN something that is not ours where a part would go
    chosen = scorer()
    key = f"{folder_of(chosen)}/part-00000.csv"
    place.create(key, io.BytesIO(b"mine"), {"sha256": "0"})
    # WHEN the object is scored
    with pytest.raises(ResultsDiffer, match=r"part-00000\.csv exists with other bytes"):
        score_object(chosen, Input(FOUR), place, source())
    # THEN it is still there, and there is no manifest
    assert place.objects == {key: b"mine"}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty-file"),
        (b"\n\n", "empty-file"),
        (b"id,age,city\n1,2,Bern\n", "missing-column"),
        (b"age,children,city\n1,2,Bern\n", "missing-column"),
        (b"id;age;children;city\n1;2;0;Bern\n", "missing-column"),
        (b"id,age,age,children,city\n1,2,2,0,Bern\n", "duplicate-column"),
        ("id,age,children,city\n1,2,0,Bern\n".encode("utf-16"), "not-utf8"),
        (b"id,age,children,city,gr\xf6sse\n1,2,0,Bern,1\n", "not-utf8"),
        (b'"id,age,children,city\n1,2,0,Bern\n', "broken-csv"),
        (b"x" * (2 << 20), "line-too-long"),
        (gzip.compress(FOUR, mtime=0), "not-utf8"),
        (gzip.compress(FOUR, mtime=0)[:20], "not-utf8"),
        (b"PK\x03\x04\x14\x00", "not-utf8"),
        (b"PAR1\x15\x04", "not-utf8"),
    ],
)
def test_an_object_that_cannot_be_scored_at_all_is_refused_once(
    scorer: Make, place: Place, content: bytes, code: str
) -> None:
    # GIVEN an object that no retry can mend
    chosen = scorer()
    # WHEN it is scored
    outcome = score_object(chosen, Input(content), place, source())
    # THEN its folder holds a manifest that says why, and nothing else
    assert outcome.manifest["status"] == "refused"
    assert outcome.manifest["refused"]["code"] == code
    assert list(place.objects) == [f"{folder_of(chosen)}/manifest.json"]
    # AND the event is done with
    assert score_object(chosen, Input(content), place, source()).replayed


def test_an_object_that_breaks_off_keeps_the_rows_before_the_break(
    scorer: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a quote that is never closed behind four good rows, in parts of three
    monkeypatch.setattr(module, "PART_ROWS", 3)
    chosen, results = scorer(), Memory()
    # WHEN it is scored
    outcome = score_object(chosen, Input(FOUR + b'5,30,0,"Bern\n6,30,0,Bern\n'), results, source())
    # THEN the rows before are there, and the manifest says where it broke off
    assert outcome.manifest["status"] == "refused"
    assert outcome.manifest["refused"]["code"] == "broken-csv"
    assert outcome.manifest["refused"]["after_row"] == 4
    assert [part["rows"] for part in outcome.manifest["parts"]] == [3, 1]


def test_a_long_cell_is_scored_and_a_longer_line_breaks_the_object_off(scorer: Make, place: Place) -> None:
    # GIVEN a row of just less than the longest line, and behind it one that is a little longer
    good, long = b"y" * ((1 << 20) - 20), b"z" * (1 << 20)
    content = FOUR + good + b",30,0,Bern\n" + long + b",30,0,Bern\n7,30,0,Bern\n"
    # WHEN they are scored
    outcome = score_object(scorer(), Input(content), place, source())
    # THEN the first is a row like any other, and the second ends the object, wherever blocks are cut
    assert outcome.manifest["rows_scored"] == 5
    assert outcome.manifest["refused"]["code"] == "line-too-long"
    assert outcome.manifest["refused"]["after_row"] == 5


def test_the_same_event_worked_on_twice_at_once_is_one_object_and_one_replay(scorer: Make) -> None:
    # GIVEN a second delivery that is worked on whole while the first creates its first object
    chosen, results = scorer(), Memory()
    inner: list[Any] = []

    class Overtaken(Memory):
        objects, notes = results.objects, results.notes

        def __init__(self) -> None:
            pass

        def create(self, key: str, body: BinaryIO, facts: Mapping[str, str]) -> bool:
            if not inner:
                inner.append(score_object(chosen, Input(FOUR), results, source()))
            return results.create(key, body, facts)

    # WHEN the first goes on
    outcome = score_object(chosen, Input(FOUR), Overtaken(), source())
    # THEN both tell the same, and the object is counted once
    assert outcome.manifest == inner[0].manifest
    assert (outcome.replayed, inner[0].replayed) == (True, False)


def test_an_object_that_takes_longer_than_a_call_is_scored_in_several(
    scorer: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN parts of six rows that each take three minutes of the ten that a call has, and what one call makes
    monkeypatch.setattr(module, "PART_ROWS", 6)
    chosen, whole = scorer(max_rejected=1), Memory()
    score_object(chosen, Input(MANY), whole, source())

    class Slow(Memory):
        left = 10.0

        def create(self, key: str, body: BinaryIO, facts: Mapping[str, str]) -> bool:
            self.left -= 3 * key.endswith(".csv")
            return super().create(key, body, facts)

    slow, calls = Slow(), [0]
    # WHEN it is scored until no call says that it is unfinished
    while True:
        slow.left, calls[-1] = 10.0, len(slow.objects)
        try:
            score_object(chosen, Input(MANY), slow, source(), remaining=lambda: slow.left)
        except Unfinished:
            calls.append(0)
        else:
            break
    # THEN a call makes parts while there is time for twice the longest, and the results are the same
    assert calls == [0, 4]
    assert slow.objects == whole.objects


def test_a_call_makes_a_part_however_little_time_is_left(
    scorer: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN no time
    monkeypatch.setattr(module, "PART_ROWS", 6)
    chosen, results = scorer(max_rejected=1), Memory()
    left = iter(range(0, -9, -1))
    # WHEN an object is scored THEN it goes on by a part, or it never would
    for parts in (1, 2, 3):
        with pytest.raises(Unfinished, match=rf"^{parts} parts are finished, {6 * parts} rows$"):
            score_object(chosen, Input(MANY), results, source(), remaining=lambda: next(left))


def test_many_outputs_make_small_chunks_and_parts(scorer: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN parts that end after some 10,000 bytes of results or rejected rows, and chunks of 40 cells
    monkeypatch.setattr(module, "PART_OUTPUT", 10_000)
    monkeypatch.setattr(module, "CHUNK_CELLS", 40)
    chosen, results, chunks = scorer(max_rejected=1), Memory(), []
    score = chosen.score
    monkeypatch.setattr(chosen, "score", lambda names, rows: chunks.append(len(rows)) or score(names, rows))
    # WHEN rows with four columns of results are scored
    content = MANY + MANY.partition(b"\n")[2] * 99
    outcome = score_object(chosen, Input(content), results, source())
    # THEN chunks and parts have as many rows as that gives cause for, and none is lost
    assert max(chunks) <= 10
    assert len(outcome.manifest["parts"]) > 5
    assert outcome.manifest["rows_in"] == 2000


def test_a_long_key_is_cut_and_stays_one_of_its_own(scorer: Make) -> None:
    # GIVEN keys as long as S3 has them, alike to their last letter, in letters of two bytes
    keys = [f"in/{'ä' * 508}{end}.csv" for end in ("a", "b")]
    assert {len(key.encode()) for key in keys} == {1024}
    # WHEN their results are placed
    folders = [results_folder(source(key), "d" * 64) for key in keys]
    # THEN each has a folder, in which the longest name is a key with a prefix of 150 bytes
    assert len({*folders}) == 2
    for folder in folders:
        assert folder.startswith("in/ää")
        assert 150 + len(f"{folder}{'e' * 30}/rejected/part-00000.jsonl".encode()) <= 1024
    # AND one that is not too long is as it is
    assert results_folder(source("a" * LONGEST_KEY), "d" * 64).startswith("a" * LONGEST_KEY + "/")


def test_a_result_that_exists_and_may_not_be_read_is_told(scorer: Make) -> None:
    # GIVEN results that are there, and hidden
    class Hidden(Memory):
        def create(self, key: str, body: BinaryIO, facts: Mapping[str, str]) -> bool:
            return False

    # WHEN an object is scored THEN that is said
    with pytest.raises(ResultsDiffer, match=r"part-00000\.csv exists, and may not be read"):
        score_object(scorer(), Input(FOUR), Hidden(), source())


def test_too_many_rejected_rows_are_a_status_and_the_rest_is_scored(scorer: Make, place: Place) -> None:
    # GIVEN one bad row in four, where one in ten is allowed
    content = FOUR.replace(b"2,50,1", b"2,,1")
    # WHEN it is scored
    outcome = score_object(scorer(max_rejected=0.1), Input(content), place, source())
    # THEN the status says so beside the results
    assert outcome.manifest["status"] == "too-many-rejected"
    assert outcome.manifest["rows_scored"] == 3


def test_a_header_without_rows_gives_a_part_without_rows(scorer: Make, place: Place) -> None:
    # GIVEN nothing but a header, with a byte order mark
    chosen = scorer()
    # WHEN it is scored
    outcome = score_object(chosen, Input(b"\xef\xbb\xbfid,age,children,city"), place, source())
    # THEN the part has the output's header
    part = place.objects[f"{folder_of(chosen)}/part-00000.csv"]
    assert part == b"id,label,probability_no,probability_yes\r\n"
    assert outcome.manifest["status"] == "scored"


def test_hooks_see_all_columns_and_may_derive_the_models_inputs(scorer: Make, place: Place) -> None:
    # GIVEN a file with a year of birth in place of the age, and hooks that know
    content = b"id,born,children,city\n1,1996,0,Bern\n2,1970,0,Bern\n"

    def before(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [row | {"age": 2026 - int(row["born"])} for row in rows]

    def after(result: dict[str, Any]) -> dict[str, Any]:
        return result | {"label": [label.upper() for label in result["label"]]}

    chosen = scorer(before=before, after=after)
    # WHEN it is scored
    score_object(chosen, Input(content), place, source())
    # THEN both hooks had their say
    part = place.objects[f"{folder_of(chosen)}/part-00000.csv"]
    assert [row["label"] for row in rows_of(part)] == ["NO", "YES"]


def test_joined_columns_must_not_be_named_like_results(scorer: Make) -> None:
    with pytest.raises(ValueError, match="label"):
        scorer(join=["label"])


cells = st.one_of(st.just("30"), st.just(""), st.just("nan"), st.text(max_size=6), st.floats().map(repr))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    table=st.lists(
        st.tuples(st.text(max_size=5), cells, cells, st.sampled_from(["Bern", "Genf"])), max_size=12
    ),
    part=st.integers(1, 5),
    chunk=st.integers(1, 4),
)
def test_whatever_the_cells_no_row_is_lost_and_joined_text_survives(
    scorer: Make, monkeypatch: pytest.MonkeyPatch, table: list[tuple[str, ...]], part: int, chunk: int
) -> None:
    # GIVEN any table, written by Python's own CSV writer, in any slices
    monkeypatch.setattr(module, "PART_ROWS", part)
    monkeypatch.setattr(module, "CHUNK_ROWS", chunk)
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("id", "age", "children", "city"), *table])
    chosen, results = scorer(max_rejected=1), Memory()
    # WHEN it is scored
    outcome = score_object(chosen, Input(text.getvalue().encode("utf-8", "replace")), results, source())
    # THEN every row is either scored or rejected, in order, with its own text
    assert outcome.manifest["rows_in"] == len(table)
    scored = [
        row
        for key in sorted(results.objects)
        if key.endswith(".csv")
        for row in rows_of(results.objects[key])
    ]
    rejected = [
        line["row"] - 1
        for key in sorted(results.objects)
        if key.endswith(".jsonl")
        for line in lines_of(results.objects[key])
    ]
    kept = [row for position, row in enumerate(table) if position not in rejected]
    assert [row["id"] for row in scored] == [row[0] for row in kept]
