"""What is done with a deployment after it is deployed: call it, give it objects, read its logs."""

from __future__ import annotations

import json
import math
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO

from sls_ml.errors import ExternalError
from sls_ml.provider.aws import gateway, names
from sls_ml.provider.aws.client import Client, MissingError, split_uri, translated
from sls_ml.provider.base import (
    Answer,
    FunctionOutputs,
    LogEvent,
    ModelDrift,
    Spread,
    StoredObject,
    Unreadable,
)
from sls_ml.spec.model import Http
from sls_ml_runtime.aws_objects import S3Results
from sls_ml_runtime.aws_pending import Pending, object_message, sender
from sls_ml_runtime.score import Source

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef


_FINEST_MINUTES = 15 * 24 * 60
"""CloudWatch keeps minutes for so long; older numbers are kept by five minutes."""

_METRICS: Mapping[str, tuple[bool, str, str]] = {
    "calls": (True, "Invocations", "Sum"),
    "errors": (True, "Errors", "Sum"),
    "throttles": (True, "Throttles", "Sum"),
    "duration_average_ms": (True, "Duration", "Average"),
    "duration_longest_ms": (True, "Duration", "Maximum"),
    "rows": (False, "rows", "Sum"),
    "rejected_requests": (False, "rejected", "Sum"),
    "rejected_rows": (False, "rejected_rows", "Sum"),
    "objects": (False, "objects", "Sum"),
    "cold_starts": (False, "cold_start", "Sum"),
}
"""By the name of the number: whether Lambda counts it or the function itself, its metric, its statistic."""


