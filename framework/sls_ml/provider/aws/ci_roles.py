"""Roles that a CI system takes by its own signed tokens: one that deploys a stage, one that only plans it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sls_ml.errors import UsageError
from sls_ml.provider.aws import deployer_policy, iam, names
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

GITHUB = "token.actions.githubusercontent.com"
"""Who signs the tokens of GitHub Actions."""

_AUDIENCE = "sts.amazonaws.com"
_ASKED = re.compile(
    r"github:(?P<repository>[A-Za-z0-9-]+/[A-Za-z0-9._-]+)"
    r"(?:@(?:environment:(?P<environment>[A-Za-z0-9._ -]+)|(?P<branch>[A-Za-z0-9._/-]+)))?"
)


@dataclass(frozen=True)
class Pipeline:
    """Whose jobs may deploy.

    Attributes:
        repository: ``org/repo``.
        place: What must be true of a job, as GitHub's tokens say it: ``environment:prod``, or
            ``ref:refs/heads/main``.
    """

    repository: str
    place: str


def pipeline(asked: str, stage: str) -> Pipeline:
    """Read ``github:org/repo``, with ``@branch`` or ``@environment:name``; else the stage's environment.

    Raises:
        UsageError: It is none of these.
    """
    match = _ASKED.fullmatch(asked)
    if match is None:
        raise UsageError(
            f"{asked} names no repository",
            code="ci-unknown",
            mend="say github:org/repo, github:org/repo@branch or github:org/repo@environment:name",
        )
    place = (
        f"ref:refs/heads/{match['branch']}"
        if match["branch"]
        else f"environment:{match['environment'] or stage}"
    )
    return Pipeline(match["repository"], place)


def role_name(project: str, stage: str, part: str, region: str) -> str:
    """Name of a CI role.

    Two hyphens follow ``ci``, as in no name of a project's own: what its deployer may do to the roles of the
    stack, by the beginning of their names, it may not do to the role that it has itself.
    """
    return names.fitted(f"{names.ci_stack_name(project, stage)}-{part}-{region}", names.ROLE_NAME_LENGTH)


def provider() -> Rendered:
    """GitHub as an identity provider of the account. It stays when the stack goes: others may rely on it."""
    body = resource(
        "AWS::IAM::OIDCProvider",
        {"ClientIdList": [_AUDIENCE], "Url": f"https://{GITHUB}"},
        keep=True,
    )
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "sls-ml: GitHub Actions as an identity provider",
        "Resources": {"GitHub": body},
    }
    return with_digest(names.ISSUER_STACK, text(template))


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
    scope = {"stack": deployed.stack, "region": region, "account": account}
    parts = {
        "deploy": (f"repo:{who.repository}:{who.place}", deployer_policy.deploy(template, **scope)),
        "plan": (f"repo:{who.repository}:pull_request", deployer_policy.plan(template, **scope)),
    }
    resources: dict[str, Resource] = {}
    outputs: dict[str, Any] = {}
    for part, (subject, documents) in parts.items():
        logical = f"{part.capitalize()}Role"
        name = role_name(project, stage, part, region)
        resources[logical] = _role(
            name, subject, f"{part.capitalize()}s {deployed.stack} for {who.repository}"
        )
        resources |= dict(_policies(logical, name, documents))
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
    project: str, stage: str, region: str, deployed: Rendered, account: str | None
) -> tuple[deployer_policy.Document, ...]:
    """The policies of whoever makes the roles of a stage, besides that for `sls-ml bootstrap`.

    Args:
        project: The project.
        stage: The stage.
        region: Its region.
        deployed: The stack that the roles deploy and plan.
        account: Twelve digits; None for policies that fit any account.
    """
    anyone = Pipeline("org/repo", f"environment:{stage}")
    made = (provider(), roles(project, stage, region, anyone, deployed, account))
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


def _role(name: str, subject: str, description: str) -> Resource:
    condition = {"StringEquals": {f"{GITHUB}:aud": _AUDIENCE, f"{GITHUB}:sub": subject}}
    statement: Mapping[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Federated": sub(f"arn:{PARTITION}:iam::{ACCOUNT}:oidc-provider/{GITHUB}")},
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
