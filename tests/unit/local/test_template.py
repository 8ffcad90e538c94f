"""CloudFormation's template language."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sls_ml.local.cloudformation.template import Template, TemplateError

PSEUDO = {"AWS::Region": "eu-west-1", "AWS::AccountId": "123456789012", "AWS::StackName": "s"}


def template(value: Any, *, parameters: dict[str, str] | None = None, **sections: Any) -> Template:
    resources = {
        "Thing": {"Type": "T", "Properties": {"Value": value}},
        "Other": {"Type": "T"},
        "Third": {"Type": "T"},
    }
    return Template(json.dumps({"Resources": resources, **sections}), parameters or {}, PSEUDO)


def lookup(name: str, attribute: str | None) -> str:
    return f"<{name}.{attribute}>" if attribute else f"<{name}>"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "Other"}, "<Other>"),
        ({"Ref": "AWS::Region"}, "eu-west-1"),
        ({"Fn::GetAtt": ["Other", "Arn"]}, "<Other.Arn>"),
        ({"Fn::GetAtt": "Other.Arn"}, "<Other.Arn>"),
        (
            {"Fn::Sub": "${AWS::AccountId}/${Other}/${Other.Arn}/${!Left}"},
            "123456789012/<Other>/<Other.Arn>/${Left}",
        ),
        ({"Fn::Sub": ["${a}-${Other}", {"a": {"Ref": "Third"}}]}, "<Third>-<Other>"),
        ({"Fn::Join": ["/", ["a", {"Ref": "Other"}]]}, "a/<Other>"),
        ({"Fn::Select": [1, {"Fn::Split": [",", "a,b"]}]}, "b"),
        ({"Fn::Base64": "a"}, "YQ=="),
        ({"Fn::ToJsonString": {"a": {"Ref": "Other"}}}, '{"a":"<Other>"}'),
        ({"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "size"]}, 3),
        ([{"Ref": "AWS::NoValue"}, 1], [1]),
        ({"a": {"Ref": "AWS::NoValue"}, "b": 1}, {"b": 1}),
        ({"Fn::If": ["Big", "yes", {"Ref": "AWS::NoValue"}]}, "yes"),
        ({"Fn::If": ["Small", "yes", "no"]}, "no"),
    ],
)
def test_a_function_is_carried_out(value: Any, expected: Any) -> None:
    # GIVEN a template with a function in a property
    conditions = {
        "Big": {"Fn::And": [{"Fn::Equals": [{"Ref": "Size"}, "9"]}, {"Fn::Not": [{"Condition": "Small"}]}]},
        "Small": {"Fn::Or": [{"Fn::Equals": [{"Ref": "Size"}, "1"]}, {"Fn::Equals": ["a", "b"]}]},
    }
    made = template(
        value,
        Conditions=conditions,
        Mappings={"M": {"eu-west-1": {"size": 3}}},
        Parameters={"Size": {"Type": "Number", "Default": 9}},
    )
    # WHEN it is resolved
    # THEN the value is CloudFormation's
    assert made.resolve(made.resources["Thing"]["Properties"]["Value"], lookup) == expected


def test_resources_come_after_what_they_refer_to() -> None:
    # GIVEN references of each kind, against the order of the text
    made = template({"Fn::Sub": "${Third}"})
    # THEN the order follows them
    assert made.order.index("Third") < made.order.index("Thing")


def test_a_circle_is_named() -> None:
    # GIVEN two resources that need each other
    resources = {
        "A": {"Type": "T", "DependsOn": "B"},
        "B": {"Type": "T", "Properties": {"Value": {"Ref": "A"}}},
    }
    # THEN the template is refused
    with pytest.raises(TemplateError, match=r"Circular dependency between resources: \[A, B\]"):
        Template(json.dumps({"Resources": resources}), {}, PSEUDO)


def test_a_resource_whose_condition_fails_is_not_there() -> None:
    # GIVEN a resource under a condition that does not hold
    resources = {"A": {"Type": "T"}, "B": {"Type": "T", "Condition": "Never"}}
    document = {"Resources": resources, "Conditions": {"Never": {"Fn::Equals": ["a", "b"]}}}
    # THEN it is not among the resources
    assert list(Template(json.dumps(document), {}, PSEUDO).resources) == ["A"]


@pytest.mark.parametrize(
    ("value", "sections", "parameters", "message"),
    [
        ({"Ref": "Nobody"}, {}, {}, r"Unresolved resource dependencies \[Nobody\]"),
        (1, {"Parameters": {"P": {"Type": "String"}}}, {}, r"Parameters: \[P\] must have values"),
        (1, {}, {"P": "x"}, r"Parameters: \[P\] do not exist in the template"),
        (
            1,
            {"Parameters": {"P": {"Type": "String", "AllowedValues": ["a"]}}},
            {"P": "x"},
            "must be one of AllowedValues",
        ),
        ({"Fn::ImportValue": "x"}, {}, {}, "does not know Fn::ImportValue"),
    ],
)
def test_what_is_wrong_is_said(value: Any, sections: Any, parameters: dict[str, str], message: str) -> None:
    # GIVEN a template that CloudFormation (or the embedded cloud) refuses
    # THEN it is refused in words
    def read() -> None:
        made = template(value, parameters=parameters, **sections)
        made.resolve(made.resources["Thing"]["Properties"], lookup)

    with pytest.raises(TemplateError, match=message):
        read()


def test_yaml_has_short_forms() -> None:
    # GIVEN a template in YAML
    value = "!Join ['-', [!Ref B, !GetAtt B.Arn]]"
    text = f"Resources: {{A: {{Type: T, Properties: {{Value: {value}}}}}, B: {{Type: T}}}}"
    made = Template(text, {}, PSEUDO)
    # THEN its short forms mean the long ones
    assert made.resolve(made.resources["A"]["Properties"]["Value"], lookup) == "<B>-<B.Arn>"