class AwsOperations:
    """Works on one stack and its buckets.

    Args:
        client: The session with AWS.
        stack: Name of the stack.
        namespace: Where its functions count what they do.
    """

    def __init__(self, client: Client, stack: str, namespace: str) -> None:
        self._client = client
        self._stack = stack
        self._namespace = namespace

    def invoke(
        self,
        endpoint: str,
        path: str,
        http: Http,
        *,
        method: str = "POST",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        timeout: int = 60,
    ) -> Answer:
        """Call an endpoint.

        Args:
            endpoint: The function's URL, as the stack's outputs give it.
            path: Path below it, such as ``/predict``.
            http: What the spec says of it; ``auth: iam`` asks for a signature.
            method: The HTTP method.
            body: The request's body.
            headers: Its headers; a body without a type is sent as JSON.
            timeout: Seconds to wait for the answer.
        """
        sent = {"content-type": "application/json", **{k.lower(): v for k, v in (headers or {}).items()}}
        return Answer(
            *self._client.send(
                method, _url(endpoint, path), body, sent, service=gateway.signed_for(http), timeout=timeout
            )
        )

    def request_line(self, endpoint: str, path: str, body: str, http: Http) -> str:
        """A curl line that sends a request; credentials come from the variables that it names."""
        words = ["curl", "-sS", "-H", "content-type: application/json", "-d", body, _url(endpoint, path)]
        line = shlex.join(words)
        service = gateway.signed_for(http)
        if service is None:
            return line
        line += (
            f" --aws-sigv4 aws:amz:{self._client.region}:{service}"
            ' --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"'
        )
        if self._client.embedded:
            return line
        session = '${AWS_SESSION_TOKEN:+-H} ${AWS_SESSION_TOKEN:+"x-amz-security-token: $AWS_SESSION_TOKEN"}'
        return f"{line} {session}"

    def put_object(self, uri: str, body: bytes | BinaryIO) -> str:
        """Write an object; returns its ETag, which names this very content in the results."""
        bucket, key = split_uri(uri)
        with translated(f"writing {uri}"):
            answer = self._client.s3.put_object(Bucket=bucket, Key=key, Body=body)
        return answer["ETag"].strip('"')

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

    def pending(self, function: FunctionOutputs, digest: str) -> Iterator[StoredObject]:
        """The objects in the input of a batch function that have no results of a model, by its digest."""
        results = S3Results(self._client.s3, str(function.output))
        waiting = Pending(self._client.s3, str(function.input), results)
        with translated(f"looking for what waits in {function.input}"):
            for each in waiting.without_results(digest):
                yield StoredObject(f"s3://{each.bucket}/{each.key}", each.size, each.etag)

    def hand_over(self, function: FunctionOutputs, objects: Sequence[StoredObject]) -> None:
        """Have a batch function score objects of its input, as if they had just arrived."""
        sources = [Source(*split_uri(each.uri), each.etag, None, each.bytes) for each in objects]
        with translated(f"sending messages to {function.queue}"):
            sender(self._client.sqs, str(function.queue))([object_message(source) for source in sources])

    def logs(
        self, function: str, *, since: float, follow: bool = False, check: bool = False
    ) -> Iterator[LogEvent]:
        """The log of a function, oldest event first.

        Args:
            function: The function's name in the spec.
            since: Seconds since the epoch from which to read.
            follow: Whether to go on for ever, with each event as it comes.
            check: Whether to read the log of the check that a canary's versions pass first.
        """
        name = names.function_name(self._stack, function)
        group = names.log_group_name(f"{name}/check" if check else name)
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

    def metrics(self, function: str, *, since: float, models: Sequence[str] = ()) -> Mapping[str, float]:
        """What a function has done since a moment, by the name of the number; what never was is absent.

        Args:
            function: The function's name in the spec.
            since: Seconds since the epoch.
            models: Models whose drift is wanted too: the largest index that was found, as ``drift_<model>``.
        """
        name = names.function_name(self._stack, function)
        of_lambda = {"FunctionName": name, "Resource": f"{name}:{names.ALIAS}"}
        own = {"function": function, "alias": names.ALIAS}
        now = time.time()
        minutes = max(1, math.ceil((now - since) / 60))
        period = 60 * minutes if minutes <= _FINEST_MINUTES else 300 * math.ceil(minutes / 5)
        wanted = {
            key: ("AWS/Lambda", metric, of_lambda, statistic)
            if from_lambda
            else (self._namespace, metric, own, statistic)
            for key, (from_lambda, metric, statistic) in _METRICS.items()
        }
        wanted["failed_starts"] = (self._namespace, "init_failed", {"function": function}, "Sum")
        for model in models:
            wanted[f"drift_{model}"] = (self._namespace, "drift", {"model": model}, "Maximum")
        queries: list[MetricDataQueryTypeDef] = [
            {
                "Id": f"q{place}",
                "MetricStat": {
                    "Metric": {
                        "Namespace": namespace,
                        "MetricName": metric,
                        "Dimensions": [{"Name": name, "Value": value} for name, value in of.items()],
                    },
                    "Period": period,
                    "Stat": statistic,
                },
            }
            for place, (namespace, metric, of, statistic) in enumerate(wanted.values())
        ]
        with translated(f"reading the metrics of {function}"):
            answer = self._client.cloudwatch.get_metric_data(
                MetricDataQueries=queries,
                StartTime=datetime.fromtimestamp(now - period, UTC),
                EndTime=datetime.fromtimestamp(now + 1, UTC),
                ScanBy="TimestampDescending",
            )
        found = {each.get("Id", ""): each.get("Values", []) for each in answer["MetricDataResults"]}
        return {
            key: _total(found[f"q{place}"], statistic)
            for place, (key, (*_, statistic)) in enumerate(wanted.items())
            if found.get(f"q{place}")
        }

    def drift(self) -> Mapping[str, ModelDrift]:
        """Let the drift watch look at what was seen until now; nothing where there is no watch.

        Raises:
            ExternalError: The watch failed.
        """
        name = names.drift_name(self._stack)
        try:
            with translated("asking the drift watch"):
                answer = self._client.functions.invoke(FunctionName=name, Payload=b'{"now":true}')
        except MissingError:
            return {}
        found = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise ExternalError(
                "the drift watch failed",
                code="drift-failed",
                where=name,
                why=f"{found.get('errorType')}: {found.get('errorMessage')}",
                mend=f"read its log group {names.log_group_name(name)}",
            )
        return {
            model: ModelDrift(
                psi=each["psi"],
                rows=each["rows"],
                digests=each["digests"],
                least=each["least"],
                table=tuple(Spread(**line) for line in each["table"]),
            )
            for model, each in found.items()
        }

    def unreadable(self, secret: str) -> Unreadable | None:
        """Why a secret has no value to read, by its description alone; None where it has one.

        Raises:
            ExternalError: It may not be described; AWS says the same of a missing secret to who may
                describe only some.
        """
        try:
            with translated(f"looking for the secret {secret}"):
                found = self._client.secrets.describe_secret(SecretId=secret)
        except MissingError:
            return Unreadable(
                "does not exist", self._secrets_line("create-secret --name", secret, value=True)
            )
        if "DeletedDate" in found:
            return Unreadable("is to be deleted", self._secrets_line("restore-secret --secret-id", secret))
        if not any("AWSCURRENT" in stages for stages in found.get("VersionIdsToStages", {}).values()):
            line = self._secrets_line("put-secret-value --secret-id", secret, value=True)
            return Unreadable("has no value", line)
        return None

    def _secrets_line(self, command: str, secret: str, *, value: bool = False) -> str:
        """A shell line for a secret of this region, in the account or in the embedded cloud."""
        before = 'eval "$(sls-ml local env)"; ' if self._client.embedded else ""
        after = " --secret-string file://FILE" if value else ""
        return f"{before}aws secretsmanager {command} {secret} --region {self._client.region}{after}"

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


def _total(values: Sequence[float], statistic: str) -> float:
    """One number for a span that CloudWatch may have cut into several periods."""
    return sum(values) if statistic == "Sum" else max(values)


def _url(endpoint: str, path: str) -> str:
    return f"{endpoint.rstrip('/')}/{path.lstrip('/')}"
