"""Prints for people on stderr and stdout, or one JSON document for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sls_ml.errors import SlsMlError, SpecError
from sls_ml.provider.base import Progress

_MARKS = {
    "started": ("…", "dim"),
    "done": ("✓", "green"),
    "failed": ("✗", "bold red"),
    "skipped": ("·", "dim"),
}


@dataclass(frozen=True)
class Output:
    """Where a command's words go.

    Progress goes to stderr, so that stdout holds the result alone: text for people, or with `json` one
    JSON document.
    """

    json: bool
    result: Console
    progress: Console

    @classmethod
    def open(cls, *, as_json: bool) -> Output:
        """Use the process's own streams."""
        return cls(
            as_json,
            Console(highlight=False, soft_wrap=True),
            Console(stderr=True, highlight=False, soft_wrap=True),
        )

    def step(self, text: str) -> None:
        """Say which part of the work begins."""
        if not self.json:
            self.progress.print(Text(text, style="bold"))

    def note(self, text: str) -> None:
        """Say something by the way."""
        if not self.json:
            self.progress.print(Text(f"  {text}", style="dim"))

    def warn(self, text: str) -> None:
        """Say what the user should know though the work goes on."""
        self.progress.print(Text(f"  ! {text}", style="yellow"))

    def follow(self, steps: Iterable[Progress]) -> None:
        """Print long work as it happens: each finished step on a line, running ones in the status."""
        if self.json:
            for _ in steps:
                pass
            return
        with self.progress.status("") as status:
            for step in steps:
                if step.status == "started":
                    status.update(f"  {_short(step.subject)} {step.detail}")
                    continue
                mark, style = _MARKS[step.status]
                line = Text(f"  {mark} ", style=style)
                line.append(_short(step.subject), style="")
                if step.detail:
                    line.append(f"  {step.detail}", style="dim")
                self.progress.print(line)

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None
    ) -> None:
        """Print a table for people."""
        table = Table(
            *columns, title=title, title_justify="left", box=None, pad_edge=False, header_style="bold"
        )
        for row in rows:
            table.add_row(*(str(cell) for cell in row))
        self.result.print(table)

    def say(self, text: str = "") -> None:
        """Print a line of the result for people."""
        if not self.json:
            self.result.print(Text(text))

    def document(self, value: Mapping[str, Any] | Sequence[Any]) -> None:
        """Print the result for programs."""
        if self.json:
            sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _short(subject: str) -> str:
    """A URI as its bucket and file name: what lies between is digests."""
    scheme, mark, rest = subject.partition("://")
    if not mark or rest.count("/") < 2:
        return subject
    return f"{scheme}://{rest.partition('/')[0]}/…/{rest.rpartition('/')[2]}"


def print_error(error: SlsMlError, *, as_json: bool) -> None:
    """Say what went wrong, where, why, and how to mend it."""
    if as_json:
        sys.stdout.write(json.dumps({"error": describe(error)}, indent=2, ensure_ascii=False) + "\n")
        return
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for line in _error_lines(error):
        console.print(line)


def describe(error: SlsMlError) -> dict[str, Any]:
    """An error as a JSON value."""
    value: dict[str, Any] = {
        "code": error.code,
        "exit_code": error.exit_code,
        "what": error.what,
        "where": error.where,
        "why": error.why,
        "mend": error.mend,
    }
    if isinstance(error, SpecError):
        value["problems"] = [
            {"key": problem.key, "line": problem.line, "what": problem.what, "mend": problem.mend}
            for problem in error.problems
        ]
    return value


def _error_lines(error: SlsMlError) -> Iterator[Text]:
    yield Text.assemble(("error ", "bold red"), (f"[{error.code}] ", "dim"), (error.what, "bold"))
    if error.where:
        yield Text.assemble(("  where  ", "dim"), error.where)
    if error.why:
        yield Text.assemble(("  why    ", "dim"), error.why)
    if isinstance(error, SpecError):
        for problem in error.problems:
            at = f"line {problem.line}" if problem.line else "       "
            yield Text.assemble((f"  {at:<9}", "cyan"), (problem.key, "bold"), f" {problem.what}")
            if problem.mend:
                yield Text(f"           {problem.mend}", style="dim")
    if error.mend:
        yield Text.assemble(("  mend   ", "green"), error.mend)
