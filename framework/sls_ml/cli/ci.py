"""Commands for CI: the file that makes it deploy, and the roles that it takes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from sls_ml.cli.console import Output
from sls_ml.cli.options import HERE, JsonOption, ProjectOption
from sls_ml.cli.trusting import template_of
from sls_ml.codegen.ci import github as ci_github
from sls_ml.codegen.ci import gitlab as ci_gitlab
from sls_ml.codegen.ci.work import StageRoles, Work
from sls_ml.errors import UsageError
from sls_ml.provider.aws import ci_roles, deployer_policy
from sls_ml.provider.aws.ci_pipelines import Pipeline
from sls_ml.provider.base import Deployer, Progress
from sls_ml.spec import LOCAL_STAGE, Project, declared_stages, read

app = typer.Typer(no_args_is_help=True, help="Let a CI system deploy.")

BranchOption = Annotated[str, typer.Option(help="The branch that is deployed.")]
StagesOption = Annotated[
    list[str] | None, typer.Option("--stage", "-s", help="Stages in their order; all without.")
]


@app.command()
def github(
    *,
    branch: BranchOption = "main",
    account: Annotated[
        str | None, typer.Option(help="Account of AWS; else the repository's variable AWS_ACCOUNT_ID.")
    ] = None,
    stage: StagesOption = None,
    project: ProjectOption = HERE,
    json: JsonOption = False,
) -> None:
    """Write a workflow for GitHub Actions: plans for pull requests, deploys from one branch."""
    specs = _specs(project, stage)
    file = _repository(specs[0].folder) / ".github" / "workflows" / f"sls-ml-{specs[0].project}.yml"
    work = _work(specs, file, branch, account or "${{ vars.AWS_ACCOUNT_ID }}")
    _write(file, ci_github.written(work), specs, "github:ORG/REPO", as_json=json)


@app.command()
def gitlab(
    *,
    branch: BranchOption = "main",
    account: Annotated[
        str | None, typer.Option(help="Account of AWS; else the project's variable AWS_ACCOUNT_ID.")
    ] = None,
    file: Annotated[
        Path,
        typer.Option(help="Where to write, from the repository's top: a pipeline of yours may include it."),
    ] = Path(".gitlab-ci.yml"),
    stage: StagesOption = None,
    project: ProjectOption = HERE,
    json: JsonOption = False,
) -> None:
    """Write a pipeline for GitLab CI: plans for merge requests, deploys from one branch."""
    specs = _specs(project, stage)
    whole = _repository(specs[0].folder) / file
    work = _work(specs, whole, branch, account or "$AWS_ACCOUNT_ID")
    _write(whole, ci_gitlab.written(work), specs, f"gitlab:GROUP/PROJECT@{branch}", as_json=json)


def _specs(project: Path, stages: list[str] | None) -> list[Project]:
    """The stages that CI deploys.

    Raises:
        UsageError: The embedded cloud is among them, or nothing else is there.
    """
    names = stages or [name for name in declared_stages(project) if name != LOCAL_STAGE]
    if not names or LOCAL_STAGE in names:
        raise UsageError(
            "the embedded cloud is no stage to deploy to from CI",
            code="ci-local",
            where=f"the stage {LOCAL_STAGE}",
            mend="name other stages, as in --stage dev, or declare them in the spec's `stages`",
        )
    return [read(project, name) for name in names]


def _work(specs: list[Project], file: Path, branch: str, account: str) -> Work:
    first = specs[0]
    top = _repository(first.folder)
    return Work(
        name=f"sls-ml-{first.project}",
        folder=first.folder.relative_to(top).as_posix(),
        branch=branch,
        watched=_watched(first, top, file),
        stages=[_roles(spec, account) for spec in specs],
    )


def _write(file: Path, text: str, specs: list[Project], who: str, *, as_json: bool) -> None:
    """Write a CI file once, and say what else there is to do.

    Raises:
        UsageError: It is there, and has been changed.
    """
    output = Output.open(as_json=as_json)
    written = not file.exists()
    if written:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    elif file.read_text(encoding="utf-8") != text:
        raise UsageError(
            "there is a workflow already, and it is yours",
            code="workflow-exists",
            where=str(file),
            mend="move it away to have it written again, then compare the two",
        )
    output.document({"workflow": str(file), "written": written, "stages": [spec.stage for spec in specs]})
    output.say(f"{file}: {'written' if written else 'there already'}")
    if written:
        output.say("\nthen, once for each stage and by somebody who may make roles:")
        for spec in specs:
            output.say(f"sls-ml bootstrap --stage {spec.stage} --ci {who}")


def let_in(deployer: Deployer, spec: Project, who: Pipeline) -> Iterator[Progress]:
    """Make the roles that a repository's jobs take, and its CI system an identity provider if need be."""
    wanted = [] if deployer.trusts(who.issuer.host) else [ci_roles.provider(who.issuer)]
    wanted.append(
        ci_roles.roles(
            spec.project, spec.stage, spec.region, who, template_of(spec), account=deployer.account
        )
    )
    for rendered in wanted:
        changes = deployer.changes(rendered)
        if changes.empty:
            yield Progress(rendered.stack, "skipped", "up to date")
        else:
            yield from deployer.apply(changes)


def _roles(spec: Project, account: str) -> StageRoles:
    begin = f"arn:{deployer_policy.partition(spec.region)}:iam::{account}:role/"
    plan, deploy = (
        begin + ci_roles.role_name(spec.project, spec.stage, part, spec.region) for part in ("plan", "deploy")
    )
    return StageRoles(spec.stage, spec.region, plan, deploy)


def _repository(folder: Path) -> Path:
    """The top of the repository that a project is in.

    Raises:
        UsageError: It is in none.
    """
    for each in (folder, *folder.parents):
        if (each / ".git").exists():
            return each
    raise UsageError(
        "the project is in no git repository",
        code="no-repository",
        where=str(folder),
        mend="run `git init` at its top first",
    )


def _watched(spec: Project, top: Path, file: Path) -> list[str]:
    """The paths whose changes are planned and deployed."""
    folders = [
        Path(os.path.relpath(path, top)).as_posix()
        for path in (spec.folder, spec.artifacts_folder, spec.handlers_folder)
    ]
    if "." in folders:
        return ["**"]
    return [f"{folder}/**" for folder in folders] + [file.relative_to(top).as_posix()]
