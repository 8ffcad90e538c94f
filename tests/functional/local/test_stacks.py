"""Stacks: change sets, updates, rollback, deletion."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sls_ml.provider.aws import connect
from sls_ml.provider.aws.cloudformation import text
from sls_ml.provider.aws.render import with_digest
from sls_ml.provider.base import Rendered, Target

Make = Callable[..., dict[str, Any]]

ONE = "def handler(event, context):\n    return 'one'\n"
TWO = "def handler(event, context):\n    return 'two'\n"


def reasons(cloud: Any, stack: str, status: str) -> dict[str, str]:
    events = cloud.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
    return {
        e["LogicalResourceId"]: e.get("ResourceStatusReason", "")
        for e in events
        if e["ResourceStatus"] == status
    }


def test_a_new_version_moves_the_alias_and_keeps_the_old_one(cloud: Any, function: Make) -> None:
    # GIVEN a function with one version
    first = cloud.deploy(function(ONE), Name={"Ref": "Function"})
    name = first.outputs["Name"]
    before = cloud.invoke(f"{name}:live")
    # WHEN other code is deployed with a version of another logical id
    second = cloud.deploy(function(TWO, version="Two"), name=first.name, Name={"Ref": "Function"})
    after = cloud.invoke(f"{name}:live")
    # THEN the alias answers with it, and the first version is still there
    assert (first.status, second.status) == ("CREATE_COMPLETE", "UPDATE_COMPLETE")
    assert (before["Payload"], before["ExecutedVersion"]) == ("one", "1")
    assert (after["Payload"], after["ExecutedVersion"]) == ("two", "2")
    assert cloud.invoke(f"{name}:1")["Payload"] == "one"


def test_a_failed_create_rolls_back_and_says_why(cloud: Any, function: Make) -> None:
    # GIVEN a template whose last resource cannot be made
    resources = function(ONE)
    resources["Function"]["Properties"]["FunctionName"] = "rolled-back"
    resources["Alias"]["Properties"]["FunctionVersion"] = "7"
    # WHEN it is deployed
    stack = cloud.deploy(resources)
    # THEN the stack says what failed and why, and nothing of it is left
    assert stack.status == "ROLLBACK_COMPLETE"
    assert "Function not found" in reasons(cloud, stack.name, "CREATE_FAILED")["Alias"]
    assert "[Alias]" in reasons(cloud, stack.name, "ROLLBACK_IN_PROGRESS")[stack.name]
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        cloud.client("lambda").get_function(FunctionName="rolled-back")
    # AND it takes no update
    with pytest.raises(ClientError, match="ROLLBACK_COMPLETE state and can not be updated"):
        cloud.deploy(function(TWO), name=stack.name)


def test_a_failed_update_goes_back(cloud: Any, function: Make) -> None:
    # GIVEN a deployed function
    first = cloud.deploy(function(ONE), Name={"Ref": "Function"})
    name = first.outputs["Name"]
    # WHEN an update changes code and memory, and then fails
    resources = function(TWO, version="Two", MemorySize=256)
    resources["Url"] = {
        "Type": "AWS::Lambda::Url",
        "DependsOn": "Alias",
        "Properties": {"TargetFunctionArn": {"Ref": "Function"}, "Qualifier": "other", "AuthType": "NONE"},
    }
    stack = cloud.deploy(resources, name=first.name)
    # THEN everything is as before
    assert stack.status == "UPDATE_ROLLBACK_COMPLETE"
    assert "Cannot find alias" in reasons(cloud, stack.name, "CREATE_FAILED")["Url"]
    assert cloud.invoke(f"{name}:live")["Payload"] == "one"
    assert cloud.client("lambda").get_function_configuration(FunctionName=name)["MemorySize"] == 128
    assert stack.outputs == first.outputs


def test_a_preview_names_what_changes(cloud: Any, function: Make) -> None:
    # GIVEN a deployed function
    first = cloud.deploy(function(ONE, MemorySize=128))
    # WHEN a template with other memory, another version and a log group is previewed
    resources = function(ONE, MemorySize=256, version="Two")
    resources["Function"]["Properties"]["Code"] = json.loads(
        json.dumps(cloud.client("cloudformation").get_template(StackName=first.name)["TemplateBody"])
    )["Resources"]["Function"]["Properties"]["Code"]
    resources["Group"] = {"Type": "AWS::Logs::LogGroup"}
    cloudformation = cloud.client("cloudformation")
    made = cloudformation.create_change_set(
        StackName=first.name, ChangeSetName="look", TemplateBody=json.dumps({"Resources": resources})
    )
    raw = cloudformation.describe_change_set(ChangeSetName=made["Id"])
    changes = {c["ResourceChange"]["LogicalResourceId"]: c["ResourceChange"] for c in raw["Changes"]}
    # THEN each is there with its kind
    assert {name: change["Action"] for name, change in changes.items()} == {
        "Function": "Modify",
        "VersionTwo": "Add",
        "Alias": "Modify",
        "Group": "Add",
        "VersionOne": "Remove",
    }
    assert changes["VersionOne"]["PolicyAction"] == "Retain"
    (detail,) = changes["Function"]["Details"]
    target = detail["Target"]
    assert (target["Name"], target["BeforeValue"], target["AfterValue"]) == ("MemorySize", "128", "256")


def test_nothing_to_change_fails_the_preview_as_on_aws(cloud: Any, function: Make) -> None:
    # GIVEN a deployed template
    resources = function(ONE)
    first = cloud.deploy(resources)
    template = json.dumps({"Resources": resources, "Outputs": {}})
    # WHEN it is previewed again
    cloudformation = cloud.client("cloudformation")
    made = cloudformation.create_change_set(
        StackName=first.name, ChangeSetName="again", TemplateBody=template
    )
    raw = cloudformation.describe_change_set(ChangeSetName=made["Id"])
    # THEN CloudFormation's own sentence says so
    assert raw["Status"] == "FAILED"
    assert "didn't contain changes" in raw["StatusReason"]


def test_an_unknown_type_is_refused_by_name(cloud: Any) -> None:
    # GIVEN a template with a type that the embedded cloud does not know
    with pytest.raises(ClientError) as caught:
        cloud.deploy({"Cluster": {"Type": "AWS::ECS::Cluster"}})
    # THEN the deploy fails by its name
    assert "Unrecognized resource types: [AWS::ECS::Cluster]" in str(caught.value)


def test_an_unknown_property_is_refused_by_name(cloud: Any, function: Make) -> None:
    # GIVEN a function with a property that the embedded cloud does not know
    with pytest.raises(ClientError) as caught:
        cloud.deploy(function(ONE, FileSystemConfigs=[]))
    # THEN the deploy fails by its name
    assert "AWS::Lambda::Function.FileSystemConfigs" in str(caught.value)


def test_deleting_a_stack_removes_all_but_what_is_retained(cloud: Any, function: Make) -> None:
    # GIVEN a stack with a function and a bucket that is kept
    bucket = {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain"}
    stack = cloud.deploy(
        {**function(ONE), "Bucket": bucket}, Name={"Ref": "Function"}, Bucket={"Ref": "Bucket"}
    )
    # WHEN it is deleted
    cloud.client("cloudformation").delete_stack(StackName=stack.name)
    # THEN the function is gone and the bucket is there
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        cloud.client("lambda").get_function(FunctionName=stack.outputs["Name"])
    assert cloud.client("s3").head_bucket(Bucket=stack.outputs["Bucket"])
    with pytest.raises(ClientError, match="does not exist"):
        cloud.stack(stack.name)


def test_what_others_refer_to_is_deleted_after_them(cloud: Any, function: Make) -> None:
    # GIVEN a stack whose alias was moved to a version that came later, none of them retained
    first, second = function(ONE), function(TWO, version="Two")
    del first["VersionOne"]["DeletionPolicy"], second["VersionTwo"]["DeletionPolicy"]
    stack = cloud.deploy(first)
    moved = cloud.deploy(second, name=stack.name)
    (made,) = cloud.client("cloudformation").describe_stacks(StackName=stack.name)["Stacks"]
    # WHEN it is deleted
    cloud.client("cloudformation").delete_stack(StackName=stack.name)
    # THEN the alias goes before its version
    assert moved.status == "UPDATE_COMPLETE"
    assert cloud.stack(made["StackId"]).status == "DELETE_COMPLETE"


def test_a_managed_policy_gives_and_takes(cloud: Any) -> None:
    # GIVEN a policy that lets its holder list buckets
    def policy(effect: str) -> dict[str, Any]:
        statement = {"Effect": effect, "Action": "s3:ListAllMyBuckets", "Resource": "*"}
        document = {"Version": "2012-10-17", "Statement": [statement]}
        return {
            "Policy": {
                "Type": "AWS::IAM::ManagedPolicy",
                "Properties": {"PolicyDocument": document, "ManagedPolicyName": "lists-buckets"},
            }
        }

    stack = cloud.deploy(policy("Allow"), Arn={"Ref": "Policy"})
    # WHEN it is changed
    changed = cloud.deploy(policy("Deny"), name=stack.name, Arn={"Ref": "Policy"})
    # THEN the same policy has another document
    iam = cloud.client("iam")
    version = iam.get_policy(PolicyArn=changed.outputs["Arn"])["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=changed.outputs["Arn"], VersionId=version)["PolicyVersion"]
    assert document["Document"]["Statement"][0]["Effect"] == "Deny"
    assert changed.outputs == stack.outputs


def test_what_a_deployment_may_have_beside_functions(cloud: Any, function: Make) -> None:
    # GIVEN a function with retries, an alarm, a dashboard and a topic
    def template(threshold: str, retries: int, body: str) -> dict[str, Any]:
        return function(ONE) | {
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "Alarms"}},
            "Retries": {
                "Type": "AWS::Lambda::EventInvokeConfig",
                "DependsOn": "Alias",
                "Properties": {
                    "FunctionName": {"Ref": "Function"},
                    "Qualifier": "live",
                    "MaximumRetryAttempts": retries,
                },
            },
            "Alarm": {
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": {
                    "AlarmActions": [{"Ref": "Topic"}],
                    "ComparisonOperator": "GreaterThanThreshold",
                    "Dimensions": [{"Name": "FunctionName", "Value": {"Ref": "Function"}}],
                    "EvaluationPeriods": 1,
                    "MetricName": "Errors",
                    "Namespace": "AWS/Lambda",
                    "Period": 60,
                    "Statistic": "Sum",
                    "Threshold": threshold,
                },
            },
            "Dashboard": {
                "Type": "AWS::CloudWatch::Dashboard",
                "Properties": {
                    "DashboardBody": {"Fn::Sub": '{"widgets": [], "periodOverride": "' + body + '"}'}
                },
            },
        }

    names = {name: {"Ref": name} for name in ("Alarm", "Dashboard", "Function")}
    first = cloud.deploy(template("1", 1, "auto"), **names)
    assert first.status == "CREATE_COMPLETE"
    # WHEN all of it changes
    second = cloud.deploy(
        template("5", 0, "inherit") | function(TWO, version="Two"), name=first.name, **names
    )
    # THEN each service says so
    assert second.status == "UPDATE_COMPLETE"
    watch = cloud.client("cloudwatch")
    (alarm,) = watch.describe_alarms(AlarmNames=[second.outputs["Alarm"]])["MetricAlarms"]
    retries = cloud.client("lambda").get_function_event_invoke_config(
        FunctionName=second.outputs["Function"], Qualifier="live"
    )
    dashboard = watch.get_dashboard(DashboardName=second.outputs["Dashboard"])["DashboardBody"]
    assert (alarm["Threshold"], retries["MaximumRetryAttempts"]) == (5.0, 0)
    assert "inherit" in dashboard


def test_a_plan_for_a_new_stack_may_be_made_again(cloud: Any) -> None:
    # GIVEN a plan for a stack that does not exist, never carried out
    at = cloud.endpoint
    deployer = connect(Target("eu-west-1", "dev", at.url, at.access_key, at.secret_key))
    for _ in deployer.bootstrap():
        pass
    template = {
        "Metadata": {"sls-ml:project": "planned", "sls-ml:stage": "dev"},
        "Resources": {"Events": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "planned-twice"}}},
    }
    rendered: Rendered = with_digest("sls-ml-planned-dev", text(template))
    deployer.changes(rendered)
    # WHEN it is planned again and applied
    progress = list(deployer.apply(deployer.changes(rendered)))
    # THEN the stack is there, and it is one
    assert progress[-1].status == "done"
    stacks = cloud.client("cloudformation").describe_stacks()["Stacks"]
    assert [each["StackName"] for each in stacks].count("sls-ml-planned-dev") == 1
