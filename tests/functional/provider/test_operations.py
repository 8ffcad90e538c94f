"""Objects, logs and signed calls against a real server."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from moto.s3.models import s3_backends

from sls_ml.errors import ExternalError
from sls_ml.provider.aws import operate
from sls_ml.provider.aws.client import MissingError
from sls_ml.provider.base import Target
from sls_ml.spec.model import Http, Throttle

Aws = Callable[[str], Any]
BUCKET = "scored-objects"
GROUP = "/aws/lambda/sls-ml-credit-risk-dev-predict"
NOW = int(time.time()) * 1000
"""Milliseconds since the epoch; the server takes no events of another age."""


@pytest.fixture
def bucket(aws: Aws) -> str:
    """URI of an empty bucket."""
    aws("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return f"s3://{BUCKET}"


def test_an_object_is_read_as_it_was_written(target: Target, bucket: str) -> None:
    # GIVEN a bucket
    operations = operate(target, "credit-risk", "dev")
    # WHEN an object is written
    name = operations.put_object(f"{bucket}/in/a.csv", b"age\n41\n")
    # THEN it is read and listed, and its ETag names this content
    assert name == hashlib.md5(b"age\n41\n", usedforsecurity=False).hexdigest()
    assert operations.read_object(f"{bucket}/in/a.csv") == b"age\n41\n"
    assert [(each.uri, each.bytes) for each in operations.list_objects(f"{bucket}/in/")] == [
        (f"{bucket}/in/a.csv", 7)
    ]


def test_an_object_that_is_not_there_is_missing(target: Target, bucket: str) -> None:
    # GIVEN an empty bucket
    # WHEN an object is read
    # THEN it is missing
    with pytest.raises(MissingError):
        operate(target, "credit-risk", "dev").read_object(f"{bucket}/in/a.csv")


def test_waiting_finds_the_object_with_the_suffix(target: Target, bucket: str) -> None:
    # GIVEN a result of two objects
    operations = operate(target, "credit-risk", "dev")
    operations.put_object(f"{bucket}/out/a.csv/1/part-00000.csv", b"1\n")
    operations.put_object(f"{bucket}/out/a.csv/1/manifest.json", b"{}")
    # WHEN the manifest is waited for
    found = operations.wait_for_object(f"{bucket}/out/a.csv/", "/manifest.json", timeout=5)
    # THEN it is found
    assert found.uri == f"{bucket}/out/a.csv/1/manifest.json"


def test_waiting_in_vain_ends(target: Target, bucket: str) -> None:
    # GIVEN an empty bucket
    # WHEN an object is waited for
    with pytest.raises(ExternalError) as caught:
        operate(target, "credit-risk", "dev").wait_for_object(f"{bucket}/out/", "/manifest.json", timeout=0)
    # THEN it ends
    assert caught.value.code == "object-late"


def test_the_log_is_read_in_order(target: Target, aws: Aws) -> None:
    # GIVEN a log of two streams
    logs = aws("logs")
    logs.create_log_group(logGroupName=GROUP)
    for stream, events in {"one": [(1, "first"), (3, "third")], "two": [(2, "second")]}.items():
        logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
        logs.put_log_events(
            logGroupName=GROUP,
            logStreamName=stream,
            logEvents=[{"timestamp": NOW + second * 1000, "message": text} for second, text in events],
        )
    # WHEN it is read from the second event on
    events = list(operate(target, "credit-risk", "dev").logs("predict", since=NOW / 1000 + 2))
    # THEN the events come in the order of their time
    assert [(each.stream, each.message) for each in events] == [("two", "second"), ("one", "third")]


def test_eventbridge_is_switched_on_beside_other_notifications(target: Target, aws: Aws, bucket: str) -> None:
    # GIVEN a bucket that announces its objects to a queue
    queue = aws("sqs").create_queue(QueueName="other")["QueueUrl"]
    arn = aws("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    aws("s3").put_bucket_notification_configuration(
        Bucket=BUCKET,
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]
        },
    )
    operations = operate(target, "credit-risk", "dev")
    before = operations.announces_objects(BUCKET)
    # WHEN EventBridge is switched on
    operations.announce_objects(BUCKET)
    # THEN both are told (the server's own GET leaves EventBridge out)
    assert not before
    kept = s3_backends["123456789012"]["aws"].buckets[BUCKET].notification_configuration
    assert kept.event_bridge is not None
    assert [each.arn for each in kept.queue] == [arn]


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.parametrize("token", ["", "a session's token"])
def test_the_request_line_works_in_a_shell(
    target: Target, endpoint: tuple[str, list[dict[str, str]]], token: str
) -> None:
    # GIVEN the line for a request
    url, received = endpoint
    aws = replace(target, endpoint_url=None)
    line = operate(aws, "credit-risk", "dev").request_line(url, "/predict", '{"q":"it\'s"}', Http())
    # WHEN a shell runs it, with and without a session token
    keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "x"}
    environment = {"PATH": os.environ["PATH"], "NO_PROXY": "*", **keys, "AWS_SESSION_TOKEN": token}
    done = subprocess.run(["sh", "-c", line], check=True, capture_output=True, text=True, env=environment)
    # THEN the request arrives, signed for Lambda
    assert done.stdout == '{"q":"it\'s"}'
    (headers,) = received
    assert "/eu-west-1/lambda/aws4_request" in headers["authorization"]
    assert headers.get("x-amz-security-token", "") == token


@pytest.fixture
def endpoint() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """An HTTP server that answers what it was sent, and the headers of the requests that it got."""
    received: list[dict[str, str]] = []

    class Echo(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append({name.lower(): value for name, value in self.headers.items()})
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", received
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("http", "service"),
    [
        (Http(), "lambda"),
        (Http(throttle=Throttle(rate=1, burst=1)), "execute-api"),
        (Http(auth="public"), None),
        (Http(auth="key"), None),
    ],
)
def test_a_call_is_signed_where_it_must_be(
    target: Target, endpoint: tuple[str, list[dict[str, str]]], http: Http, service: str | None
) -> None:
    # GIVEN an endpoint
    url, received = endpoint
    # WHEN it is called
    answer = operate(target, "credit-risk", "dev").invoke(url, "/predict", http, body=b'{"rows":[]}')
    # THEN its answer comes back, and the call carried a signature for what stands there, or none
    assert (answer.status, answer.body) == (200, b'{"rows":[]}')
    (headers,) = received
    assert headers["content-type"] == "application/json"
    scope = f"/eu-west-1/{service}/aws4_request" if service else ""
    assert scope in headers.get("authorization", "")
    assert ("authorization" in headers) is (service is not None)
