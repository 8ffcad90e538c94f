"""Waits for the results of a batch function, and tells early when the function fails instead."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from sls_ml.errors import ApplyError, ExternalError
from sls_ml.provider.base import FunctionOutputs, LogEvent, Operations, StoredObject

SCORE_TIMEOUT = 900.0
"""Seconds that `score` waits for the next part of a file's results, or the next file that has some."""

PATIENCE = 5.0
"""Seconds that a function has, after a failure, to come up with results nevertheless."""

_LOOK = 2.0
"""Seconds between two looks at the log."""

_LONG_LOOK = 30.0
"""Seconds of a pause after a look at very many objects."""


def wait_for_results(
    operations: Operations,
    function: str,
    results: str,
    *,
    since: float,
    options: str,
    show: Callable[[str], None],
) -> None:
    """Wait until a batch function has written the manifest of its results, which it writes last.

    Args:
        operations: The door to what is deployed.
        function: The function's name in the spec.
        results: URI of the folder that it writes to.
        since: When the file was handed over, in seconds since the epoch.
        options: What names project and stage in a command to paste.
        show: Told how far the work is.

    Raises:
        ExternalError: The function failed, as its log says, or nothing came for `SCORE_TIMEOUT`.
    """
    trouble, told = None, 0.0
    parts, progress = 0, time.time()
    while True:
        try:
            operations.wait_for_object(results, "manifest.json", timeout=_LOOK)
        except ExternalError as error:
            if error.code != "object-late" or time.time() > progress + SCORE_TIMEOUT:
                raise
        else:
            return
        written = sum(1 for each in operations.list_objects(results) if "/part-" in each.uri)
        if written > parts:
            parts, progress = written, time.time()
        show(f"scoring: {parts} parts written" if parts else "scoring: waiting for the first rows")
        if trouble is None:
            trouble, told = trouble_in_log(operations, function, since), time.monotonic()
        elif time.monotonic() > told + PATIENCE:
            raise ExternalError(
                f"the function {function} failed",
                code="score-failed",
                where=results,
                why=trouble,
                mend=f"look at `sls-ml logs {function}{options}`; it tries the file again, then gives it up",
            )


def wait_for_all(
    operations: Operations,
    function: str,
    found: FunctionOutputs,
    digest: str,
    handed: Sequence[StoredObject],
    *,
    since: float,
    show: Callable[[str], None],
) -> tuple[list[StoredObject], str | None]:
    """Wait until objects that were handed over have results, or nothing more comes of them.

    Args:
        operations: The door to what is deployed.
        function: The function's name in the spec.
        found: Where it is found.
        digest: Digest of the model.
        handed: The objects.
        since: When they were handed over, in seconds since the epoch.
        show: Told how far the work is.

    Returns:
        The objects without results, after the function failed or for `SCORE_TIMEOUT` nothing came; and why.
    """
    left, progress = list(handed), time.monotonic()
    while True:
        begun = time.monotonic()
        still = {(each.uri, each.etag) for each in operations.pending(found, digest)}
        now = [each for each in left if (each.uri, each.etag) in still]
        if len(now) < len(left):
            left, progress = now, time.monotonic()
        if not left:
            return [], None
        show(f"scoring: {len(handed) - len(left):,} of {len(handed):,} files")
        trouble, idle = trouble_in_log(operations, function, since), time.monotonic() - progress
        if (trouble and idle > PATIENCE) or idle > SCORE_TIMEOUT:
            return left, trouble
        time.sleep(max(_LOOK / 4, min(_LONG_LOOK, time.monotonic() - begun)))


def trouble_in_log(operations: Operations, function: str, since: float) -> str | None:
    """The first failure in a function's log; nothing where it has no log yet, or none for this caller."""
    try:
        return next(filter(None, map(failure, operations.logs(function, since=since))), None)
    except (ApplyError, ExternalError):
        return None


def failure(event: LogEvent) -> str | None:
    """What a line of a function's log says of a failure: an exception, a timeout, a start that failed."""
    try:
        line: dict[str, Any] = json.loads(event.message)
    except ValueError:
        return None
    if not isinstance(line, dict):
        return None
    if kind := line.get("errorType"):
        return f"{kind}: {line.get('errorMessage', '')}"
    if line.get("level") == "ERROR" and line.get("exception"):
        return str(line["exception"]).strip().splitlines()[-1]
    record = line.get("record")
    if isinstance(record, dict) and record.get("status") in {"error", "failure", "timeout"}:
        detail = record.get("errorType") or record["status"]
        return f"{line.get('type', 'the platform').removeprefix('platform.')}: {detail}"
    return None
