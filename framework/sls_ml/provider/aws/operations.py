"""What is done with a deployment after it is deployed: call it, give it objects, read its logs."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Mapping

from sls_ml.errors import ExternalError
from sls_ml.provider.aws import names
from sls_ml.provider.aws.client import Client, translated
from sls_ml.provider.aws.deployer import split_uri
from sls_ml.provider.base import Answer, LogEvent, StoredObject


class AwsOperations:
    """Works on one stack and its buckets.

    Args:
        client: The session with AWS.
        stack: Name of the stack.
    """

    def __init__(self, client: Client, stack: str) -> None:
        self._client = client
        self._stack = stack

    def invoke(
        self,
        endpoint: str,
        path: str,
        *,
        method: str = "POST",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        signed: bool = True,
        timeout: int = 60,
    ) -> Answer:
        """Call an endpoint.

        Args:
            endpoint: The function's URL, as the stack's outputs give it.
            path: Path below it, such as ``/predict``.
            method: The HTTP method.
            body: The request's body.
            headers: Its headers; a body without a type is sent as JSON.
            signed: Whether to sign with the caller's credentials: what ``auth: iam`` asks for.
            timeout: Seconds to wait for the answer.
        """
        sent = {"content-type": "application/json", **{k.lower(): v for k, v in (headers or {}).items()}}
        return Answer(
            *self._client.send(method, _url(endpoint, path), body, sent, signed=signed, timeout=timeout)
        )

    def request_line(self, endpoint: str, path: str, body: str, *, signed: bool) -> str:
        """A curl line that sends a request; credentials come from the variables that it names."""
        words = ["curl", "-sS", "-H", "content-type: application/json", "-d", body, _url(endpoint, path)]
        line = shlex.join(words)
        if not signed:
            return line
        session = '${AWS_SESSION_TOKEN:+-H} ${AWS_SESSION_TOKEN:+"x-amz-security-token: $AWS_SESSION_TOKEN"}'
        return (
            f"{line} --aws-sigv4 aws:amz:{self._client.region}:lambda"
            f' --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" {session}'
        )

    def put_object(self, uri: str, body: bytes) -> str:
        """Write an object; returns what names this very content in the results: its version or ETag."""
        bucket, key = split_uri(uri)
        with translated(f"writing {uri}"):
            answer = self._client.s3.put_object(Bucket=bucket, Key=key, Body=body)
        return answer.get("VersionId") or answer["ETag"].strip('"')

    def read_object(self, uri: str) -> bytes:
        """Read an object whole.

        Raises:
            MissingError: There is no such object.
        """
        bucket, key = split_uri(uri)
        with translated(f"reading {uri}"):
            return self._client.s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    def list_objects(self, uri: str) -> Iterator[StoredObject]:
        """The objects whose URI begins with `uri`, sorted by key."""
        bucket, prefix = split_uri(uri)
        pages = self._client.s3.get_paginator("list_objects_v2")
        with translated(f"listing {uri}"):
            for page in pages.paginate(Bucket=bucket, Prefix=prefix):
                for each in page.get("Contents", []):
                    etag = each["ETag"].strip('"')
                    yield StoredObject(f"s3://{bucket}/{each['Key']}", each["Size"], etag)

    def wait_for_object(self, uri: str, suffix: str, *, timeout: float) -> StoredObject:
        """The first object whose URI begins with `uri` and ends with `suffix`, as soon as there is one.

        Raises:
            ExternalError: There is none after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            for found in self.list_objects(uri):
                if found.uri.endswith(suffix):
                    return found
            if time.monotonic() >= deadline:
                raise ExternalError(
                    f"no object {uri}...{suffix} after {timeout:g} s",
                    code="object-late",
                    where=uri,
                    mend="look at `sls-ml logs` and at the dead letters",
                )
            time.sleep(self._client.poll_seconds)

    def logs(self, function: str, *, since: float, follow: bool = False) -> Iterator[LogEvent]:
        """The log of a function, oldest event first.

        Args:
            function: The function's name in the spec.
            since: Seconds since the epoch from which to read.
            follow: Whether to go on for ever, with each event as it comes.
        """
        group = names.log_group_name(names.function_name(self._stack, function))
        start = int(since * 1000)
        seen: set[str] = set()
        while True:
            pages = self._client.logs.get_paginator("filter_log_events").paginate(
                logGroupName=group, startTime=start
            )
            with translated(f"reading the log of {function}"):
                events = [each for page in pages for each in page["events"]]
            for event in sorted(events, key=lambda each: each["timestamp"]):
                if event["eventId"] not in seen:
                    yield LogEvent(event["timestamp"] / 1000, event["logStreamName"], event["message"])
            if not follow:
                return
            # Events of the last millisecond may still come: it is read again, and what was seen is left out.
            start = max([start, *(event["timestamp"] for event in events)])
            seen = {event["eventId"] for event in events if event["timestamp"] == start}
            time.sleep(self._client.poll_seconds)

    def announces_objects(self, bucket: str) -> bool:
        """Whether a bucket sends its events to EventBridge, as a batch function's input must."""
        with translated(f"reading the notifications of {bucket}"):
            answer = self._client.s3.get_bucket_notification_configuration(Bucket=bucket)
        return "EventBridgeConfiguration" in answer

    def announce_objects(self, bucket: str) -> None:
        """Let a bucket send its events to EventBridge, and keep its other notifications as they are.

        S3 knows only replacing the whole configuration: what somebody else changes at the same moment is
        lost. That is why this is a step of its own, and no deploy does it.
        """
        with translated(f"switching on EventBridge for {bucket}"):
            answer = self._client.s3.get_bucket_notification_configuration(Bucket=bucket)
            self._client.s3.put_bucket_notification_configuration(
                Bucket=bucket,
                NotificationConfiguration={
                    "TopicConfigurations": answer.get("TopicConfigurations", []),
                    "QueueConfigurations": answer.get("QueueConfigurations", []),
                    "LambdaFunctionConfigurations": answer.get("LambdaFunctionConfigurations", []),
                    "EventBridgeConfiguration": {},
                },
                SkipDestinationValidation=True,
            )


def _url(endpoint: str, path: str) -> str:
    return f"{endpoint.rstrip('/')}/{path.lstrip('/')}"
