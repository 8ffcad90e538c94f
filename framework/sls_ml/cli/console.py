"""Prints for people on stderr and stdout, or one JSON document for programs."""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich import progress as bars
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from sls_ml.errors import SlsMlError, SpecError
from sls_ml.provider.base import Progress

_MARKS = {
    "started": ("…", "dim"),
    "done": ("✓", "green"),
    "failed": ("✗", "bold red"),
    "skipped": ("·", "dim"),
}
_GAP = "  "
_LONGEST_NAME = 40
_NUMBER = re.compile(r"-?[\d,]+(\.\d+)?%?( [kM]B| ms| s)?|")


@dataclass(frozen=True)
class Output:
    """Where a command's words go.

    Progress goes to stderr, so that stdout holds the result alone: text for people, or with `json` one
    JSON document. On a terminal, work under way moves in one line; elsewhere only its results are written.
    Colour never says what a word or a mark does not say too.
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
        """Say what a part of the work came to."""
        if not self.json:
            self.progress.print(Text(f"  {text}", style="dim"))

    def warn(self, text: str) -> None:
        """Say what the user should know though the work goes on."""
        self.progress.print(Text(f"  ! {text}", style="yellow"))

    @contextmanager
    def working(self, text: str) -> Iterator[Callable[[str], None]]:
        """Show on a terminal that work goes on, and for how long; yields what changes the text."""
        if self.json or not self.progress.is_terminal:
            yield lambda _: None
            return
        columns = (
            bars.SpinnerColumn(),
            bars.TextColumn("{task.description}", markup=False),
            bars.TimeElapsedColumn(),
        )
        with bars.Progress(*columns, console=self.progress, transient=True) as shown:
            task = shown.add_task(text)
            yield lambda text: shown.update(task, description=text)

    def follow(self, steps: Iterable[Progress], *, work: str | None = None, total: int | None = None) -> None:
        """Exhaust long work and show it as it happens.

        Args:
            steps: The work.
            work: What the steps do, such as ``resources``: they are counted, and only failures get a line.
                Without it every step that ends has a line of its own.
            total: How many steps will end, where that is known.
        """
        counts = Counter[str]()
        begun = time.monotonic()
        with self.working(work or "") as show:
            for step in steps:
                counts[step.status] += 1
                if step.status == "started" or (work and step.status != "failed"):
                    so_far = f"{counts['done']} of {total}" if total else f"{counts['done']}"
                    show(f"{work}: {so_far}, {_short(step.subject)}" if work else _short(step.subject))
                    continue
                self._line(step)
        if work and counts["done"]:
            self.note(f"{_counted(counts['done'], work)} in {time.monotonic() - begun:.1f} s")

    def _line(self, step: Progress) -> None:
        if self.json:
            return
        mark, style = _MARKS[step.status]
        line = Text.assemble((f"  {mark} ", style), _short(step.subject))
        if step.detail:
            line.append(f"  {step.detail}", style="dim")
        self.progress.print(line)

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None
    ) -> None:
        """Print a table for people: numbers to the right, and nothing cut off, so that it can be copied."""
        cells = [[str(cell) for cell in row] for row in rows]
        widths = [max(map(cell_len, column)) for column in zip(columns, *cells, strict=True)]
        right = [
            bool(cells) and all(_NUMBER.fullmatch(row[place]) for row in cells)
            for place in range(len(columns))
        ]
        if title:
            self.result.print(Text(title, style="italic"))
        if any(columns):
            self.result.print(Text(_aligned(columns, widths, right), style="bold"))
        for row in cells:
            self.result.print(Text(_aligned(row, widths, right)))

    def say(self, text: str = "", *, style: str = "") -> None:
        """Print a line of the result for people."""
        if not self.json:
            self.result.print(Text(text, style=style))

    def document(self, value: Mapping[str, Any] | Sequence[Any]) -> None:
        """Print the result for programs."""
        if self.json:
            sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _aligned(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = []
    for cell, width, numeric in zip(row, widths, right, strict=True):
        blank = " " * (width - cell_len(cell))
        padded.append(blank + cell if numeric else cell + blank)
    return _GAP.join(padded).rstrip()


def _counted(number: int, things: str) -> str:
    """``2 uploads``, ``1 upload``: of several words the first is counted."""
    first, _, rest = things.partition(" ")
    return " ".join(filter(None, (str(number), first.removesuffix("s") if number == 1 else first, rest)))


def _short(subject: str) -> str:
    """A URI as its bucket and file name: what lies between is digests."""
    scheme, mark, rest = subject.partition("://")
    if not mark or rest.count("/") < 2:
        return subject
    name = rest.rpartition("/")[2]
    if len(name) > _LONGEST_NAME:  # a digest, of which the beginning will do
        name = f"{name[:12]}…{name[-4:]}"
    return f"{scheme}://{rest.partition('/')[0]}/…/{name}"


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
