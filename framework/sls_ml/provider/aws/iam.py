"""Roles and what each may do: a neutral grant becomes a statement, with the reason for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, assert_never

from sls_ml.intent.model import (
    Grant,
    ListObjects,
    Place,
    ReadAlias,
    ReadModel,
    ReadObjects,
    ReadSecret,
    ReceiveMessages,
    SendMessages,
    WriteLogs,
    WriteObjects,
)
from sls_ml.provider.aws import names
from sls_ml.provider.aws.cloudformation import (
    ACCOUNT,
    PARTITION,
    REGION,
    Resource,
    Value,
    attribute,
    ref,
    resource,
    sub,
)
from sls_ml_runtime.follow import alias_key

POLICY_VERSION = "2012-10-17"


@dataclass(frozen=True)
class Statement:
    """One permission: what may be done to which resources, and why it is needed."""

    sid: str
    actions: tuple[str, ...]
    resource: Value | list[Value]
    reason: str
    condition: Mapping[str, Any] | None = None
    effect: Literal["Allow", "Deny"] = "Allow"

    def document(self) -> dict[str, Any]:
        """The statement as IAM reads it."""
        body: dict[str, Any] = {
            "Sid": self.sid,
            "Effect": self.effect,
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


def write_logs(log_group: str) -> Statement:
    """What every function may do: write to its log group."""
    return Statement(
        sid="WriteLogs",
        actions=("logs:CreateLogStream", "logs:PutLogEvents"),
        resource=sub(f"arn:{PARTITION}:logs:{REGION}:{ACCOUNT}:log-group:{log_group}:*"),
        reason="Each environment writes to a stream of its own; the group exists already.",
    )


def statement(grant: Grant, scope: Scope) -> Statement:
    """Translate one grant. No statement has a wildcard for a resource; a ``*`` ends a prefix or an ARN."""
    match grant:
        case WriteLogs():
            return write_logs(scope.log_group)
        case ReadModel() | ReadAlias():
            return _read_store(grant, scope.store)
        case ReadSecret(name):
            return Statement(
                sid=f"ReadSecret{names.short_hash(name, 6)}",
                actions=("secretsmanager:GetSecretValue",),
                resource=sub(f"arn:{PARTITION}:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-??????"),
                reason="Secrets Manager ends each ARN with six characters of its own.",
            )
        case ReceiveMessages() | SendMessages():
            return _use_queue(grant, scope.queue)
        case ReadObjects() | ListObjects() | WriteObjects():
            return _use_objects(grant)
        case _:
            assert_never(grant)


def _use_queue(grant: ReceiveMessages | SendMessages, queue: str) -> Statement:
    match grant:
        case ReceiveMessages():
            return Statement(
                sid="ReceiveMessages",
                actions=(
                    "sqs:ReceiveMessage",
                    "sqs:DeleteMessage",
                    "sqs:GetQueueAttributes",
                    "sqs:ChangeMessageVisibility",
                ),
                resource=attribute(queue, "Arn"),
                reason="Lambda takes the object events from the queue in the name of the role.",
            )
        case SendMessages():
            return send_messages(queue)
        case _:
            assert_never(grant)


def _use_objects(grant: ReadObjects | ListObjects | WriteObjects) -> Statement:
    match grant:
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
        case ListObjects(place):
            return Statement(
                sid="ListInput",
                actions=("s3:ListBucket",),
                resource=sub(f"arn:{PARTITION}:s3:::{_bucket(place)}"),
                reason="The schedule's message lists the input to find what has no results yet.",
                condition={"StringEquals": {"s3:prefix": place.prefix}} if place.prefix else None,
            )
        case _:
            assert_never(grant)


def _read_store(grant: ReadModel | ReadAlias, store: str) -> Statement:
    name = names.logical_id(grant.model)
    if isinstance(grant, ReadModel):
        return Statement(
            sid=f"ReadModel{name}",
            actions=("s3:GetObject",),
            resource=sub(f"arn:{PARTITION}:s3:::{store}/{grant.model}/*"),
            reason="All releases of the model: two of them share the role during a rollback.",
        )
    return Statement(
        sid=f"ReadAlias{name}",
        actions=("s3:GetObject",),
        resource=sub(f"arn:{PARTITION}:s3:::{store}/{alias_key(grant.model, grant.alias)}"),
        reason="It says which release of the model to serve; only who deploys or promotes may write it.",
    )


def _bucket(place: Place) -> str:
    return f"${{{names.DATA_BUCKET}}}" if place.bucket is None else place.bucket


def _objects(place: Place) -> Value:
    return sub(f"arn:{PARTITION}:s3:::{_bucket(place)}/{place.prefix}*")


def send_messages(queue: str) -> Statement:
    """What puts objects that wait into a function's queue, given by its logical id."""
    return Statement(
        sid="SendMessages",
        actions=("sqs:SendMessage",),
        resource=attribute(queue, "Arn"),
        reason="An object that waits, or takes longer than a call, is a message in this one queue.",
    )


