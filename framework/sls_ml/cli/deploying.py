"""Commands that change what is deployed: bootstrap, plan, deploy, announce, destroy."""

from __future__ import annotations

import json as jsonlib
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal, assert_never

import typer

from sls_ml import deploy as story
from sls_ml.cli import costing
from sls_ml.cli.ci import let_in
from sls_ml.cli.console import Output
from sls_ml.cli.limits import too_large, too_small
from sls_ml.cli.options import HERE, FrozenOption, JsonOption, ProjectOption, StageOption, here, there
from sls_ml.cli.watching import warn_of_moves
from sls_ml.deploy import Plan
from sls_ml.errors import ExternalError, UsageError
from sls_ml.intent.model import (
    Function,
    Grant,
    ListObjects,
    Place,
    ReadAlias,
    ReadModel,
    ReadObjects,
    ReadSecret,
    ReceiveMessages,
    SendMessages,
    WriteLogs,
    WriteObjects,
)
from sls_ml.provider.aws.ci_pipelines import pipeline
from sls_ml.provider.base import Deployer, StackOutputs
from sls_ml.spec import LOCAL_STAGE, Project, read
from sls_ml.spec.model import Http

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

_SIGNS: dict[Literal["add", "modify", "replace", "remove"], str] = {
    "add": "+",
    "modify": "~",
    "replace": "±",
    "remove": "-",
}
_LONG_BODY = 200
"""A request with more characters goes into a file, so that the line to paste can be read."""


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
            "changes": _changes(planned),
            "functions": {
                function.name: {
                    "package_bytes": planned.packages[function.name].bytes,
                    "engines": {model.name: model.engine for model in function.models},
                    "start": function.start,
                    "start_reason": function.start_reason,
                    "costs": costing.document(found.get(function.name)),
                    "grants": [_granted(grant) for grant in function.grants],
                }
                for function in planned.prepared.deployment.functions
            },
        }
    )
    if not json:
        _show_functions(output, planned)
        costing.show(output, found, table)
        _show(output, planned)
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
            _show(output, planned)
        if not yes and spec.stage != LOCAL_STAGE and not _agreed(json):
            output.say("nothing was deployed")
            raise typer.Exit(2)
        output.step(f"deploying to {spec.stage}")
    else:
        warn_of_moves(output, deployer.releases())
    outputs = story.apply(planned, deployer, output)
    for function, alias, digest in story.elsewhere(planned.prepared, deployer):
        output.warn(f"{function} serves {digest[:12]}, to which {alias} points: `sls-ml promote` moves it")
    output.document(_deployed(planned, outputs, deployer))
    if not json:
        _show_outputs(output, planned, outputs)


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


def _changes(planned: Plan) -> list[dict[str, str]]:
    return [
        {"action": change.action, "resource": change.resource, "type": change.type, "detail": change.detail}
        for change in planned.changes.items
    ]


def _show(output: Output, planned: Plan) -> None:
    changes = planned.changes.items
    if planned.changes.empty:
        output.say("nothing would change")
        return
    output.table(
        ("", "resource", "type", ""),
        (
            (_SIGNS[change.action], change.resource, change.type.removeprefix("AWS::"), change.detail)
            for change in changes
        ),
    )
    counts = Counter(change.action for change in changes)
    output.say("\n" + ", ".join(f"{counts[action]} to {action}" for action in _SIGNS if counts[action]))
    for function in planned.prepared.deployment.functions:
        if function.http and function.http.auth == "public":
            output.warn(f"{function.name} answers anybody: http.auth is public")
        for warning in (*too_large(function, planned.prepared.provider.LIMITS), *too_small(function)):
            output.warn(f"{function.name}: {warning}")


