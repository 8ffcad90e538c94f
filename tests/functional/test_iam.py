"""The policies of whoever deploys or lets CI deploy are enough, by enforcement; `iam` tells of changes.

The embedded cloud judges S3, Lambda, existing queues and existing roles by action and resource, everything
else by the action alone: it asks whether the action may be done to ``*``. The conceded policy lets the same
actions be done to ``*`` there, and leaves conditions out, of which it knows nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from command_line import copy_sample, run
from sls_ml import deploy as story
from sls_ml.cli.ci import let_in
from sls_ml.cli.console import Output
from sls_ml.cli.trusting import template_of
from sls_ml.local.cloudformation.codedeploy_kinds import Checks
from sls_ml.local.cloudformation.kind import Site
from sls_ml.local.cloudformation.stacks import Stacks
from sls_ml.provider import table
from sls_ml.provider.aws import ci_roles
from sls_ml.provider.aws.ci_pipelines import GITHUB, pipeline
from sls_ml.provider.aws.deployer import AwsDeployer
from sls_ml.provider.base import Target
from sls_ml.spec import Project, read

MEMORY = 512
"""MB that the sample's function has."""

BY_RESOURCE = {"s3", "lambda"}
"""Services that the embedded cloud judges by resource throughout."""


@dataclass(frozen=True)
class Cloud:
    """An embedded cloud with a user who has the deployer's policies and no other."""

    sample: Path
    endpoint: str
    region: str
    account: str
    administrator: tuple[str, str]
    user: tuple[str, str]

    def client(self, service: str, keys: tuple[str, str]) -> Any:
        """A client of one service with somebody's keys."""
        make: Any = boto3.client
        return make(
            service,
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=keys[0],
            aws_secret_access_key=keys[1],
        )

    def deployer(self, spec: Project) -> AwsDeployer:
        """What deploys, with the user's keys."""
        target = Target(self.region, "local", self.endpoint, *self.user)
        found = table.provider("aws").connect(target).at(spec.project, spec.stage)
        assert isinstance(found, AwsDeployer)
        return found

    def spec(self, memory: int = MEMORY) -> Project:
        """The sample's spec, with so much memory for its first function."""
        file = self.sample / "sls-ml.yaml"
        file.write_text(re.sub(r"memory: \d+", f"memory: {memory}", file.read_text(), count=1))
        return read(self.sample, "local")


