"""Rows become columns when every value is inside the model's domain, and are refused by field and row."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sls_ml_runtime.errors import Refusal
from sls_ml_runtime.signature import Signature, columns_from_rows, columns_from_table


def one(runtime: SimpleNamespace, dtype: str, **more: Any) -> dict[str, Any]:
    return {"inputs": [runtime.field("x", dtype, **more)]}


@pytest.mark.parametrize(
    ("dtype", "more", "values", "expected"),
    [
        ("float64", {}, [1.5, 2, -0.0], [1.5, 2.0, -0.0]),
        ("float32", {}, [0.1], [0.10000000149011612]),
        ("float64", {"range": [0, 1]}, [0, 1.0], [0.0, 1.0]),
        ("float64", {"categories": [1, 2]}, [2, 1.0], [2.0, 1.0]),
        ("float64", {"finite": False}, [math.inf, 1.0], [math.inf, 1.0]),
        ("int64", {}, [1, -(2**63), 2**63 - 1], [1, -(2**63), 2**63 - 1]),
        ("int64", {}, [3.0, 4], [3, 4]),
        ("bool", {}, [True, False], [1, 0]),
        ("string", {}, ["a", "", "\N{SNOWMAN}"], ["a", "", "\N{SNOWMAN}"]),
        ("string", {"categories": ["a", "b"]}, ["b"], ["b"]),
        ("string", {"nullable": True}, [None, "a"], ["", "a"]),
        ("string", {"nullable": True, "null": "nan"}, [None, "a"], ["nan", "a"]),
        ("float64", {}, [], []),
        ("string", {}, [], []),
    ],
)
def test_accepts_what_the_model_accepts(
    runtime: SimpleNamespace, dtype: str, more: dict[str, Any], values: list[Any], expected: list[Any]
) -> None:
    # GIVEN an input with a domain
    manifest = one(runtime, dtype, **more)

    # WHEN values inside of it come as rows and as a table
    from_rows = columns_from_rows(manifest, [{"x": value} for value in values])
    from_table = columns_from_table(manifest, {"x": values})

    # THEN both give the same column
    assert from_rows[0][0] == from_table[0][0] == dtype
    assert list(from_rows[0][1]) == list(from_table[0][1]) == expected


@pytest.mark.parametrize(
    ("dtype", "more", "value", "code"),
    [
        ("float64", {}, None, "missing-value"),
        ("float64", {}, math.nan, "missing-value"),
        ("float64", {"finite": False}, math.nan, "missing-value"),
        ("float64", {}, math.inf, "not-finite"),
        ("float64", {}, -math.inf, "not-finite"),
        ("float64", {"nullable": True}, math.inf, "not-finite"),
        ("float64", {}, 10**400, "out-of-range"),
        ("float32", {}, 1e39, "not-finite"),
        ("float64", {"range": [0, 1]}, 1.01, "out-of-range"),
        ("float64", {"range": [0, 1], "nullable": True}, -1, "out-of-range"),
        ("float64", {"categories": [1, 2]}, 3, "unknown-category"),
        ("float64", {}, True, "wrong-type"),
        ("float64", {}, "1.5", "wrong-type"),
        ("float64", {}, [1.5], "wrong-type"),
        ("float64", {}, {"y": 1}, "wrong-type"),
        ("int64", {}, 1.5, "wrong-type"),
        ("int64", {}, math.nan, "missing-value"),
        ("int64", {"nullable": True}, None, "missing-value"),
        ("int64", {}, math.inf, "wrong-type"),
        ("int64", {}, 2**63, "out-of-range"),
        ("int64", {}, True, "wrong-type"),
        ("bool", {}, 1, "wrong-type"),
        ("bool", {}, "true", "wrong-type"),
        ("string", {}, None, "missing-value"),
        ("string", {}, 5, "wrong-type"),
        ("string", {}, ["a"], "wrong-type"),
        ("string", {"nullable": True}, math.nan, "missing-value"),
        ("string", {"categories": ["a"]}, "b", "unknown-category"),
        ("string", {"categories": ["a"]}, {}, "wrong-type"),
        ("string", {}, "a\0b", "bad-text"),
        ("string", {}, "\ud800", "bad-text"),
        ("string", {}, "\ufdd0", "bad-text"),
        ("string", {"nullable": True, "null": "nan"}, "nan", "bad-text"),
    ],
)
def test_refuses_what_the_model_refuses(
    runtime: SimpleNamespace, dtype: str, more: dict[str, Any], value: Any, code: str
) -> None:
    # GIVEN a value outside of the domain behind one inside of it
    good: dict[str, Any] = {"float64": 1.0, "float32": 1.0, "int64": 1, "bool": True, "string": "a"}
    manifest = one(runtime, dtype, **more)

    # WHEN the rows are checked
    with pytest.raises(Refusal) as caught:
        columns_from_rows(manifest, [{"x": good[dtype]}, {"x": value}])

    # THEN the refusal names code, field and row
    refusal = caught.value
    assert (refusal.status, refusal.code, refusal.field, refusal.row) == (422, code, "x", 1)
    assert len(refusal.message) < 200


def test_missing_numbers_become_nan_where_nullable(runtime: SimpleNamespace) -> None:
    # GIVEN a nullable input with a range
    manifest = one(runtime, "float64", nullable=True, range=[0, 9])

    # WHEN a value is null, one NaN, and one absent
    columns = columns_from_rows(manifest, [{"x": None}, {"x": math.nan}, {}, {"x": 3}])

    # THEN they are missing, and the others are numbers
    assert [math.isnan(value) for value in columns[0][1]] == [True, True, True, False]


def test_a_sum_that_overflows_is_no_reason_to_refuse(runtime: SimpleNamespace) -> None:
    # GIVEN two finite numbers whose sum is not
    manifest = one(runtime, "float64")

    # WHEN they are checked THEN they are accepted
    columns = columns_from_rows(manifest, [{"x": 1.7e308}, {"x": 1.7e308}])
    assert list(columns[0][1]) == [1.7e308, 1.7e308]


@pytest.mark.parametrize(
    ("rows", "code", "field", "row"),
    [
        ([{"age": 1, "income": 2}, {"age": 1}], "missing-field", "income", 1),
        ([{"age": 1, "income": 2, "Age": 3}], "unknown-field", "Age", 0),
        ([{}], "missing-field", "age", 0),
    ],
)
def test_refuses_other_names(
    stored: Any, rows: list[dict[str, Any]], code: str, field: str, row: int
) -> None:
    # GIVEN rows whose names are not those of the inputs
    # WHEN they are checked
    with pytest.raises(Refusal) as caught:
        columns_from_rows(stored.manifest, rows)

    # THEN the refusal names the field and the row
    assert (caught.value.code, caught.value.field, caught.value.row) == (code, field, row)


def test_refuses_columns_of_different_lengths(stored: Any) -> None:
    # GIVEN a table with a short column WHEN it is checked THEN it is refused by the column's name
    with pytest.raises(Refusal, match="income has 1 values, another column 2") as caught:
        columns_from_table(stored.manifest, {"age": [1, 2], "income": [1]})
    assert caught.value.code == "ragged-columns"


def test_a_table_without_a_column_is_refused_as_a_whole(stored: Any) -> None:
    # GIVEN a table that lacks a column WHEN it is separated THEN no row is to blame
    with pytest.raises(Refusal) as caught:
        Signature(stored.manifest).separate({"age": [1, "x"]})
    assert (caught.value.code, caught.value.field, caught.value.row) == ("missing-field", "income", None)


def test_separates_the_rows_outside_the_domain(stored: Any) -> None:
    # GIVEN a table with two bad rows, one of them bad twice
    table = {"age": [1, None, 3, "x"], "income": [1, None, 3, 4]}

    # WHEN a batch separates them
    columns, kept, refusals = Signature(stored.manifest).separate(table)

    # THEN the others are columns, and every row is accounted for once
    assert [list(values) for _, values in columns] == [[1.0, 3.0], [1.0, 3.0]]
    assert kept == [0, 2]
    assert [(refusal.row, refusal.code) for refusal in refusals] == [(1, "missing-value"), (3, "wrong-type")]


@given(
    row=st.dictionaries(
        st.sampled_from(["a", "b", "c"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.just("1"),
        max_size=3,
    ),
    nullable=st.booleans(),
    finite=st.booleans(),
    span=st.none() | st.just([-5.0, 5.0]),
)
def test_one_row_of_doubles_is_judged_as_in_company(
    row: dict[str, Any], nullable: bool, finite: bool, span: list[float] | None
) -> None:
    # GIVEN a row for inputs that all are doubles
    entry = {"dtype": "float64", "nullable": nullable, "finite": finite, "range": span}
    signature = Signature({"inputs": [entry | {"name": name} for name in ("a", "b")]})

    def judge(rows: list[dict[str, Any]]) -> Any:
        try:
            columns = signature.columns_from_rows(rows)
        except Refusal as refusal:
            return (refusal.code, refusal.field, refusal.row)
        return [repr(values[0]) for _, values in columns]

    # WHEN it comes alone THEN it is judged as when another follows
    assert judge([row]) == judge([row, row])


@given(
    values=st.lists(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(st.characters(codec=None), max_size=3),
        max_size=6,
    ),
    dtype=st.sampled_from(["float64", "float32", "int64", "bool", "string"]),
    nullable=st.booleans(),
    finite=st.booleans(),
    span=st.none() | st.just([-5.0, 5.0]),
)
def test_the_quick_look_agrees_with_the_slow_one(
    values: list[Any], dtype: str, nullable: bool, finite: bool, span: list[float] | None
) -> None:
    # GIVEN any values for any input
    entry = {"name": "x", "dtype": dtype, "nullable": nullable, "finite": finite}
    signature = Signature({"inputs": [entry | {"range": span if dtype.startswith("float") else None}]})
    faults = list(signature.inputs[0].faults(values))

    # WHEN they are converted THEN that fails exactly when a value has a fault, and at the first of them
    if faults:
        with pytest.raises(Refusal) as caught:
            signature.columns_from_table({"x": values})
        assert (caught.value.row, caught.value.code) == (faults[0].row, faults[0].code)
    else:
        assert len(signature.columns_from_table({"x": values})[0][1]) == len(values)
