"""Commands that describe sls-ml itself."""

from __future__ import annotations

import json

import typer

from sls_ml.spec import json_schema


def schema() -> None:
    """Print the JSON Schema of sls-ml.yaml, for editors."""
    typer.echo(json.dumps(json_schema(), indent=2))
