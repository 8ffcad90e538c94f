"""All commands, in the order in which a newcomer needs them."""

from __future__ import annotations

from typing import Annotated

import typer

from sls_ml import __version__
from sls_ml.cli import (
    checking,
    ci,
    deploying,
    describing,
    embedded,
    estimating,
    making,
    measuring,
    promoting,
    scoring,
    starting,
    trusting,
    using,
    watching,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Serverless deployment of machine-learning models.",
)


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(f"sls-ml {__version__}")
        raise typer.Exit


for _group, _commands in (
    ("Begin", (starting.init,)),
    ("Build", (making.convert, making.inspect, making.generate, making.package)),
    (
        "Deploy",
        (
            deploying.bootstrap,
            deploying.plan,
            deploying.deploy,
            promoting.promote,
            deploying.announce,
            deploying.destroy,
        ),
    ),
    ("Use", (using.invoke, scoring.score, using.status, estimating.estimate)),
    ("Watch", (watching.logs, watching.metrics, watching.drift, watching.releases, watching.rollback)),
    ("Describe", (checking.doctor, trusting.iam, describing.schema)),
):
    for _command in _commands:
        app.command(rich_help_panel=_group)(_command)
app.add_typer(measuring.bench, name="bench", rich_help_panel="Use")
app.add_typer(ci.app, name="ci", rich_help_panel="Deploy")
app.add_typer(embedded.app, name="local", rich_help_panel="Describe")
