"""Objects that wait are scored by the clock, and by hand: exactly once in effect, whatever came before."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from command_line import copy_sample, run
from sls_ml_runtime import aws_pending

WAIT = 120.0
"""Seconds that a busy machine has for what should come at once."""


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Any, str]]:
    """A deployed sample, S3, and its bucket with files that came without an event."""
    sample = copy_sample("breast-cancer", tmp_path_factory.mktemp("pending"))
    try:
        done = run(sample, "deploy", "--stage", "local", "--json")
        assert done.code == 0, done.out + done.err
        cloud = run(sample, "local", "status", "--json").document
        connect: Any = boto3.client
        s3 = connect(
            "s3",
            endpoint_url=cloud["endpoint_url"],
            region_name=cloud["region"],
            aws_access_key_id=cloud["access_key"],
            aws_secret_access_key=cloud["secret_key"],
        )
        bucket = done.document["functions"]["score"]["input"].split("/")[2]
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
        content = (sample / "incoming.csv").read_bytes()
        for name in ("a.csv", "über alles+1.csv"):
            s3.put_object(Bucket=bucket, Key=f"score/in/{name}", Body=content)
        yield sample, s3, bucket
    finally:
        run(sample, "local", "down")


def manifests(s3: Any, bucket: str) -> dict[str, Any]:
    """Manifests of the results, by their key, with the moment at which they were written."""
    found = s3.list_objects_v2(Bucket=bucket, Prefix="score/out/").get("Contents", [])
    return {each["Key"]: each["LastModified"] for each in found if each["Key"].endswith("/manifest.json")}


def test_what_waits_is_scored_by_hand_and_then_by_the_clock(waiting: tuple[Path, Any, str]) -> None:
    # GIVEN files in the input that no event told of
    sample, s3, bucket = waiting
    # WHEN those that wait are scored by hand, without waiting for it, and again
    done = run(sample, "score", "--pending", "--no-wait", "--stage", "local", "--json")
    assert done.document == {"functions": {"score": {"pending": 2, "scored": None, "left": [], "why": None}}}
    again = run(sample, "score", "score", "--pending", "--stage", "local", "--json")
    assert again.code == 0, again.out + again.err
    # THEN each is scored once, whole
    first = manifests(s3, bucket)
    assert len(first) == 2
    for key in first:
        manifest = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        assert manifest["rows_in"] == manifest["rows_scored"] + manifest["rows_rejected"] > 0
    # WHEN there is nothing left THEN that is said
    done = run(sample, "score", "--pending", "--stage", "local")
    assert "score: 0 files in s3://" in done.out
    # GIVEN another file WHEN the function gets a schedule, whose rate begins at once
    s3.put_object(Bucket=bucket, Key="score/in/later.csv", Body=(sample / "incoming.csv").read_bytes())
    spec = sample / "sls-ml.yaml"
    spec.write_text(spec.read_text().replace("    objects:", "    schedule: rate(1 day)\n    objects:"))
    done = run(sample, "deploy", "--stage", "local", "--json")
    assert done.code == 0, done.out + done.err
    assert "AWS::Scheduler::Schedule" not in {entry["type"] for entry in done.document["not_emulated"]}
    # THEN that file is scored, too, and no other again
    deadline = time.monotonic() + WAIT
    while len(found := manifests(s3, bucket)) < 3 and time.monotonic() < deadline:
        time.sleep(0.5)
    assert len(found) == 3
    assert set(found) - set(first) == {key for key in found if "/later.csv/" in key}
    assert {key: found[key] for key in first} == first
    # THEN its log says how many it has found
    log = run(sample, "logs", "score", "--stage", "local", "--json").out.replace('\\"', '"')
    assert '"message":"pending"' in log.replace(" ", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["score"], "say which function scores which file"),
        (["score", "--pending", "score", "x.csv"], "--pending scores no file of this machine"),
        (["score", "--pending", "predict"], "predict scores no objects"),
        (["score", "--pending", "scor"], "did you mean 'score'?"),
    ],
)
def test_mistakes_are_told(waiting: tuple[Path, Any, str], words: list[str], said: str) -> None:
    # GIVEN a command that cannot be meant so WHEN it is given THEN it is said why
    done = run(waiting[0], *words, "--stage", "local")
    assert done.code == 2
    assert said in done.err


def test_what_the_schedule_sends_is_what_the_function_reads() -> None:
    # GIVEN the message of a schedule in the checked-in template
    golden = Path(__file__).parents[1] / "golden" / "aws" / "batch-scheduled.json"
    schedule = json.loads(golden.read_text())["Resources"]["ScoreSchedule"]["Properties"]
    # THEN it is the one that asks for all that waits
    assert json.loads(schedule["Target"]["Input"]) == aws_pending.PENDING
