"""Score an object into objects: every row once in effect, whatever is delivered twice or breaks half-way.

For an input object and a model the results lie in one folder, whose name says what they were made from::

    <to>/<key>/<etag or version>-<digest12>/part-00000.csv      the scored rows, in the input's order
                                            rejected/part-00000.jsonl   what is outside the model's domain
                                            manifest.json        written last: the object is done

A part is a fixed slice of the input. Every key is created, never replaced, so that an event that comes twice
changes nothing; and what a part holds is noted on it, so that a try after a crash goes on behind the last
finished part, and so does the next call for an object that is too large for the time of one. Nothing here
names a provider: reading and writing come in as arguments.

What a retry cannot mend is no failure: an object that is no CSV, or lacks a column, ends with a manifest of
status ``refused``; one with too many rejected rows is scored all the same, with status ``too-many-rejected``.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import tempfile

from sls_ml_runtime.dialects import csv_rows
from sls_ml_runtime.dialects.csv_rows import Records
from sls_ml_runtime.errors import Refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, BinaryIO, Protocol, Self

    from sls_ml_runtime.dialects.csv_rows import Record, Stream
    from sls_ml_runtime.scorer import Scorer

    class Read(Protocol):
        """Opens an input object."""

        def __call__(self, source: Source, position: int, /) -> Stream:
            """The bytes of exactly this version of the object, from `position` on.

            Raises:
                Superseded: The object is no longer the one that the event tells of.
            """

    class Results(Protocol):
        """Where results go; keys are relative to its prefix."""

        def get(self, key: str) -> bytes | None:
            """The bytes of an object, None where there is none."""

        def facts(self, key: str) -> Mapping[str, str] | None:
            """What was noted on an object when it was created, None where there is none."""

        def create(self, key: str, body: BinaryIO, facts: Mapping[str, str]) -> bool:
            """Create an object with short ASCII notes on it; False, and no change, when there is one."""


FORMAT = 1
PART_ROWS = 200_000
PART_BYTES = 32 << 20
PART_OUTPUT = 128 << 20
"""Bytes of scored and rejected rows after which a part ends: they wait in the temporary folder of 512 MB."""

CHUNK_ROWS = 5_000
CHUNK_BYTES = 2 << 20
CHUNK_CELLS = 500_000
"""Cells of the output in a chunk: a model of a thousand outputs must not fill the memory."""

ENOUGH = 2
"""A part is begun when so many times as long is left as the longest part took."""

LONGEST_KEY = 768
"""Bytes of an input's key in those of its results, which S3 limits to 1,024 with the prefix and the rest."""

_IN_MEMORY = 8 << 20


class Source:
    """An input object: where it is, and which version of it. `size` is in bytes."""

    __slots__ = ("bucket", "etag", "key", "size", "version")

    def __init__(self, bucket: str, key: str, etag: str, version: str | None, size: int) -> None:
        self.bucket = bucket
        self.key = key
        self.etag = etag
        self.version = version
        self.size = size

    @property
    def is_folder(self) -> bool:
        """Whether it is what consoles write to show an empty folder: nothing to score."""
        return self.key.endswith("/") and not self.size


def results_folder(source: Source, digest: str) -> str:
    """Where the results of an object and a model lie, below the prefix of all results.

    A key of more than `LONGEST_KEY` bytes is cut, and the sha256 of the whole takes the place of the rest.
    """
    key, encoded = source.key, source.key.encode()
    if len(encoded) > LONGEST_KEY:
        rest = f"~{hashlib.sha256(encoded).hexdigest()}"
        key = encoded[: LONGEST_KEY - len(rest)].decode(errors="ignore") + rest
    return f"{key}/{source.etag or source.version}-{digest[:12]}"


class Superseded(Exception):  # noqa: N818 - nothing is wrong: there is nothing left to score
    """The object was replaced or deleted after the event; its successor has an event of its own."""


class Unfinished(Exception):  # noqa: N818 - as planned
    """The time is too short for another part; who scores the object next goes on behind the finished ones."""


class ResultsDiffer(Exception):  # noqa: N818
    """A result exists with other bytes: something else wrote it, or another release stopped half-way."""


class Outcome:
    """What came of one object: its `manifest`, and whether another delivery had made it (`replayed`)."""

    __slots__ = ("manifest", "replayed")

    def __init__(self, manifest: dict[str, Any], *, replayed: bool) -> None:
        self.manifest = manifest
        self.replayed = replayed


def _ample() -> float:
    return 1e12


