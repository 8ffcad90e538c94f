"""Commands for the embedded cloud: local up, status, logs, down, env."""

from __future__ import annotations

from typing import Annotated

import typer

from sls_ml.cli.console import Output
from sls_ml.cli.options import HERE, JsonOption, ProjectOption
from sls_ml.errors import ExternalError
from sls_ml.local import control
from sls_ml.local.files import Endpoint
from sls_ml.spec import LOCAL_STAGE, read

app = typer.Typer(no_args_is_help=True, help="The embedded cloud on this machine.")


@app.command()
def up(*, project: ProjectOption = HERE, json: JsonOption = False) -> None:
    """Start the embedded cloud of a project, or find the one that runs."""
    output = Output.open(as_json=json)
    spec = read(project, LOCAL_STAGE)
    with output.working("starting the embedded cloud"):
        endpoint = control.up(spec.folder, spec.region)
    output.document(_document(endpoint))
    output.say(f"the embedded cloud answers at {endpoint.url} (process {endpoint.pid})")


@app.command()
def status(*, project: ProjectOption = HERE, json: JsonOption = False) -> None:
    """Say whether the embedded cloud of a project runs, and where."""
    output = Output.open(as_json=json)
    endpoint = control.status(read(project, LOCAL_STAGE).folder)
    if endpoint is None:
        output.document({"running": False})
        output.say("the embedded cloud does not run; start it with `sls-ml local up`")
        return
    output.document({"running": True, **_document(endpoint)})
    output.say(f"the embedded cloud answers at {endpoint.url} (process {endpoint.pid})")


@app.command()
def env(*, project: ProjectOption = HERE, json: JsonOption = False) -> None:
    """Print the environment with which the AWS CLI and any SDK talk to the embedded cloud."""
    output = Output.open(as_json=json)
    endpoint = control.status(read(project, LOCAL_STAGE).folder)
    if endpoint is None:
        raise ExternalError(
            "the embedded cloud does not run", code="local-down", mend="run `sls-ml local up`"
        )
    variables = {
        "AWS_ENDPOINT_URL": endpoint.url,
        "AWS_REGION": endpoint.region,
        "AWS_DEFAULT_REGION": endpoint.region,  # the one that boto3 reads
        "AWS_ACCESS_KEY_ID": endpoint.access_key,
        "AWS_SECRET_ACCESS_KEY": endpoint.secret_key,
    }
    output.document(variables)
    for name, value in variables.items():
        output.say(f"export {name}={value}")


@app.command()
def logs(
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until interrupted.")] = False,
    project: ProjectOption = HERE,
) -> None:
    """Print the log of the embedded cloud itself."""
    for line in control.logs(read(project, LOCAL_STAGE).folder, follow=follow):
        typer.echo(line)


@app.command()
def down(*, project: ProjectOption = HERE, json: JsonOption = False) -> None:
    """Stop the embedded cloud and every function process that it started."""
    output = Output.open(as_json=json)
    stopped = control.down(read(project, LOCAL_STAGE).folder)
    output.document({"stopped": stopped})
    output.say("the embedded cloud has stopped" if stopped else "the embedded cloud does not run")


def _document(endpoint: Endpoint) -> dict[str, str | int]:
    return {
        "endpoint_url": endpoint.url,
        "region": endpoint.region,
        "account": endpoint.account,
        "access_key": endpoint.access_key,
        "secret_key": endpoint.secret_key,
        "pid": endpoint.pid,
    }
