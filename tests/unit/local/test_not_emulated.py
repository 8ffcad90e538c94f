"""What a deploy says that the embedded cloud does not carry out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sls_ml.local.cloudformation import not_emulated
from sls_ml.local.cloudformation.table import CARRIED_OUT, NOT_EMULATED

GOLDEN = Path(__file__).parents[2] / "golden" / "aws"


def test_types_and_properties_without_effect_are_listed() -> None:
    # GIVEN a template with a type, properties and a demand that have no effect here
    statement = {"Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    template = {
        "Resources": {
            "Mail": {"Type": "AWS::SNS::Subscription"},
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {"TracingConfig": {"Mode": "Active"}},
            },
            "Group": {
                "Type": "AWS::CodeDeploy::DeploymentGroup",
                "Properties": {"AlarmConfiguration": {}, "DeploymentGroupName": "predict"},
            },
            "Policy": {
                "Type": "AWS::S3::BucketPolicy",
                "Properties": {"PolicyDocument": {"Statement": [statement]}},
            },
            "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 1}},
        }
    }
    # THEN each is named, and what is carried out is not
    assert not_emulated(json.dumps(template)) == (
        ("Mail", "AWS::SNS::Subscription"),
        ("Function", "AWS::Lambda::Function.TracingConfig"),
        ("Group", "AWS::CodeDeploy::DeploymentGroup.AlarmConfiguration"),
        ("Policy", "AWS::S3::BucketPolicy.PolicyDocument aws:SecureTransport"),
    )


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.json")), ids=lambda file: file.stem)
def test_every_type_that_the_provider_renders_is_in_a_table(file: Path) -> None:
    # GIVEN a rendered template
    types = {body["Type"] for body in json.loads(file.read_text())["Resources"].values()}
    # THEN the embedded cloud knows all of it
    assert types <= set(CARRIED_OUT) | NOT_EMULATED


def test_no_type_is_in_both_tables() -> None:
    # THEN a type is carried out or not emulated
    assert not set(CARRIED_OUT) & NOT_EMULATED