def _show_functions(output: Output, planned: Plan) -> None:
    """What each function is made of, how it starts and why, and what its role may do."""
    functions = planned.prepared.deployment.functions
    output.table(
        ("function", "package", "engine", "start"),
        (
            (
                function.name,
                f"{planned.packages[function.name].bytes / 1e6:.1f} MB",
                ", ".join(dict.fromkeys(model.engine for model in function.models)),
                f"{function.start}: {function.start_reason}" if function.start_reason else function.start,
            )
            for function in functions
        ),
    )
    for function in functions:
        output.say(f"\n{function.name} may")
        for grant in function.grants:
            output.say(f"  {_granted(grant)}")
    output.say()


def _granted(grant: Grant) -> str:
    """A permission of a function's role, in words."""
    match grant:
        case ReadModel(model):
            words = f"read the artifacts of {model}"
        case ReadAlias(model, alias):
            words = f"read where the alias {alias} of {model} points"
        case WriteLogs():
            words = "write its own log"
        case ReadObjects(place):
            words = f"read {_placed(place)}"
        case ListObjects(place):
            words = f"list {_placed(place)}"
        case WriteObjects(place):
            words = f"write {_placed(place)}, and read what it wrote"
        case ReceiveMessages():
            words = "take messages from its own queue"
        case SendMessages():
            words = "send messages to its own queue"
        case ReadSecret(name):
            words = f"read the secret {name}"
        case _:
            assert_never(grant)
    return words


def _placed(place: Place) -> str:
    return f"s3://{place.bucket or '<the bucket of the stack>'}/{place.prefix}"


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
    """What is deployed and where, then a line to paste for every function."""
    spec = planned.prepared.project
    for resource, kind in story.not_emulated(planned):
        output.warn(f"not emulated: {resource} ({kind})")
    done = "nothing has changed" if planned.changes.empty else f"deployed {spec.project} to {spec.stage}"
    output.say(f"{done}\n", style="bold")
    functions = planned.prepared.deployment.functions
    reached: list[tuple[str, str, str]] = []
    asked: list[str] = []
    options = there(spec)
    for function in functions:
        found = outputs.functions[function.name]
        if found.endpoint:
            reached.append((function.name, "POST", f"{found.endpoint.rstrip('/')}{_path(function)}"))
            model = "" if len(function.models) == 1 else f" --model {function.models[0].name}"
            asked.append(f"sls-ml invoke {function.name} --sample 1{model}{options}")
        if found.input:
            reached.append((function.name, "in", found.input))
            reached.append(("", "out", found.output or ""))
            asked.append(f"sls-ml score {function.name} FILE{options}")
    output.table(("", "", ""), reached)
    output.say("\ntry it", style="bold")
    for line in asked:
        output.say(line)
    for function in functions:
        if endpoint := outputs.functions[function.name].endpoint:
            for line in _request_lines(spec, function, endpoint):
                output.say(line)


_BROUGHT = {"jwt": '"authorization: Bearer $TOKEN"', "key": '"x-api-key: $API_KEY"'}
"""The header that a caller sends, by ``http.auth``."""


def _path(function: Function) -> str:
    return "/predict" if len(function.models) == 1 else f"/models/{function.models[0].name}/predict"


def _request_lines(spec: Project, function: Function, endpoint: str) -> list[str]:
    """What to paste into a shell to ask an endpoint with the first example row."""
    http = function.http or Http()
    example = list(function.models[0].manifest["example"][:1])
    body = jsonlib.dumps({"rows": example}, separators=(",", ":"))
    if len(body) > _LONG_BODY:
        file = spec.work_folder / f"ask-{function.name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(body + "\n", encoding="utf-8")
        body = f"@{file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file}"
    line = story.operate(spec).request_line(endpoint, _path(function), body, http)
    brought = _BROUGHT.get(http.auth)
    lines = [f"{line} -H {brought}" if brought else line]
    if http.auth == "iam" and spec.stage == LOCAL_STAGE:
        lines.insert(0, f'eval "$(sls-ml local env{here(spec)})"')
    return ["", *lines]
