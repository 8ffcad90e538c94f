"""Objects without results are found and sent to the queue, in S3 and SQS of a real server over HTTP."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from sls_ml_runtime import aws, aws_pending
from sls_ml_runtime.aws_objects import S3Results
from sls_ml_runtime.aws_pending import PENDING, Pending, sender
from sls_ml_runtime.score import Source, results_folder

DIGEST = "d" * 64
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:own"
SHA_OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Makes clients of a server that has a bucket and a queue."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    httpx.post(f"http://{host}:{port}/moto-api/reset")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")

    def make(service: str) -> Any:
        connect: Any = boto3.client
        return connect(service, endpoint_url=f"http://{host}:{port}", region_name="eu-west-1")

    where: Any = {"LocationConstraint": "eu-west-1"}
    make("s3").create_bucket(Bucket="data", CreateBucketConfiguration=where)
    make("sqs").create_queue(QueueName="own")
    yield make
    server.stop()


class Queue:
    """Takes messages from the queue, and does what they ask for until there are none."""

    def __init__(self, client: Callable[[str], Any], *, remaining: Callable[[], float] = lambda: 1.0) -> None:
        self._sqs = client("sqs")
        self._remaining = remaining
        self.results = S3Results(client("s3"), "s3://data/out/")
        self.pending = Pending(client("s3"), "s3://data/in/", self.results)
        self.send = sender(self._sqs, QUEUE)
        self.sources: list[Source] = []
        self.deepest = 0

    def sweep(self) -> list[str]:
        """Ask once; the keys that were to be scored, in the order in which they came."""
        depth = {json.dumps(PENDING): 0}
        self.send([PENDING])
        url = f"{self._sqs.meta.endpoint_url}/123456789012/own"
        while messages := self._sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self._sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                record = {"body": message["Body"]}
                ask = aws.pending(record)
                if ask is None:
                    self.sources += [Source(*event) for event in aws.object_events(record)]
                    continue
                deeper = depth[json.dumps(ask)] + 1
                self.deepest = max(self.deepest, deeper)

                def send(sent: Any, deeper: int = deeper) -> None:
                    depth.update((json.dumps(each), deeper) for each in sent)
                    self.send(sent)

                self.pending.sweep(ask, DIGEST, send, self._remaining)
        return [source.key for source in self.sources]

    def finish(self, source: Source) -> None:
        """Write what a scored object has at its end."""
        manifest = f"{results_folder(source, DIGEST)}/manifest.json"
        self.results.create(manifest, io.BytesIO(), {"sha256": SHA_OF_NOTHING})


def test_what_has_no_results_of_the_model_is_sent_and_nothing_else(client: Callable[[str], Any]) -> None:
    # GIVEN objects with keys that need care, the marker of an empty folder, and one beside the input
    keys = ["in/a b+c.csv", "in/täglich/2026.csv", 'in/"q".csv']
    for key in [*keys, "in/täglich/", "elsewhere/x.csv"]:
        client("s3").put_object(Bucket="data", Key=key, Body=b"" if key.endswith("/") else b"a\n1\n")
    queue = Queue(client)
    # WHEN they are looked for THEN each comes once, with the ETag and the size that an event would name
    assert sorted(queue.sweep()) == sorted(keys)
    head = client("s3").head_object(Bucket="data", Key=keys[0])
    (first,) = [source for source in queue.sources if source.key == keys[0]]
    assert (first.etag, first.size, first.version) == (head["ETag"].strip('"'), 4, None)
    # WHEN all but one are scored THEN only that comes again
    for source in queue.sources:
        if source.key != keys[1]:
            queue.finish(source)
    queue.sources.clear()
    assert queue.sweep() == [keys[1]]
    # WHEN one that was scored is replaced THEN it waits anew
    client("s3").put_object(Bucket="data", Key=keys[0], Body=b"a\n2\n")
    queue.sources.clear()
    assert sorted(queue.sweep()) == sorted([keys[0], keys[1]])


@pytest.mark.parametrize("count", [0, 3, 4, 6, 7, 12, 13, 25])
def test_many_objects_are_sent_in_ranges_each_exactly_once(
    client: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    # GIVEN more objects than a range, or than a page of a listing, has
    monkeypatch.setattr(aws_pending, "RANGE", 3)
    monkeypatch.setattr(aws_pending, "_PAGE", 6)
    keys = [f"in/{number:03}.csv" for number in range(count)]
    for key in keys:
        client("s3").put_object(Bucket="data", Key=key, Body=b"x")
    # WHEN they are looked for
    queue = Queue(client)
    found = queue.sweep()
    # THEN each comes once, and no message leads to another more than twice in a row
    assert Counter(found) == Counter(keys)
    assert queue.deepest <= 2
    # THEN what a command line would find is the same
    assert [each.key for each in queue.pending.without_results(DIGEST)] == keys


def test_a_listing_that_runs_out_of_time_goes_on_in_another_call(
    client: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a function that has little time: half of it is gone after each page
    monkeypatch.setattr(aws_pending, "RANGE", 2)
    monkeypatch.setattr(aws_pending, "_PAGE", 4)
    keys = [f"in/{number:03}.csv" for number in range(11)]
    for key in keys:
        client("s3").put_object(Bucket="data", Key=key, Body=b"x")
    times = iter([1.0, 0.4] * 99)
    # WHEN it looks for objects THEN each comes once all the same
    queue = Queue(client, remaining=lambda: next(times))
    assert Counter(queue.sweep()) == Counter(keys)


def test_messages_that_the_queue_refuses_are_an_error() -> None:
    # GIVEN a queue that takes nothing
    class Full:
        def send_message_batch(self, **_: Any) -> dict[str, Any]:
            return {"Failed": [{"Id": "0", "Message": "over the limit"}]}

    # WHEN messages are sent THEN the call fails, and is tried again
    with pytest.raises(OSError, match="the queue refused 1 messages: over the limit"):
        sender(Full(), "https://sqs/own")([PENDING])
