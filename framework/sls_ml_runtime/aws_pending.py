"""Find the objects of an input that have no results yet, and send a message for each to the function's queue.

One call of a function could not look at every object of a large bucket. So a message that asks for all of
them only becomes messages for ranges of keys, and such a range messages for objects::

    {"sls-ml": "pending"}                                    all: lists keys, sends ranges (few keys: objects)
    {"sls-ml": "pending", "after": key}                      the same, behind a key, where the time ran out
    {"sls-ml": "pending", "after": key, "through": key}      a range: sends the objects without results
    {"sls-ml": "object", "bucket": …, "key": …, "etag": …, "size": …, "version": …}   scored as if it had just
                                                             arrived, or further, where the time ran out

These are three calls in a row, however many objects there are, and one more for each time that half of a
function's time is not enough to list keys. Lambda ends a chain of calls after some 16.

A message that comes twice does no harm: an object is scored once in effect (sls_ml_runtime/score.py).
"""

from __future__ import annotations

import json

from sls_ml_runtime.score import Source, results_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from sls_ml_runtime.score import Results

PENDING = {"sls-ml": "pending"}
RANGE = 200
"""Keys of a range: what a small function looks up in a few seconds."""
_PAGE = 1000
_THREADS = 10
_MESSAGES = 10
"""Messages in one call of SQS."""


class Pending:
    """What waits in one place.

    Args:
        s3: An S3 client.
        uri: Bucket and prefix of the input, ``s3://bucket/prefix/``.
        results: Where the results go.
    """

    __slots__ = ("_bucket", "_prefix", "_results", "_s3")

    def __init__(self, s3: Any, uri: str, results: Results) -> None:
        self._s3 = s3
        self._bucket, _, self._prefix = uri.removeprefix("s3://").partition("/")
        self._results = results

    def sweep(
        self,
        ask: Mapping[str, str],
        digest: str,
        send: Callable[[Sequence[Mapping[str, Any]]], None],
        remaining: Callable[[], float],
    ) -> int:
        """Do what a message asks for.

        Args:
            ask: The message.
            digest: The digest of the model whose results count.
            send: Sends messages to the queue.
            remaining: How much time is left, in any unit.

        Returns:
            The number of objects without results for which a message was sent.
        """
        if "through" in ask:
            keys = [each for each in self._page(ask["after"], RANGE)[0] if each.key <= ask["through"]]
            return self._send_pending(keys, digest, send)
        begun, after = remaining(), ask.get("after", "")
        found, more = self._page(after, _PAGE)
        if not more and len(found) <= RANGE:
            return self._send_pending(found, digest, send)
        while found:
            last = [each.key for each in found[RANGE - 1 :: RANGE]]
            if last[-1:] != [found[-1].key]:
                last.append(found[-1].key)
            firsts = [after, *last]
            send([{**PENDING, "after": a, "through": z} for a, z in zip(firsts, last, strict=False)])
            after = last[-1]
            if more and remaining() < begun / 2:
                send([{**PENDING, "after": after}])
                break
            found, more = self._page(after, _PAGE) if more else ([], False)
        return 0

    def without_results(self, digest: str) -> Iterator[Source]:
        """Every object that has no results of a model yet, by its digest."""
        after, more = "", True
        while more:
            found, more = self._page(after, _PAGE)
            yield from self._missing(found, digest)
            after = found[-1].key if found else after

    def _send_pending(
        self, found: list[Source], digest: str, send: Callable[[Sequence[Mapping[str, Any]]], None]
    ) -> int:
        missing = [object_message(each) for each in self._missing(found, digest)]
        send(missing)
        return len(missing)

    def _missing(self, found: list[Source], digest: str) -> Iterator[Source]:
        from concurrent.futures import ThreadPoolExecutor

        def done(source: Source) -> bool:
            return self._results.facts(f"{results_folder(source, digest)}/manifest.json") is not None

        scored = [each for each in found if not each.is_folder]
        with ThreadPoolExecutor(_THREADS) as pool:
            for source, has_results in zip(scored, pool.map(done, scored), strict=True):
                if not has_results:
                    yield source

    def _page(self, after: str, count: int) -> tuple[list[Source], bool]:
        """So many objects behind a key, and whether there are more."""
        asked = {"Bucket": self._bucket, "Prefix": self._prefix, "MaxKeys": count}
        answer = self._s3.list_objects_v2(**asked, **({"StartAfter": after} if after else {}))
        found = [
            Source(self._bucket, each["Key"], each["ETag"].strip('"'), None, each["Size"])
            for each in answer.get("Contents", [])
        ]
        return found, answer["IsTruncated"]


def object_message(source: Source) -> dict[str, Any]:
    """The message that has an object scored."""
    return {
        "sls-ml": "object",
        "bucket": source.bucket,
        "key": source.key,
        "etag": source.etag,
        "size": source.size,
        "version": source.version,
    }


def sender(sqs: Any, queue: str) -> Callable[[Sequence[Mapping[str, Any]]], None]:
    """What sends messages to a queue.

    Args:
        sqs: An SQS client.
        queue: The queue's URL, or its ARN.
    """
    if queue.startswith("arn:"):
        account, name = queue.split(":")[4:]
        queue = f"{sqs.meta.endpoint_url}/{account}/{name}"

    def send(messages: Sequence[Mapping[str, Any]]) -> None:
        for start in range(0, len(messages), _MESSAGES):
            entries = [
                {"Id": f"{place}", "MessageBody": json.dumps(message)}
                for place, message in enumerate(messages[start : start + _MESSAGES])
            ]
            failed = sqs.send_message_batch(QueueUrl=queue, Entries=entries).get("Failed")
            if failed:
                raise OSError(f"the queue refused {len(failed)} messages: {failed[0].get('Message')}")

    return send
