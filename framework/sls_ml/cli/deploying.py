"""Commands that change what is deployed: bootstrap, plan, deploy, announce, destroy."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sls_ml import deploy as story
from sls_ml.cli import costing, previewing, reaching
from sls_ml.cli.ci import let_in
from sls_ml.cli.console import Output
from sls_ml.cli.options import HERE, FrozenOption, JsonOption, ProjectOption, StageOption
from sls_ml.cli.watching import warn_of_moves
from sls_ml.deploy import Plan
from sls_ml.errors import ExternalError, UsageError
from sls_ml.provider.aws.ci_pipelines import pipeline
from sls_ml.provider.base import Deployer
from sls_ml.spec import LOCAL_STAGE, Project, read

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def bootstrap(
    *,
    ci: Annotated[
        str | None,
        typer.Option(
            help="Also make the roles that a repository's jobs take for this stage: github:org/repo, with "
            "@branch or @environment:name, else the environment of the stage's name; or "
            "gitlab:group/project, with @branch, else main.",
            show_default=False,
        ),
    ] = None,
    project: ProjectOption = HERE,
    stage: StageOption = None,
    json: JsonOption = False,
) -> None:
    """Create the buckets that every deploy in this account and region needs; once is enough."""
    output = Output.open(as_json=json)
    spec = read(project, stage)
    who = pipeline(ci, spec.stage) if ci else None
    deployer = story.connect(spec)
    output.follow(deployer.bootstrap())
    if who is not None:
        output.follow(let_in(deployer, spec, who))
    output.document({"store": deployer.store})
    output.say(f"artifacts go to {deployer.store}")


def plan(
    *,
    frozen: FrozenOption = False,
    project: ProjectOption = HERE,
    stage: StageOption = None,
    json: JsonOption = False,
) -> None:
    """Show what a deploy would change, and change nothing that is deployed."""
    output = Output.open(as_json=json)
    spec = read(project, stage)
    planned, deployer = _plan(spec, output, frozen=frozen)
    for bucket in story.silent_buckets(planned.prepared):
        output.warn(f"{bucket} does not announce its objects yet: sls-ml announce s3://{bucket}")
    for functions, secret, why in story.unreadable_secrets(planned.prepared, output):
        output.warn(f"the secret {secret} of {functions} {why.state}: {why.mend}")
    found, table = costing.costs(planned, output)
    output.document(
        {
            "stage": spec.stage,
            "provider": spec.provider,
            "changes": previewing.changes_of(planned),
            "functions": {
                function.name: {
                    "package_bytes": planned.packages[function.name].bytes,
                    "engines": {model.name: model.engine for model in function.models},
                    "start": function.start,
                    "start_reason": function.start_reason,
                    "costs": costing.document(found.get(function.name)),
                    "grants": [previewing.granted(grant) for grant in function.grants],
                }
                for function in planned.prepared.deployment.functions
            },
        }
    )
    if not json:
        previewing.show_functions(output, planned)
        costing.show(output, found, table)
        previewing.show_changes(output, planned)
    if planned.changes.empty:
        warn_of_moves(output, deployer.releases())


def deploy(
    *,
    frozen: FrozenOption = False,
    yes: YesOption = False,
    project: ProjectOption = HERE,
    stage: StageOption = None,
    json: JsonOption = False,
) -> None:
    """Convert, generate, package and deploy; ends at once when nothing has changed."""
    output = Output.open(as_json=json)
    spec = read(project, stage)
    planned, deployer = _plan(spec, output, frozen=frozen)
    if not planned.changes.empty:
        _require_announcing(planned)
        _require_secrets(planned, output)
        if spec.stage != LOCAL_STAGE and not json:
            previewing.show_changes(output, planned)
        if not yes and spec.stage != LOCAL_STAGE and not _agreed(json):
            output.say("nothing was deployed")
            raise typer.Exit(2)
        output.step(f"deploying to {spec.stage}")
    else:
        warn_of_moves(output, deployer.releases())
    outputs = story.apply(planned, deployer, output)
    for function, alias, digest in story.elsewhere(planned.prepared, deployer):
        output.warn(f"{function} serves {digest[:12]}, to which {alias} points: `sls-ml promote` moves it")
    output.document(reaching.document(planned, outputs, deployer))
    if not json:
        reaching.show(output, planned, outputs)


def announce(
    bucket: Annotated[str, typer.Argument(help="An existing bucket: s3://name.", show_default=False)],
    *,
    yes: YesOption = False,
    project: ProjectOption = HERE,
    stage: StageOption = None,
    json: JsonOption = False,
) -> None:
    """Let an existing bucket announce its new objects, as the input of a batch function must."""
    output = Output.open(as_json=json)
    spec = read(project, stage)
    scheme, _, rest = bucket.rpartition("://")
    name = rest.partition("/")[0]
    if scheme not in {"", "s3"} or not name:
        raise UsageError(f"{bucket} is not the address of a bucket", code="not-s3", mend="say s3://name")
    operations = story.operate(spec)
    switch = not operations.announces_objects(name)
    if switch:
        output.warn("S3 replaces the bucket's whole notification configuration: what is there is read first")
        output.warn("and kept; a change that somebody else makes at the same moment would be lost.")
        if not yes and not _agreed(json, f"let {name} send its events to EventBridge?"):
            raise typer.Exit(2)
        operations.announce_objects(name)
    output.document({"bucket": name, "announces": True, "changed": switch})
    output.say(f"{name} announces its objects" if switch else f"{name} announces its objects already")


def destroy(
    *,
    yes: YesOption = False,
    project: ProjectOption = HERE,
    stage: StageOption = None,
    json: JsonOption = False,
) -> None:
    """Delete a stage's stack, and say what is kept and how to remove that."""
    output = Output.open(as_json=json)
    spec = read(project, stage)
    if not yes and not _agreed(json, f"delete the stage {spec.stage} of {spec.project}?"):
        raise typer.Exit(2)
    output.follow(story.connect(spec).destroy())
    output.document({"destroyed": spec.stage})


def _plan(spec: Project, output: Output, *, frozen: bool) -> tuple[Plan, Deployer]:
    output.step("checking what is checked in" if frozen else "converting and generating")
    prepared = story.prepare(spec, frozen=frozen, narrator=output)
    output.step("packaging")
    packages = story.package(prepared, output)
    if spec.stage == LOCAL_STAGE:
        with output.working("starting the embedded cloud"):
            deployer = story.connect(spec)
        output.follow(deployer.bootstrap(), work="resources of the bootstrap stack")
    else:
        deployer = story.connect(spec)
    with output.working("comparing with what is deployed"):
        return story.plan(prepared, packages, deployer), deployer


def _require_announcing(planned: Plan) -> None:
    for bucket in story.silent_buckets(planned.prepared):
        raise ExternalError(
            f"the bucket {bucket} does not announce its objects",
            code="bucket-silent",
            why="a batch function would never hear of a file that arrives in it",
            mend=f"sls-ml announce s3://{bucket}",
        )


def _require_secrets(planned: Plan, output: Output) -> None:
    for functions, secret, why in story.unreadable_secrets(planned.prepared, output):
        raise ExternalError(
            f"the secret {secret} {why.state}",
            code="secret-unreadable",
            where=f"the environment of {functions}",
            why="a function reads its secrets at its start, and would not start",
            mend=why.mend,
        )


def _agreed(as_json: bool, question: str = "deploy this?") -> bool:
    if as_json or not sys.stdin.isatty():
        raise UsageError(
            "this would change what is deployed, and nobody is here to ask",
            code="not-confirmed",
            mend="say --yes",
        )
    return typer.confirm(question, err=True)
