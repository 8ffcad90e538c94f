"""Operations of CloudFormation that a local server never shows: failures, and joining one that runs.

The answers are recorded ones; botocore's stubber checks each call against the service's own model.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from sls_ml.errors import ApplyError
from sls_ml.provider.aws.client import Client
from sls_ml.provider.aws.render import with_digest
from sls_ml.provider.aws.stacks import Stacks
from sls_ml.provider.base import Changes, Progress, Target

STACK = "sls-ml-credit-risk-dev"
STACK_ID = f"arn:aws:cloudformation:eu-west-1:123456789012:stack/{STACK}/1"
TOKEN = f"arn:aws:cloudformation:eu-west-1:123456789012:changeSet/{STACK}/1"
WHEN = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
def client() -> Client:
    keys = {"access_key": "AKIAIOSFODNN7EXAMPLE", "secret_key": "of-no-use"}
    client = Client(Target(region="eu-west-1", stage="dev", endpoint_url="http://127.0.0.1:9", **keys))
    client.poll_seconds = 0.0
    return client


@pytest.fixture
def answers(client: Client) -> Iterator[Stubber]:
    with Stubber(client.cloudformation) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def stack(stubber: Stubber, status: str, digest: str = "another") -> None:
    found: dict[str, Any] = {"StackName": STACK, "StackId": STACK_ID, "StackStatus": status}
    found |= {"CreationTime": WHEN, "Tags": [{"Key": "sls-ml:digest", "Value": digest}]}
    stubber.add_response("describe_stacks", {"Stacks": [found]})


def events(stubber: Stubber, *found: dict[str, Any]) -> None:
    stubber.add_response("describe_stack_events", {"StackEvents": list(found)})


def change_set(stubber: Stubber, status: str) -> None:
    stubber.add_response(
        "describe_change_set", {"ExecutionStatus": status, "Status": "CREATE_COMPLETE", "Changes": []}
    )


def event(number: int, resource: str, status: str, reason: str = "") -> dict[str, Any]:
    whole = resource == STACK
    body = {
        "StackId": STACK_ID,
        "EventId": f"event-{number}",
        "StackName": STACK,
        "LogicalResourceId": resource,
        "PhysicalResourceId": STACK_ID if whole else resource,
        "ResourceType": "AWS::CloudFormation::Stack" if whole else "AWS::Lambda::Function",
        "ResourceStatus": status,
        "Timestamp": WHEN,
    }
    return {**body, "ResourceStatusReason": reason} if reason else body


EARLIER = event(1, STACK, "CREATE_COMPLETE")
STARTED = event(2, STACK, "UPDATE_IN_PROGRESS", "User Initiated")
CANCELLED = event(3, "ScoreFunction", "UPDATE_FAILED", "Resource update cancelled")
FAILED = event(4, "PredictFunction", "UPDATE_FAILED", "The role cannot be assumed by Lambda.")
BACK = event(5, STACK, "UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed to update")
DONE = event(6, STACK, "UPDATE_ROLLBACK_COMPLETE")


def test_an_unchanged_deployment_costs_one_call(client: Client, answers: Stubber) -> None:
    # GIVEN a stack that carries the digest of what is to be deployed
    rendered = with_digest(STACK, "{}")
    stack(answers, "UPDATE_COMPLETE", rendered.digest)
    # WHEN it is planned
    changes = Stacks(client).preview(rendered)
    # THEN nothing would change, and nothing else was asked
    assert changes.empty


def test_a_failed_update_names_its_cause(client: Client, answers: Stubber) -> None:
    # GIVEN an update that begins a while after it was asked for, of which one resource fails, and another is
    # cancelled with it
    change_set(answers, "AVAILABLE")
    stack(answers, "CREATE_COMPLETE")
    events(answers, EARLIER)
    answers.add_response("execute_change_set", {})
    events(answers, EARLIER)
    stack(answers, "CREATE_COMPLETE")
    events(answers, STARTED, EARLIER)
    events(answers, DONE, BACK, FAILED, CANCELLED, STARTED, EARLIER)
    # WHEN it is carried out
    seen: list[Progress] = []
    with pytest.raises(ApplyError) as caught:
        seen.extend(Stacks(client).execute(Changes(items=(), token=TOKEN, stack=STACK)))
    # THEN every event was told once, in order, and the error names the one that failed by itself
    assert [(each.subject, each.status) for each in seen] == [
        (STACK, "started"),
        ("ScoreFunction", "failed"),
        ("PredictFunction", "failed"),
        (STACK, "started"),
        (STACK, "done"),
    ]
    assert str(caught.value) == (
        "PredictFunction failed; the previous release is back in place\n"
        f"  where: PredictFunction (AWS::Lambda::Function), stack {STACK}\n"
        "  why: The role cannot be assumed by Lambda."
    )


def test_an_interrupted_deploy_is_joined(client: Client, answers: Stubber) -> None:
    # GIVEN a plan that is being carried out already
    change_set(answers, "EXECUTE_IN_PROGRESS")
    stack(answers, "UPDATE_IN_PROGRESS")
    events(answers, STARTED, EARLIER)
    events(answers, event(3, STACK, "UPDATE_COMPLETE"), STARTED, EARLIER)
    # WHEN it is carried out again
    progress = list(Stacks(client).execute(Changes(items=(), token=TOKEN, stack=STACK)))
    # THEN nothing is executed twice, and the operation is followed from its beginning
    assert [each.status for each in progress] == ["started", "done"]


def running(stubber: Stubber, digest: str) -> None:
    found = {"StackName": STACK, "ChangeSetId": TOKEN, "ChangeSetName": f"sls-ml-{digest[:12]}-01234567"}
    stubber.add_response(
        "list_change_sets", {"Summaries": [{**found, "ExecutionStatus": "EXECUTE_IN_PROGRESS"}]}
    )


def test_planning_what_runs_already_gives_its_plan(client: Client, answers: Stubber) -> None:
    # GIVEN a deploy that was interrupted on this side, and goes on on the other
    rendered = with_digest(STACK, "{}")
    stack(answers, "UPDATE_IN_PROGRESS")
    running(answers, rendered.digest)
    change_set(answers, "EXECUTE_IN_PROGRESS")
    # WHEN the same is planned again
    changes = Stacks(client).preview(rendered)
    # THEN the plan is the one that runs
    assert changes.token == TOKEN


def test_a_stage_that_was_never_deployed_is_planned_again(client: Client, answers: Stubber) -> None:
    # GIVEN a stack of which there was a plan alone
    rendered = with_digest(STACK, "{}")
    stack(answers, "REVIEW_IN_PROGRESS")
    name = "sls-ml-0123456789ab-01234567"
    earlier = {"StackName": STACK, "ChangeSetId": f"{TOKEN}0", "ChangeSetName": name}
    answers.add_response("list_change_sets", {"Summaries": [earlier]})
    answers.add_response("delete_change_set", {}, {"StackName": STACK, "ChangeSetName": f"{TOKEN}0"})
    asked = dict.fromkeys(("Capabilities", "ChangeSetName", "Parameters", "Tags", "TemplateBody"), ANY)
    asked |= {"StackName": STACK, "ChangeSetType": "CREATE", "ImportExistingResources": False}
    answers.add_response("create_change_set", {"Id": TOKEN, "StackId": STACK_ID}, asked)
    change_set(answers, "AVAILABLE")
    # WHEN it is planned again THEN the stack stays: who plans may not delete one
    assert Stacks(client).preview(rendered).token == TOKEN


def test_planning_beside_another_deploy_is_refused(client: Client, answers: Stubber) -> None:
    # GIVEN a deploy of something else that runs
    stack(answers, "UPDATE_IN_PROGRESS")
    running(answers, "0" * 64)
    # WHEN a deployment is planned
    with pytest.raises(ApplyError) as caught:
        Stacks(client).preview(with_digest(STACK, "{}"))
    # THEN it is refused
    assert caught.value.code == "deploy-running"


def test_a_plan_that_is_gone_is_stale(client: Client, answers: Stubber) -> None:
    # GIVEN a plan that another deploy has thrown away
    answers.add_client_error("describe_change_set", "ChangeSetNotFound", "ChangeSet [x] does not exist")
    # WHEN it is carried out
    with pytest.raises(ApplyError) as caught:
        list(Stacks(client).execute(Changes(items=(), token=TOKEN, stack=STACK)))
    # THEN that is said
    assert caught.value.code == "plan-stale"
