"""Roles that a CI system takes by its own signed tokens: one that deploys a stage, one that only plans it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sls_ml.provider.aws import deployer_policy, iam, names
from sls_ml.provider.aws.ci_pipelines import Issuer, Pipeline
from sls_ml.provider.aws.cloudformation import (
    ACCOUNT,
    PARTITION,
    Resource,
    attribute,
    ref,
    resource,
    sub,
    text,
)
from sls_ml.provider.aws.render import with_digest
from sls_ml.provider.base import Rendered

_AUDIENCE = "sts.amazonaws.com"


def role_name(project: str, stage: str, part: str, region: str) -> str:
    """Name of a CI role.

    Two hyphens follow ``ci``, as in no name of a project's own: what its deployer may do to the roles of the
    stack, by the beginning of their names, it may not do to the role that it has itself.
    """
    return names.fitted(f"{names.ci_stack_name(project, stage)}-{part}-{region}", names.ROLE_NAME_LENGTH)


def provider(issuer: Issuer) -> Rendered:
    """An identity provider of the account. It stays when the stack goes: others may rely on it."""
    body = resource(
        "AWS::IAM::OIDCProvider",
        {"ClientIdList": [_AUDIENCE], "Url": f"https://{issuer.host}"},
        keep=True,
    )
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"sls-ml: {issuer.name} as an identity provider",
        "Resources": {"Issuer": body},
    }
    return with_digest(issuer.stack, text(template))


def roles(
    project: str, stage: str, region: str, who: Pipeline, deployed: Rendered, account: str | None
) -> Rendered:
    """The roles for one stage, in a stack of their own.

    Args:
        project: The project.
        stage: The stage.
        region: Its region.
        who: Whose jobs take the roles.
        deployed: The stack that they deploy and plan.
        account: The account, twelve digits; None for policies that fit any account.
    """
    template = json.loads(deployed.template)
    parts = {
        "deploy": (who.deploys, deployer_policy.deploy),
        "plan": (who.plans, deployer_policy.plan),
    }
    resources: dict[str, Resource] = {}
    outputs: dict[str, Any] = {}
    for part, (subject, policies) in parts.items():
        logical = f"{part.capitalize()}Role"
        name = role_name(project, stage, part, region)
        description = f"{part.capitalize()}s {deployed.stack} for {who.repository}"
        resources[logical] = _role(name, who.issuer, subject, description)
        resources |= dict(
            _policies(logical, name, policies(template, stack=deployed.stack, region=region, account=account))
        )
        outputs[logical] = {"Description": f"Role to {part} with", "Value": attribute(logical, "Arn")}
    stack = names.ci_stack_name(project, stage)
    body = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"sls-ml: CI roles of {project}, stage {stage}",
        "Metadata": {"sls-ml:project": project, "sls-ml:stage": stage},
        "Outputs": outputs,
        "Resources": resources,
    }
    return with_digest(stack, text(body))


def makers(
    project: str, stage: str, region: str, who: Pipeline, deployed: Rendered, account: str | None
) -> tuple[deployer_policy.Document, ...]:
    """The policies of whoever makes the roles of a stage, besides that for `sls-ml bootstrap`.

    Args:
        project: The project.
        stage: The stage.
        region: Its region.
        who: Whose jobs take the roles.
        deployed: The stack that the roles deploy and plan.
        account: Twelve digits; None for policies that fit any account.
    """
    made = (provider(who.issuer), roles(project, stage, region, who, deployed, account))
    return tuple(
        document
        for rendered in made
        for document in deployer_policy.of_stack(
            rendered,
            rendered.stack.replace("sls-ml-", "sls-ml-bootstrap-", 1),
            region=region,
            account=account,
        )
    )


def _role(name: str, issuer: Issuer, subject: str, description: str) -> Resource:
    condition: dict[str, dict[str, str]] = {"StringEquals": {f"{issuer.host}:aud": _AUDIENCE}}
    operator = "StringLike" if subject.endswith("*") else "StringEquals"
    condition.setdefault(operator, {})[f"{issuer.host}:sub"] = subject
    statement: Mapping[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Federated": sub(f"arn:{PARTITION}:iam::{ACCOUNT}:oidc-provider/{issuer.host}")},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition,
    }
    return resource(
        "AWS::IAM::Role",
        {
            "AssumeRolePolicyDocument": {"Version": iam.POLICY_VERSION, "Statement": [statement]},
            "Description": description,
            "MaxSessionDuration": 3600,
            "RoleName": name,
        },
    )


def _policies(
    logical: str, name: str, documents: Iterable[deployer_policy.Document]
) -> Iterator[tuple[str, Resource]]:
    for number, document in enumerate(documents, start=1):
        yield (
            f"{logical}Policy{number}",
            resource(
                "AWS::IAM::ManagedPolicy",
                {
                    "ManagedPolicyName": f"{name}-{number}",
                    "PolicyDocument": document.policy,
                    "Roles": [ref(logical)],
                },
            ),
        )
