"""Policies are judged as IAM judges them."""

from __future__ import annotations

from typing import Any

import pytest

from sls_ml.local.authorisation import allows

ARN = "arn:aws:sqs:eu-west-1:123456789012:queue"
USER = "arn:aws:iam::123456789012:user/anna"


def statement(**values: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": ARN, **values}


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ([], False),
        ([statement()], True),
        ([statement(Action="SQS:send*")], True),
        ([statement(Action=["sqs:ReceiveMessage"])], False),
        ([statement(Resource="arn:aws:sqs:*:*:que?e")], True),
        ([statement(Resource=ARN + "2")], False),
        ([statement(), statement(Effect="Deny", Resource="*")], False),
        ([{"Effect": "Allow", "NotAction": "sqs:Delete*", "Resource": "*"}], True),
        ([{"Effect": "Allow", "Action": "*", "NotResource": ARN}], False),
        ([statement(Condition={"Bool": {"aws:SecureTransport": "true"}})], True),
        ([statement(Condition={"Bool": {"aws:SecureTransport": "false"}})], False),
        ([statement(Condition={"StringEquals": {"aws:Other": "x"}})], False),
        ([statement(Condition={"StringEqualsIfExists": {"aws:Other": "x"}})], True),
        ([statement(Condition={"StringNotEquals": {"aws:Other": "x"}})], True),
        ([statement(Condition={"NumericLessThan": {"AWS:SecureTransport": "1"}})], False),
    ],
)
def test_own_policies(own: list[dict[str, Any]], expected: bool) -> None:
    # GIVEN the policies of a caller
    # WHEN the caller sends a message
    # THEN it may, or may not
    context = {"aws:SecureTransport": "true"}
    assert allows("sqs:SendMessage", ARN, identity=own, context=context) is expected


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        ("*", True),
        ({"AWS": "*"}, True),
        ({"AWS": USER}, True),
        ({"AWS": ["123456789012"]}, True),
        ({"AWS": "arn:aws:iam::123456789012:root"}, True),
        ({"AWS": "arn:aws:iam::123456789012:user/bert"}, False),
        ({"Service": "events.amazonaws.com"}, False),
        (None, False),
    ],
)
def test_the_resource_s_policy_names_who_may(principal: Any, expected: bool) -> None:
    # GIVEN a policy of the resource
    policy = [statement(Principal=principal)]
    # WHEN a user without policies calls
    # THEN the named ones may
    assert allows("sqs:SendMessage", ARN, resource_policy=policy, principal=USER) is expected


def test_a_service_is_named_as_a_service() -> None:
    # GIVEN a policy for EventBridge from one rule
    condition = {"ArnEquals": {"aws:SourceArn": "arn:aws:events:eu-west-1:123456789012:rule/r"}}
    policy = [statement(Principal={"Service": "events.amazonaws.com"}, Condition=condition)]
    # WHEN two rules deliver
    answers = [
        allows(
            "sqs:SendMessage",
            ARN,
            resource_policy=policy,
            service="events.amazonaws.com",
            context={"aws:SourceArn": f"arn:aws:events:eu-west-1:123456789012:rule/{rule}"},
        )
        for rule in ("r", "other")
    ]
    # THEN only that one may
    assert answers == [True, False]
