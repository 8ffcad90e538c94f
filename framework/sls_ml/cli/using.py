"""Commands that use what is deployed: invoke, status."""

from __future__ import annotations

import json as jsonlib
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from sls_ml import deploy as story
from sls_ml import promotion
from sls_ml.cli.choosing import deployed, known, model_of
from sls_ml.cli.console import Output
from sls_ml.cli.options import HERE, FunctionArgument, JsonOption, ProjectOption, StageOption, there
from sls_ml.cli.waiting import trouble_in_log
from sls_ml.cli.watching import moved, warn_of_moves
from sls_ml.conversion import locked
from sls_ml.errors import ExternalError, StaleError, UsageError
from sls_ml.provider.base import Deployer, Release, StackOutputs
from sls_ml.spec import Project, read


def invoke(
    function: FunctionArgument,
    *,
    rows: Annotated[str | None, typer.Option(help="Rows as JSON, @file, or - for standard input.")] = None,
    sample: Annotated[int | None, typer.Option(help="Send so many example rows of the artifact.")] = None,
    model: Annotated[str | None, typer.Option(help="Which model, where the function serves several.")] = None,
    key: Annotated[
        str | None, typer.Option(envvar="SLS_ML_KEY", help="The key, where http.auth is key.")
    ] = None,
    token: Annotated[
        str | None, typer.Option(envvar="SLS_ML_TOKEN", help="The token, where http.auth is jwt.")
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", "-H", help="Sent along: 'name: value'.")
    ] = None,
    project: ProjectOption = HERE,
    stage: StageOption = None,
    json: JsonOption = False,
) -> None:
    """Ask a deployed function for predictions."""
    output = Output.open(as_json=json)
    spec = read(project, stage)
    chosen = model_of(spec, known("function", function, spec.functions), model)
    body = jsonlib.dumps(_request(spec, chosen, rows, sample)).encode()
    endpoint = deployed(spec, function).endpoint
    http = spec.functions[function].http
    if endpoint is None or http is None:
        raise UsageError(
            f"{function} has no endpoint",
            code="no-endpoint",
            mend=f"score a file: sls-ml score {function} FILE",
        )
    several = len(spec.functions[function].model_names) > 1
    path = f"/models/{chosen}/predict" if several else "/predict"
    operations, since = story.operate(spec), time.time()
    with output.working(f"asking {function}"):
        answer = operations.invoke(endpoint, path, http, body=body, headers=_brought(header, key, token))
    text = answer.body.decode("utf-8", "replace")
    if answer.status >= 500:
        raise ExternalError(
            f"the function answered {answer.status}",
            code="function-failed",
            where=endpoint,
            why=(answer.status == 502 and trouble_in_log(operations, function, since)) or _reason(text),
            mend=f"look at `sls-ml logs {function}{there(spec)}`",
        )
    if answer.status >= 400:
        raise UsageError(
            f"the function refused the request ({answer.status})",
            code="request-refused",
            why=_reason(text),
            mend=_WAYS_IN[http.auth] if answer.status in {401, 403} else None,
        )
    document = jsonlib.loads(text)
    output.document(document)
    if not json:
        _show_answer(output, document)


def status(
    *,
    drift: Annotated[
        bool,
        typer.Option(
            "--drift", help="Compare every resource with the template; exit code 5 on a difference."
        ),
    ] = False,
    project: ProjectOption = HERE,
    stage: StageOption = None,
    json: JsonOption = False,
) -> None:
    """Show what is deployed: endpoints, places, and the live release of each function."""
    output = Output.open(as_json=json)
    spec = read(project, stage)
    deployer = story.connect(spec)
    outputs = deployer.outputs()
    releases = deployer.releases()
    functions, aliases = _functions(outputs, releases), _aliases(spec, deployer)
    drifts = _drifts(deployer, output) if drift else None
    output.document(
        {
            "stage": spec.stage,
            "provider": spec.provider,
            "functions": functions,
            "aliases": aliases,
            "moved": sorted(moved(releases)),
            "drift": drifts,
        }
    )
    if not json:
        _show_functions(output, functions)
        _show_aliases(output, aliases)
        warn_of_moves(output, releases)
        _show_drifts(output, drifts)
    if drifts:
        raise typer.Exit(StaleError.exit_code)


def _functions(outputs: StackOutputs, releases: Sequence[Release]) -> dict[str, dict[str, str | None]]:
    """Each function: where it is reached, and which release is live."""
    live = {release.function: release for release in releases if release.live}
    return {
        name: {
            "endpoint": found.endpoint,
            "input": found.input,
            "output": found.output,
            "version": live[name].version if name in live else None,
            "package_sha256": live[name].package_sha256 if name in live else None,
        }
        for name, found in outputs.functions.items()
    }


def _aliases(spec: Project, deployer: Deployer) -> list[dict[str, str | None]]:
    """Each alias that a function follows, and where it points."""
    return [
        {
            "function": each.followed.function,
            "model": each.followed.model,
            "alias": each.followed.alias,
            "digest": each.digest,
            "packaged": each.followed.digest,
        }
        for each in promotion.pointing(spec, deployer)
    ]


def _show_functions(output: Output, functions: Mapping[str, Mapping[str, str | None]]) -> None:
    output.table(
        ("function", "version", "package", "reached at"),
        (
            (name, each["version"], str(each["package_sha256"])[:12], each["endpoint"] or each["input"])
            for name, each in functions.items()
        ),
    )


