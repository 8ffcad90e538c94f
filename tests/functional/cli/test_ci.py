"""Files for GitHub and GitLab are sound and never written over; the roles let in one repository's jobs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from command_line import copy_sample, run
from validators import pipeline_findings, workflow_findings

STAGES = "stages:\n  dev: {}\n  prod: {region: eu-central-1}\n"
GITHUB = "token.actions.githubusercontent.com"


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A sample in a git repository, with two stages in two regions."""
    folder = copy_sample("breast-cancer", tmp_path)
    spec = folder / "sls-ml.yaml"
    spec.write_text(spec.read_text() + STAGES)
    (tmp_path / ".git").mkdir()
    return folder


def test_a_workflow_is_written_once(sample: Path, tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    # GIVEN a project in a repository WHEN its workflow is written
    done = run(sample, "ci", "github", "--json")
    assert done.code == 0, done.err
    file = Path(done.document["workflow"])
    # THEN it is the golden one, and zizmor and actionlint find nothing wrong with it
    assert file == tmp_path / ".github/workflows/sls-ml-breast-cancer.yml"
    golden("workflows/github.yml", file.read_text())
    zizmor = Path(sys.executable).with_name("zizmor")
    assert zizmor.exists()
    read = subprocess.run(
        [zizmor, "--offline", "--pedantic", "--no-progress", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert read.returncode == 0, read.stdout + read.stderr
    assert workflow_findings(file) == ""
    # AND writing it again changes nothing, or is refused where it has been changed
    assert run(sample, "ci", "github", "--json").document["written"] is False
    file.write_text("name: mine\n")
    refused = run(sample, "ci", "github")
    assert (refused.code, "[workflow-exists]" in refused.err) == (2, True)
    assert file.read_text() == "name: mine\n"


def test_stages_branch_and_account_are_those_that_are_named(sample: Path) -> None:
    # GIVEN what a team has WHEN the workflow is written for it
    words = ("--stage", "prod", "--branch", "release", "--account", "123456789012")
    text = Path(run(sample, "ci", "github", *words, "--json").document["workflow"]).read_text()
    # THEN it deploys this stage, from this branch, to this account
    assert "deploy-prod:" in text
    assert "deploy-dev" not in text
    assert "branches: [release]" in text
    assert (
        "role-to-assume: arn:aws:iam::123456789012:role/sls-ml-ci--breast-cancer-prod-deploy-eu-central-1"
        in text
    )


def test_the_embedded_cloud_is_no_stage_of_a_workflow(sample: Path) -> None:
    # GIVEN a project at the top of its repository that declares the stage local as well
    (sample / ".git").mkdir()
    spec = sample / "sls-ml.yaml"
    spec.write_text(spec.read_text().rstrip() + "\n  local: {}\n")
    # WHEN its workflow is written THEN that stage is left out, and every path is watched
    text = Path(run(sample, "ci", "github", "--json").document["workflow"]).read_text()
    assert ("deploy-prod:" in text, "local" in text) == (True, False)
    assert 'paths: ["**"]' in text
    # AND it is refused where it is asked for
    refused = run(sample, "ci", "github", "--stage", "local")
    assert (refused.code, "[ci-local]" in refused.err) == (2, True)


def test_actionlint_reads_what_it_is_given(tmp_path: Path) -> None:
    # GIVEN a workflow that names what it has not
    file = tmp_path / "broken.yml"
    file.write_text(
        "on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    needs: b\n    steps: [{run: 'true'}]\n"
    )
    # THEN actionlint says so
    assert 'job "a" needs job "b" which does not exist' in workflow_findings(file)


def test_a_pipeline_is_written_once(sample: Path, tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    # GIVEN a project in a repository WHEN its pipeline is written
    done = run(sample, "ci", "gitlab")
    assert done.code == 0, done.err
    file = tmp_path / ".gitlab-ci.yml"
    assert "sls-ml bootstrap --stage prod --ci gitlab:GROUP/PROJECT@main" in done.err + done.out
    # THEN it is the golden one, and GitLab's schema takes it
    golden("workflows/gitlab.yml", file.read_text())
    assert pipeline_findings(file) == ""
    # AND writing it again changes nothing, or is refused where it has been changed
    assert run(sample, "ci", "gitlab", "--json").document["written"] is False
    file.write_text("mine: {script: [make]}\n")
    refused = run(sample, "ci", "gitlab")
    assert (refused.code, "[workflow-exists]" in refused.err) == (2, True)
    assert file.read_text() == "mine: {script: [make]}\n"


def test_gitlabs_schema_reads_what_it_is_given(tmp_path: Path) -> None:
    # GIVEN a pipeline with a job that does nothing
    file = tmp_path / ".gitlab-ci.yml"
    file.write_text("deploy: {stages: [a]}\n")
    # THEN the schema says so
    assert "deploy" in pipeline_findings(file)


def test_a_pipeline_of_ones_own_includes_what_is_written(sample: Path, tmp_path: Path) -> None:
    # GIVEN a repository with a pipeline
    own = tmp_path / ".gitlab-ci.yml"
    own.write_text("include: [{local: .gitlab/sls-ml.yml}]\ntest: {script: [make]}\n")
    # WHEN jobs are written to be included, for what a team has
    words = ("--file", ".gitlab/sls-ml.yml", "--branch", "release", "--account", "123456789012")
    done = run(sample, "ci", "gitlab", *words, "--stage", "dev", "--stage", "prod", "--json")
    # THEN they are there, and set nothing but jobs
    file = tmp_path / ".gitlab" / "sls-ml.yml"
    assert done.document["workflow"] == str(file)
    assert pipeline_findings(file) == ""
    jobs = yaml.safe_load(file.read_text())
    assert all(name.lstrip(".").startswith("sls-ml-breast-cancer") for name in jobs)
    # AND the second stage waits for the first, which waits for what comes before in the pipeline
    first, second = (jobs[f"sls-ml-breast-cancer deploy {stage}"] for stage in ("dev", "prod"))
    assert "needs" not in first
    assert second["needs"] == ["sls-ml-breast-cancer deploy dev"]
    # AND each takes its role, for this branch alone, and watches the files itself
    assert second["variables"]["AWS_ROLE_ARN"].startswith("arn:aws:iam::123456789012:role/sls-ml-ci--")
    (rule,) = jobs[".sls-ml-breast-cancer-deploy"]["rules"]
    assert rule["if"] == '$CI_PIPELINE_SOURCE == "push" && $CI_COMMIT_BRANCH == "release"'
    assert {f"{sample.relative_to(tmp_path)}/**/*", ".gitlab/sls-ml.yml"} <= set(rule["changes"])


def test_a_workflow_needs_a_repository(sample: Path, tmp_path: Path) -> None:
    (tmp_path / ".git").rmdir()
    done = run(sample, "ci", "github")
    assert (done.code, "[no-repository]" in done.err) == (2, True)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Any]]:
    """A sample with an embedded cloud of its own, and a client of its IAM."""
    folder = copy_sample("breast-cancer", tmp_path_factory.mktemp("ci"))
    try:
        found = run(folder, "local", "up", "--json").document
        iam = boto3.client(
            "iam",
            endpoint_url=found["endpoint_url"],
            region_name=found["region"],
            aws_access_key_id=found["access_key"],
            aws_secret_access_key=found["secret_key"],
        )
        yield folder, iam
    finally:
        run(folder, "local", "down")


@pytest.mark.parametrize(
    ("asked", "issuer", "deploys", "plans"),
    [
        ("github:a/b", GITHUB, "repo:a/b:environment:local", "repo:a/b:pull_request"),
        ("github:a/b@main", GITHUB, "repo:a/b:ref:refs/heads/main", "repo:a/b:pull_request"),
        ("github:a/b@environment:live", GITHUB, "repo:a/b:environment:live", "repo:a/b:pull_request"),
        (
            "gitlab:a/b/c",
            "gitlab.com",
            "project_path:a/b/c:ref_type:branch:ref:main",
            "project_path:a/b/c:ref_type:branch:ref:*",
        ),
        (
            "gitlab:https://git.example.org/a/b@live",
            "git.example.org",
            "project_path:a/b:ref_type:branch:ref:live",
            "project_path:a/b:ref_type:branch:ref:*",
        ),
    ],
)
def test_only_the_jobs_that_are_named_take_the_roles(
    cloud: tuple[Path, Any], asked: str, issuer: str, deploys: str, plans: str
) -> None:
    # GIVEN an embedded cloud WHEN the roles of a repository are made, or changed
    folder, iam = cloud
    done = run(folder, "bootstrap", "--stage", "local", "--ci", asked)
    assert done.code == 0, done.err
    # THEN the account takes the CI system's tokens that are meant for AWS
    provider = f"arn:aws:iam::123456789012:oidc-provider/{issuer}"
    found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider)
    assert found["ClientIDList"] == ["sts.amazonaws.com"]
    # AND each role lets in this repository's jobs of one kind
    for part, subject in (("deploy", deploys), ("plan", plans)):
        role = iam.get_role(RoleName=f"sls-ml-ci--breast-cancer-local-{part}-eu-west-1")["Role"]
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Federated": provider}
        assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
        equal = {f"{issuer}:aud": "sts.amazonaws.com"}
        expected = (
            {"StringEquals": equal, "StringLike": {f"{issuer}:sub": subject}}
            if "*" in subject
            else {"StringEquals": {**equal, f"{issuer}:sub": subject}}
        )
        assert statement["Condition"] == expected
    # AND making them again changes nothing
    assert "up to date" in run(folder, "bootstrap", "--stage", "local", "--ci", asked).err


def statements(iam: Any, role: str) -> Iterator[dict[str, Any]]:
    for attached in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        policy = iam.get_policy(PolicyArn=attached["PolicyArn"])["Policy"]
        version = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])
        yield from version["PolicyVersion"]["Document"]["Statement"]


