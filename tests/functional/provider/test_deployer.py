"""The deployer of AWS against a real server: change sets, uploads, failures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from moto.cloudformation.models import cloudformation_backends

from sls_ml.errors import ApplyError, ExternalError
from sls_ml.provider.aws import connect
from sls_ml.provider.aws.client import MissingError
from sls_ml.provider.aws.deployer import AwsDeployer
from sls_ml.provider.base import Progress, Rendered, Target, Upload

Stack = Callable[..., Rendered]
Aws = Callable[[str], Any]

QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "events"}}
BUCKET = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "scored-objects"}}


def deploy(deployer: AwsDeployer, rendered: Rendered) -> list[Progress]:
    return list(deployer.apply(deployer.changes(rendered)))


@pytest.mark.filterwarnings("ignore:Tried to parse AWS..S3..BucketPolicy:UserWarning")
def test_bootstrap_makes_the_buckets_once(target: Target, aws: Aws) -> None:
    # GIVEN an empty account
    deployer = connect(target)
    # WHEN it is bootstrapped twice
    first = list(deployer.bootstrap())
    second = list(deployer.bootstrap())
    # THEN the buckets are there, and the second time there was nothing to do
    names = [bucket["Name"] for bucket in aws("s3").list_buckets()["Buckets"]]
    assert names == ["sls-ml-packages-123456789012-eu-west-1", "sls-ml-store-123456789012-eu-west-1"]
    assert first[-1].status == "done"
    assert second == [Progress("sls-ml-bootstrap", "skipped", "up to date")]
    assert deployer.store == "s3://sls-ml-store-123456789012-eu-west-1"


def test_a_first_deploy_creates_the_stack_with_its_tags(
    deployer: AwsDeployer, stack: Stack, aws: Aws
) -> None:
    # GIVEN a rendered stack
    rendered = stack(Events=QUEUE)
    # WHEN it is planned and applied
    changes = deployer.changes(rendered)
    list(deployer.apply(changes))
    # THEN the plan said so, and the stack carries the digest
    assert [(each.action, each.resource) for each in changes.items] == [("add", "Events")]
    (found,) = aws("cloudformation").describe_stacks(StackName=rendered.stack)["Stacks"]
    assert found["StackStatus"] == "CREATE_COMPLETE"
    assert {tag["Key"]: tag["Value"] for tag in found["Tags"]} == {
        "sls-ml:digest": rendered.digest,
        "sls-ml:project": "credit-risk",
        "sls-ml:stage": "dev",
    }


def test_the_same_again_is_no_change(deployer: AwsDeployer, stack: Stack) -> None:
    # GIVEN a deployed stack
    deploy(deployer, stack(Events=QUEUE))
    # WHEN the same is planned again
    changes = deployer.changes(stack(Events=QUEUE))
    # THEN nothing would change, and applying that does nothing
    assert changes.empty
    assert list(deployer.apply(changes)) == []


def test_a_change_set_without_changes_is_no_change(deployer: AwsDeployer, stack: Stack, aws: Aws) -> None:
    # GIVEN a stack whose tag does not say what it holds
    rendered = stack(Events=QUEUE)
    aws("cloudformation").create_stack(StackName=rendered.stack, TemplateBody=rendered.template)
    # WHEN the same template is planned
    changes = deployer.changes(rendered)
    # THEN CloudFormation finds no changes, and its failed change set is gone
    assert changes.empty
    assert aws("cloudformation").list_change_sets(StackName=rendered.stack)["Summaries"] == []


def test_an_update_shows_what_is_added_and_removed(deployer: AwsDeployer, stack: Stack, aws: Aws) -> None:
    # GIVEN a deployed stack
    deploy(deployer, stack(Events=QUEUE))
    # WHEN another is planned in its place, and applied
    changes = deployer.changes(stack(Results=BUCKET))
    list(deployer.apply(changes))
    # THEN the plan named both resources, and both are as planned
    assert [(each.action, each.resource) for each in changes.items] == [
        ("remove", "Events"),
        ("add", "Results"),
    ]
    assert "QueueUrls" not in aws("sqs").list_queues()
    assert aws("s3").head_bucket(Bucket="scored-objects")


def test_applying_the_same_plan_twice_is_harmless(deployer: AwsDeployer, stack: Stack) -> None:
    # GIVEN a plan that was carried out
    changes = deployer.changes(stack(Events=QUEUE))
    list(deployer.apply(changes))
    # WHEN it is carried out again
    again = list(deployer.apply(changes))
    # THEN there was nothing left to do
    assert [each.status for each in again] == ["skipped"]


def test_a_plan_replaces_the_plan_before_it(deployer: AwsDeployer, stack: Stack) -> None:
    # GIVEN a deployed stack and two plans for it
    deploy(deployer, stack(Events=QUEUE))
    old = deployer.changes(stack(Events=QUEUE, Results=BUCKET))
    deployer.changes(stack(Results=BUCKET))
    # WHEN the older plan is applied
    with pytest.raises(ApplyError) as caught:
        list(deployer.apply(old))
    # THEN it is refused
    assert caught.value.code == "plan-stale"


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "CREATE_FAILED"])
def test_what_is_left_of_a_failed_first_deploy_is_cleared(
    deployer: AwsDeployer, stack: Stack, aws: Aws, status: str
) -> None:
    # GIVEN a stack that never worked
    deploy(deployer, stack(Events=QUEUE))
    set_status(status)
    # WHEN it is deployed again
    deploy(deployer, stack(Results=BUCKET))
    # THEN the stack was made anew
    stacks = aws("cloudformation").describe_stacks()["Stacks"]
    assert [each["StackStatus"] for each in stacks] == ["CREATE_COMPLETE"]
    assert "QueueUrls" not in aws("sqs").list_queues()


@pytest.mark.parametrize(
    ("status", "code"),
    [("UPDATE_IN_PROGRESS", "deploy-running"), ("UPDATE_ROLLBACK_FAILED", "stack-stuck")],
)
def test_a_stack_that_takes_no_update_is_left_alone(
    deployer: AwsDeployer, stack: Stack, status: str, code: str
) -> None:
    # GIVEN a stack in such a state
    deploy(deployer, stack(Events=QUEUE))
    set_status(status)
    # WHEN a change is planned
    with pytest.raises(ApplyError) as caught:
        deployer.changes(stack(Results=BUCKET))
    # THEN it is refused, and the way out is named
    assert caught.value.code == code
    assert caught.value.mend


def test_a_large_template_goes_through_the_package_bucket(
    deployer: AwsDeployer, stack: Stack, aws: Aws
) -> None:
    # GIVEN a template larger than a request may be
    queues = {
        f"Q{n}": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": f"{n:03}{'q' * 70}"}}
        for n in range(300)
    }
    rendered = stack(**queues)
    assert len(rendered.template) > 51_200
    # WHEN it is planned
    changes = deployer.changes(rendered)
    # THEN all of it is
    assert len(changes.items) == 300
    listed = aws("s3").list_objects_v2(Bucket="sls-ml-packages-123456789012-eu-west-1", Prefix="plans/")
    assert [each["Key"] for each in listed["Contents"]] == [f"plans/{rendered.digest}.json"]


def test_a_deployed_template_is_kept_byte_for_byte(deployer: AwsDeployer, stack: Stack, aws: Aws) -> None:
    # GIVEN a rendered stack
    rendered = stack(Events=QUEUE)
    # WHEN it is deployed
    deploy(deployer, rendered)
    # THEN its template lies in the package bucket
    key = f"templates/{rendered.stack}/{rendered.digest}.json"
    kept = aws("s3").get_object(Bucket="sls-ml-packages-123456789012-eu-west-1", Key=key)
    assert kept["Body"].read().decode() == rendered.template


def test_an_upload_is_done_once(deployer: AwsDeployer, aws: Aws, tmp_path: Path) -> None:
    # GIVEN a file
    file = tmp_path / "package.zip"
    file.write_bytes(b"package")
    upload = Upload(file, f"{deployer.store}/credit/ab/model.onnx")
    # WHEN it is uploaded twice
    first = list(deployer.upload([upload]))
    second = list(deployer.upload([upload]))
    # THEN it is there, and the second time it was skipped
    bucket = deployer.store.removeprefix("s3://")
    assert aws("s3").get_object(Bucket=bucket, Key="credit/ab/model.onnx")["Body"].read() == b"package"
    assert [each.status for each in first] == ["started", "done"]
    assert [each.status for each in second] == ["skipped"]


def test_an_upload_without_bootstrap_names_the_cure(target: Target, tmp_path: Path) -> None:
    # GIVEN a region that was not bootstrapped
    file = tmp_path / "package.zip"
    file.write_bytes(b"package")
    deployer = connect(target)
    # WHEN a file is uploaded
    with pytest.raises(ExternalError) as caught:
        list(deployer.upload([Upload(file, f"{deployer.store}/a")]))
    # THEN the error says what to run
    assert caught.value.code == "bucket-missing"
    assert "sls-ml bootstrap" in str(caught.value)


def test_an_upload_of_a_missing_file_names_it(deployer: AwsDeployer, tmp_path: Path) -> None:
    # GIVEN no file
    file = tmp_path / "missing.zip"
    # WHEN it is uploaded
    with pytest.raises(ExternalError) as caught:
        list(deployer.upload([Upload(file, f"{deployer.store}/a")]))
    # THEN the error names it
    assert caught.value.code == "file-missing"
    assert caught.value.where == str(file)


def test_destroy_says_what_it_leaves(deployer: AwsDeployer, stack: Stack, aws: Aws) -> None:
    # GIVEN a deployed stack with a bucket
    deploy(deployer, stack(Results=BUCKET))
    # WHEN it is destroyed
    progress = list(deployer.at("credit-risk", "dev").destroy())
    # THEN the stack is gone, and the buckets that stay are named
    assert aws("cloudformation").describe_stacks()["Stacks"] == []
    assert [each.subject for each in progress if each.status == "skipped"] == [
        "s3://scored-objects",
        deployer.store,
    ]


def test_destroying_nothing_is_harmless(deployer: AwsDeployer) -> None:
    # GIVEN nothing deployed
    # WHEN it is destroyed
    progress = list(deployer.at("credit-risk", "dev").destroy())
    # THEN that is said
    assert progress == [Progress("sls-ml-credit-risk-dev", "skipped", "nothing is deployed")]


def test_outputs_of_nothing_are_refused(deployer: AwsDeployer) -> None:
    # GIVEN nothing deployed
    # WHEN its outputs are asked for
    with pytest.raises(MissingError) as caught:
        deployer.at("credit-risk", "dev").outputs()
    # THEN the error says what to run
    assert caught.value.code == "not-deployed"
    assert caught.value.mend == "run `sls-ml deploy --stage dev`"


def test_missing_credentials_are_named(monkeypatch: pytest.MonkeyPatch, target: Target) -> None:
    # GIVEN a machine without credentials
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    deployer = connect(Target(region="eu-west-1", stage="dev", endpoint_url=target.endpoint_url))
    # WHEN AWS is asked for anything
    with pytest.raises(ExternalError) as caught:
        deployer.at("credit-risk", "dev").outputs()
    # THEN the error says so
    assert caught.value.code == "no-credentials"


def set_status(status: str) -> None:
    """Put the one stack of the server into a state that the server never reaches by itself."""
    (found,) = cloudformation_backends["123456789012"]["eu-west-1"].stacks.values()
    found.status = status
