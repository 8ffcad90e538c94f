"""CSV cells and columns, and the place of records in a stream."""

from __future__ import annotations

import io
import math
from typing import Any

import pytest

from sls_ml_runtime.dialects import csv_rows
from sls_ml_runtime.dialects.csv_rows import Records


@pytest.mark.parametrize(
    ("dtype", "cell", "value"),
    [
        ("float64", "1.5", 1.5),
        ("float64", " 1e3 ", 1000.0),
        ("float64", "-inf", -math.inf),
        ("float64", "", None),
        ("float64", "1_000", "1_000"),
        ("float64", "\u0661", "\u0661"),
        ("float64", "1,5", "1,5"),
        ("int64", "-7", -7),
        ("int64", "9223372036854775807", 9223372036854775807),
        ("int64", "7.0", 7.0),
        ("int64", "NaN", None),
        ("int64", "seven", "seven"),
        ("bool", "True", True),
        ("bool", "0", False),
        ("bool", "", None),
        ("bool", "yes", "yes"),
        ("string", "", None),
        ("string", "NaN", "NaN"),
        ("string", " a ", " a "),
    ],
)
def test_a_cell_becomes_what_its_column_asks_for_or_stays_text(dtype: str, cell: str, value: Any) -> None:
    # GIVEN the cell alone, and beside a missing one, which takes the careful way
    # THEN it is read the same
    for cells in ([cell], [cell, ""]):
        read = csv_rows.values(dtype, cells)[0]
        missing = type(read) is float and math.isnan(read)
        assert (None if missing else read) == value
        assert missing or type(read) is type(value)


def test_reading_on_from_a_records_end_gives_the_rest() -> None:
    # GIVEN records with quoted line ends, a byte order mark, blank lines and a last line without an end
    content = b'\xef\xbb\xbfid,text\r\n1,"a\nb"\r\n\r\n2,"c ""d"""\n\n3,\xc3\xa4'
    whole = Records(io.BytesIO(content))
    assert whole.header() == ["id", "text"]
    records, places = [], [whole.position]
    while chunk := whole.chunk(1, 1 << 20):
        records += chunk
        places.append(whole.position)
    assert records == [["1", "a\nb"], ["2", 'c "d"'], ["3", "ä"]]
    # WHEN reading starts again at the end of any of them
    for number, place in enumerate(places):
        again = Records(io.BytesIO(content[place:]), position=place)
        # THEN the others follow
        assert again.chunk(10, 1 << 20) == records[number:]
        assert again.ended


def test_a_chunk_ends_at_its_size() -> None:
    # GIVEN records of some ten bytes
    records = Records(io.BytesIO(b"123456789\n" * 100))
    # WHEN a chunk of twenty bytes is read
    # THEN it has two of them
    assert len(records.chunk(1000, 20)) == 2


@pytest.mark.parametrize(
    ("outputs", "answer", "names", "columns"),
    [
        ([{"key": "value", "columns": None}], {"value": [1.0, None]}, ["value"], [[1.0, None]]),
        ([{"key": "value", "columns": 1}], {"value": [[1.0], [2.0]]}, ["value"], [[1.0, 2.0]]),
        (
            [{"key": "value", "columns": 2}],
            {"value": [[1.0, 2.0], [3.0, 4.0]]},
            ["value_0", "value_1"],
            [[1.0, 3.0], [2.0, 4.0]],
        ),
        (
            [{"key": "score", "columns": None}, {"key": "label", "columns": None}],
            {"score": [0.5], "label": [-1]},
            ["label", "score"],
            [[-1], [0.5]],
        ),
        (
            [{"key": "probability", "columns": 2}, {"key": "label", "columns": None}],
            {"probability": [[0.25, 0.75]], "label": [True]},
            ["label", "probability_False", "probability_True"],
            [[True], [0.25], [0.75]],
        ),
    ],
)
def test_the_plain_answer_becomes_named_columns(
    outputs: list[dict[str, Any]], answer: dict[str, Any], names: list[str], columns: list[list[Any]]
) -> None:
    manifest = {"outputs": outputs, "classes": [False, True]}
    assert csv_rows.output_columns(manifest) == names
    assert csv_rows.columns_of_answer(manifest, answer) == columns


@pytest.mark.parametrize("rows", [0, 2])
def test_several_labels_become_named_columns(rows: int) -> None:
    # GIVEN a model of two labels, the second of which has one class alone
    outputs = [{"key": "label", "columns": 2}, {"key": "probability", "columns": 3}]
    manifest = {"outputs": outputs, "classes": [["no", "yes"], [7]]}
    answer = {"label": [["yes", 7]] * rows, "probability": [[[0.25, 0.75], [1.0]]] * rows}
    # THEN each label has a column, and each class of each label
    names = ["label_0", "label_1", "probability_0_no", "probability_0_yes", "probability_1_7"]
    assert csv_rows.output_columns(manifest) == names
    columns = [list(column) for column in csv_rows.columns_of_answer(manifest, answer)]
    assert columns == [[value] * rows for value in ("yes", 7, 0.25, 0.75, 1.0)]
