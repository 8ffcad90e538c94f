"""Price tables: of regions, and the user's own."""

from __future__ import annotations

import json
from datetime import date
from importlib import resources
from pathlib import Path

import pytest

from sls_ml.errors import UnsupportedError, UsageError
from sls_ml.measure.pricing import prices

TABLE = json.loads(resources.files("sls_ml.measure.prices").joinpath("aws.json").read_text())


def test_every_price_names_its_unit_and_page() -> None:
    # GIVEN the table as it is checked in THEN each price says what it is for and where it stands
    for price in TABLE["prices"].values():
        assert price.keys() == {"unit", "page"}


@pytest.mark.parametrize("region", TABLE["regions"])
def test_every_region_names_source_and_day_and_known_prices(region: str) -> None:
    # GIVEN a region of the table
    entry = TABLE["regions"][region]
    # THEN it says where its prices were read and when, and has the prices of compute
    assert entry["source"]
    assert date.fromisoformat(entry["read"])
    assert entry["prices"].keys() <= TABLE["prices"].keys()
    assert {"lambda_request", "lambda_x86_64", "lambda_arm64", "provisioned_x86_64"} <= entry["prices"].keys()
    assert min(entry["prices"].values()) > 0


def test_the_base_region_has_every_price() -> None:
    # GIVEN the region that lends THEN nothing is missing there
    assert TABLE["regions"][TABLE["base"]]["prices"].keys() == TABLE["prices"].keys()


def test_what_a_region_does_not_have_is_borrowed_and_told() -> None:
    # GIVEN a region whose price of logs is not known
    table = prices("aws", "eu-north-1")
    # THEN it is another region's, which is told when a bill needs it
    assert table.values["logs_ingested"] == prices("aws", "us-east-1").values["logs_ingested"]
    (told,) = table.warnings(frozenset({"logs_ingested", "lambda_x86_64"}), table.read)
    assert told == "not known in eu-north-1, and taken from us-east-1: logs_ingested; see --prices"
    # THEN a bill that does not need it has nothing to tell
    assert list(table.warnings(frozenset({"lambda_x86_64"}), table.read)) == []


def test_old_prices_are_told() -> None:
    # GIVEN a price table WHEN it is older than a year THEN that is told
    table = prices("aws", "us-east-1")
    assert list(table.warnings(frozenset(), table.read)) == []
    (told,) = table.warnings(frozenset(), date(table.read.year + 2, 1, 1))
    assert "more than a year ago" in told


def test_ones_own_prices_come_first(tmp_path: Path) -> None:
    # GIVEN a file with a discount, for a region that nobody knows
    file = tmp_path / "prices.toml"
    file.write_text("read = 2026-11-02\n[prices]\nlambda_x86_64 = 0.00001\n")
    # WHEN prices are read
    table = prices("aws", "mars-north-1", file)
    # THEN the own price counts, and all others are borrowed
    assert table.values["lambda_x86_64"] == 0.00001
    assert (table.read, table.own) == (date(2026, 11, 2), ("lambda_x86_64",))
    assert "lambda_x86_64" not in table.borrowed
    assert "lambda_arm64" in table.borrowed


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("prices = ", "cannot be read as prices"),
        ("read = 2026-11-02\n", "has no table [prices]"),
        ("[prices]\nlambda = 1\n", "names prices that there are not: lambda"),
        ('[prices]\nalarm = "cheap"\n', "a price is a number of 0 or more: alarm"),
        ("[prices]\nalarm = -1\n", "a price is a number of 0 or more: alarm"),
        ('read = "today"\n[prices]\nalarm = 1\n', "read is a date"),
    ],
)
def test_a_wrong_file_of_prices_is_refused(tmp_path: Path, text: str, word: str) -> None:
    # GIVEN a file with a mistake THEN it is refused with the reason
    file = tmp_path / "prices.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=word.replace("[", r"\[").replace("]", r"\]")) as refused:
        prices("aws", "eu-west-1", file)
    assert refused.value.code == "bad-prices"


def test_a_file_of_prices_that_is_not_there_is_refused(tmp_path: Path) -> None:
    # GIVEN no file THEN that is said
    with pytest.raises(UsageError, match="cannot be read as prices"):
        prices("aws", "eu-west-1", tmp_path / "none.toml")


def test_regions_without_prices_are_refused() -> None:
    # GIVEN a region that the table does not have THEN the known ones are named, and what can be done
    with pytest.raises(UnsupportedError) as refused:
        prices("aws", "cn-north-1")
    assert "eu-west-1" in (refused.value.why or "")
    assert "--prices" in (refused.value.mend or "")


def test_providers_without_a_table_are_refused() -> None:
    # GIVEN a provider that has no prices yet THEN that is said
    with pytest.raises(UnsupportedError) as refused:
        prices("gcp", "europe-west1")
    assert refused.value.code == "no-prices"
