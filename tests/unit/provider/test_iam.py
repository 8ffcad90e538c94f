"""Grants become statements of IAM: no more than what was granted."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from sls_ml.intent.model import (
    Deployment,
    Grant,
    Place,
    ReadModel,
    ReadObjects,
    ReadSecret,
    ReceiveMessages,
    WriteLogs,
    WriteObjects,
)
from sls_ml.package.model import Package
from sls_ml.provider.aws import iam, render

SCOPE = iam.Scope(log_group="/aws/lambda/fn", store="store/models", queue="ScoreQueue")
GRANTS: dict[Grant, tuple[list[str], Any]] = {
    WriteLogs(): (
        ["logs:CreateLogStream", "logs:PutLogEvents"],
        {"Fn::Sub": "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/fn:*"},
    ),
    ReadModel("credit"): (["s3:GetObject"], {"Fn::Sub": "arn:${AWS::Partition}:s3:::store/models/credit/*"}),
    ReceiveMessages(): (
        [
            "sqs:ChangeMessageVisibility",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:ReceiveMessage",
        ],
        {"Fn::GetAtt": ["ScoreQueue", "Arn"]},
    ),
    ReadObjects(Place("bucket", "in/")): (
        ["s3:GetObject", "s3:GetObjectVersion"],
        {"Fn::Sub": "arn:${AWS::Partition}:s3:::bucket/in/*"},
    ),
    WriteObjects(Place(None, "out/")): (
        ["s3:GetObject", "s3:PutObject"],
        {"Fn::Sub": "arn:${AWS::Partition}:s3:::${DataBucket}/out/*"},
    ),
    ReadSecret("token"): (
        ["secretsmanager:GetSecretValue"],
        {
            "Fn::Sub": "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}"
            ":secret:token-??????"
        },
    ),
}


@pytest.mark.parametrize("grant", GRANTS, ids=lambda grant: type(grant).__name__)
def test_a_grant_allows_just_this(grant: Grant) -> None:
    # GIVEN a grant
    actions, resource = GRANTS[grant]
    # WHEN it is translated
    statement = iam.statement(grant, SCOPE)
    # THEN it names these actions on this resource, and a reason
    document = statement.document()
    assert (document["Action"], document["Resource"]) == (actions, resource)
    assert statement.reason


def test_every_kind_of_grant_is_covered() -> None:
    # GIVEN the kinds of grants that there are
    # WHEN they are compared with those of the test above
    # THEN none is left out
    assert {type(grant) for grant in GRANTS} == set(get_args(Grant))


def test_no_policy_has_a_bare_wildcard(case: tuple[str, Deployment, dict[str, Package]]) -> None:
    # GIVEN one of the deployments
    _, deployment, packages = case
    # WHEN it is rendered
    resources = json.loads(render(deployment, packages).template)["Resources"]
    # THEN no identity may do anything to everything
    for body in resources.values():
        properties = body["Properties"]
        documents = [each["PolicyDocument"] for each in properties.get("Policies", [])]
        if body["Type"] == "AWS::IAM::ManagedPolicy":
            documents.append(properties["PolicyDocument"])
        for document in documents:
            for statement in document["Statement"]:
                assert statement["Resource"] != "*"
                assert not [action for action in statement["Action"] if "*" in action]
