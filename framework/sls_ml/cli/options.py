"""The options that commands share."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from sls_ml.spec import Project

ProjectOption = Annotated[
    Path,
    typer.Option("--project", "-p", help="sls-ml.yaml, or the folder that holds it.", show_default="here"),
]
StageOption = Annotated[
    str | None, typer.Option("--stage", "-s", help="A stage of the spec, or local for the embedded cloud.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and no more.")]
FrozenOption = Annotated[
    bool, typer.Option("--frozen", help="Neither convert nor generate: use what is checked in (for CI).")
]
FunctionArgument = Annotated[str, typer.Argument(help="A function of the spec.", show_default=False)]

HERE = Path()


def here(spec: Project) -> str:
    """The option that names a project in a line to paste; nothing where the line is run in its folder."""
    return "" if spec.folder == Path.cwd() else f" --project {shlex.quote(str(spec.folder))}"


def there(spec: Project) -> str:
    """The options that name a project and its stage in a line to paste."""
    return f"{here(spec)} --stage {spec.stage}" if spec.stage else here(spec)
