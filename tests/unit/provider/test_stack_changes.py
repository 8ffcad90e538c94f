"""Change sets of CloudFormation, as recorded, read as Changes."""

from __future__ import annotations

from typing import Any

from sls_ml.provider.aws.stack_changes import changes
from sls_ml.provider.base import Change


def change(action: str, name: str, kind: str, **more: Any) -> Any:
    return {
        "Type": "Resource",
        "ResourceChange": {"Action": action, "LogicalResourceId": name, "ResourceType": kind, **more},
    }


def test_an_update_says_which_properties_change() -> None:
    # GIVEN a change set with values before and after
    raw = change(
        "Modify",
        "PredictFunction",
        "AWS::Lambda::Function",
        Replacement="False",
        Scope=["Properties", "Tags"],
        Details=[
            {"Target": {"Attribute": "Tags", "RequiresRecreation": "Never"}},
            {
                "Target": {
                    "Attribute": "Properties",
                    "Name": "MemorySize",
                    "RequiresRecreation": "Never",
                    "BeforeValue": "512",
                    "AfterValue": "1024",
                }
            },
            {
                "Target": {
                    "Attribute": "Properties",
                    "Name": "Code",
                    "BeforeValue": "x" * 200,
                    "AfterValue": "y" * 200,
                }
            },
        ],
    )
    # WHEN it is read
    # THEN short values are shown, long ones are not
    assert list(changes([raw])) == [
        Change("modify", "PredictFunction", "AWS::Lambda::Function", "MemorySize 512 -> 1024, Code")
    ]


def test_a_replacement_is_called_one() -> None:
    # GIVEN a change that replaces a role
    raw = change(
        "Modify",
        "PredictRole",
        "AWS::IAM::Role",
        Replacement="True",
        Scope=["Properties"],
        Details=[{"Target": {"Attribute": "Properties", "Name": "RoleName", "RequiresRecreation": "Always"}}],
    )
    # WHEN it is read
    # THEN it is a replacement
    assert list(changes([raw])) == [Change("replace", "PredictRole", "AWS::IAM::Role", "RoleName")]


def test_what_may_be_replaced_is_marked() -> None:
    # GIVEN a change of which CloudFormation does not know yet
    raw = change(
        "Modify",
        "PredictAlias",
        "AWS::Lambda::Alias",
        Replacement="Conditional",
        Scope=["Properties"],
        Details=[
            {
                "Target": {
                    "Attribute": "Properties",
                    "Name": "FunctionVersion",
                    "BeforeValue": "7",
                    "AfterValue": "{{changeSet:KNOWN_AFTER_APPLY}}",
                }
            }
        ],
    )
    # WHEN it is read
    # THEN both are said, and no value is made up
    (found,) = changes([raw])
    assert (found.action, found.detail) == ("modify", "FunctionVersion, perhaps by replacement")


def test_a_change_of_tags_alone_is_left_out() -> None:
    # GIVEN a resource that only gets the stack's new digest
    raw = change(
        "Modify",
        "PredictLogGroup",
        "AWS::Logs::LogGroup",
        Replacement="False",
        Scope=["Tags"],
        Details=[{"Target": {"Attribute": "Tags", "RequiresRecreation": "Never"}}],
    )
    # WHEN it is read
    # THEN it is no news
    assert list(changes([raw])) == []


def test_what_leaves_the_stack_and_stays_is_said_to_stay() -> None:
    # GIVEN a version that is taken out of the stack and one resource that is new
    raw = [
        change("Remove", "PredictVersion0123456789", "AWS::Lambda::Version", PolicyAction="Retain"),
        change("Add", "PredictUrl", "AWS::Lambda::Url"),
    ]
    # WHEN they are read
    # THEN they are sorted by name, and the version is kept
    assert list(changes(raw)) == [
        Change("add", "PredictUrl", "AWS::Lambda::Url"),
        Change(
            "remove",
            "PredictVersion0123456789",
            "AWS::Lambda::Version",
            "kept, no longer part of the stack",
        ),
    ]
