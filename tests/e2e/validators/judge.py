"""Run by the validators' own Python: templates through `sam validate --lint`, policies through parliament.

Reads ``{"templates": [path, ...], "policies": {name: document, ...}}`` from standard input, and writes what
each has to say: ``{"templates": {path: text, ...}, "policies": {name: ["ISSUE detail", ...], ...}}``; and for
``"translate": [path, ...]`` what SAM makes of a template: ``{"translated": {path: template, ...}}``.
"""

import contextlib
import io
import json
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")  # parliament and SAM use what is deprecated

from click import ClickException  # noqa: E402
from parliament import analyze_policy_string  # noqa: E402
from samcli.cli.main import cli as sam  # noqa: E402
from samtranslator.translator.transform import transform  # noqa: E402


def validated(template: str) -> str:
    """What `sam validate --lint` says against a template; nothing where it is valid."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            sam(["validate", "--lint", "--region", "eu-west-1", "-t", template], standalone_mode=False)
    except ClickException as error:
        return f"{said.getvalue()}\n{error}"
    return "" if "is a valid SAM Template" in said.getvalue() else said.getvalue()


def findings(document: dict) -> list[str]:
    """What parliament finds in a policy."""
    found = analyze_policy_string(json.dumps(document)).findings
    return sorted(f"{each.issue} {each.detail}" for each in found)


def translated(template: str) -> dict:
    """What CloudFormation gets of a SAM template."""
    with Path(template).open() as file:
        return transform(json.load(file), {}, ManagedPolicies())


class ManagedPolicies:
    """The policies that a template may name; ours name none."""

    def load(self) -> dict[str, str]:
        """None."""
        return {}


given = json.load(sys.stdin)
json.dump(
    {
        "templates": {path: validated(path) for path in given.get("templates", [])},
        "policies": {name: findings(document) for name, document in given.get("policies", {}).items()},
        "translated": {path: translated(path) for path in given.get("translate", [])},
    },
    sys.stdout,
)
