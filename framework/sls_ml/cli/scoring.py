"""The command that scores files: one of this machine, or those that wait in the input of a batch function."""

from __future__ import annotations

import json as jsonlib
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from sls_ml import deploy as story
from sls_ml import promotion
from sls_ml.cli.choosing import deployed, known
from sls_ml.cli.console import Output
from sls_ml.cli.options import HERE, JsonOption, ProjectOption, StageOption, there
from sls_ml.cli.waiting import wait_for_all, wait_for_results
from sls_ml.errors import ExternalError, UsageError
from sls_ml.provider.base import FunctionOutputs
from sls_ml.spec import Project, read
from sls_ml_runtime.score import Source, results_folder


def score(
    function: Annotated[
        str | None,
        typer.Argument(
            help="A function of the spec; with --pending by default all that score.", show_default=False
        ),
    ] = None,
    file: Annotated[Path | None, typer.Argument(help="The file to score.", show_default=False)] = None,
    *,
    pending: Annotated[
        bool, typer.Option("--pending", help="Score what lies in the input and has no results of this model.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="With --pending: wait until all of it is scored.")
    ] = True,
    out: Annotated[Path | None, typer.Option(help="Where the results go; default <file>-scored.")] = None,
    project: ProjectOption = HERE,
    stage: StageOption = None,
    json: JsonOption = False,
) -> None:
    """Score a file: upload it, wait, and download the results. Or score what waits in the input."""
    output = Output.open(as_json=json)
    spec = read(project, stage)
    if pending:
        if file is not None or out is not None:
            raise UsageError(
                "--pending scores no file of this machine",
                code="pending-file",
                mend="leave FILE and --out out",
            )
        _score_pending(output, spec, function, wait=wait)
    elif function is None or file is None:
        raise UsageError(
            "say which function scores which file",
            code="file-missing",
            mend="sls-ml score FUNCTION FILE, or sls-ml score --pending for what waits in the input",
        )
    else:
        _score_file(output, spec, function, file, out)


def _score_file(output: Output, spec: Project, function: str, file: Path, out: Path | None) -> None:
    found = _scoring(deployed(spec, function), function)
    try:
        content = file.open("rb")
    except OSError as error:
        raise UsageError(
            f"{file} cannot be read",
            code="file-unreadable",
            why=str(error),
            mend="name an existing file that you may read",
        ) from error
    operations = story.operate(spec)
    output.step(f"scoring {file.name}")
    begun = time.time()
    size, uri = file.stat().st_size, f"{found.input}{file.name}"
    with output.working(f"uploading {size:,} bytes"), content:
        stored = operations.put_object(uri, content)
    output.note(f"uploaded {size:,} bytes to {found.input}")
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    source = Source(bucket, key, stored, None, size)
    results = f"{found.output}{results_folder(source, promotion.served(spec, function))}/"
    with output.working("waiting for the function") as show:
        wait_for_results(operations, function, results, since=begun, options=there(spec), show=show)
    folder = out or file.with_name(f"{file.stem}-scored")
    with output.working("downloading the results"):
        for each in operations.list_objects(results):
            target = folder / each.uri.removeprefix(results)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(operations.read_object(each.uri))
    manifest = jsonlib.loads((folder / "manifest.json").read_bytes())
    output.document({"results": results, "folder": str(folder), "manifest": manifest})
    rows, scored, rejected = (manifest[key] for key in ("rows_in", "rows_scored", "rows_rejected"))
    if manifest["refused"]:
        output.warn(f"the file was refused: {manifest['refused']['message']}")
    elif manifest["status"] != "scored":
        output.warn(f"status: {manifest['status']}")
    output.say(f"{rows} rows in = {scored} scored + {rejected} rejected", style="bold")
    if not output.json:
        files = [(f"{folder / part['file']}", f"{part['rows']:,} rows") for part in manifest["parts"]]
        files += [(f"{folder / part['file']}", f"{part['rows']:,} rows") for part in manifest["rejected"]]
        output.table(("", ""), [*files, (f"{folder / 'manifest.json'}", "counts, reasons, checksums")])


def _score_pending(output: Output, spec: Project, function: str | None, *, wait: bool) -> None:
    if function is None:
        chosen = [name for name, each in spec.functions.items() if each.objects is not None]
        if not chosen:
            raise UsageError(
                "no function of the spec scores objects", code="no-objects", mend="give one the key `objects`"
            )
    else:
        chosen = [known("function", function, spec.functions)]
    document = {name: _score_what_waits(output, spec, name, wait=wait) for name in chosen}
    output.document({"functions": document})
    left = {name: each for name, each in document.items() if each["left"]}
    if left and output.json:
        raise typer.Exit(ExternalError.exit_code)
    if left:
        raise ExternalError(
            "; ".join(f"{name}: {len(each['left']):,} files have no results" for name, each in left.items()),
            code="score-failed",
            where=", ".join(uri for each in left.values() for uri in each["left"][:3]),
            why="; ".join({each["why"] for each in left.values() if each["why"]}) or "nothing came of them",
            mend=f"look at `sls-ml logs {next(iter(left))}{there(spec)}`; each is tried again, then given up",
        )


def _score_what_waits(output: Output, spec: Project, function: str, *, wait: bool) -> dict[str, Any]:
    """Hand over what has no results yet, and say what came of it."""
    found = _scoring(deployed(spec, function), function)
    operations, digest = story.operate(spec), promotion.served(spec, function)
    with output.working(f"looking for what waits in {found.input}"):
        handed = list(operations.pending(found, digest))
    output.say(f"{function}: {len(handed):,} files in {found.input} have no results of {digest[:12]}")
    begun = time.time()
    if handed:
        with output.working(f"sending {len(handed):,} messages"):
            operations.hand_over(found, handed)
    if not handed or not wait:
        return {"pending": len(handed), "scored": None if handed else 0, "left": [], "why": None}
    with output.working("waiting for the function") as show:
        left, why = wait_for_all(operations, function, found, digest, handed, since=begun, show=show)
    scored = len(handed) - len(left)
    output.say(f"{function}: {scored:,} of {len(handed):,} have results in {found.output}", style="bold")
    return {"pending": len(handed), "scored": scored, "left": [each.uri for each in left], "why": why}


def _scoring(found: FunctionOutputs, function: str) -> FunctionOutputs:
    if found.input is None or found.output is None:
        raise UsageError(
            f"{function} scores no objects", code="no-objects", mend="ask it with `sls-ml invoke`"
        )
    return found
