"""What each role may do: a neutral grant becomes a statement, with the reason for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from sls_ml.intent.model import (
    Grant,
    Place,
    ReadModel,
    ReadObjects,
    ReadSecret,
    ReceiveMessages,
    WriteLogs,
    WriteObjects,
)
from sls_ml.provider.aws import names
from sls_ml.provider.aws.cloudformation import ACCOUNT, PARTITION, REGION, Value, attribute, ref, sub

POLICY_VERSION = "2012-10-17"


@dataclass(frozen=True)
class Statement:
    """One permission: what may be done to which resources, and why it is needed."""

    sid: str
    actions: tuple[str, ...]
    resource: Value
    reason: str
    condition: Mapping[str, Any] | None = None

    def document(self) -> dict[str, Any]:
        """The statement as IAM reads it."""
        body: dict[str, Any] = {
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": sorted(self.actions),
            "Resource": self.resource,
        }
        if self.condition is not None:
            body["Condition"] = dict(self.condition)
        return body


@dataclass(frozen=True)
class Scope:
    """What a function's grants refer to.

    Attributes:
        log_group: Name of its log group.
        store: The store without ``s3://``, with holes for the account and the region.
        queue: Logical id of its queue.
    """

    log_group: str
    store: str
    queue: str


def statement(grant: Grant, scope: Scope) -> Statement:
    """Translate one grant. No statement has a wildcard for a resource; a ``*`` ends a prefix or an ARN."""
    match grant:
        case WriteLogs():
            return Statement(
                sid="WriteLogs",
                actions=("logs:CreateLogStream", "logs:PutLogEvents"),
                resource=sub(f"arn:{PARTITION}:logs:{REGION}:{ACCOUNT}:log-group:{scope.log_group}:*"),
                reason="Each environment writes to a stream of its own; the group exists already.",
            )
        case ReadModel(model):
            return Statement(
                sid=f"ReadModel{names.logical_id(model)}",
                actions=("s3:GetObject",),
                resource=sub(f"arn:{PARTITION}:s3:::{scope.store}/{model}/*"),
                reason="All releases of the model: two of them share the role during a rollback.",
            )
        case ReceiveMessages():
            return Statement(
                sid="ReceiveMessages",
                actions=(
                    "sqs:ReceiveMessage",
                    "sqs:DeleteMessage",
                    "sqs:GetQueueAttributes",
                    "sqs:ChangeMessageVisibility",
                ),
                resource=attribute(scope.queue, "Arn"),
                reason="Lambda takes the object events from the queue in the name of the role.",
            )
        case ReadObjects(place):
            return Statement(
                sid="ReadInput",
                actions=("s3:GetObject", "s3:GetObjectVersion"),
                resource=_objects(place),
                reason="The version that the event names is read, not one that came later.",
            )
        case WriteObjects(place):
            return Statement(
                sid="WriteOutput",
                actions=("s3:GetObject", "s3:PutObject"),
                resource=_objects(place),
                reason="Results are written; what an earlier try has finished is read.",
            )
        case ReadSecret(name):
            return Statement(
                sid=f"ReadSecret{names.short_hash(name, 6)}",
                actions=("secretsmanager:GetSecretValue",),
                resource=sub(f"arn:{PARTITION}:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-??????"),
                reason="Secrets Manager ends each ARN with six characters of its own.",
            )
        case _:
            assert_never(grant)


def _objects(place: Place) -> Value:
    bucket = f"${{{names.DATA_BUCKET}}}" if place.bucket is None else place.bucket
    return sub(f"arn:{PARTITION}:s3:::{bucket}/{place.prefix}*")


def role_policy(grants: Iterable[Grant], scope: Scope) -> dict[str, Any]:
    """The inline policy of a function's role: its grants and nothing else."""
    return _policy(statement(grant, scope) for grant in dict.fromkeys(grants))


def invoke_policy(alias: str) -> dict[str, Any]:
    """What a caller in the same account needs to reach the URL of an alias.

    Args:
        alias: Logical id of the alias.
    """
    return _policy(
        (
            Statement(
                sid="CallUrl",
                actions=("lambda:InvokeFunctionUrl",),
                resource=ref(alias),
                reason="The URL checks this action first.",
                condition={"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}},
            ),
            Statement(
                sid="InvokeThroughUrl",
                actions=("lambda:InvokeFunction",),
                resource=ref(alias),
                reason="Since October 2025 the function behind the URL checks this one too.",
                condition={"Bool": {"lambda:InvokedViaFunctionUrl": "true"}},
            ),
        )
    )


def trust(service: str) -> dict[str, Any]:
    """Who may take a role: one AWS service."""
    return {
        "Version": POLICY_VERSION,
        "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
    }


def _policy(statements: Iterable[Statement]) -> dict[str, Any]:
    return {"Version": POLICY_VERSION, "Statement": [each.document() for each in statements]}
