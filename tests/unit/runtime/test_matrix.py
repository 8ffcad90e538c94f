"""Rows of numbers are read without the JSON parser only where it would read the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sls_ml_runtime.dialects import matrix
from sls_ml_runtime.dialects import rows as plain
from sls_ml_runtime.dialects.matrix import read_lines, read_matrix

NAMES = ["age", "income", "Größe"]
ROW = {"age": 41.5, "income": -3, "Größe": 1e-7}
TOKENS = [
    '"age"',
    '"income"',
    '"Größe"',
    '"rows"',
    *'{}[]:, "1',
    "2.5",
    "-3e2",
    "true",
    "null",
    "NaN",
    "\n",
    "\\",
]
BODY = '{"rows":[{"age":1,"income":2,"Größe":3}]}'


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
@pytest.mark.parametrize("wrapped", [True, False])
def test_reads_rows_of_numbers(wrapped: bool, order: list[int], separators: tuple[str, str]) -> None:
    # GIVEN rows, whose names all come in the same order
    rows: list[dict[str, Any]] = [{NAMES[at]: ROW[NAMES[at]] * row for at in order} for row in (1, 2, 3)]
    document = {"rows": rows} if wrapped else rows

    # WHEN they are read THEN the values are in the order that is asked for
    body = json.dumps(document, separators=separators, ensure_ascii=False).encode()
    assert read_matrix(body, NAMES) == [row[name] for row in rows for name in NAMES]


@pytest.mark.parametrize(
    "body",
    [
        '{"rows":[{"age":1,"income":2}]}',
        '{"rows":[{"age":1,"income":2,"Größe":3},{"income":2,"age":1,"Größe":3}]}',
        '{"rows":[{"age":1,"income":2,"Größe":true}]}',
        '{"rows":[{"age":1,"income":2,"Größe":"3"}]}',
        '{"rows":[{"age":1,"income":2,"Größe":3}],"more":1}',
        '{"rows":[]}',
        '{"columns":[{"age":1,"income":2,"Größe":3}]}',
        '[{"age":1,"income":2,"Größe":[3]}]',
        '{"rows":[{"age"1:,"income":2,"Größe":3}]}',
        '{"rows":[{"age":,1"income":2,"Größe":3}]}',
        '{"rows":[{"age":1 1,"income":2,"Größe":3}]}',
        '{"rows":[{"age":01,"income":2,"Größe":3}]}',
        '{"rows":[{"age":1,"income":2,"Größe":3}1]}',
        '{"rows":[{"age":1,"income":2,"Größe":3}]}1',
        '{"rows":[{"age":1,"income":2,"Größe":3},{"age":1":2,"Größe":3}]}',
        '{"ro ws":[{"age":1,"income":2,"Größe":3}]}',
        '{"rows":[{"age":1,2,"income":"Größe":3}]}',
        '[{"age',
        '{"rows":',
        '{"rows',
        '{"rows":[{"age":1,"income":2,"Größe":3},,{"age":1,"income":2,"Größe":3}]}',
        '{"rows":[{"age":1,"income":2,"Größe":3} {"age":1,"income":2,"Größe":3}]}',
        '{"rows":[{"age":1,"income":2,"Größe":3},{ "age":1,"income":2,"Größe":3}]}',
        '{"rows":[{"age":1,"age":2,"Größe":3}]}',
        f'{{"rows":[{{"age":1,"income":2,"Größe":{"9" * 5000}}}]}}',
        "",
    ],
)
def test_leaves_the_rest_to_the_parser(body: str) -> None:
    # GIVEN a body that is not rows of numbers alone, or no JSON WHEN it is read THEN nothing comes of it
    assert read_matrix(body.encode(), NAMES) is None


def test_leaves_names_that_json_escapes_to_the_parser() -> None:
    # GIVEN a name with a backslash WHEN a body has the same bytes, which mean another name
    names = ["a\\u0062", "c"]

    # THEN nothing comes of it
    assert read_matrix(b'[{"a\\u0062":1,"c":2}]', names) is None


def test_leaves_names_that_it_cannot_tell_apart_to_the_parser() -> None:
    # GIVEN two inputs, one of them with a name that JSON escapes WHEN a row names the other one twice
    # THEN nothing comes of it
    assert read_matrix(b'[{"a":1,"a":2}]', ["a", "b\n"]) is None


@pytest.mark.parametrize("part", ['{"a":', '{"a":1,"b":', '{"a":1,"b":2},{"a":1'])
def test_looks_at_each_byte_once(part: str) -> None:
    # GIVEN megabytes that begin like rows again and again
    body = f"[{part * 400_000}".encode()

    # WHEN they are read THEN nothing comes of it, and it does not take hours
    assert read_matrix(body, ["a", "b"]) is None


def test_learns_so_many_forms_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a client that writes each request in another way
    monkeypatch.setattr(matrix, "_forms", {})
    bodies = [f'[{{{" " * spaces}"a":1,"b":2}}]'.encode() for spaces in range(matrix.MAX_FORMS + 1)]

    # WHEN they are read THEN the last one is left to the parser, and a known one is not
    assert [read_matrix(body, ["a", "b"]) for body in bodies] == [[1, 2]] * matrix.MAX_FORMS + [None]
    assert read_matrix(bodies[0], ["a", "b"]) == [1, 2]


def test_leaves_a_number_in_place_of_a_name_to_the_parser() -> None:
    # GIVEN a name that is a number WHEN its quotation mark is missing THEN nothing comes of it
    assert read_matrix(b'[{"a":1":2}]', ["a", "1"]) is None
    assert read_matrix(b'[{"a":1,"1":2}]', ["a", "1"]) == [1, 2]


def test_takes_the_keys_that_it_is_given_and_no_other() -> None:
    # GIVEN rows under the key of another dialect, and as a bare list
    rows = b'[{"a":1,"b":2}]'

    # WHEN they are read THEN each is taken where it is asked for
    assert read_matrix(b'{"instances":%b}' % rows, ["a", "b"], (b"dataframe_records", b"instances")) == [1, 2]
    assert read_matrix(b'{"instances":%b}' % rows, ["a", "b"]) is None
    assert read_matrix(rows, ["a", "b"]) == [1, 2]
    assert read_matrix(rows, ["a", "b"], (b"instances",)) is None


@pytest.mark.parametrize(
    ("body", "values"),
    [
        (b'{"a":1,"b":2}\n{"a":3,"b":4}\n', [1, 2, 3, 4]),
        (b'\r\n {"a":1,"b":2} \r\n\n{"a":3,"b":4}', [1, 2, 3, 4]),
        (b'{"a":1,\n"b":2}\n{"a":3,"b":4}', None),
        (b'{"a":1\n"b":2},{"a":3,"b":4}', None),
        (b'{"a":1,"b":2},{"a":3,"b":4}', None),
        (b'{"a":1,"b":2}\n[3,4]', None),
        (b'[{"a":1,"b":2}]', None),
        (b"\n", None),
    ],
)
def test_reads_rows_in_lines(body: bytes, values: list[float] | None) -> None:
    # GIVEN a row of numbers in each line, or something else WHEN it is read THEN only the former gives values
    assert read_lines(body, ["a", "b"]) == values


@given(st.data())
@example(None)
def test_reads_what_the_parser_reads(data: st.DataObject | None) -> None:
    # GIVEN a body with some pieces exchanged, left out or added
    text = BODY
    for _ in range(0 if data is None else data.draw(st.integers(1, 4))):
        assert data is not None
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 3)))
        text = text[:start] + data.draw(st.sampled_from(["", *TOKENS])) + text[end:]

    # WHEN it is read
    values = read_matrix(text.encode(), NAMES)

    # THEN a parser gives the same values, where there are any
    if values is not None:
        document = json.loads(text)
        rows = document["rows"] if isinstance(document, dict) else document
        assert values == [row[name] for row in rows for name in NAMES]
        assert all(row.keys() == set(NAMES) for row in rows)


def _lines(rows: list[dict[str, float]]) -> bytes:
    return "\n".join(map(json.dumps, rows)).encode()


@pytest.mark.parametrize(
    ("path", "kind", "body_of", "refused"),
    [
        ("/predict", "application/json", lambda rows: json.dumps({"rows": rows}).encode(), 422),
        ("/predict", "application/json", lambda rows: json.dumps(rows).encode(), 422),
        ("/predict", "application/jsonlines", _lines, 422),
        ("/invocations", "application/json", lambda rows: json.dumps({"instances": rows}).encode(), 400),
        (
            "/invocations",
            "application/json",
            lambda rows: json.dumps({"dataframe_records": rows}).encode(),
            400,
        ),
        ("/invocations", "application/jsonlines", _lines, 400),
        (
            "/v1/models/credit:predict",
            "application/json",
            lambda rows: json.dumps({"instances": rows}).encode(),
            400,
        ),
    ],
)
def test_a_large_request_is_answered_alike(
    path: str,
    kind: str,
    body_of: Callable[[Any], bytes],
    refused: int,
    runtime: SimpleNamespace,
    stored: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # GIVEN a service and many rows, one request with a value outside of the domain, one with too many
    service = runtime.make_service(stored, max_rows=500, max_body=1 << 20)
    right = [{"income": row / 7, "age": row} for row in range(500)]
    wrong = [*right[:-1], {"income": 1e400, "age": 1}]
    bodies = [body_of(rows) for rows in (right, wrong, [*right, *right])]
    assert min(map(len, bodies)) > plain.LARGE

    # WHEN they are asked, with and without the short way
    headers = {"content-type": kind}
    short = [service.respond("POST", path, headers, body) for body in bodies]
    monkeypatch.setattr(plain, "LARGE", 1 << 30)
    long = [service.respond("POST", path, headers, body) for body in bodies]

    # THEN the answers are the same
    assert [reply.status for reply in short] == [200, refused, 413]
    assert [(reply.status, reply.body, reply.rows) for reply in short] == [
        (reply.status, reply.body, reply.rows) for reply in long
    ]