def test_golden_text_for_people(tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    # GIVEN a sample
    sample = copy_sample("breast-cancer", tmp_path)
    # WHEN one asks who may do what
    done = run(sample, "iam", "--account", "123456789012")
    # THEN the text is the checked-in one
    assert done.code == 0, done.err
    golden("iam/breast-cancer.txt", done.out)


def test_an_account_has_twelve_digits(tmp_path: Path) -> None:
    # GIVEN something that is no account
    sample = copy_sample("breast-cancer", tmp_path)
    # WHEN the policy is asked for
    done = run(sample, "iam", "--account", "1234", "--json")
    # THEN it is refused by name
    assert (done.code, done.document["error"]["code"]) == (2, "not-an-account")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    sample = copy_sample("breast-cancer", tmp_path_factory.mktemp("iam"))
    try:
        up = run(sample, "local", "up", "--json").document
        account, administrator = up["account"], (up["access_key"], up["secret_key"])
        iam = boto3.client(
            "iam",
            endpoint_url=up["endpoint_url"],
            region_name=up["region"],
            aws_access_key_id=administrator[0],
            aws_secret_access_key=administrator[1],
        )
        user = _user(iam, "deployer", _printed(sample, account, "deployer", "bootstrap"))
        yield Cloud(sample, up["endpoint_url"], up["region"], account, administrator, user)
    finally:
        run(sample, "local", "down")


def _printed(sample: Path, account: str, *parts: str) -> list[dict[str, Any]]:
    """The policies that `sls-ml iam` prints for some of whom they are for."""
    done = run(sample, "iam", "--deployer", "--stage", "local", "--account", account, "--json")
    assert done.code == 0, done.out + done.err
    return [each["policy"] for part in parts for each in done.document[part]]


def _user(iam: Any, name: str, policies: list[dict[str, Any]]) -> tuple[str, str]:
    """Make a user with these policies and what is conceded; the keys."""
    iam.create_user(UserName=name)
    for number, policy in enumerate([*policies, _conceded(policies)]):
        made = iam.create_policy(PolicyName=f"{name}-{number}", PolicyDocument=json.dumps(policy))
        iam.attach_user_policy(UserName=name, PolicyArn=made["Policy"]["Arn"])
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def _conceded(policies: list[dict[str, Any]]) -> dict[str, Any]:
    """The same actions on ``*``, where the embedded cloud does not judge by resource."""
    actions = {
        action
        for policy in policies
        for statement in policy["Statement"]
        for action in statement["Action"]
        if "Condition" in statement or action.partition(":")[0] not in BY_RESOURCE
    }
    # moto knows CloudWatch by the name that its requests are signed for.
    actions |= {action.replace("cloudwatch:", "monitoring:") for action in actions}
    return {"Version": "2012-10-17", "Statement": [_allow(actions)]}


def _allow(actions: set[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": sorted(actions), "Resource": "*"}


def _deploy(cloud: Cloud, memory: int = MEMORY) -> AwsDeployer:
    spec, narrator = cloud.spec(memory), Output.open(as_json=True)
    prepared = story.prepare(spec, frozen=False, narrator=narrator)
    deployer = cloud.deployer(spec)
    plan = story.plan(prepared, story.package(prepared, narrator), deployer)
    assert not plan.changes.empty
    story.apply(plan, deployer, narrator)
    return deployer


def test_the_policy_is_enough_for_the_whole_life_of_a_stage(cloud: Cloud) -> None:
    # GIVEN a user with the deployer's policies, who sets the region up
    list(cloud.deployer(cloud.spec()).bootstrap())
    # WHEN the user deploys, deploys a change, goes back and destroys
    _deploy(cloud)
    deployer = _deploy(cloud, memory=640)
    first = next(each for each in deployer.releases() if (each.function, each.version) == ("predict", "1"))
    list(deployer.rollback(first))
    live = cloud.client("lambda", cloud.user).get_function_configuration(
        FunctionName="sls-ml-breast-cancer-local-predict", Qualifier="live"
    )
    list(deployer.destroy())
    # THEN nothing was denied, and the first release was live at last
    assert live["MemorySize"] == MEMORY


def test_the_policy_is_enough_for_what_cloudformation_does_in_its_users_name(cloud: Cloud) -> None:
    # GIVEN packages in their bucket
    spec = cloud.spec()
    deployer = cloud.deployer(spec)
    list(deployer.bootstrap())
    narrator = Output.open(as_json=True)
    prepared = story.prepare(spec, frozen=False, narrator=narrator)
    packages = story.package(prepared, narrator)
    rendered = table.provider("aws").render(prepared.deployment, packages)
    list(deployer.upload(deployer.uploads(rendered)))
    # GIVEN the embedded CloudFormation with the keys of the user in place of its own
    site = Site(cloud.endpoint, cloud.region, cloud.account, *cloud.user)
    stacks = Stacks(site, Checks(site))
    # WHEN the stack is made, changed and deleted
    stack = stacks.create(rendered.stack, rendered.template, {}, {"sls-ml:project": spec.project})
    made = stack.status
    less = json.loads(rendered.template)
    for resource in less["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            resource["Properties"]["Timeout"] = 7
    stacks.update(stack, json.dumps(less), {}, {})
    changed = stack.status
    stacks.delete(stack)
    # THEN nothing was denied
    reasons = [event.reason for event in stack.events if event.reason]
    assert (made, changed, stack.status) == ("CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE"), reasons


def test_the_policies_are_enough_to_let_ci_deploy(cloud: Cloud) -> None:
    # GIVEN a user with the policies for `bootstrap` and `bootstrap --ci`, and no other
    iam = cloud.client("iam", cloud.administrator)
    printed = _printed(cloud.sample, cloud.account, "bootstrap", "bootstrap_ci")
    maker = replace(cloud, user=_user(iam, "maker", printed))
    spec, who = maker.spec(), pipeline("github:acme/models", "local")
    deployer = maker.deployer(spec)
    list(deployer.bootstrap())
    # WHEN CloudFormation makes the identity provider and the roles in this user's name, and takes them away
    site = Site(cloud.endpoint, cloud.region, cloud.account, *maker.user)
    stacks = Stacks(site, Checks(site))
    rendered = ci_roles.roles(
        spec.project, spec.stage, spec.region, who, template_of(spec), account=cloud.account
    )
    made = [
        stacks.create(each.stack, each.template, {}, {}) for each in (ci_roles.provider(GITHUB), rendered)
    ]
    reasons = [event.reason for stack in made for event in stack.events if event.reason]
    assert [stack.status for stack in made] == ["CREATE_COMPLETE"] * 2, reasons
    for stack in reversed(made):
        stacks.delete(stack)
    # THEN nothing was denied, and the identity provider has stayed
    assert [stack.status for stack in made] == ["DELETE_COMPLETE"] * 2
    (provider,) = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    # AND the user's own calls make both, from nothing, and see that there is no more to do
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=provider["Arn"])
    list(let_in(deployer, spec, who))
    assert [each.detail for each in let_in(deployer, spec, who)] == ["up to date"]
    # AND may deploy nothing by itself
    with pytest.raises(ClientError) as caught:
        cloud.client("lambda", maker.user).get_function(FunctionName="sls-ml-breast-cancer-local-predict")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403, caught.value


@pytest.fixture(scope="module")
def foreign(cloud: Cloud) -> dict[str, Callable[[], Any]]:
    """Calls about things of somebody else, by name, for the deployer to try."""
    s3, iam = cloud.client("s3", cloud.administrator), cloud.client("iam", cloud.administrator)
    s3.create_bucket(Bucket="foreign", CreateBucketConfiguration={"LocationConstraint": cloud.region})
    s3.put_object(Bucket="foreign", Key="secret", Body=b"x")
    trust = {"Version": "2012-10-17", "Statement": []}
    iam.create_role(RoleName="foreign", AssumeRolePolicyDocument=json.dumps(trust))
    queue = cloud.client("sqs", cloud.administrator).create_queue(QueueName="foreign")["QueueUrl"]
    store = f"sls-ml-store-{cloud.account}-{cloud.region}"

    def user(service: str) -> Any:
        return cloud.client(service, cloud.user)

    everything = json.dumps({"Version": "2012-10-17", "Statement": [_allow({"*"})]})
    return {
        "read a foreign object": lambda: user("s3").get_object(Bucket="foreign", Key="secret"),
        "write a foreign object": lambda: user("s3").put_object(Bucket="foreign", Key="x", Body=b"x"),
        "write another project's model": lambda: user("s3").put_object(
            Bucket=store, Key="other/x", Body=b"x"
        ),
        "delete an artifact": lambda: user("s3").delete_object(Bucket=store, Key="tumour/x"),
        "list buckets": lambda: user("s3").list_buckets(),
        "delete a foreign queue": lambda: user("sqs").purge_queue(QueueUrl=queue),
        "see a foreign function": lambda: user("lambda").get_function(FunctionName="foreign"),
        "call a function": lambda: user("lambda").invoke(FunctionName="sls-ml-breast-cancer-local-predict"),
        "make a user": lambda: user("iam").create_user(UserName="friend"),
        "give oneself all powers": lambda: user("iam").put_user_policy(
            UserName="deployer", PolicyName="all", PolicyDocument=everything
        ),
        "attach a policy": lambda: user("iam").attach_role_policy(
            RoleName="foreign", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
        ),
    }


@pytest.mark.parametrize(
    "what",
    [
        "read a foreign object",
        "write a foreign object",
        "write another project's model",
        "delete an artifact",
        "list buckets",
        "delete a foreign queue",
        "see a foreign function",
        "call a function",
        "make a user",
        "give oneself all powers",
        "attach a policy",
    ],
)
def test_what_is_not_the_deployers_is_denied(
    cloud: Cloud, foreign: dict[str, Callable[[], Any]], what: str
) -> None:
    # GIVEN the buckets for artifacts and packages
    list(cloud.deployer(cloud.spec()).bootstrap())
    # WHEN the user tries something
    with pytest.raises(ClientError) as caught:
        foreign[what]()
    # THEN it is denied, not merely missing
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403, caught.value


def test_a_diff_tells_which_statements_come_and_go(cloud: Cloud) -> None:
    # GIVEN a deployed project
    assert run(cloud.sample, "deploy", "--stage", "local", "--json").code == 0
    words = ("iam", "--stage", "local", "--diff")
    assert run(cloud.sample, *words).out == "no permission changes\n"
    # WHEN the batch function goes from the spec
    file = cloud.sample / "sls-ml.yaml"
    before = file.read_text()
    try:
        file.write_text(before[: before.index("  score:\n")])
        done = run(cloud.sample, *words, "--json")
    finally:
        file.write_text(before)
        run(cloud.sample, "destroy", "--stage", "local", "--yes", "--json")
    # THEN exactly its statements are told as removed; the passing of roles, and the logs that the
    # watch for drift reads, are others than before
    told = {
        (each["change"], each["holder"].removeprefix("sls-ml-breast-cancer-local-"), each["statement"]["Sid"])
        for each in done.document["changes"]
    }
    assert told == {
        *(("removed", "score-eu-west-1", sid) for sid in BATCH_ROLE),
        *(("removed", "deployer", sid) for sid in BATCH_DEPLOYER),
        ("removed", "deployer", "PassLambda"),
        ("added", "deployer", "PassLambda"),
        ("removed", "-drift-eu-west-1", "ReadCounts"),
        ("added", "-drift-eu-west-1", "ReadCounts"),
    }


BATCH_ROLE = {"WriteLogs", "ReadModelTumour", "ReceiveMessages", "ReadInput", "WriteOutput", "SendMessages"}
BATCH_DEPLOYER = {"Mappings", "NewMappings", "MappingTags", "Buckets", "Queues", "Rules"}
