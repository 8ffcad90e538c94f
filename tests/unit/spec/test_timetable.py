"""Times of a schedule: which are read, when they come, and how mistakes are told."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import jsonschema
import pytest
from ruamel.yaml import YAML

from sls_ml.errors import SpecError
from sls_ml.spec import json_schema, read, timetable
from sls_ml.spec.model import Schedule

SPEC = """\
project: credit-risk
models:
  credit: {source: model.joblib, sample: holdout.csv}
functions:
  predict:
    model: credit
    http: {}
    concurrency:
      schedule:
        - {at: %s, provisioned: 5, timezone: %s}
        - {at: "cron(0 19 ? * MON-FRI *)", provisioned: 1}
stages:
  dev: {functions: {predict: {concurrency: {schedule: []}}}}
  prod: {functions: {predict: {concurrency: {schedule: [{at: "cron(0 6 * * ? *)", provisioned: 9}]}}}}
"""


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("cron(0 7 1 * ? *)", {(1, 1), (2, 1), (3, 1)}),
        ("cron(0 7 ? 2 MON *)", {(2, 2), (2, 9), (2, 16), (2, 23)}),
        ("cron(0 7 ? FEB 2 *)", {(2, 2), (2, 9), (2, 16), (2, 23)}),
        ("cron(0 7 28-30 * ? *)", {(1, 28), (1, 29), (1, 30), (2, 28), (3, 28), (3, 29), (3, 30)}),
        ("cron(0 7 5,20/10 1 ? *)", {(1, 5), (1, 20), (1, 30)}),
        ("cron(0 7 L * ? *)", {(1, 31), (2, 28), (3, 31)}),
        ("cron(0 7 LW * ? *)", {(1, 30), (2, 27), (3, 31)}),
        ("cron(0 7 1W * ? *)", {(1, 1), (2, 2), (3, 2)}),
        ("cron(0 7 28W 2,3 ? *)", {(2, 27), (3, 27)}),
        ("cron(0 7 31W * ? *)", {(1, 30), (3, 31)}),
        ("cron(0 7 ? * FRIL *)", {(1, 30), (2, 27), (3, 27)}),
        ("cron(0 7 ? * 6#2 *)", {(1, 9), (2, 13), (3, 13)}),
        ("cron(0 7 ? 1 L *)", {(1, 3), (1, 10), (1, 17), (1, 24), (1, 31)}),
        ("at(2026-01-31T07:00:00)", set()),
        ("cron(0 7 1 * ? 2026)", set()),
    ],
)
def test_days_are_those_that_the_calendar_has(text: str, days: set[tuple[int, int]]) -> None:
    # GIVEN an expression WHEN its times of early 2026 are listed
    assert timetable.checked(text) == text
    found = {(when.month, when.day) for when in timetable.times(text, ZoneInfo("UTC"), 2026)}
    # THEN they are on these days
    assert {each for each in found if each[0] <= 3} == days


def test_hours_and_minutes_are_multiplied() -> None:
    # GIVEN every quarter of two hours, on one day WHEN the times are listed THEN there are eight
    times = timetable.times("cron(0/15 8-9 1 1 ? *)", ZoneInfo("Europe/Zurich"), 2026)
    assert sorted(f"{when:%H%M}" for when in times) == [
        f"{h}{m:02}" for h in ("08", "09") for m in range(0, 60, 15)
    ]


ONE_OF_BOTH = "`?` for either the days of the month or the days of the week, and not for both"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 7 * * *", "a time such as cron(0 7 ? * MON-FRI *) or at(2027-01-31T07:00:00)"),
        ("rate(1 day)", "a time of the day, which a rate does not have, such as cron"),
        ("at(2027-01-31)", "a moment such as at(2027-01-31T07:00:00)"),
        (
            "cron(0 7 * * *)",
            "the six fields minutes, hours, days of the month, months, days of the week, years",
        ),
        (
            "cron(0 7 * * MON *)",
            ONE_OF_BOTH,
        ),
        (
            "cron(0 7 ? * ? *)",
            ONE_OF_BOTH,
        ),
        ("cron(60 7 * * ? *)", "minutes from 0 to 59 in place of '60'"),
        ("cron(0 7/0 * * ? *)", "hours from 0 to 23 in place of '7/0'"),
        ("cron(0 7 1- * ? *)", "days of the month from 1 to 31 in place of '1-'"),
        ("cron(0 7 * JANUARY ? *)", "months from 1 to 12 or JAN to DEC in place of 'JANUARY'"),
        ("cron(0 7 ? * FRI-MON *)", "days of the week from 1 to 7 or SUN to SAT in place of 'FRI-MON'"),
        ("cron(0 7 ? * XYZ#2 *)", "days of the week from 1 to 7 or SUN to SAT in place of 'XYZ'"),
        ("cron(0 7 * * ? 1969)", "years from 1970 to 2199 in place of '1969'"),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path: Path, text: str, expected: str) -> None:
    # GIVEN a spec with a time that is none
    (tmp_path / "sls-ml.yaml").write_text(SPEC % (f'"{text}"', "Europe/Zurich"))
    # WHEN it is read
    with pytest.raises(SpecError) as caught:
        read(tmp_path, "local")
    # THEN the line says what is expected
    (problem,) = caught.value.problems
    assert (problem.key, problem.line) == ("functions.predict.concurrency.schedule.0.at", 10)
    assert f"expected: {expected}" in problem.what


@pytest.mark.parametrize("zone", ["Europe/Zuerich", "../zone", '""'])
def test_a_time_zone_must_be_one(tmp_path: Path, zone: str) -> None:
    # GIVEN a spec with a time zone that there is not
    (tmp_path / "sls-ml.yaml").write_text(SPEC % ('"cron(0 7 ? * MON-FRI *)"', zone))
    # WHEN it is read THEN it is refused
    with pytest.raises(SpecError, match="expected: a time zone such as Europe/Zurich"):
        read(tmp_path, "local")


BATCH = """
project: credit-risk
models: {credit: {source: model.skops, sample: sample.csv}}
functions:
  score:
    model: credit
    %s
    schedule: %s