def use_network(name: str) -> tuple[Statement, ...]:
    """What Lambda needs in the name of a function's role to reach a VPC, and the function's code may not do.

    Args:
        name: The function's name on AWS.
    """
    look = ("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets")
    change = (
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:UnassignPrivateIpAddresses",
    )
    return (
        Statement(
            sid="SeeNetwork",
            actions=look,
            resource="*",
            reason="EC2 knows no resources for what only describes; Lambda asks when it joins the VPC.",
        ),
        Statement(
            sid="JoinNetwork",
            actions=change,
            resource=sub(f"arn:{PARTITION}:ec2:{REGION}:{ACCOUNT}:*/*"),
            reason="Interfaces have no id before Lambda makes them; it fails with a narrower pattern.",
        ),
        Statement(
            sid="OnlyLambdaJoins",
            actions=look + change,
            resource="*",
            reason="The two above are for Lambda itself: calls by the function's own code are refused.",
            condition={
                "ArnEquals": {
                    "lambda:SourceFunctionArn": sub(
                        f"arn:{PARTITION}:lambda:{REGION}:{ACCOUNT}:function:{name}"
                    )
                }
            },
            effect="Deny",
        ),
    )


def use_key(key: str, *, writes: bool) -> Statement:
    """What a function needs to read what is encrypted with a key of the account, and to write it."""
    return Statement(
        sid="UseKey",
        actions=("kms:Decrypt", "kms:GenerateDataKey") if writes else ("kms:Decrypt",),
        resource=key,
        reason="Environment, events and objects are encrypted with this key, on the project's own wish.",
    )


def role_policy(grants: Iterable[Grant], scope: Scope, more: Iterable[Statement] = ()) -> dict[str, Any]:
    """The inline policy of a function's role: its grants, what its surroundings ask for, and nothing else."""
    return policy([*(statement(grant, scope) for grant in dict.fromkeys(grants)), *more])


def role(
    name: str, service: str, document: Mapping[str, Any], *, boundary: str | None, function: str | None
) -> Resource:
    """A role that one service of AWS takes, with one inline policy.

    Args:
        name: Its name on AWS.
        service: Such as ``lambda.amazonaws.com``.
        document: The policy.
        boundary: ARN of the policy that bounds it, or None.
        function: The function that it belongs to; None where several share it.
    """
    properties: dict[str, Any] = {
        "AssumeRolePolicyDocument": trust(service),
        "Policies": [{"PolicyName": "grants", "PolicyDocument": document}],
        "RoleName": name,
    }
    if boundary is not None:
        properties["PermissionsBoundary"] = boundary
    return resource("AWS::IAM::Role", properties, function=function)


def call_url(alias: str) -> tuple[Statement, ...]:
    """What a caller in the same account needs to reach the URL of an alias.

    Args:
        alias: Logical id of the alias.
    """
    return (
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


def call_api(api: str) -> tuple[Statement, ...]:
    """What a caller in the same account needs to reach an HTTP API.

    Args:
        api: Logical id of the API.
    """
    return (
        Statement(
            sid="CallApi",
            actions=("execute-api:Invoke",),
            resource=sub(f"arn:{PARTITION}:execute-api:{REGION}:{ACCOUNT}:${{{api}}}/*"),
            reason="All routes of this one API.",
        ),
    )


def read_key(secret: str) -> Statement:
    """What compares a caller's key with the secret one, given by its logical id."""
    return Statement(
        sid="ReadKey",
        actions=("secretsmanager:GetSecretValue",),
        resource=ref(secret),
        reason="It compares what callers bring with the present key and the one before.",
    )


def callers_policy(name: str, function: str, stack: str, statements: Iterable[Statement]) -> Resource:
    """A managed policy to be attached to whoever calls an endpoint."""
    return resource(
        "AWS::IAM::ManagedPolicy",
        {
            "Description": f"Call the endpoint of {function} in {stack}",
            "ManagedPolicyName": name,
            "PolicyDocument": policy(statements),
        },
        function=function,
    )


def trust(service: str) -> dict[str, Any]:
    """Who may take a role: one AWS service; the scheduler for schedules of this account and region alone."""
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }
    if service == "scheduler.amazonaws.com":  # it names the schedule's group, not the schedule
        group = sub(f"arn:{PARTITION}:scheduler:{REGION}:{ACCOUNT}:schedule-group/default")
        statement["Condition"] = {
            "ArnEquals": {"aws:SourceArn": group},
            "StringEquals": {"aws:SourceAccount": sub(ACCOUNT)},
        }
    return {"Version": POLICY_VERSION, "Statement": [statement]}


def policy(statements: Iterable[Statement]) -> dict[str, Any]:
    """Statements as a policy document."""
    return {"Version": POLICY_VERSION, "Statement": [each.document() for each in statements]}
