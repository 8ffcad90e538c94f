"""Names on AWS: stable, within the limits, and never the same for two things."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest

from sls_ml.provider.aws import names
from sls_ml.provider.aws.cloudformation import FUNCTION_METADATA

GOLDEN = Path(__file__).parents[2] / "golden" / "aws"


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("predict", "PredictQueue"),
        ("fraud-check", "FraudCheckQueue"),
        ("a-b-c", "ABCQueue"),
        ("v2", "V2Queue"),
    ],
)
def test_a_logical_id_reads_like_the_name(function: str, expected: str) -> None:
    # GIVEN the name of a function
    # WHEN the id of its queue is asked for
    # THEN it is the name in capitals and the suffix
    assert names.logical_id(function, "Queue") == expected


def test_names_that_would_meet_are_told_apart() -> None:
    # GIVEN names that differ only in a hyphen before a digit
    functions = ["a-1", "a1", "a-1-1", "a1-1", "a-11", "a11"]
    # WHEN their ids are asked for
    ids = {names.logical_id(function, "Role") for function in functions}
    # THEN all are different, and the plain one carries no hash
    assert len(ids) == len(functions)
    assert "A1Role" in ids


def test_no_suffix_is_the_end_of_another() -> None:
    # GIVEN what follows the function's own id in every id of every golden template
    suffixes = {
        re.sub(r"Version[0-9a-f]{10}$", "Version", name).removeprefix(names.logical_id(function))
        for file in GOLDEN.glob("*.json")
        for name, body in json.loads(file.read_text())["Resources"].items()
        if (function := body.get("Metadata", {}).get(FUNCTION_METADATA))
    }
    # WHEN each is compared with each other
    # THEN none is the end of another, so that no two functions' ids can be the same
    assert "Queue" in suffixes
    assert not [(one, other) for one, other in itertools.permutations(suffixes, 2) if other.endswith(one)]


@pytest.mark.parametrize("length", [64, 80, 128])
def test_a_long_name_is_cut_and_stays_unique(length: int) -> None:
    # GIVEN two long names with the same beginning
    one, other = "x" * length + "-one", "x" * length + "-two"
    # WHEN they are fitted
    fitted = {names.fitted(one, length), names.fitted(other, length)}
    # THEN both fit, and differ
    assert len(fitted) == 2
    assert all(len(name) == length for name in fitted)


def test_a_name_that_fits_is_not_touched() -> None:
    # GIVEN a name of exactly the length allowed
    name = "x" * 64
    # WHEN it is fitted
    # THEN it is the same
    assert names.fitted(name, 64) == name


def test_names_say_what_they_are() -> None:
    # GIVEN a project and a stage
    stack = names.stack_name("credit-risk", "dev")
    # WHEN its names are asked for
    # THEN they can be read
    assert stack == "sls-ml-credit-risk-dev"
    assert names.function_name(stack, "predict") == "sls-ml-credit-risk-dev-predict"
    assert names.role_name(stack, "predict", "eu-west-1") == "sls-ml-credit-risk-dev-predict-eu-west-1"
