"""What the validators of others say of all that is rendered: nothing, but for what is listed with its reason.

Templates go through `sam validate --lint`, every policy document through parliament: those of roles, of
buckets, queues and topics, of callers and of whoever deploys.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sls_ml import deploy
from sls_ml.conversion import locked
from sls_ml.provider.aws import ci_roles, deployer_policy
from sls_ml.provider.aws.ci_pipelines import pipeline
from sls_ml.provider.aws.role_policies import flat
from sls_ml.provider.base import Rendered
from sls_ml.spec import Project, read
from validators import judge

SAMPLES = Path(__file__).parents[2] / "samples"
GOLDEN = Path(__file__).parents[1] / "golden"
ACCOUNT = "123456789012"

ACCEPTED = {
    "Statement contains neither Resource nor NotResource": "trust policies have none",
    "Unknown condition lambda:InvokedViaFunctionUrl": "Lambda's page on access to function URLs",
    "Unknown condition lambda:SourceFunctionArn": "Lambda's page on VPCs: the condition that keeps code out",
    "Unknown action lambda:GetFunctionScalingConfig": "in CloudFormation's schema; newer than parliament",
    "Unknown action s3:GetBucketAbac": "in CloudFormation's schema; newer than parliament",
    "Unknown action apigateway:TagResource": "in CloudFormation's schema of the stage",
    "Unknown action apigateway:UntagResource": "in CloudFormation's schema of the stage",
    "codedeploy:PutLifecycleEventHookExecutionStatus": "SAM's page on gradual deployments names the group",
    "UNKNOWN_FEDERATION_SOURCE": "an OIDC provider of the account, which parliament does not know",
    "'action': 'ec2:": "interfaces have no id before Lambda makes them, see `iam.use_network`",
}
"""What parliament says without cause: a part of its text, and why we leave it so."""

ARNS = {
    "AWS::IAM::Role": "arn:aws:iam::123456789012:role/",
    "AWS::Lambda::Alias": "arn:aws:lambda:eu-west-1:123456789012:function:",
    "AWS::Lambda::Function": "arn:aws:lambda:eu-west-1:123456789012:function:",
    "AWS::Lambda::Version": "arn:aws:lambda:eu-west-1:123456789012:function:",
    "AWS::S3::Bucket": "arn:aws:s3:::",
    "AWS::SecretsManager::Secret": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:",
    "AWS::SNS::Topic": "arn:aws:sns:eu-west-1:123456789012:",
    "AWS::SQS::Queue": "arn:aws:sqs:eu-west-1:123456789012:",
}
"""How the ARN of a resource begins."""

REFERRED_BY_ARN = {
    "AWS::Lambda::Alias",
    "AWS::Lambda::Version",
    "AWS::SecretsManager::Secret",
    "AWS::SNS::Topic",
}
"""Types whose ``Ref`` is their ARN."""


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the validators say, of all goldens and samples at once."""
    folder = tmp_path_factory.mktemp("rendered")
    samples, held = [], {}
    for name, stack, project in drafts():
        file = folder / f"{name}.json"
        file.write_text(stack.template)
        samples.append(str(file))
        held |= dict(of_template(name, stack.template)) | dict(of_whoever_deploys(name, stack, project))
    goldens = [str(file) for file in templates()]
    return judge(templates=goldens + samples, policies=dict(policies()) | held)


def drafts() -> Iterator[tuple[str, Rendered, Project]]:
    """The stack of every sample, as the checked-in files give it for each of its stages on AWS."""
    for spec in sorted(SAMPLES.glob("*/sls-ml.yaml")):
        for stage in yaml.safe_load(spec.read_text()).get("stages", {}) or [None]:
            project = read(spec, stage)
            stack = deploy.draft(deploy.decide(project, locked(project)))
            yield f"sample {spec.parent.name}-{stage}", stack, project


def templates() -> list[Path]:
    return sorted((GOLDEN / "aws").glob("*.json"))


def policies() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every policy document of the goldens, with the holes filled."""
    for file in templates():
        yield from of_template(file.stem, file.read_text())
    for file in sorted((GOLDEN / "iam").glob("*.json")):
        for document in json.loads(file.read_text()):
            yield f"{file.stem}: {document['name']}", document["policy"]


def of_template(title: str, template: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every policy document of a template, with the holes filled."""
    resources = json.loads(template)["Resources"]
    for name, body in resources.items():
        for kind, document in documents(body.get("Properties", {})):
            yield f"{title}: {name} {kind}", filled(document, resources)


def of_whoever_deploys(title: str, stack: Rendered, project: Project) -> Iterator[tuple[str, dict[str, Any]]]:
    """What a deployer may do, what who lets CI deploy may do, and the roles that GitHub and GitLab get."""
    where = (project.project, project.stage, project.region)
    for asked in ("github:acme/models", "gitlab:acme/models"):
        who = pipeline(asked, project.stage)
        roles = ci_roles.roles(*where, who, stack, ACCOUNT)
        yield from of_template(f"{title} {asked}", roles.template)
        for document in ci_roles.makers(*where, who, stack, ACCOUNT):
            yield f"{title}: {document.name}", document.policy
    template = json.loads(stack.template)
    for document in deployer_policy.deploy(
        template, stack=stack.stack, region=project.region, account=ACCOUNT
    ):
        yield f"{title}: {document.name}", document.policy


def documents(properties: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for each in properties.get("Policies", []):
        yield "grants", each["PolicyDocument"]
    for key in ("AssumeRolePolicyDocument", "PolicyDocument"):
        if key in properties:
            yield key, properties[key]


def filled(value: Any, resources: dict[str, Any]) -> Any:
    """A document with ARNs in place of references."""

    def stands_for(hole: re.Match[str]) -> str:
        pseudo = {"AWS::Partition": "aws", "AWS::Region": "eu-west-1", "AWS::AccountId": "123456789012"}
        if hole[1] in pseudo:
            return pseudo[hole[1]]
        name, _, attribute = hole[1].partition(".")
        kind = resources[name]["Type"]
        arn = attribute == "Arn" or kind in REFERRED_BY_ARN
        return (ARNS.get(kind, "arn:aws:x:eu-west-1:123456789012:") if arn else "") + name.lower()

    match flat(value):
        case str() as text:
            return re.sub(r"\$\{([^}]+)\}", stands_for, text)
        case dict() as inner:
            return {key: filled(each, resources) for key, each in inner.items()}
        case list() as inner:
            return [filled(each, resources) for each in inner]
        case other:
            return other


def test_sam_has_nothing_to_say(verdicts: dict[str, Any]) -> None:
    # GIVEN the golden templates and those of the samples
    # THEN `sam validate --lint` finds each valid
    assert {path: said for path, said in verdicts["templates"].items() if said} == {}
    assert len(verdicts["templates"]) >= len(templates()) + len(list(SAMPLES.iterdir()))


def test_parliament_says_nothing_new(verdicts: dict[str, Any]) -> None:
    # GIVEN every policy document of the goldens, and of each sample with its deployer and CI
    said = {(name, finding) for name, found in verdicts["policies"].items() for finding in found}
    assert sum(name.startswith("sample ") for name in verdicts["policies"]) > 10 * len(
        list(SAMPLES.iterdir())
    )
    # THEN parliament finds nothing but what is accepted, and each acceptance is still needed
    assert [each for each in sorted(said) if not any(part in each[1] for part in ACCEPTED)] == []
    assert [part for part in ACCEPTED if not any(part in finding for _, finding in said)] == []
