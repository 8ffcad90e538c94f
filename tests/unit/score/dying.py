"""Scores an object of a server for S3 in processes that are killed at given points, if they get there.

Arguments: URL of the server, folder of the artifact, key and ETag of the object. Each line of standard
input is a point, a word and the number of a creation: ``before-0``, ``after-0``, or ``amid-0``, where a block
is sent. The answer is a line with the exit code, negative where a signal ended the process.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import boto3
from tests.unit.score.conftest import scorers

from sls_ml_runtime import score
from sls_ml_runtime.aws_objects import S3Input, S3Results
from sls_ml_runtime.score import Source, score_object


def die() -> None:
    """End as a function ends that is out of memory, or of time."""
    os.kill(os.getpid(), signal.SIGKILL)


class Deadly(io.BytesIO):
    """A body that nobody reads to its end."""

    blocks = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """The first block, once; its bytes are on their way then."""
        self.blocks += 1
        if self.blocks > 1:
            die()
        return super().read(size)


class Dying(S3Results):
    """Results that end the process at a point."""

    def __init__(self, client: Any, uri: str, point: str) -> None:
        super().__init__(client, uri)
        self.when, _, place = point.partition("-")
        self.left = int(place)

    def create(self, key: str, body: BinaryIO, facts: Mapping[str, str]) -> bool:
        """Create, or die."""
        here, self.left = self.left == 0, self.left - 1
        if here and self.when == "before":
            die()
        created = super().create(key, Deadly(body.read()) if here and self.when == "amid" else body, facts)
        if here:
            die()
        return created


def main(url: str, artifact: str, key: str, etag: str) -> None:
    """Score the object in slices of 600 rows, at each point in a fork, which has all imports."""
    score.PART_ROWS = 600
    scorer = scorers(Path(artifact))()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            client = boto3.client("s3", endpoint_url=url, region_name="eu-west-1")
            results = Dying(client, "s3://data/out/", line.strip())
            score_object(scorer, S3Input(client), results, Source("data", key, etag, None, 1))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
