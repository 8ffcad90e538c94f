"""Event source mappings of queues: polls as the function's role, in batches, with partial failures."""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from moto.iam.models import iam_backends
from moto.sqs.models import sqs_backends

from sls_ml.local.account import Account
from sls_ml.local.authorisation import allows, document_of, statements_of
from sls_ml.local.function_host import FunctionHost, Outcome
from sls_ml.local.functions import Functions, LambdaError, invalid

DEFAULT_CONCURRENCY = 2
"""Batches at one time without a MaximumConcurrency; AWS begins with five."""

_NEEDED = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Mapped:
    """One mapping. `window` in seconds; `partial` when the function names the messages that failed."""

    uuid: str
    arn: str
    function: str
    queue_arn: str
    batch_size: int
    window: int
    partial: bool
    concurrency: int | None
    enabled: bool


class EventSources:
    """All mappings, each with its poller.

    Args:
        account: Whose mappings they are.
        functions: The functions.
        host: What runs them.
    """

    def __init__(self, *, account: Account, functions: Functions, host: FunctionHost) -> None:
        self._account = account
        self._functions = functions
        self._host = host
        self._mappings: dict[str, Mapped] = {}
        self._pollers: dict[str, _Poller] = {}

    def all(self) -> tuple[Mapped, ...]:
        """Every mapping, oldest first."""
        return tuple(self._mappings.values())

    def get(self, uuid_: str) -> Mapped:
        """One mapping."""
        if uuid_ not in self._mappings:
            raise LambdaError("ResourceNotFoundException", "The resource you requested does not exist.")
        return self._mappings[uuid_]

    def add(self, params: Mapping[str, Any]) -> Mapped:
        """Make a mapping and begin to poll."""
        if ":sqs:" not in params.get("EventSourceArn", "") or params["EventSourceArn"].endswith(".fifo"):
            raise invalid("The embedded cloud maps standard queues only.")
        if "FilterCriteria" in params:
            raise invalid("The embedded cloud has no event filters.")
        id_ = str(uuid.uuid4())
        region, number = self._account.region, self._account.number
        mapping = self._changed(
            Mapped(
                uuid=id_,
                arn=f"arn:aws:lambda:{region}:{number}:event-source-mapping:{id_}",
                function="",
                queue_arn=params["EventSourceArn"],
                batch_size=10,
                window=0,
                partial=False,
                concurrency=None,
                enabled=True,
            ),
            params,
        )
        if any((m.function, m.queue_arn) == (mapping.function, mapping.queue_arn) for m in self.all()):
            raise LambdaError("ResourceConflictException", "An event source mapping with these ARNs exists.")
        self._set(mapping)
        return mapping

    def update(self, uuid_: str, params: Mapping[str, Any]) -> Mapped:
        """Change a mapping; it polls anew."""
        mapping = self._changed(self.get(uuid_), params)
        self._set(mapping)
        return mapping

    def _changed(self, mapping: Mapped, params: Mapping[str, Any]) -> Mapped:
        values: dict[str, Any] = {}
        if "FunctionName" in params:
            name, qualifier = self._functions.split(params["FunctionName"])
            function_arn = self._functions.get(name).latest.function_arn
            values["function"] = f"{function_arn}:{qualifier}" if qualifier else function_arn
        for name, field in (
            ("BatchSize", "batch_size"),
            ("MaximumBatchingWindowInSeconds", "window"),
            ("Enabled", "enabled"),
        ):
            if name in params:
                values[field] = params[name]
        if "FunctionResponseTypes" in params:
            values["partial"] = "ReportBatchItemFailures" in params["FunctionResponseTypes"]
        if "ScalingConfig" in params:
            values["concurrency"] = params["ScalingConfig"].get("MaximumConcurrency")
        changed = replace(mapping, **values)
        self._check(changed)
        return changed

    def _check(self, mapping: Mapped) -> None:
        """What AWS refuses when the mapping is made."""
        if mapping.batch_size > 10 and mapping.window == 0:
            raise invalid(
                "Maximum batch window in seconds must be greater than 0 "
                "if maximum batch size is greater than 10"
            )
        _, configuration = self._functions.resolve(mapping.function)
        sqs = sqs_backends[self._account.number][self._account.region]
        name = mapping.queue_arn.rpartition(":")[2]
        if name not in sqs.queues:
            raise invalid("Error occurred while ReceiveMessage. SQS Error Code: NonExistentQueue.")
        hidden = int(sqs.get_queue_attributes(name, ["VisibilityTimeout"])["VisibilityTimeout"])
        if hidden < configuration.timeout:
            raise invalid(
                f"Queue visibility timeout: {hidden} seconds is less than "
                f"Function timeout: {configuration.timeout} seconds"
            )
        statements = self._role_statements(configuration.role)
        for action in _NEEDED:
            if not allows(action, mapping.queue_arn, identity=statements):
                raise invalid(
                    f"The provided execution role does not have permissions to call {action[4:]} on SQS"
                )

    def _role_statements(self, arn: str) -> list[Mapping[str, Any]]:
        iam = iam_backends[self._account.number]["aws"]
        role = iam.get_role_by_arn(arn)
        documents: list[Any] = [
            iam.get_role_policy(role.name, policy)[1] for policy in iam.list_role_policies(role.name)
        ]
        documents += [document_of(policy) for policy in role.managed_policies.values()]
        return [statement for document in documents for statement in statements_of(document)]

    def _set(self, mapping: Mapped) -> None:
        if poller := self._pollers.pop(mapping.uuid, None):
            poller.stop()
        self._mappings[mapping.uuid] = mapping
        if mapping.enabled:
            self._pollers[mapping.uuid] = _Poller(mapping, self._client, self._run)

    def remove(self, uuid_: str) -> Mapped:
        """Delete a mapping; messages in flight come back to the queue in their time."""
        mapping = self.get(uuid_)
        del self._mappings[uuid_]
        if poller := self._pollers.pop(uuid_, None):
            poller.stop()
        return mapping

    def remove_function(self, name: str) -> None:
        """Delete the mappings of a function that is gone."""
        for mapping in self.all():
            if self._functions.split(mapping.function)[0] == name:
                self.remove(mapping.uuid)

    def close(self) -> None:
        """Stop all polling."""
        for poller in self._pollers.values():
            poller.stop()

    def _client(self, mapping: Mapped) -> Any:
        """SQS, as the function's role."""
        configuration = self._functions.resolve(mapping.function)[1]
        once = Config(retries={"mode": "standard", "total_max_attempts": 1}, max_pool_connections=32)
        return self._account.client("sqs", configuration.role, configuration.name, once)

    def _run(self, mapping: Mapped, messages: list[dict[str, Any]]) -> Outcome:
        _, qualifier = self._functions.split(mapping.function)
        function, configuration = self._functions.resolve(mapping.function)
        records = [self._record(mapping, message) for message in messages]
        payload = json.dumps({"Records": records}).encode()
        return self._host.invoke(function, configuration, payload, qualifier=qualifier)

    def _record(self, mapping: Mapped, message: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": {
                name: {
                    "stringValue": value.get("StringValue"),
                    "stringListValues": [],
                    "binaryListValues": [],
                    "dataType": value["DataType"],
                }
                for name, value in message.get("MessageAttributes", {}).items()
            },
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": mapping.queue_arn,
            "awsRegion": self._account.region,
        }


