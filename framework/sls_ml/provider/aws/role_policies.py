"""What the roles and callers' policies of a template allow, each statement with its written reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sls_ml.intent.model import Deployment
from sls_ml.provider.aws import drift_watch, iam, names, rollout, schedules
from sls_ml.provider.aws.cloudformation import FUNCTION_METADATA


@dataclass(frozen=True)
class Holder:
    """A role, or a policy for callers, as the template has it.

    Attributes:
        name: Its name on AWS.
        function: The function in the spec that it belongs to; None where several share it.
        service: The service that takes the role; None for a policy for callers.
        boundary: ARN of the policy that bounds the role.
        statements: What it allows and denies, as IAM reads it, with holes such as ``${AWS::AccountId}``.
    """

    name: str
    function: str | None
    service: str | None
    boundary: str | None
    statements: tuple[Mapping[str, Any], ...]


def holders(template: Mapping[str, Any]) -> dict[str, Holder]:
    """All roles and callers' policies of a rendered template, by logical id."""
    found = {}
    for logical, resource in sorted(template["Resources"].items()):
        body, function = resource.get("Properties", {}), resource.get("Metadata", {}).get(FUNCTION_METADATA)
        if resource["Type"] == "AWS::IAM::Role":
            (trust,) = body["AssumeRolePolicyDocument"]["Statement"]
            documents = [policy["PolicyDocument"] for policy in body["Policies"]]
            name, service = body["RoleName"], trust["Principal"]["Service"]
        elif resource["Type"] == "AWS::IAM::ManagedPolicy":
            documents = [body["PolicyDocument"]]
            name, service = body["ManagedPolicyName"], None
        else:
            continue
        statements = tuple(flat(statement) for document in documents for statement in document["Statement"])
        found[logical] = Holder(name, function, service, body.get("PermissionsBoundary"), statements)
    return found


def reasons(deployment: Deployment) -> dict[str, str]:
    """Why each statement is there, by its Sid."""
    return {statement.sid: statement.reason for statement in _all(deployment)}


def _all(deployment: Deployment) -> Iterator[iam.Statement]:
    """Every statement that a deployment may give to a role or to callers."""
    scope = iam.Scope(log_group="", store="", queue="")
    stack = names.stack_name(deployment.project, deployment.stage)
    yield iam.use_key("", writes=True)
    yield from iam.use_network("")
    yield from iam.call_url("")
    yield from iam.call_api("")
    yield iam.read_key("")
    yield schedules.may_call("")
    if deployment.drift:
        yield from drift_watch.may_watch(deployment, deployment.drift, "")
    for function in deployment.functions:
        yield from (iam.statement(grant, scope) for grant in function.grants)
        yield from rollout.may_check(function, "", names.rollout_name(stack))
        yield from rollout.may_shift("", function)


def flat(value: Any) -> Any:
    """A value of a template with its references as text: the holes that ``Fn::Sub`` would have for them."""
    match value:
        case {"Fn::Sub": str() as text}:
            return text
        case {"Fn::GetAtt": [logical, name]}:
            return f"${{{logical}.{name}}}"
        case {"Ref": logical}:
            return f"${{{logical}}}"
        case dict():
            return {key: flat(inner) for key, inner in value.items()}
        case list():
            return [flat(inner) for inner in value]
        case _:
            return value
