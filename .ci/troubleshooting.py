"""Gathers every error that the code can raise, with message and way out, for docs/troubleshooting.md."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sls_ml import errors

FRAMEWORK = Path(__file__).parents[1] / "framework"

INTRO = """\
# Troubleshooting

Every error of the command line names its code in brackets: `error [bucket-missing] …`. With `--json` the same
is `{"error": {"code", "exit_code", "what", "where", "why", "mend"}}`. Parts that differ from case to case are
written *so* here, or as …. `sls-ml doctor` looks for what is missing on a machine and in an account.

An exit code of 1 is a bug in sls-ml: please report it with the lines that it prints.
"""

ANSWERS = """\
## What an endpoint answers

A request that cannot be answered gets `{"error": {"code", "message", "field", "row"}}`; a row of a batch that
cannot be scored is set aside in `rejected/` with the same words.
"""


@dataclass(frozen=True, order=True)
class Entry:
    """One place that raises: exit code or HTTP status, code, message, way out."""

    number: int
    code: str
    what: str
    mend: str


def page() -> str:
    """The whole page."""
    raised = {entry for file in sorted((FRAMEWORK / "sls_ml").rglob("*.py")) for entry in _errors(file)}
    refused = {
        entry for file in sorted((FRAMEWORK / "sls_ml_runtime").rglob("*.py")) for entry in _refusals(file)
    }
    lines = [INTRO]
    titles = {each.exit_code: (each.__doc__ or "").strip().partition("\n")[0] for each in _classes().values()}
    for number in sorted({entry.number for entry in raised}):
        lines += [
            f"## Exit code {number}\n",
            f"{titles[number]}\n",
            "| code | message | what to do |",
            "|---|---|---|",
        ]
        lines += [
            f"| `{entry.code}` | {_cell(entry.what)} | {_cell(entry.mend)} |"
            for entry in sorted(raised)
            if entry.number == number
        ]
        lines.append("")
    lines += [ANSWERS, "| status | code | message |", "|---|---|---|"]
    lines += [f"| {entry.number} | `{entry.code}` | {_cell(entry.what)} |" for entry in sorted(refused)]
    return "\n".join(lines) + "\n"


def _classes() -> dict[str, type[errors.SlsMlError]]:
    """Every class of errors by name, the most general of an exit code last."""
    found = {name: each for name, each in vars(errors).items() if isinstance(each, type)}
    return {
        name: each
        for name, each in reversed(found.items())
        if issubclass(each, errors.SlsMlError) and each is not errors.SlsMlError
    }


def _errors(file: Path) -> Iterator[Entry]:
    """Constructions of errors, and of their words where code and message are chosen before."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    numbers = {name: each.exit_code for name, each in _classes().items()}
    for node in ast.walk(tree):  # subclasses of the file's own
        if isinstance(node, ast.ClassDef):
            bases = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id in numbers]
            if bases:
                numbers[node.name] = numbers[bases[0]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in numbers:
            words = {keyword.arg: keyword.value for keyword in node.keywords}
            for code in _text(words.get("code")).split(" / ") if node.args else ():
                if code not in {"", "*code*"}:
                    mend = _text(words.get("mend")) or ("see the key" if "problems" in words else "")
                    yield Entry(numbers[node.func.id], code, _text(node.args[0]), mend)
        elif isinstance(node, ast.match_case):
            yield from _chosen(node)


def _chosen(case: ast.match_case) -> Iterator[Entry]:
    """``what, code = "…", "…"`` and ``mend = "…"`` in one branch: errors from outside, exit code 8."""
    words: dict[str, ast.expr] = {}
    for node in case.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            match node.targets[0], node.value:
                case ast.Tuple(elts=names), ast.Tuple(elts=values):
                    words |= {
                        name.id: value
                        for name, value in zip(names, values, strict=True)
                        if isinstance(name, ast.Name)
                    }
                case ast.Name(id=name), value:
                    words[name] = value
    if {"what", "code"} <= words.keys():
        number = errors.ExternalError.exit_code
        yield Entry(number, _text(words["code"]), _text(words["what"]), _text(words.get("mend")))


def _refusals(file: Path) -> Iterator[Entry]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refusal":
            match node.args:
                case [ast.Constant(value=int(status)), code, message, *_]:
                    yield Entry(status, _text(code), _text(message), "")


def _text(node: ast.expr | None) -> str:
    """A text in the code, with the names of what is filled in; of two that are chosen from, both."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(
                _text(part) if isinstance(part, ast.Constant) else f"*{_name(part)}*" for part in parts
            )
        case ast.IfExp(body=one, orelse=other):
            return " / ".join(filter(None, (_text(one), _text(other))))
        case ast.BinOp(left=left, right=right):
            return _text(left) + _text(right)
        case ast.Name(id=name):
            return f"*{name}*"
        case _:
            return "" if node is None or isinstance(node, ast.Constant) else "…"


def _name(part: ast.expr) -> str:
    """What a hole is about, in the code's own word."""
    value = part.value if isinstance(part, ast.FormattedValue) else part
    match value:
        case ast.Name(id=name):
            return name.strip("_")
        case ast.Attribute(attr=name):
            return name.strip("_")
        case _:
            return "…"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("*…*", "…")