def _show_aliases(output: Output, aliases: Sequence[Mapping[str, str | None]]) -> None:
    if not aliases:
        return
    output.say()
    output.table(
        ("function", "follows", "serves", "in the package"),
        (
            (
                each["function"],
                f"{each['alias']} of {each['model']}",
                (each["digest"] or "nothing")[:12],
                (each["packaged"] or "")[:12],
            )
            for each in aliases
        ),
    )


def _drifts(deployer: Deployer, output: Output) -> list[dict[str, str]]:
    with output.working("comparing every resource with the template"):
        return [
            {"resource": each.resource, "type": each.type, "kind": each.kind, "detail": each.detail}
            for each in deployer.drift()
        ]


def _show_drifts(output: Output, drifts: list[dict[str, str]] | None) -> None:
    if drifts is None:
        return
    if not drifts:
        output.say("every resource that was compared is as the template says")
        return
    output.say("\nchanged past sls-ml", style="bold")
    output.table(
        ("", "resource", "type", "in the template -> now"),
        (
            (
                "-" if each["kind"] == "deleted" else "~",
                each["resource"],
                each["type"].removeprefix("AWS::"),
                each["detail"] or "deleted",
            )
            for each in drifts
        ),
    )
    output.say("change the spec and deploy, or change it back by hand: a deploy alone does not see it")


def _request(spec: Project, model: str, rows: str | None, sample: int | None) -> dict[str, Any]:
    if (rows is None) == (sample is None):
        raise UsageError("say which rows to send", code="rows-missing", mend="--rows JSON, or --sample 1")
    if rows is None:
        return {"rows": list(locked(spec)[model].manifest["example"])[:sample]}
    try:
        value = jsonlib.loads(_text(rows))
    except ValueError as error:
        raise UsageError(
            "the rows are not JSON",
            code="rows-not-json",
            where=rows if rows == "-" or rows.startswith("@") else "--rows",
            why=str(error),
            mend="""--rows '[{"column": 1.5}]', --rows @file.json, or --rows - for standard input""",
        ) from error
    if isinstance(value, dict) and "rows" in value:
        return value
    return {"rows": value if isinstance(value, list) else [value]}


_WAYS_IN = {
    "iam": "use credentials that the function's invoke policy is attached to",
    "jwt": 'bring a token of the issuer: --token "$TOKEN", or the variable SLS_ML_TOKEN',
    "key": '--key "$API_KEY", or the variable SLS_ML_KEY; the stack\'s outputs name the secret that holds it',
    "public": "look at `sls-ml logs`",
}
"""What a caller must bring, by ``http.auth``."""


def _brought(given: list[str] | None, key: str | None, token: str | None) -> dict[str, str]:
    """What a caller brings: headers as curl takes them, and over them a key or a token."""
    headers = {}
    for text in given or ():
        name, colon, value = text.partition(":")
        if not colon or not name.strip():
            raise UsageError(f"{text!r} is not a header", code="header-format", mend="say 'name: value'")
        headers[name.strip().lower()] = value.strip()
    if key:
        headers["x-api-key"] = key
    if token:
        headers["authorization"] = f"Bearer {token}"
    return headers


def _text(rows: str) -> str:
    """The text that the option --rows gives or points to."""
    if rows == "-":
        return sys.stdin.read()
    if not rows.startswith("@"):
        return rows
    try:
        return Path(rows[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{rows[1:]} cannot be read",
            code="file-unreadable",
            where=f"--rows {rows}",
            why=str(error),
            mend="name an existing file of JSON in UTF-8",
        ) from error


def _reason(body: str) -> str:
    """What an endpoint says of a failure, in a sentence; its whole body where that is none of ours."""
    try:
        document = jsonlib.loads(body)
    except ValueError:
        return body
    error = document.get("error") if isinstance(document, dict) else None
    if not isinstance(error, dict):
        return str(document.get("Message") or document.get("message") or body)
    places = [f"{key} {error[key]}" for key in ("row", "field") if error.get(key) is not None]
    return ": ".join([", ".join(places), str(error["message"])] if places else [str(error["message"])])


def _show_answer(output: Output, answer: dict[str, Any]) -> None:
    """One line a row: the label or value, then what else the answer says of the row."""
    results = {
        key: answer[key] for key in ("label", "value", "score", "probability", "transformed") if key in answer
    }
    several = bool(answer.get("classes")) and isinstance(answer["classes"][0], list)
    columns: list[str] = []
    for key in results:
        columns += _shares(answer["classes"]) if key == "probability" else [key]
    rows = []
    for cells in zip(*results.values(), strict=True):
        row: list[str] = []
        for key, cell in zip(results, cells, strict=True):
            if key == "probability":
                shares = [share for each in cell for share in each] if several else cell
                row += [f"{share:.6f}" for share in shares]
            else:
                row.append(", ".join(map(str, cell)) if several and key == "label" else str(cell))
        rows.append(row)
    output.table(columns, rows)
    output.say(f"{answer['model']} {answer['digest']}")


def _shares(classes: list[Any]) -> list[str]:
    """The columns of probabilities: p(class), or of several labels p0(class), p1(class) ..."""
    if classes and isinstance(classes[0], list):
        return [f"p{at}({name})" for at, each in enumerate(classes) for name in each]
    return [f"p({name})" for name in classes]
