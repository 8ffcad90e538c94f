"""SnapStart: versions are initialised as they are published, kept, and restored."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

Make = Callable[..., dict[str, Any]]

SNAPPED = """
import os
from snapshot_restore_py import register_after_restore, register_before_snapshot
seen = []
register_before_snapshot(lambda: seen.append("before snapshot"))
register_after_restore(lambda: seen.append("after restore"))
def handler(event, context):
    return seen, os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]
"""


def test_the_phases_of_snapstart_run(cloud: Any, function: Make) -> None:
    # GIVEN a function with SnapStart and a hook on either side
    resources = function(SNAPPED, SnapStart={"ApplyOn": "PublishedVersions"})
    stack = cloud.deploy(resources, Name={"Ref": "Function"})
    # WHEN its published version is called
    answer = cloud.invoke(f"{stack.outputs['Name']}:live")
    # THEN both hooks have run
    assert answer["Payload"] == [["before snapshot", "after restore"], "snap-start"]


SNAPPED_ONCE = """
import os, uuid
made = str(uuid.uuid4())
print("initialised")
def handler(event, context):
    if event.get("exit"):
        os._exit(3)
    return made
"""


def test_a_version_with_snapstart_is_initialised_when_it_is_published(cloud: Any, function: Make) -> None:
    # GIVEN a function with SnapStart, deployed and never called
    stack = cloud.deploy(
        function(SNAPPED_ONCE, SnapStart={"ApplyOn": "PublishedVersions"}), Name={"Ref": "Function"}
    )
    name = stack.outputs["Name"]
    # THEN its version has been initialised, and its snapshot is ready
    assert _said(cloud, name, "initialised") == 1
    configuration = cloud.client("lambda").get_function_configuration(FunctionName=name, Qualifier="live")
    assert configuration["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}
    # WHEN it is called
    answer = cloud.invoke(f"{name}:live", LogType="Tail")
    # THEN that one goes on: the log tells of a restore, and of no further start
    log = base64.b64decode(answer["LogResult"]).decode()
    assert "Restore Duration" in log
    assert "Init Duration" not in log
    assert _said(cloud, name, "initialised") == 1
    # WHEN its environment ends, and it is called again
    assert cloud.invoke(f"{name}:live", {"exit": True})["FunctionError"]
    again = cloud.invoke(f"{name}:live")
    # THEN another environment has been made and restored
    assert again["Payload"] != answer["Payload"]


def _said(cloud: Any, name: str, word: str) -> int:
    """How many lines of a function's log hold a word."""
    events = cloud.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    return sum(word in event["message"] for event in events)


def test_a_version_with_snapstart_that_does_not_start_is_not_published(cloud: Any, function: Make) -> None:
    # GIVEN a function that fails to start
    resources = function("raise RuntimeError('no model here')\n", SnapStart={"ApplyOn": "PublishedVersions"})
    # WHEN it is deployed
    stack = cloud.deploy(resources)
    # THEN the deploy is taken back, and says why
    assert stack.status == "ROLLBACK_COMPLETE"
    events = cloud.client("cloudformation").describe_stack_events(StackName=stack.name)["StackEvents"]
    assert any("no model here" in event.get("ResourceStatusReason", "") for event in events)


FAILING_RESTORE = """
from snapshot_restore_py import register_after_restore
def fail():
    raise RuntimeError("the secret is gone")
register_after_restore(fail)
def handler(event, context):
    return 1
"""


def test_a_hook_after_the_restore_that_fails_fails_the_call(cloud: Any, function: Make) -> None:
    # GIVEN a function whose hook after the restore fails
    resources = function(FAILING_RESTORE, SnapStart={"ApplyOn": "PublishedVersions"})
    stack = cloud.deploy(resources, Name={"Ref": "Function"})
    # WHEN it is called
    with pytest.raises(ClientError) as caught:
        cloud.invoke(f"{stack.outputs['Name']}:live")
    # THEN the call fails, and says at what
    assert caught.value.response["Error"]["Code"] == "SnapStartException"
