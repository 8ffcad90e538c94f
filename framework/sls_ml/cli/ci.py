"""Commands and options for CI: the workflow that deploys, and the roles that it takes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from sls_ml.cli.console import Output
from sls_ml.cli.options import HERE, JsonOption, ProjectOption
from sls_ml.cli.trusting import template_of
from sls_ml.codegen import workflow
from sls_ml.codegen.workflow import StageRoles
from sls_ml.errors import UsageError
from sls_ml.provider.aws import ci_roles, deployer_policy
from sls_ml.provider.aws.ci_roles import Pipeline
from sls_ml.provider.base import Deployer, Progress
from sls_ml.spec import LOCAL_STAGE, Project, declared_stages, read

app = typer.Typer(no_args_is_help=True, help="Let a CI system deploy.")


@app.callback()
def _group() -> None:
    """One command a CI system; a group of one would else be the command itself."""


@app.command()
def github(
    *,
    branch: Annotated[str, typer.Option(help="The branch that is deployed.")] = "main",
    account: Annotated[
        str | None, typer.Option(help="Account of AWS; else the repository's variable AWS_ACCOUNT_ID.")
    ] = None,
    stage: Annotated[
        list[str] | None, typer.Option("--stage", "-s", help="Stages in their order; all without.")
    ] = None,
    project: ProjectOption = HERE,
    json: JsonOption = False,
) -> None:
    """Write a workflow for GitHub Actions: plans for pull requests, deploys from one branch."""
    output = Output.open(as_json=json)
    names = stage or [name for name in declared_stages(project) if name != LOCAL_STAGE]
    if not names or LOCAL_STAGE in names:
        raise UsageError(
            "the embedded cloud is no stage to deploy to from CI",
            code="ci-local",
            where=f"the stage {LOCAL_STAGE}",
            mend="name other stages, as in --stage dev, or declare them in the spec's `stages`",
        )
    specs = [read(project, name) for name in names]
    top = _repository(specs[0].folder)
    folder = specs[0].folder.relative_to(top).as_posix()
    file = top / ".github" / "workflows" / f"sls-ml-{specs[0].project}.yml"
    text = workflow.github(
        f"sls-ml-{specs[0].project}",
        folder,
        branch,
        _watched(specs[0], top, file),
        [_roles(spec, account or "${{ vars.AWS_ACCOUNT_ID }}") for spec in specs],
    )
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
    output.document({"workflow": str(file), "written": written, "stages": names})
    output.say(f"{file}: {'written' if written else 'there already'}")
    if written:
        output.say("\nthen, once for each stage and by somebody who may make roles:")
        for name in names:
            output.say(f"sls-ml bootstrap --stage {name} --ci github:ORG/REPO")


def let_in(deployer: Deployer, spec: Project, who: Pipeline) -> Iterator[Progress]:
    """Make the roles that a repository's jobs take, and GitHub an identity provider where it is none yet."""
    wanted = [] if deployer.trusts(ci_roles.GITHUB) else [ci_roles.provider()]
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
