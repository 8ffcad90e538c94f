"""Writes the reference pages that follow from the code: python .ci/docs.py write|check.

docs/cli.md comes from the commands, docs/spec.md from the JSON Schema, docs/troubleshooting.md from the
errors that the code raises.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import troubleshooting
import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from sls_ml.cli.commands import app
from sls_ml.errors import SlsMlError
from sls_ml.spec import json_schema

DOCS = Path(__file__).parents[1] / "docs"
HEADER = "<!-- Written by .ci/docs.py from the code: run `make regen`. -->\n"


def cli_page() -> str:
    """Every command with its arguments and options, and the exit codes."""
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    lines = [HEADER, "# The command line\n"]
    lines.append(
        "With `--json` a command prints one JSON document, errors included; progress goes to stderr.\n"
    )
    for name, command in root.commands.items():
        lines += _command(f"sls-ml {name}", command)
    lines += ["## Exit codes\n", "| code | meaning |", "|---|---|", "| 0 | done |", "| 1 | a bug in sls-ml |"]
    for error in sorted(_errors(), key=lambda each: each.exit_code):
        lines.append(f"| {error.exit_code} | {_first_line(error.__doc__)} |")
    lines.append("| 130 | interrupted; the same command goes on where it stopped |")
    return "\n".join(lines) + "\n"


def _errors() -> list[type[SlsMlError]]:
    """One class for each exit code: the most general."""
    return list({error.exit_code: error for error in reversed(SlsMlError.__subclasses__())}.values())


def _command(path: str, command: TyperCommand | TyperGroup) -> Iterator[str]:
    if isinstance(command, TyperGroup):
        for name, nested in command.commands.items():
            yield from _command(f"{path} {name}", nested)
        return
    arguments = [parameter for parameter in command.params if isinstance(parameter, TyperArgument)]
    options = [parameter for parameter in command.params if isinstance(parameter, TyperOption)]
    shown = " ".join(_argument(argument) for argument in arguments)
    yield f"## `{path}{' ' + shown if shown else ''}`\n"
    yield f"{(command.help or '').strip()}\n"
    if not options:
        return
    yield "| option | meaning |"
    yield "|---|---|"
    for option in options:
        names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
        value = "" if option.is_flag else f" {option.name.upper()}"
        yield f"| {names}{value} | {option.help or ''} |"
    yield ""


def _argument(argument: TyperArgument) -> str:
    name = (argument.name or "").upper() + ("..." if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"


def spec_page() -> str:
    """Every key of sls-ml.yaml with its type, default and meaning."""
    schema = json_schema()
    lines = [
        HEADER,
        "# The spec\n",
        "`sls-ml.yaml` has these keys; `sls-ml schema` prints the JSON Schema for editors.\n",
    ]
    lines += _keys("Top level", schema, schema)
    order = (
        "Model",
        "Tolerance",
        "Function",
        "Http",
        "Jwt",
        "Throttle",
        "Domain",
        "Objects",
        "Schedule",
        "Follow",
        "Secret",
        "Traffic",
        "Concurrency",
        "Period",
        "Alarms",
        "Rollout",
        "Canary",
        "Aws",
        "Vpc",
        "Stage",
    )
    if odd := schema["$defs"].keys() ^ set(order):
        raise ValueError(
            f"docs/spec.md needs exactly the parts of the schema; one of both lacks {sorted(odd)}"
        )
    for name in order:
        lines += _keys(name, schema["$defs"][name], schema)
    return "\n".join(lines) + "\n"


def _keys(title: str, part: dict[str, Any], schema: dict[str, Any]) -> Iterator[str]:
    yield f"## {title}\n"
    if part is not schema and part.get("description"):
        yield f"{_first_line(part['description'])}\n"
    yield "| key | value | default | meaning |"
    yield "|---|---|---|---|"
    for key, value in part["properties"].items():
        default = "**required**" if key in part.get("required", []) else _default(value)
        meaning = value["description"].replace("|", "\\|")
        yield f"| `{key}` | {_type(value)} | {default} | {meaning} |"
    yield ""


def _type(value: dict[str, Any]) -> str:
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in value:
        return " or ".join(_type(option) for option in value["anyOf"] if option.get("type") != "null")
    if "enum" in value:
        return ", ".join(f"`{option}`" for option in value["enum"])
    if "const" in value:
        return f"`{value['const']}`"
    match value.get("type"):
        case "array":
            return f"list of {_type(value['items'])}"
        case "object":
            inner = value.get("additionalProperties")
            return f"name → {_type(inner)}" if isinstance(inner, dict) else "mapping"
        case "string" if "pattern" in value:
            return f"text like `{value['pattern']}`".replace("|", "\\|")
        case kind:
            return str(kind)


def _default(value: dict[str, Any]) -> str:
    if "default" not in value:
        return ""
    default = value["default"]
    if default is None or default in ([], {}):
        return "none"
    return (
        "see there"
        if isinstance(default, dict)
        else f"`{default}`".replace("True", "true").replace("False", "false")
    )


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


def main() -> int:
    """Write the pages, or say which are stale."""
    stale = []
    pages = (
        ("cli.md", cli_page()),
        ("spec.md", spec_page()),
        ("troubleshooting.md", f"{HEADER}\n{troubleshooting.page()}"),
    )
    for name, text in pages:
        page = DOCS / name
        if sys.argv[1:] == ["write"]:
            page.write_text(text, encoding="utf-8")
        elif not page.exists() or page.read_text(encoding="utf-8") != text:
            stale.append(name)
    print(f"stale: {', '.join(stale)}: run `make regen`" if stale else "reference pages are fresh")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
