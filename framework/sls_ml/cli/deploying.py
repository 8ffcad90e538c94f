"""Commands that change what is deployed: bootstrap, plan, deploy, destroy."""

from __future__ import annotations

import json as jsonlib
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from sls_ml import deploy as story
from sls_ml.cli.console import Output
from sls_ml.cli.options import HERE, FrozenOption, JsonOption, ProjectOption, StageOption
from sls_ml.deploy import Plan
from sls_ml.errors import UsageError
from sls_ml.provider.base import Deployer, StackOutputs
from sls_ml.spec import LOCAL_STAGE, Project, read

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

_SIGNS = {"add": "+", "modify": "~", "replace": "±", "remove": "-"}


def bootstrap(*, project: ProjectOption = HERE, stage: StageOption = None, json: JsonOption = False) -> None:
    """Create the buckets that every deploy in this account and region needs; once is enough."""
    output = Output.open(as_json=json)
    spec = read(project, stage)
    deployer = story.connect(spec)
    output.follow(deployer.bootstrap())
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
    planned, _ = _plan(spec, output, frozen=frozen)
    output.document({"stage": spec.stage, "provider": spec.provider, "changes": _changes(planned)})
    _show(output, planned)


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
    if planned.changes.empty:
        output.say("nothing has changed")
    else:
        _show(output, planned)
        if not yes and spec.stage != LOCAL_STAGE and not _agreed(json):
            output.say("nothing was deployed")
            raise typer.Exit(2)
        output.step("deploying")
    outputs = story.apply(planned, deployer, output)
    output.document(_deployed(planned, outputs, deployer))
    _show_outputs(output, planned, outputs)


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
    output.step("converting and generating" if not frozen else "checking what is checked in")
    prepared = story.prepare(spec, frozen=frozen, narrator=output)
    output.step("packaging")
    packages = story.package(prepared, output)
    deployer = story.connect(spec)
    if spec.stage == LOCAL_STAGE:
        output.follow(deployer.bootstrap())
    output.step("comparing with what is deployed")
    return story.plan(prepared, packages, deployer), deployer


def _agreed(as_json: bool, question: str = "deploy this?") -> bool:
    if as_json or not sys.stdin.isatty():
        raise UsageError(
            "this would change what is deployed, and nobody is here to ask",
            code="not-confirmed",
            mend="say --yes",
        )
    return typer.confirm(question, err=True)


def _changes(planned: Plan) -> list[dict[str, str]]:
    return [
        {"action": change.action, "resource": change.resource, "type": change.type, "detail": change.detail}
        for change in planned.changes.items
    ]


def _show(output: Output, planned: Plan) -> None:
    if output.json:
        return
    if planned.changes.empty:
        output.say("nothing would change")
        return
    output.table(
        ("", "resource", "type", ""),
        (
            (_SIGNS[change.action], change.resource, change.type.removeprefix("AWS::"), change.detail)
            for change in planned.changes.items
        ),
    )
    for function in planned.prepared.deployment.functions:
        if function.http and function.http.auth == "public":
            output.warn(f"{function.name} answers anybody: http.auth is public")


def _deployed(planned: Plan, outputs: StackOutputs, deployer: Deployer) -> dict[str, Any]:
    prepared = planned.prepared
    spec = prepared.project
    functions = {}
    for function in prepared.deployment.functions:
        built, found = planned.packages[function.name], outputs.functions[function.name]
        functions[function.name] = {
            "endpoint": found.endpoint,
            "input": found.input,
            "output": found.output,
            "package": str(built.path),
            "package_bytes": built.bytes,
            "engine": function.models[0].engine,
            "python": built.python,
        }
    artifacts = {
        name: {
            "address": story.address(prepared, model, deployer),
            "digest": model.digest,
            "bytes": model.bytes,
        }
        for name, model in prepared.models.items()
    }
    return {
        "stage": spec.stage,
        "provider": spec.provider,
        "changed": not planned.changes.empty,
        "functions": functions,
        "artifacts": artifacts,
        "not_emulated": [
            {"resource": resource, "type": kind} for resource, kind in story.not_emulated(planned)
        ],
    }


def _show_outputs(output: Output, planned: Plan, outputs: StackOutputs) -> None:
    if output.json:
        return
    for name, found in outputs.functions.items():
        if found.endpoint:
            output.say(f"{name}: POST {found.endpoint.rstrip('/')}/predict")
        if found.input:
            output.say(f"{name}: objects in {found.input} are scored to {found.output}")
    if missing := story.not_emulated(planned):
        output.warn("not emulated: " + ", ".join(f"{resource} ({kind})" for resource, kind in missing))
    _show_requests(output, planned, outputs)


def _show_requests(output: Output, planned: Plan, outputs: StackOutputs) -> None:
    """A line to paste for every endpoint."""
    spec = planned.prepared.project
    operations = story.operate(spec)
    for function in planned.prepared.deployment.functions:
        endpoint = outputs.functions[function.name].endpoint
        if endpoint is None or function.http is None:
            continue
        signed = function.http.auth == "iam"
        model = function.models[0]
        path = "/predict" if len(function.models) == 1 else f"/models/{model.name}/predict"
        body = jsonlib.dumps({"rows": list(model.manifest["example"][:1])})
        output.say(f"\nask {function.name}:")
        if signed and spec.stage == LOCAL_STAGE:
            where = "" if spec.folder == Path.cwd() else f" --project {spec.folder}"
            output.say(f'eval "$(sls-ml local env{where})"')
        output.say(operations.request_line(endpoint, path, body, signed=signed))