class _Poller:
    """Polls one queue; one thread receives, so that no message is taken twice, and one runs each batch."""

    def __init__(
        self,
        mapping: Mapped,
        client: Callable[[Mapped], Any],
        run: Callable[[Mapped, list[dict[str, Any]]], Outcome],
    ) -> None:
        self._mapping = mapping
        self._connect = client
        self._run = run
        self._stopping = threading.Event()
        self._slots = threading.Semaphore(mapping.concurrency or DEFAULT_CONCURRENCY)
        _, _, _, _, account, name = mapping.queue_arn.split(":")
        self._path = f"{account}/{name}"
        threading.Thread(target=self._loop, daemon=True).start()

    def stop(self) -> None:
        """Take no further messages."""
        self._stopping.set()

    def _loop(self) -> None:
        sqs = self._connect(self._mapping)
        url = f"{sqs.meta.endpoint_url}/{self._path}"
        while not self._stopping.is_set():
            self._slots.acquire()
            messages: list[dict[str, Any]] = []
            try:
                messages = self._batch(sqs, url)
            except (ClientError, BotoCoreError) as error:
                if not self._stopping.is_set():
                    _log.warning("%s: cannot poll: %s", self._mapping.queue_arn, error)
                    self._stopping.wait(1.0)
                    sqs = self._connect(self._mapping)
            if messages and not self._stopping.is_set():
                arguments = (sqs, url, messages)
                threading.Thread(target=self._process, args=arguments, daemon=True).start()
            else:
                self._slots.release()

    def _batch(self, sqs: Any, url: str) -> list[dict[str, Any]]:
        wanted = self._mapping.batch_size
        messages: list[dict[str, Any]] = []
        wait = 1
        while len(messages) < wanted:
            more = sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=min(10, wanted - len(messages)),
                WaitTimeSeconds=wait,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            messages += more
            if not more or self._stopping.is_set():
                break
            wait = min(self._mapping.window, 20)
            if wait == 0:
                break
        return messages

    def _process(self, sqs: Any, url: str, messages: list[dict[str, Any]]) -> None:
        try:
            failed = self._failed(messages)
            # One by one: moto would ask for a permission to DeleteMessageBatch, which IAM does not have.
            for message in messages:
                if message["MessageId"] not in failed:
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        except (ClientError, BotoCoreError) as error:
            _log.warning("%s: cannot delete: %s", self._mapping.queue_arn, error)
        finally:
            self._slots.release()

    def _failed(self, messages: list[dict[str, Any]]) -> set[str]:
        """Ids of the messages that stay in the queue."""
        every = {message["MessageId"] for message in messages}
        try:
            outcome = self._run(self._mapping, messages)
        except LambdaError as error:
            _log.info("%s: the batch comes back: %s", self._mapping.function, error)
            return every
        if outcome.failed:
            return every
        return partial_failures(outcome.payload, every) if self._mapping.partial else set()


def partial_failures(payload: bytes, every: set[str]) -> set[str]:
    """The messages that a function says failed; all of them when its answer is not understood.

    Args:
        payload: What the function returned, JSON.
        every: Ids of all messages of the batch.
    """
    try:
        answer = json.loads(payload)
        if answer is None or answer == {}:
            return set()
        failures = answer["batchItemFailures"]
        named = {item["itemIdentifier"] for item in failures or []}
    except (ValueError, KeyError, TypeError):
        return every
    return named if named <= every else every