"""


@pytest.mark.parametrize("text", ["rate(1 minute)", "rate(6 hours)", "rate(30 days)", "cron(0 2 * * ? *)"])
def test_batches_may_be_scored_at_a_rate_too(tmp_path: Path, text: str) -> None:
    # GIVEN a batch function with a schedule, in short
    (tmp_path / "sls-ml.yaml").write_text(BATCH % ("objects: {}", text))
    # WHEN it is read THEN it is the one in full, and an editor accepts it
    schedule = read(tmp_path, "local").functions["score"].schedule
    assert schedule == Schedule(at=text, timezone="UTC")
    jsonschema.validate(YAML(typ="safe").load(tmp_path / "sls-ml.yaml"), json_schema())


@pytest.mark.parametrize(
    "text", ["rate(0 hours)", "rate(2 weeks)", "rate(1.5 hours)", "rate(hourly)", "rate(1  hour)"]
)
def test_a_rate_must_be_one(tmp_path: Path, text: str) -> None:
    # GIVEN a rate that is none WHEN it is read THEN the line says what is expected
    (tmp_path / "sls-ml.yaml").write_text(BATCH % ("objects: {}", text))
    with pytest.raises(SpecError, match=r"a rate such as rate\(6 hours\), in minutes, hours or days"):
        read(tmp_path, "local")


def test_a_schedule_is_for_batches_alone(tmp_path: Path) -> None:
    # GIVEN a schedule for an endpoint WHEN it is read THEN it is refused
    (tmp_path / "sls-ml.yaml").write_text(BATCH % ("http: {}", "rate(1 day)"))
    with pytest.raises(SpecError, match="is for a function with `objects`") as caught:
        read(tmp_path, "local")
    assert [problem.key for problem in caught.value.problems] == ["functions.score.schedule"]


@pytest.mark.parametrize(
    ("text", "zone", "after", "expected"),
    [
        ("rate(90 minutes)", "UTC", "2026-11-24T15:00:00", "2026-11-24T16:30:00"),
        ("at(2026-11-24T15:00:01)", "UTC", "2026-11-24T15:00:00", "2026-11-24T15:00:01"),
        ("at(2026-11-24T15:00:00)", "UTC", "2026-11-24T15:00:00", None),
        ("at(2026-11-24T15:00:01)", "Europe/Zurich", "2026-11-24T15:00:00", None),
        ("cron(0 2 * * ? *)", "Europe/Zurich", "2026-11-24T15:00:00", "2026-11-25T01:00:00"),
        ("cron(0/15 * * * ? *)", "UTC", "2026-12-31T23:59:00", "2027-01-01T00:00:00"),
        ("cron(0 0 29 2 ? *)", "UTC", "2026-11-24T15:00:00", "2028-02-29T00:00:00"),
        ("cron(0 7 ? * MON 2020)", "UTC", "2026-11-24T15:00:00", None),
    ],
)
def test_the_next_time_is_told(text: str, zone: str, after: str, expected: str | None) -> None:
    # GIVEN an expression and a moment, WHEN the next time is asked for THEN it is right, in any zone
    coming = timetable.following(text, ZoneInfo(zone), datetime.fromisoformat(after).replace(tzinfo=UTC))
    assert coming == (expected and datetime.fromisoformat(expected).replace(tzinfo=UTC))


def test_a_stage_has_a_schedule_of_its_own(tmp_path: Path) -> None:
    # GIVEN a spec with a schedule that its stages override
    (tmp_path / "sls-ml.yaml").write_text(SPEC % ('"cron(0 7 ? * MON-FRI *)"', "Europe/Zurich"))
    # WHEN it is read for each stage
    local, dev, prod = (
        read(tmp_path, stage).functions["predict"].concurrency.schedule for stage in ("local", "dev", "prod")
    )
    # THEN it is the whole list that is another
    assert [period.timezone for period in local] == ["Europe/Zurich", "UTC"]
    assert (dev, [period.provisioned for period in prod]) == ((), [9])
    # THEN an editor accepts it too, and refuses a rate
    document = YAML(typ="safe").load(tmp_path / "sls-ml.yaml")
    jsonschema.validate(document, json_schema())
    document["functions"]["predict"]["concurrency"]["schedule"][0]["at"] = "rate(1 day)"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, json_schema())
