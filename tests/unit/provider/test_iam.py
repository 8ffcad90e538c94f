"""Grants become statements of IAM: no more than what was granted."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from sls_ml.intent.model import (
    Deployment,
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
from sls_ml.package.model import Package
from sls_ml.provider.aws import iam, render
from sls_ml.spec.model import Aws

SCOPE = iam.Scope(log_group="/aws/lambda/fn", store="store/models", queue="ScoreQueue")
GRANTS: dict[Grant, tuple[list[str], Any]] = {
    WriteLogs(): (
        ["logs:CreateLogStream", "logs:PutLogEvents"],
        {"Fn::Sub": "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/fn:*"},
    ),
    ReadModel("credit"): (["s3:GetObject"], {"Fn::Sub": "arn:${AWS::Partition}:s3:::store/models/credit/*"}),
    ReadAlias("credit", "champion"): (
        ["s3:GetObject"],
        {"Fn::Sub": "arn:${AWS::Partition}:s3:::store/models/_aliases/credit/champion"},
    ),
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
    ListObjects(Place("bucket", "in/")): (
        ["s3:ListBucket"],
        {"Fn::Sub": "arn:${AWS::Partition}:s3:::bucket"},
    ),
    SendMessages(): (["sqs:SendMessage"], {"Fn::GetAtt": ["ScoreQueue", "Arn"]}),
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
    # THEN no identity may do anything to everything, but look at networks, which EC2 cannot narrow down
    for body in resources.values():
        properties = body["Properties"]
        documents = [each["PolicyDocument"] for each in properties.get("Policies", [])]
        if body["Type"] == "AWS::IAM::ManagedPolicy":
            documents.append(properties["PolicyDocument"])
        for document in documents:
            for statement in document["Statement"]:
                assert not [action for action in statement["Action"] if "*" in action]
                if statement["Effect"] == "Allow" and statement["Resource"] == "*":
                    assert statement["Sid"] == "SeeNetwork"
                    assert all(action.startswith("ec2:Describe") for action in statement["Action"])


def test_what_lambda_may_do_to_networks_the_functions_code_may_not(make: Any) -> None:
    # GIVEN what a role needs in a VPC
    see, join, deny = iam.use_network("fn")
    # THEN each of these actions is denied to calls that come from inside the function
    assert set(deny.actions) == {*see.actions, *join.actions}
    assert (deny.effect, deny.resource) == ("Deny", "*")
    assert deny.condition == {
        "ArnEquals": {
            "lambda:SourceFunctionArn": {
                "Fn::Sub": "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:fn"
            }
        }
    }


def test_every_service_that_a_resource_policy_lets_in_comes_from_this_account_for_a_named_resource(
    case: tuple[str, Deployment, dict[str, Package]],
) -> None:
    # GIVEN one of the deployments
    _, deployment, packages = case
    # WHEN it is rendered
    resources = json.loads(render(deployment, packages).template)["Resources"]
    # THEN a service of AWS acts for no other account, and for the resource that is named
    for body in resources.values():
        if body["Type"] in {"AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy", "AWS::S3::BucketPolicy"}:
            for statement in body["Properties"]["PolicyDocument"]["Statement"]:
                if statement["Effect"] == "Allow":
                    account = statement["Condition"]["StringEquals"]["aws:SourceAccount"]
                    assert account == {"Fn::Sub": "${AWS::AccountId}"}
                    assert _keys(statement["Condition"]) >= {"aws:SourceArn", "aws:SourceAccount"}
        if body["Type"] == "AWS::Lambda::Permission" and body["Properties"]["Principal"] != "*":
            assert body["Properties"]["SourceAccount"] == {"Fn::Sub": "${AWS::AccountId}"}
            assert "SourceArn" in body["Properties"]


def _keys(condition: dict[str, dict[str, Any]]) -> set[str]:
    return {key for pairs in condition.values() for key in pairs}


def test_a_boundary_bounds_every_role_and_a_key_is_used_everywhere(make: Any) -> None:
    # GIVEN an account that asks for a boundary, a key and a network
    key, boundary = "arn:aws:kms:eu-west-1:123456789012:key/1", "arn:aws:iam::123456789012:policy/boundary"
    vpc = {"subnets": ["subnet-0a1b2c3d"], "security_groups": ["sg-0a1b2c3d"]}
    aws = Aws.model_validate({"kms": key, "permissions_boundary": boundary, "vpc": vpc})
    batch = make.scoring(Place(None, "in/"), Place(None, "out/"))
    deployment = make.deployment(make.function("score", batch=batch), aws=aws)
    # WHEN it is rendered
    resources = json.loads(render(deployment, {"score": make.package("score")}).template)["Resources"]
    of_kind: dict[str, list[dict[str, Any]]] = {}
    for body in resources.values():
        of_kind.setdefault(body["Type"], []).append(body["Properties"])
    # THEN roles are bounded, and logs, queues, bucket and environment encrypted with the key
    assert {role["PermissionsBoundary"] for role in of_kind["AWS::IAM::Role"]} == {boundary}
    assert {group["KmsKeyId"] for group in of_kind["AWS::Logs::LogGroup"]} == {key}
    assert {queue["KmsMasterKeyId"] for queue in of_kind["AWS::SQS::Queue"]} == {key}
    assert {function["KmsKeyArn"] for function in of_kind["AWS::Lambda::Function"]} == {key}
    (bucket,) = of_kind["AWS::S3::Bucket"]
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"KMSMasterKeyID": key, "SSEAlgorithm": "aws:kms"}
    # AND the role may use this key, and no other
    (role,) = of_kind["AWS::IAM::Role"]
    statements = role["Policies"][0]["PolicyDocument"]["Statement"]
    assert [each["Resource"] for each in statements if each["Action"][0].startswith("kms:")] == [key]
