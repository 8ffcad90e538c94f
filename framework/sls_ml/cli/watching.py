"""Commands that look at what is deployed and take it back: logs, metrics, drift, releases, rollback."""

from __future__ import annotations

import json as jsonlib
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from sls_ml import deploy as story
from sls_ml.cli.choosing import known
from sls_ml.cli.console import Output
from sls_ml.cli.options import HERE, FunctionArgument, JsonOption, ProjectOption, StageOption
from sls_ml.errors import UsageError
from sls_ml.intent.drift import LEAST_REFERENCE
from sls_ml.provider.base import LogEvent, Release
from sls_ml.spec import read

MinutesOption = Annotated[int, typer.Option(min=1, help="How far back to look.")]


def logs(
    function: FunctionArgument,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until interrupted.")] = False,
    check: Annotated[bool, typer.Option("--check", help="The log of a canary's check instead.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Every line as the function wrote it.")] = False,
    minutes: MinutesOption = 10,
    project: ProjectOption = HERE,
    stage: StageOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document a line.")] = False,
) -> None:
    """Print the log of a deployed function: its requests and failures, or all of it."""
    spec = read(project, stage)
    known("function", function, spec.functions)
    since = time.time() - 60 * minutes
    for event in story.operate(spec).logs(function, since=since, follow=follow, check=check):
        if json:
            line = {"time": event.time, "stream": event.stream, "message": event.message}
            typer.echo(jsonlib.dumps(line, ensure_ascii=False))
            continue
        text = event.message.rstrip() if raw else readable(event)
        if text is not None:
            typer.echo(f"{time.strftime('%H:%M:%S', time.localtime(event.time))} {text}")


def readable(event: LogEvent) -> str | None:
    """A line of a log for people; None where it holds metrics or the platform's own accounts."""
    text = event.message.rstrip()
    try:
        line = jsonlib.loads(text)
    except ValueError:
        return text
    if not isinstance(line, dict):
        return text
    if "_aws" in line:
        return None
    if "message" not in line:
        return _platform(line, text)
    if str(line["message"]).startswith(_SPECULATION):
        return None
    told = {key: value for key, value in line.items() if key not in _FRAME and value is not None}
    facts = " ".join(f"{key}={_brief(value)}" for key, value in told.items() if value not in ("", {}, []))
    return f"{line.get('level', 'INFO'):<5} {line['message']}  {facts}".rstrip()


_FRAME = {
    *("timestamp", "level", "message", "requestId", "service", "location", "path", "status", "digest"),
    *("cold_start", "xray_trace_id", "function_arn", "function_memory_size", "function_name"),
    "function_request_id",
}
"""Keys that every line has, Powertools' among them, or whose value its message holds."""


_SPECULATION = "LAMBDA_WARNING: Unhandled exception."
"""What Lambda's runtime client guesses of a failed start, whose error has a line of its own."""


def _platform(line: dict[str, Any], text: str) -> str | None:
    """Lambda's own lines: the end of a call that did not go well, and failures outside the handler."""
    if "errorType" in line:
        return f"ERROR {line['errorType']}: {line.get('errorMessage', '')}"
    if "type" not in line:
        return text
    record = line.get("record") or {}
    status = record.get("status", "success")
    if status == "success":
        return None
    return f"ERROR {line['type']} {status} {record.get('errorType', '')}".rstrip()


def _brief(value: object) -> str:
    if isinstance(value, str):
        return value if "\n" not in value else value.strip().splitlines()[-1]
    return jsonlib.dumps(value, ensure_ascii=False)


def metrics(
    function: FunctionArgument,
    *,
    minutes: MinutesOption = 60,
    project: ProjectOption = HERE,
    stage: StageOption = None,
    json: JsonOption = False,
) -> None:
    """Show what a function has done: calls, rows, failures, latency, cold starts."""
    output = Output.open(as_json=json)
    spec = read(project, stage)
    known("function", function, spec.functions)
    with output.working("asking for the metrics"):
        models = spec.functions[function].model_names if spec.alarms.drift is not None else ()
        values = story.operate(spec).metrics(function, since=time.time() - 60 * minutes, models=models)
    output.document({"function": function, "minutes": minutes, "metrics": dict(values)})
    if json:
        return
    if not values:
        output.say(f"{function} has done nothing in the last {minutes} minutes")
        return
    output.table(
        (f"last {minutes} minutes", ""),
        ((name.replace("_", " "), f"{value:,.4g}") for name, value in values.items()),
    )