def test_one_role_deploys_and_the_other_only_plans(cloud: tuple[Path, Any]) -> None:
    # GIVEN the roles of a repository
    folder, iam = cloud
    assert run(folder, "bootstrap", "--stage", "local", "--ci", "github:acme/models").code == 0
    deploys, plans = (f"sls-ml-ci--breast-cancer-local-{part}-eu-west-1" for part in ("deploy", "plan"))
    # THEN the one has just the deployer's policy that `iam` prints
    printed = run(
        folder, "iam", "--deployer", "--stage", "local", "--account", "123456789012", "--json"
    ).document
    wanted = [each for document in printed["deployer"] for each in document["policy"]["Statement"]]
    held = sorted(json.dumps(each, sort_keys=True) for each in statements(iam, deploys))
    assert held == sorted(json.dumps(each, sort_keys=True) for each in wanted)
    # AND the other carries nothing out: no stack, no function, no role
    actions = {action for each in statements(iam, plans) for action in each["Action"]}
    assert "cloudformation:CreateChangeSet" in actions
    assert "cloudformation:ExecuteChangeSet" not in actions
    assert {action.partition(":")[0] for action in actions} <= {"cloudformation", "s3"}
    # AND none can be made larger by who takes it
    for each in statements(iam, deploys):
        resources = each["Resource"] if isinstance(each["Resource"], list) else [each["Resource"]]
        changes = [
            action for action in each["Action"] if action.startswith(("iam:Attach", "iam:Put", "iam:Create"))
        ]
        for role in (deploys, plans):
            arn = f"arn:aws:iam::123456789012:role/{role}"
            assert not changes or not any(fnmatchcase(arn, pattern) for pattern in resources)


def test_a_repository_must_be_named_rightly(cloud: tuple[Path, Any]) -> None:
    for asked in (
        "bitbucket:acme/models",
        "github:acme",
        "github:acme/*",
        "github:acme/models@feature/*",
        "gitlab:acme",
        "gitlab:acme/*",
        "gitlab:acme/models@*",
        "gitlab:acme/models@environment:live",
    ):
        done = run(cloud[0], "bootstrap", "--stage", "local", "--ci", asked)
        assert (done.code, "[ci-unknown]" in done.err) == (2, True)
