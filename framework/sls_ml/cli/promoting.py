"""The command that moves an alias: promote."""

from __future__ import annotations

from typing import Annotated

import typer

from sls_ml import promotion
from sls_ml.cli.choosing import known
from sls_ml.cli.console import Output
from sls_ml.cli.options import HERE, JsonOption, ProjectOption, StageOption
from sls_ml.errors import UsageError
from sls_ml.spec import read


def promote(
    model: Annotated[str, typer.Argument(help="A model of the spec.", show_default=False)],
    *,
    to: Annotated[str, typer.Option(help="The alias to move, as `follow` of a function names it.")],
    digest: Annotated[
        str | None,
        typer.Option(help="The artifact, by the beginning of its digest; else what is checked in."),
    ] = None,
    back: Annotated[bool, typer.Option("--back", help="To what the alias pointed to before.")] = False,
    project: ProjectOption = HERE,
    stage: StageOption = None,
    json: JsonOption = False,
) -> None:
    """Let the functions that follow an alias serve another artifact of the model, without a deploy."""
    output = Output.open(as_json=json)
    spec = read(project, stage)
    known("model", model, spec.models)
    if back and digest is not None:
        raise UsageError(
            "--back and --digest name two artifacts", code="digest-twice", mend="say one of them"
        )
    done = promotion.promote(spec, model, to, digest=digest, back=back, narrator=output)
    output.document(
        {
            "model": model,
            "alias": to,
            "address": done.uri,
            "before": done.before,
            "after": done.after,
            "changed": done.before != done.after,
            "functions": list(done.functions),
            "seconds": done.seconds,
        }
    )
    if done.before == done.after:
        output.say(f"{to} points to {model} {done.after[:12]} already")
        return
    was = done.before[:12] if done.before else "nothing"
    output.say(f"{to} of {model}: {was} -> {done.after[:12]}", style="bold")
    output.say(
        f"{', '.join(done.functions)}: functions in use follow within {done.seconds} s of their next call"
    )