def drift(
    model: Annotated[str | None, typer.Argument(help="A model of the spec; all without.")] = None,
    *,
    project: ProjectOption = HERE,
    stage: StageOption = None,
    json: JsonOption = False,
) -> None:
    """Compare what models have seen in the last day with their samples, now: the index of each input."""
    output = Output.open(as_json=json)
    spec = read(project, stage)
    if model is not None:
        known("model", model, spec.models)
    if spec.alarms.drift is None:
        raise UsageError(
            "no model is watched for drift",
            code="drift-off",
            mend="set alarms.drift, such as 0.2, and deploy",
        )
    with output.working("asking the drift watch"):
        found = story.operate(spec).drift()
    if not found or (model is not None and model not in found):
        raise UsageError(
            f"{model or 'no model'} is {'not ' if model else ''}watched for drift in stage {spec.stage}",
            code="drift-unwatched",
            why=f"it is not deployed, or the sample has fewer than {LEAST_REFERENCE} rows",
            mend="run `sls-ml deploy`, or give models.<name>.sample more rows, convert and deploy",
        )
    chosen = {name: each for name, each in found.items() if model in (None, name)}
    output.document({"threshold": spec.alarms.drift, "models": {k: asdict(v) for k, v in chosen.items()}})
    if json:
        return
    for name, each in chosen.items():
        counts = (f"{function} {n:,} by {each.digests[function][:12]}" for function, n in each.rows.items())
        seen = ", ".join(counts) or "none"
        if each.psi is None:
            output.say(f"{name}: too few rows to judge, {each.least:,} are needed; seen: {seen}")
            continue
        state = "drifted" if each.psi > spec.alarms.drift else "as in the sample"
        output.say(f"{name}: {state}, index {each.psi:.3f}; rows: {seen}", style="bold")
        output.table(
            ("function", "of", "index", "moved most", "sample", "now"),
            (
                (row.function, row.of, f"{row.psi:.3f}", row.moved, f"{row.before:.1%}", f"{row.now:.1%}")
                for row in each.table
            ),
        )


def releases(
    function: Annotated[str | None, typer.Argument(help="A function of the spec; all without.")] = None,
    *,
    project: ProjectOption = HERE,
    stage: StageOption = None,
    json: JsonOption = False,
) -> None:
    """List what can be gone back to: every published version of each function, newest first."""
    output = Output.open(as_json=json)
    spec = read(project, stage)
    if function is not None:
        known("function", function, spec.functions)
    found = [each for each in story.connect(spec).releases() if function in (None, each.function)]
    output.document(
        {
            "releases": [
                {
                    "function": each.function,
                    "version": each.version,
                    "package_sha256": each.package_sha256,
                    "models": dict(each.models),
                    "live": each.live,
                    "deployed": each.deployed,
                }
                for each in found
            ]
        }
    )
    if not json:
        output.table(
            ("function", "version", "package", "models", ""),
            (
                (
                    each.function,
                    each.version,
                    each.package_sha256[:12],
                    ", ".join(f"{name} {digest}" for name, digest in each.models.items()),
                    _standing(each),
                )
                for each in found
            ),
        )
        warn_of_moves(output, found)


def _standing(release: Release) -> str:
    if release.live:
        return "live"
    return "live, says the stack" if release.deployed else ""


def moved(releases: Sequence[Release]) -> dict[str, tuple[str, str | None]]:
    """Functions whose traffic goes elsewhere than the stack says: the live version, and the stack's."""
    named = {each.function: each.version for each in releases if each.deployed}
    return {
        each.function: (each.version, named.get(each.function))
        for each in releases
        if each.live and not each.deployed
    }


def warn_of_moves(output: Output, releases: Sequence[Release]) -> None:
    """Say where the traffic of a function goes elsewhere than its stack says."""
    for function, (live, named) in moved(releases).items():
        output.warn(
            f"{function}: version {live} is live, but the stack says {named or 'another one'}: the alias was "
            f"moved past it; `sls-ml rollback {function} {live}` makes the stack say the same"
        )


def rollback(
    function: FunctionArgument,
    version: Annotated[
        str | None, typer.Argument(help="A version that `releases` lists; without, the one before.")
    ] = None,
    *,
    project: ProjectOption = HERE,
    stage: StageOption = None,
    json: JsonOption = False,
) -> None:
    """Send a function's traffic back to an earlier release at once, then make the stack say the same."""
    output = Output.open(as_json=json)
    spec = read(project, stage)
    known("function", function, spec.functions)
    deployer = story.connect(spec)
    found = [each for each in deployer.releases() if each.function == function]
    chosen = _chosen(function, version, found)
    live = next((each.version for each in found if each.live), None)
    output.follow(deployer.rollback(chosen))
    now = next(
        (each.version for each in deployer.releases() if each.function == function and each.live), None
    )
    output.document({"function": function, "version": chosen.version, "from": live, "live": now})
    renamed = f", published anew as {now}" if now != chosen.version else ""
    output.say(f"{function} serves version {chosen.version} again{renamed} (was {live})")


def _chosen(function: str, version: str | None, found: list[Release]) -> Release:
    """The release to go back to."""
    if version is None:
        live = next((place for place, each in enumerate(found) if each.live), len(found))
        earlier = found[live + 1 :]
    else:
        earlier = [each for each in found if each.version == version]
    if not earlier:
        raise UsageError(
            f"{function} has no release {'before the live one' if version is None else version}",
            code="release-unknown",
            mend=f"versions: {', '.join(each.version for each in found)}" if found else "run `sls-ml deploy`",
        )
    return earlier[0]
