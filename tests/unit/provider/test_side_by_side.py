"""Stages and regions of one project share an account, and no name that must be unique in it."""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any

import pytest

from sls_ml.intent.model import Place
from sls_ml.provider.aws import ci_roles, render
from sls_ml.spec.model import Canary, Rollout

GLOBAL = {"DashboardName", "ManagedPolicyName", "RoleName"}
"""Names that are unique in an account, whatever the region."""

REGIONAL = {"AlarmName", "ApplicationName", "DeploymentGroupName", "FunctionName", "LogGroupName", "Name"}
PLACES = [("dev", "eu-west-1"), ("prod", "eu-west-1"), ("dev", "eu-central-1"), ("prod", "eu-central-1")]


def names(
    make: Any, project: str, function: str, stage: str, region: str, keys: set[str]
) -> set[tuple[str, str]]:
    """Type and name of the resources of a stage that are named by us, under these keys."""
    own = make.scoring(Place(None, "score/in/"), Place(None, "score/out/"))
    functions = (make.function(function), make.function("score", batch=own))
    deployment = make.deployment(
        *functions,
        project=project,
        stage=stage,
        region=region,
        rollout=Rollout(canary=Canary(percent=10, minutes=5)),
    )
    rendered = render(deployment, {each.name: make.package(each.name) for each in functions})
    found = {
        (body["Type"], body["Properties"][key])
        for body in json.loads(rendered.template)["Resources"].values()
        for key in keys & set(body["Properties"])
        if isinstance(body["Properties"][key], str)
    }
    found |= {
        ("AWS::IAM::Role", ci_roles.role_name(project, stage, part, region)) for part in ("plan", "deploy")
    }
    # An alias is named within its function, and a deployment group within its application.
    return {
        each for each in found if each[0] not in {"AWS::Lambda::Alias", "AWS::CodeDeploy::DeploymentGroup"}
    }


@pytest.mark.parametrize(
    ("project", "function"), [("credit-risk", "predict"), (f"credit-{'r' * 25}", f"predict-{'p' * 24}")]
)
def test_nothing_of_one_stage_or_region_has_a_name_of_another(make: Any, project: str, function: str) -> None:
    # GIVEN two stages of a project in two regions, with names as long as a spec allows
    for (stage, region), (other_stage, other_region) in combinations(PLACES, 2):
        # WHEN two of them are rendered
        keys = GLOBAL if region != other_region else GLOBAL | REGIONAL
        one = names(make, project, function, stage, region, keys)
        other = names(make, project, function, other_stage, other_region, keys)
        # THEN both have names, and none in common
        assert one
        assert other
        assert not one & other


def test_a_deployer_reaches_no_role_that_lets_a_pipeline_in(make: Any) -> None:
    # GIVEN the pattern by which a deployer reaches the roles of its stack
    begin = "sls-ml-credit-risk-dev-"
    # THEN no role of CI begins so, of this project or of one whose name is made to look like it
    for project in ("credit-risk", "ci-credit-risk"):
        assert not ci_roles.role_name(project, "dev", "deploy", "eu-west-1").startswith(begin)
    assert not ci_roles.role_name("credit-risk", "dev", "deploy", "eu-west-1").startswith(
        "sls-ml-ci-credit-risk-dev-"
    )
