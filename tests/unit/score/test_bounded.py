"""Memory that scoring takes: that of a part, however large the object is."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO

import pytest
from tests.unit.score.conftest import source

from sls_ml_runtime import score as module
from sls_ml_runtime.score import score_object
from sls_ml_runtime.scorer import Scorer

LINES = b"".join(b"%d %s,%s,0,Bern\n" % (row, b"y" * 1000, b"x" if row % 3 else b"41") for row in range(1000))
"""A megabyte, and two rows in three are bad."""


class Long:
    """An object of so many megabytes that nobody holds."""

    def __init__(self, megabytes: int) -> None:
        self.left = self._blocks(megabytes)

    def _blocks(self, megabytes: int) -> Iterator[bytes]:
        yield b"id,age,children,city\n"
        for _ in range(megabytes):
            yield LINES

    def read(self, size: int, /) -> bytes:
        """The next block, whatever its size."""
        return next(self.left, b"")


class Counted:
    """Results of which the number of bytes is kept."""

    def __init__(self) -> None:
        self.bytes = 0

    def get(self, key: str) -> bytes | None:
        """Nothing."""
        return None

    def facts(self, key: str) -> Mapping[str, str] | None:
        """Nothing."""
        return None

    def create(self, key: str, body: BinaryIO, facts: Mapping[str, str]) -> bool:
        """Read it in blocks, as a socket does."""
        while block := body.read(1 << 16):
            self.bytes += len(block)
        return True


def test_the_memory_of_a_large_object_is_that_of_a_small_one(
    scorer: Callable[..., Scorer], monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN parts of a megabyte, files in memory to half of that, and objects of 3 and 30 MB
    monkeypatch.setattr(module, "PART_BYTES", 1 << 20)
    monkeypatch.setattr(module, "CHUNK_BYTES", 1 << 18)
    monkeypatch.setattr(module, "_IN_MEMORY", 1 << 19)
    chosen, peaks = scorer(max_rejected=1), []
    for megabytes in (3, 30):
        results, content = Counted(), Long(megabytes)
        tracemalloc.start()
        # WHEN each is scored, and most of it is rejected
        outcome = score_object(chosen, lambda source, position, content=content: content, results, source())
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        # THEN all of it comes out again
        assert outcome.manifest["rows_in"] == 1000 * megabytes
        assert outcome.manifest["rows_rejected"] == 666 * megabytes
        assert results.bytes > len(LINES) * megabytes
    # AND ten times the object did not take twice the memory: a part's, and what is noted on each part
    assert peaks[1] < 2 * peaks[0]
