"""The plain dialect reads rows or columns, and says what is wrong with a body that has neither."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sls_ml_runtime.dialects.rows import parse_json, read, refusal, write_json
from sls_ml_runtime.errors import Refusal


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"rows":[{"a":1},{"a":2}]}', [{"a": 1}, {"a": 2}]),
        (b'[{"a":1}]', [{"a": 1}]),
        (b'{"a":1,"b":2}', [{"a": 1, "b": 2}]),
        (b'{"rows":1}', [{"rows": 1}]),
        (b'{"columns":{"a":[1,2]}}', {"a": [1, 2]}),
        (b'{"columns":"x"}', [{"columns": "x"}]),
        (b'{"rows":[]}', []),
        (b"[]", []),
        (b"\xef\xbb\xbf[]", None),
    ],
)
def test_reads_four_forms(body: bytes, expected: Any) -> None:
    # GIVEN a body WHEN it is read THEN it gives rows or a table
    if expected is None:
        with pytest.raises(Refusal, match="BOM"):
            parse_json(body)
    else:
        assert read(parse_json(body)) == expected


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed-json"),
        (b"{", 400, "malformed-json"),
        (b'{"rows":[{"a":1}]', 400, "malformed-json"),
        (b'{"a":01}', 400, "malformed-json"),
        (b"nan", 400, "malformed-json"),
        (b'{"a":"\xff"}', 400, "not-utf8"),
        (b'{"a":' + b"9" * 5000 + b"}", 400, "malformed-json"),
        (b"[" * 100_000, 400, "too-deep"),
        (b"[" * 100 + b"]" * 100, 400, "too-deep"),
        (b'["]",' * 100_000, 400, "too-deep"),
        (b'{"a":' * 200 + b"1" + b"}" * 200, 400, "too-deep"),
        (b"1", 400, "not-rows"),
        (b"null", 400, "not-rows"),
        (b'"rows"', 400, "not-rows"),
        (b'{"rows":[{"a":1},2]}', 422, "not-an-object"),
        (b"[[1,2]]", 422, "not-an-object"),
        (b'{"columns":{"a":1}}', 422, "not-a-list"),
    ],
)
def test_refuses_other_bodies(body: bytes, status: int, code: str) -> None:
    # GIVEN a body of another form WHEN it is read
    with pytest.raises(Refusal) as caught:
        read(parse_json(body))

    # THEN the refusal has a code of its own, and a short message
    assert (caught.value.status, caught.value.code) == (status, code)
    assert len(caught.value.message) < 200


def test_brackets_inside_texts_do_not_nest() -> None:
    # GIVEN a text full of brackets and escaped quotes
    text = '[{"\\' * 100

    # WHEN it is parsed THEN it is a text
    assert parse_json(write_json([{"a": text}])) == [{"a": text}]


def test_numbers_that_json_does_not_know_are_left_to_the_signature() -> None:
    # GIVEN NaN, Infinity and an overflowing literal
    # WHEN they are parsed THEN they are numbers, which the signature can refuse by field and row
    values = parse_json(b"[NaN, Infinity, 1e999]")
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, math.inf]


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
        max_leaves=12,
    )
)
def test_shallow_documents_are_never_too_deep(document: Any) -> None:
    # GIVEN any document that is not deep WHEN it is parsed THEN nothing is lost
    assert parse_json(write_json(document)) == document


@pytest.mark.parametrize(
    ("field", "row", "expected"),
    [
        (None, None, b'{"error":{"code":"c","message":"m"}}'),
        ("age", 0, b'{"error":{"code":"c","message":"m","field":"age","row":0}}'),
    ],
)
def test_writes_a_refusal(field: str | None, row: int | None, expected: bytes) -> None:
    # GIVEN a refusal WHEN it is written THEN field and row are there where they are known
    written = refusal(Refusal(422, "c", "m", field, row))
    assert written == (422, {"content-type": "application/json"}, expected)
