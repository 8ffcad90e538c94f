"""Gathers every error that the code can raise, with message and way out, for docs/troubleshooting.md."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sls_ml import errors

Names = dict[str, ast.expr]
"""What stands behind names in the code that is read."""

FRAMEWORK = Path(__file__).parents[1] / "framework"

INTRO = """\
# Troubleshooting

Every error of the command line names its code in brackets: `error [bucket-missing] …`. With `--json` the same
is `{"error": {"code", "exit_code", "what", "where", "why", "mend"}}`. Parts that differ from case to case are
written *so*, in commands `<so>`, or as …. `sls-ml doctor` looks for what is missing on a machine and in an
account.

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
    for node, known in _with_names(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in numbers:
            words = {keyword.arg: keyword.value for keyword in node.keywords}
            for code in _text(words.get("code"), known).split(" / ") if node.args else ():
                if code not in {"", "…"}:
                    mend = _text(words.get("mend"), known) or ("see the key" if "problems" in words else "")
                    yield Entry(numbers[node.func.id], code, _text(node.args[0], known), mend)
        elif isinstance(node, ast.match_case):
            yield from _chosen(node, known)


def _chosen(case: ast.match_case, known: Names) -> Iterator[Entry]:
    """``what, code = "…", "…"`` and ``mend = "…"`` in one branch: errors from outside, exit code 8."""
    words: Names = {}
    for node in case.body:
        words |= dict(_assigned(node))
    if {"what", "code"} <= words.keys():
        number = errors.ExternalError.exit_code
        code, what, mend = (_text(words.get(name), known) for name in ("code", "what", "mend"))
        yield Entry(number, code, what, mend)


def _refusals(file: Path) -> Iterator[Entry]:
    """Constructions of refusals, and faults of a value: a code and the rest of a sentence."""
    for node, known in _with_names(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(
                func=ast.Name(id="Refusal"), args=[ast.Constant(value=int(status)), code, message, *_]
            ):
                if (text := _text(code, known)) != "…":
                    yield Entry(status, text, _text(message, known), "")
            case ast.FunctionDef(name=name) if name.endswith("_fault"):
                for inner in ast.walk(node):
                    match inner:
                        case ast.Return(value=ast.Tuple(elts=[ast.Constant(value=str(code)), rest])):
                            yield Entry(422, code, f"*input* {_text(rest, known)}", "")


def _with_names(tree: ast.Module) -> Iterator[tuple[ast.AST, Names]]:
    """Every node with what names stand for there: the module's constants, and assignments before it."""
    constants = {
        name: value
        for node in tree.body
        for name, value in _assigned(node)
        if isinstance(value, ast.Constant | ast.JoinedStr)
    }

    def walk(node: ast.AST, known: Names) -> Iterator[tuple[ast.AST, Names]]:
        if isinstance(node, ast.FunctionDef):
            known = dict(known)
        for name, value in _assigned(node):
            known[name] = value
        yield node, known
        for child in ast.iter_child_nodes(node):
            yield from walk(child, known)

    yield from walk(tree, constants)


def _assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """The names that a statement assigns, each with its value."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            yield name, value
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
            for target, value in zip(names, values, strict=True):
                if isinstance(target, ast.Name):
                    yield target.id, value


def _text(node: ast.expr | None, known: Names) -> str:
    """A text in the code, with the names of what is filled in; of two that are chosen from, both."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(
                _text(part, known) if isinstance(part, ast.Constant) else _hole(part, known) for part in parts
            )
        case ast.IfExp(body=one, orelse=other):
            return " / ".join(filter(None, (_text(one, known), _text(other, known))))
        case ast.BinOp(left=left, right=right):
            return _text(left, known) + _text(right, known)
        case ast.Name(id=name) if isinstance(known.get(name), ast.Constant | ast.JoinedStr | ast.IfExp):
            return _text(known[name], {key: value for key, value in known.items() if key != name})
        case _:
            return "" if node is None or isinstance(node, ast.Constant) else "…"


def _hole(part: ast.expr, known: Names) -> str:
    """What is filled in: the number of a constant, else the code's own word for it."""
    value = part.value if isinstance(part, ast.FormattedValue) else part
    match value:
        case ast.Name(id=name) if isinstance(constant := known.get(name), ast.Constant):
            return str(constant.value)
        case ast.Name(id=name) | ast.Attribute(attr=name) if name != "value":
            return f"*{name.strip('_').lower()}*"
        case _:
            return "…"


def _cell(text: str) -> str:
    """A text as a cell of a table: holes are emphasised, or <so> in code, which has no emphasis."""
    parts = " ".join(text.split()).replace("|", "\\|").split("`")
    for position, part in enumerate(parts):
        if position % 2:
            parts[position] = re.sub(r"\*(\w+)\*(?:\*\w+\*|…)*", r"<\1>", part)
        else:  # a hole that is glued to a word has no edge for Markdown to see
            parts[position] = re.sub(r"(?<=[\w*])\*\w+\*|\*\w+\*(?=\w)", "…", part).replace("<", "&lt;")
    return "`".join(parts)
