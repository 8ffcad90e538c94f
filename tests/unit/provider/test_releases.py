"""Releases and rollback: which calls go to AWS, and in which order.

The answers are recorded ones; botocore's stubber checks each call against the service's own model.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from sls_ml.errors import ApplyError
from sls_ml.provider.aws import render
from sls_ml.provider.aws.client import Client
from sls_ml.provider.aws.deployer import AwsDeployer
from sls_ml.provider.base import Changes, Drift, Progress, Release, Rendered, Target

STACK = "sls-ml-credit-risk-dev"
STACK_ID = f"arn:aws:cloudformation:eu-west-1:123456789012:stack/{STACK}/1"
FUNCTION = f"{STACK}-predict"
BUCKET = "sls-ml-packages-123456789012-eu-west-1"
WHEN = datetime(2026, 11, 24, tzinfo=UTC)
DONE = {
    "StackId": STACK_ID,
    "EventId": "event-1",
    "StackName": STACK,
    "LogicalResourceId": STACK,
    "PhysicalResourceId": STACK_ID,
    "ResourceType": "AWS::CloudFormation::Stack",
    "ResourceStatus": "UPDATE_COMPLETE",
    "Timestamp": WHEN,
}


@pytest.fixture
def client() -> Client:
    keys = {"access_key": "AKIAIOSFODNN7EXAMPLE", "secret_key": "of-no-use"}
    client = Client(Target(region="eu-west-1", stage="dev", endpoint_url="http://127.0.0.1:9", **keys))
    client.account = "123456789012"
    return client


@pytest.fixture
def answers(client: Client) -> Iterator[dict[str, Stubber]]:
    with ExitStack() as stack:
        stubbers = {
            name: stack.enter_context(Stubber(service))
            for name, service in (
                ("cloudformation", client.cloudformation),
                ("lambda", client.functions),
                ("s3", client.s3),
            )
        }
        yield stubbers
        for stubber in stubbers.values():
            stubber.assert_no_pending_responses()


def release(make: Any, digest: str) -> Rendered:
    packages = {"predict": make.package("predict", digest)}
    rendered: Rendered = render(make.deployment(make.function()), packages)
    return rendered


def version_id(rendered: Rendered) -> str:
    (found,) = [name for name in json.loads(rendered.template)["Resources"] if "Version" in name]
    return found


def stack(answers: dict[str, Stubber], rendered: Rendered, status: str = "UPDATE_COMPLETE") -> None:
    outputs = {"Functions": "predict", "PredictFunction": FUNCTION, "PredictEndpoint": "https://x.test/"}
    answers["cloudformation"].add_response(
        "describe_stacks",
        {
            "Stacks": [
                {
                    "StackName": STACK,
                    "StackId": STACK_ID,
                    "StackStatus": status,
                    "CreationTime": WHEN,
                    "Tags": [{"Key": "sls-ml:digest", "Value": rendered.digest}],
                    "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()],
                }
            ]
        },
    )


def template(answers: dict[str, Stubber], rendered: Rendered) -> None:
    answers["cloudformation"].add_response("get_template", {"TemplateBody": rendered.template})


def kept(answers: dict[str, Stubber], rendered: Rendered) -> None:
    """The template of the stack as it stands is put beside those of the past."""
    template(answers, rendered)
    key = f"templates/{STACK}/{rendered.digest}.json"
    answers["s3"].add_response(
        "put_object", {}, {"Bucket": BUCKET, "Key": key, "Body": rendered.template.encode()}
    )


def alias_moved(answers: dict[str, Stubber], description: str) -> None:
    answers["lambda"].add_response(
        "get_function_configuration",
        {"Description": description},
        {"FunctionName": FUNCTION, "Qualifier": "1"},
    )
    answers["lambda"].add_response(
        "update_alias",
        {},
        {
            "FunctionName": FUNCTION,
            "Name": "live",
            "FunctionVersion": "1",
            "RoutingConfig": {"AdditionalVersionWeights": {}},
        },
    )


OLDER = "PredictVersion0000000000"


def versions(
    answers: dict[str, Stubber], count: int, live: str, newest: str = "", first: str = OLDER
) -> None:
    """The function has so many published versions, and the one that never counts."""
    code = base64.b64encode(bytes.fromhex("bb" * 32)).decode()
    numbers = ["$LATEST", *(str(number) for number in range(1, count + 1))]
    answers["lambda"].add_response(
        "list_versions_by_function",
        {
            "Versions": [
                {
                    "Version": number,
                    "CodeSha256": code,
                    "Description": {str(count): newest, "1": first}.get(number, OLDER),
                }
                for number in numbers
            ]
        },
    )
    answers["lambda"].add_response("get_alias", {"FunctionVersion": live})


def past_templates(answers: dict[str, Stubber], *found: Rendered) -> None:
    keys = [f"templates/{STACK}/{each.digest}.json" for each in found]
    answers["s3"].add_response(
        "list_objects_v2",
        {"Contents": [{"Key": key, "LastModified": WHEN} for key in keys]},
        {"Bucket": BUCKET, "Prefix": f"templates/{STACK}/"},
    )
    for each in found:
        answers["s3"].add_response("get_object", {"Body": io.BytesIO(each.template.encode())})


def test_releases_are_listed_newest_first(make: Any, client: Client, answers: dict[str, Stubber]) -> None:
    # GIVEN a function with ten versions and one that is not published
    rendered = release(make, "bb")
    stack(answers, rendered)
    template(answers, rendered)
    versions(answers, 10, live="9", newest=version_id(rendered))
    # WHEN the releases are listed
    releases = AwsDeployer(client, STACK).releases()
    # THEN the newest is first, by number; the live one is marked, and the one that the stack names
    assert [each.version for each in releases] == ["10", "9", "8", "7", "6", "5", "4", "3", "2", "1"]
    assert [each.version for each in releases if each.live] == ["9"]
    assert releases[0] == Release("predict", "10", "bb" * 32, live=False, deployed=True)
    assert [each.version for each in releases if each.deployed] == ["10"]


@pytest.mark.parametrize(("live", "named"), [("4", "4"), ("1", "1"), ("3", "4")])
def test_a_release_that_is_there_twice_is_named_once(
    make: Any, client: Client, answers: dict[str, Stubber], live: str, named: str
) -> None:
    # GIVEN a function that a rollback published again
    rendered = release(make, "bb")
    stack(answers, rendered)
    template(answers, rendered)
    versions(answers, 4, live=live, newest=version_id(rendered), first=version_id(rendered))
    # WHEN the releases are listed
    releases = AwsDeployer(client, STACK).releases()
    # THEN the stack names the one that is live, if that is of the same release, or the newest
    assert [each.version for each in releases if each.deployed] == [named]


def test_drift_is_read_page_by_page(client: Client, answers: dict[str, Stubber], make: Any) -> None:
    # GIVEN a detection that takes a while, and finds a changed and a deleted resource on two pages
    stack(answers, release(make, "bb"))
    cloudformation = answers["cloudformation"]
    cloudformation.add_response("detect_stack_drift", {"StackDriftDetectionId": "d-1"}, {"StackName": STACK})
    status = {"StackId": STACK_ID, "StackDriftDetectionId": "d-1", "Timestamp": WHEN}
    for each in ("DETECTION_IN_PROGRESS", "DETECTION_COMPLETE"):
        cloudformation.add_response(
            "describe_stack_drift_detection_status",
            {**status, "DetectionStatus": each},
            {"StackDriftDetectionId": "d-1"},
        )
    about = {"StackId": STACK_ID, "Timestamp": WHEN}
    changed = {
        "LogicalResourceId": "PredictFunction",
        "ResourceType": "AWS::Lambda::Function",
        "StackResourceDriftStatus": "MODIFIED",
        "PropertyDifferences": [
            {
                "PropertyPath": "/MemorySize",
                "ExpectedValue": "512",
                "ActualValue": "256",
                "DifferenceType": "NOT_EQUAL",
            }
        ],
    }
    gone = {
        "LogicalResourceId": "PredictLogGroup",
        "ResourceType": "AWS::Logs::LogGroup",
        "StackResourceDriftStatus": "DELETED",
    }
    asked = {"StackName": STACK, "StackResourceDriftStatusFilters": ["MODIFIED", "DELETED"]}
    cloudformation.add_response(
        "describe_stack_resource_drifts",
        {"StackResourceDrifts": [about | changed], "NextToken": "more"},
        asked,
    )
    cloudformation.add_response(
        "describe_stack_resource_drifts",
        {"StackResourceDrifts": [about | gone]},
        {**asked, "NextToken": "more"},
    )
    # WHEN it is asked for THEN both are told
    assert AwsDeployer(client, STACK).drift() == [
        Drift("PredictFunction", "AWS::Lambda::Function", "modified", "MemorySize: 512 -> 256"),
        Drift("PredictLogGroup", "AWS::Logs::LogGroup", "deleted", ""),
    ]


def test_a_detection_that_fails_says_why(client: Client, answers: dict[str, Stubber], make: Any) -> None:
    # GIVEN a detection that was not let to read a resource
    stack(answers, release(make, "bb"))
    cloudformation = answers["cloudformation"]
    cloudformation.add_response("detect_stack_drift", {"StackDriftDetectionId": "d-1"})
    cloudformation.add_response(
        "describe_stack_drift_detection_status",
        {
            "StackId": STACK_ID,
            "StackDriftDetectionId": "d-1",
            "Timestamp": WHEN,
            "DetectionStatus": "DETECTION_FAILED",
            "DetectionStatusReason": "Failed to detect drift on resource [PredictFunction]",
        },
    )
    # WHEN it is asked for THEN the error says which, and what to do
    with pytest.raises(ApplyError) as caught:
        AwsDeployer(client, STACK).drift()
    assert (caught.value.code, caught.value.why) == (
        "drift-unknown",
        "Failed to detect drift on resource [PredictFunction]",
    )


def test_a_rollback_does_not_race_a_deploy(make: Any, client: Client, answers: dict[str, Stubber]) -> None:
    # GIVEN a stack whose update is under way, perhaps with a canary
    stack(answers, release(make, "bb"), status="UPDATE_IN_PROGRESS")
    # WHEN the traffic is to go back
    with pytest.raises(ApplyError) as caught:
        list(
            AwsDeployer(client, STACK).rollback(
                Release("predict", "1", "aa" * 32, live=False, deployed=False)
            )
        )
    # THEN no alias is moved, and the way to take the deploy back is named
    assert caught.value.code == "deploy-running"
    assert "cancel-update-stack" in str(caught.value)


def test_a_rollback_moves_the_traffic_and_then_the_stack(
    make: Any, client: Client, answers: dict[str, Stubber]
) -> None:
    # GIVEN two releases, of which the second is live
    past, current = release(make, "aa"), release(make, "bb")
    stack(answers, current)
    alias_moved(answers, version_id(past))
    kept(answers, current)
    past_templates(answers, current, past)
    template(answers, current)
    engine = answers["cloudformation"]
    stack(answers, current)
    engine.add_response("list_change_sets", {"Summaries": []})
    engine.add_response(
        "create_change_set",
        {"Id": "arn:aws:cloudformation:eu-west-1:123456789012:changeSet/1", "StackId": STACK_ID},
        {
            "StackName": STACK,
            "ChangeSetName": ANY,
            "ChangeSetType": "UPDATE",
            "Capabilities": ["CAPABILITY_NAMED_IAM"],
            "Parameters": [],
            "Tags": ANY,
            "ImportExistingResources": False,
            "TemplateBody": past.template,
        },
    )
    engine.add_response("describe_change_set", {"Status": "CREATE_COMPLETE", "Changes": []})
    engine.add_response("describe_change_set", {"ExecutionStatus": "AVAILABLE"})
    stack(answers, current)
    engine.add_response("describe_stack_events", {"StackEvents": []})
    engine.add_response("execute_change_set", {})
    engine.add_response("describe_stack_events", {"StackEvents": [DONE]})
    stack(answers, past)
    kept(answers, past)
    versions(answers, 3, live="3")
    # WHEN the first is rolled back to
    deployer = AwsDeployer(client, STACK)
    progress = list(deployer.rollback(Release("predict", "1", "aa" * 32, live=False, deployed=False)))
    # THEN the alias moved first, and the stack was updated with the template of that release
    assert progress == [
        Progress("predict", "done", "live -> version 1"),
        Progress(STACK, "done", "update complete, AWS::CloudFormation::Stack"),
    ]


def test_a_rollback_without_a_template_moves_the_traffic_and_says_so(
    make: Any, client: Client, answers: dict[str, Stubber]
) -> None:
    # GIVEN a release whose template nobody kept
    current = release(make, "bb")
    stack(answers, current)
    alias_moved(answers, "PredictVersion0000000000")
    kept(answers, current)
    past_templates(answers, current)
    # WHEN it is rolled back to
    deployer = AwsDeployer(client, STACK)
    progress = list(deployer.rollback(Release("predict", "1", "aa" * 32, live=False, deployed=False)))
    # THEN the traffic is back, and the rest is told
    assert [(each.subject, each.status) for each in progress] == [("predict", "done"), (STACK, "skipped")]


def test_a_deploy_deletes_versions_that_are_too_old_to_go_back_to(
    make: Any, client: Client, answers: dict[str, Stubber]
) -> None:
    # GIVEN a deploy that publishes the thirteenth version, while traffic is still on the second
    current = release(make, "bb")
    engine = answers["cloudformation"]
    engine.add_response("describe_change_set", {"ExecutionStatus": "AVAILABLE"})
    stack(answers, current)
    engine.add_response("describe_stack_events", {"StackEvents": []})
    engine.add_response("execute_change_set", {})
    engine.add_response("describe_stack_events", {"StackEvents": [DONE]})
    stack(answers, current)
    kept(answers, current)
    versions(answers, 13, live="2")
    for number in ("3", "1"):
        answers["lambda"].add_response("delete_function", {}, {"FunctionName": FUNCTION, "Qualifier": number})
    # WHEN it is carried out
    token = "arn:aws:cloudformation:eu-west-1:123456789012:changeSet/1"
    progress = list(AwsDeployer(client).apply(Changes(items=(), token=token, stack=STACK)))
    # THEN ten versions are left, and the live one
    assert [each.detail for each in progress[1:]] == [
        "version 3 deleted, 10 kept",
        "version 1 deleted, 10 kept",
    ]


def test_outputs_are_those_of_the_stack(make: Any, client: Client, answers: dict[str, Stubber]) -> None:
    # GIVEN a deployed function with an endpoint
    current = release(make, "bb")
    stack(answers, current)
    # WHEN the outputs are asked for
    outputs = AwsDeployer(client, STACK).outputs()
    # THEN the function is found under its name in the spec
    assert outputs.digest == current.digest
    assert outputs.functions["predict"].endpoint == "https://x.test/"
    assert outputs.functions["predict"].input is None