def score_object(
    scorer: Scorer, read: Read, results: Results, source: Source, *, remaining: Callable[[], float] = _ample
) -> Outcome:
    """Score one object, or find that it has been scored.

    Args:
        scorer: The model.
        read: Opens the object.
        results: Where the results go.
        source: The object.
        remaining: How much time is left, in any unit.

    Returns:
        The manifest, with ``rows_in == rows_scored + rows_rejected``.

    Raises:
        Superseded: The object was replaced or deleted since the event.
        Unfinished: Parts were made, and there is no time for another.
        ResultsDiffer: A result is there with other bytes.
    """
    scorer.begin()
    folder = results_folder(source, scorer.digest)
    done = results.get(f"{folder}/manifest.json")
    if done is not None:
        return Outcome(json.loads(done), replayed=True)
    manifest = _Job(scorer, read, results, source, folder, remaining).run()
    text = (json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
    notes = {"sha256": hashlib.sha256(text).hexdigest()}
    created = _create(results, f"{folder}/manifest.json", io.BytesIO(text), notes)
    return Outcome(manifest, replayed=not created)  # the same event may be worked on twice at once


class _Job:
    """One object on its way: `parts` holds what is noted on each finished part, `made_by` the slicing too.

    `longest` is the time of the longest part made here, in the unit of `remaining`.
    """

    __slots__ = ("folder", "longest", "made_by", "parts", "read", "remaining", "results", "scorer", "source")

    def __init__(
        self,
        scorer: Scorer,
        read: Read,
        results: Results,
        source: Source,
        folder: str,
        remaining: Callable[[], float],
    ) -> None:
        self.scorer = scorer
        self.read = read
        self.results = results
        self.source = source
        self.folder = folder
        self.remaining = remaining
        self.longest = 0.0
        self.parts: list[Mapping[str, str]] = []
        self.made_by = f"{scorer.made_by}-{PART_ROWS}-{PART_BYTES}"

    def run(self) -> dict[str, Any]:
        """Make every part that is missing, and return the manifest."""
        records = Records(self.read(self.source, 0))
        try:
            names = records.header()
            self.scorer.check_header(names)
        except Refusal as refusal:
            return self._manifest(refusal)
        return self._manifest(self._make_parts(records, names))

    def _make_parts(self, records: Records, names: Record) -> Refusal | None:
        """Make the parts in order, and return what broke the object off, if anything did."""
        current: Records | None = records
        position, rows = records.position, 0
        while True:
            noted = self.results.facts(self._part_key())
            if noted is not None and noted.get("made-by") == self.made_by:
                current = None  # finished by an earlier try: go on behind it
            else:
                if current is None:
                    current = Records(self.read(self.source, position), position=position)
                begun = self.remaining()
                if self.longest and begun < ENOUGH * self.longest:
                    raise Unfinished(f"{len(self.parts)} parts are finished, {rows} rows")
                noted = self._make_part(current, names, rows)
                self.longest = max(self.longest, begun - self.remaining())
            if noted is not None:
                self.parts.append(noted)
                position, rows = int(noted["end"]), rows + int(noted["rows"])
            if current is not None and current.ended:
                return current.broken

    def _make_part(self, records: Records, names: Record, before: int) -> Mapping[str, str] | None:
        """Score the next slice and create its objects, the part itself last; None at the end of the input.

        Args:
            records: Where the input goes on.
            names: The header.
            before: Rows in the parts before this one.
        """
        with _Part(self.scorer.columns) as part:
            start, most = records.position, max(1, min(CHUNK_ROWS, CHUNK_CELLS // len(self.scorer.columns)))
            while (
                part.rows < PART_ROWS and records.position - start < PART_BYTES and part.written < PART_OUTPUT
            ):
                chunk = records.chunk(min(most, PART_ROWS - part.rows), CHUNK_BYTES)
                if not chunk:
                    break
                found = csv_rows.faults(chunk, names, escaped=records.escaped)
                whole = [position for position in range(len(chunk)) if position not in found]
                scored, refused = self.scorer.score(names, [chunk[position] for position in whole])
                found.update((whole[position], refusal) for position, refusal in refused.items())
                part.add(before, chunk, scored, found)
            if self.parts and not part.rows:
                return None
            facts = part.finish() | {"made-by": self.made_by, "end": str(records.position)}
            if part.reasons:
                notes = {"sha256": facts["rejected-sha256"]}
                _create(self.results, self._rejected_key(), part.rejected_file, notes)
            _create(self.results, self._part_key(), part.scored_file, facts)
        return facts

    def _part_key(self) -> str:
        return f"{self.folder}/part-{len(self.parts):05d}.csv"

    def _rejected_key(self) -> str:
        return f"{self.folder}/rejected/part-{len(self.parts):05d}.jsonl"

    def _manifest(self, refusal: Refusal | None) -> dict[str, Any]:
        scorer, source = self.scorer, self.source
        rows = _total(self.parts, "rows")
        scored = _total(self.parts, "scored")
        reasons: dict[str, int] = {}
        for part in self.parts:
            for code, count in json.loads(part["rejected"]).items():
                reasons[code] = reasons.get(code, 0) + count
        rejected = sum(reasons.values())
        if rows != scored + rejected:
            raise RuntimeError(f"{rows} rows came in, {scored} are scored and {rejected} rejected")
        if refusal is not None:
            status = "refused"
        else:
            status = "too-many-rejected" if rejected > scorer.max_rejected * rows else "scored"
        return {
            "format": FORMAT,
            "status": status,
            "refused": refusal and {"code": refusal.code, "message": refusal.message, "after_row": rows},
            "source": {"bucket": source.bucket, "key": source.key, "etag": source.etag},
            "model": scorer.name,
            "digest": scorer.digest,
            "runtime": scorer.runtime,
            "input": "csv",
            "output": "csv",
            "columns": scorer.columns,
            "rows_in": rows,
            "rows_scored": scored,
            "rows_rejected": rejected,
            "reasons": reasons,
            "parts": [
                {"file": f"part-{index:05d}.csv", "rows": int(part["scored"]), "sha256": part["sha256"]}
                for index, part in enumerate(self.parts)
            ],
            "rejected": [
                {
                    "file": f"rejected/part-{index:05d}.jsonl",
                    "rows": int(part["rows"]) - int(part["scored"]),
                    "sha256": part["rejected-sha256"],
                }
                for index, part in enumerate(self.parts)
                if "rejected-sha256" in part
            ],
        }


class _Part:
    """One part in the making: two files, in memory while they are small, and what is counted on the way."""

    __slots__ = ("_lines", "_table", "_text", "reasons", "rejected_file", "rows", "scored", "scored_file")

    def __init__(self, columns: Sequence[str]) -> None:
        self.scored_file = _spooled()
        self.rejected_file = _spooled()
        self._text = io.TextIOWrapper(self.scored_file, encoding="utf-8", newline="")
        self._table = csv.writer(self._text)
        self._table.writerow(columns)
        self.rows = self.scored = 0
        self.reasons: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._text.close()
        self.rejected_file.close()

    @property
    def written(self) -> int:
        """Bytes in both files."""
        return self.scored_file.tell() + self.rejected_file.tell()

    def add(
        self,
        before: int,
        records: Sequence[Record],
        scored: Sequence[tuple[Any, ...]],
        refused: Mapping[int, Refusal],
    ) -> None:
        """Add one chunk.

        Args:
            before: Rows of the object in the parts before.
            records: The chunk's records.
            scored: Rows of the output.
            refused: Position in `records` to why it is not among them.
        """
        self._table.writerows(scored)
        self.scored += len(scored)
        for position, refusal in sorted(refused.items()):
            line = {
                "row": before + self.rows + position + 1,
                "code": refusal.code,
                "field": refusal.field,
                "message": refusal.message,
                "raw": csv_rows.write_record(records[position]),
            }
            self.rejected_file.write(json.dumps(line).encode() + b"\n")
            self.reasons[refusal.code] = self.reasons.get(refusal.code, 0) + 1
        self.rows += len(records)

    def finish(self) -> dict[str, str]:
        """Rewind both files, and give what is to be noted on the part."""
        self._text.flush()
        facts = {
            "sha256": _rewound_sha256(self.scored_file),
            "rows": str(self.rows),
            "scored": str(self.scored),
            "rejected": json.dumps(self.reasons, sort_keys=True),
        }
        if self.reasons:
            facts["rejected-sha256"] = _rewound_sha256(self.rejected_file)
        return facts


def _create(results: Results, key: str, body: BinaryIO, facts: Mapping[str, str]) -> bool:
    """Create an object, or see that it is there with the very same bytes, and return False.

    Raises:
        ResultsDiffer: It is there with other bytes.
    """
    if results.create(key, body, facts):
        return True
    found = results.facts(key)
    if found is None:
        raise ResultsDiffer(f"{key} exists, and may not be read: is it encrypted with a key of its own?")
    if found.get("sha256") != facts["sha256"]:
        raise ResultsDiffer(f"{key} exists with other bytes: delete its folder, then send the event again")
    return False


def _spooled() -> BinaryIO:
    return tempfile.SpooledTemporaryFile(_IN_MEMORY)  # type: ignore[return-value]


def _rewound_sha256(file: BinaryIO) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while block := file.read(CHUNK_BYTES):
        digest.update(block)
    file.seek(0)
    return digest.hexdigest()


def _total(parts: Sequence[Mapping[str, str]], fact: str) -> int:
    return sum(int(part[fact]) for part in parts)
