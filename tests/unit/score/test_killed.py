"""A process that is killed at any point, and its retry: each row once in effect, and nothing left half."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

ROOT = Path(__file__).parents[3]
CONTENT = b"id,age,children,city\n" + b"".join(
    b"%d %s,%s,0,Bern\n" % (row, b"y" * 60, b"x" if row % 50 == 7 else b"%d" % (row % 90))
    for row in range(1500)
)
"""Three parts of 600 rows at most, each with rejected rows, so seven creations with the manifest."""


@pytest.fixture
def server() -> Iterator[str]:
    made = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    made.start()
    host, port = made.get_host_and_port()
    httpx.post(f"http://{host}:{port}/moto-api/reset")
    yield f"http://{host}:{port}"
    made.stop()


@pytest.fixture
def s3(server: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    client = boto3.client("s3", endpoint_url=server, region_name="eu-west-1")
    client.create_bucket(Bucket="data", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return client


@pytest.fixture
def score(server: str, s3: Any, artifact_folder: Path) -> Iterator[Callable[[str], int]]:
    """Score in a process that is killed at a point; its exit code, negative where a signal ended it."""
    etag = s3.put_object(Bucket="data", Key="in/a.csv", Body=CONTENT)["ETag"].strip('"')
    words = [sys.executable, "-m", "tests.unit.score.dying", server, str(artifact_folder), "in/a.csv", etag]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "framework")))}
    with subprocess.Popen(
        words, cwd=ROOT, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        asked, told = process.stdin, process.stdout
        assert asked is not None
        assert told is not None

        def run(point: str) -> int:
            asked.write(f"{point}\n")
            asked.flush()
            return int(told.readline())

        yield run


def results(s3: Any) -> dict[str, tuple[bytes, dict[str, str]]]:
    """Content and notes of every result by its key."""
    found = s3.list_objects_v2(Bucket="data", Prefix="out/").get("Contents", [])
    answers = {each["Key"]: s3.get_object(Bucket="data", Key=each["Key"]) for each in found}
    return {key: (answer["Body"].read(), answer["Metadata"]) for key, answer in answers.items()}


def test_a_killed_process_and_its_retry_end_as_one_that_was_not(s3: Any, score: Callable[[str], int]) -> None:
    # GIVEN what a process writes that nobody kills
    assert score("before-99") == 0
    whole = results(s3)
    assert len(whole) == 7
    for point in ("before-0", "amid-1", "after-1", "amid-2", "after-5", "amid-6", "after-6"):
        for key in results(s3):
            s3.delete_object(Bucket="data", Key=key)
        # WHEN one is killed at a point: before, amid or after the rejected rows, a part or the manifest
        assert score(point) == -signal.SIGKILL
        # THEN what is there is a beginning of it
        begun = results(s3)
        assert begun == {key: value for key, value in whole.items() if key in begun}, point
        assert len(begun) == int(point[-1]) + point.startswith("after"), point
        # WHEN it is tried again THEN the results are the same, with their notes, and no upload is half done
        assert score("before-99") == 0
        assert results(s3) == whole, point
        assert "Uploads" not in s3.list_multipart_uploads(Bucket="data")
