"""Records commands in a real pseudo-terminal and draws its screen: recording.py OUT.svg WIDTH COMMAND...

Needs pyte, a terminal in Python, beside what the tool itself needs. The commands run in the shell, one after
another, in one terminal; the picture shows its screen at the end, as long as it has become. The README's is
made again by::

    uv run --no-project --with pyte python .ci/recording.py --readme
"""

from __future__ import annotations

import fcntl
import itertools
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path
from xml.sax.saxutils import escape

import pyte

ROOT = Path(__file__).parents[1]
LINES = 400

README = (
    "sls-ml init --model model.skops --sample sample.csv --name tumours",
    "sls-ml deploy --stage local",
    "sls-ml invoke predict --sample 2 --stage local",
    "sls-ml score score sample.csv --stage local",
)
COLOURS = {"red": "#b42318", "green": "#116329", "yellow": "#7d4e00", "cyan": "#13707a"}
LINE, CHARACTER, MARGIN = 19, 8.43, 16

CHANGING = (
    (re.compile(r"(127\.0\.0\.1):\d+"), r"\1:24601"),
    (re.compile(r"(databucket)-\w+"), r"\1-1a2b3c4d5e6f"),
    (re.compile(r" in \d+\.\d s$"), ""),
)
"""What differs between runs, and is drawn alike."""


def record(commands: list[str], width: int, folder: Path) -> pyte.Screen:
    """Run commands in a terminal of `width` columns; its screen at the end."""
    screen = pyte.Screen(width, LINES)
    stream = pyte.ByteStream(screen)
    for command in commands:
        stream.feed(f"\x1b[36m$\x1b[0m \x1b[1m{command}\x1b[0m\r\n".encode())
        stream.feed(_run(command, width, folder))
        stream.feed(b"\r\n" if screen.cursor.x else b"")
        stream.feed(b"\r\n")
    return screen


def _run(command: str, width: int, folder: Path) -> bytes:
    """What a command writes to its terminal."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(folder)
        os.environ.update(TERM="xterm-256color", COLUMNS=str(width), LINES="40")
        os.execvp("sh", ["sh", "-c", command])  # noqa: S606 - the shell is what is recorded
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    written = b""
    while True:
        try:
            chunk = os.read(terminal, 1 << 16)
        except OSError:  # how Linux says that the other end is closed
            chunk = b""
        if not chunk:
            break
        written += chunk
    os.waitpid(process, 0)
    return written


def draw(screen: pyte.Screen) -> str:
    """The screen as an SVG that needs nothing else: a line of text for each line, a span for each colour."""
    lines = [_line(screen, row) for row in range(screen.cursor.y - 1)]
    width, height = round(screen.columns * CHARACTER) + 2 * MARGIN, len(lines) * LINE + 2 * MARGIN
    texts = "".join(
        f'<text x="{MARGIN}" y="{MARGIN + LINE * (row + 1) - 5}">{line}</text>\n'
        for row, line in enumerate(lines)
        if line
    )
    size = f'width="{width}" height="{height}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {size}>\n'
        f'<rect width="100%" height="100%" rx="8" fill="#f6f8fa"/>\n'
        f'<g font-family="ui-monospace,Menlo,Consolas,monospace" font-size="14" fill="#1f2328"'
        f">\n{texts}</g>\n</svg>\n"
    )


def _line(screen: pyte.Screen, row: int) -> str:
    """One line of the screen; neighbouring characters of one look share a span."""
    cells = [screen.buffer[row][column] for column in range(screen.columns)]
    spans = [
        (look, "".join(cell.data for cell in group))
        for look, group in itertools.groupby(cells, lambda cell: (cell.fg, cell.bold))
    ]
    spans[-1] = (spans[-1][0], spans[-1][1].rstrip())
    return "".join(_span(*look, text) for look, text in spans if text)


def _span(colour: str, bold: bool, text: str) -> str:
    for pattern, instead in CHANGING:
        text = pattern.sub(instead, text)
    fill = COLOURS.get(colour.replace("brown", "yellow"))
    text = escape(text).replace(" ", "\u00a0")  # viewers fold plain spaces
    style = (f' fill="{fill}"' if fill else "") + (' font-weight="bold"' if bold else "")
    return f"<tspan{style}>{text}</tspan>" if style else text


def _readme() -> None:
    """The README's recording: a fresh project on the embedded cloud, without what differs each time."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "tumours"
        folder.mkdir()
        for file in ("model.skops", "sample.csv"):
            shutil.copy(ROOT / "samples" / "breast-cancer" / file, folder)
        try:
            screen = record(list(README), 100, folder)
        finally:
            subprocess.run(["sls-ml", "local", "down"], cwd=folder, check=False, stderr=subprocess.DEVNULL)
    (ROOT / "docs" / "first-minutes.svg").write_text(draw(screen), "utf-8")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--readme"]:
            _readme()
        case [out, width, *commands]:
            Path(out).write_text(draw(record(commands, int(width), Path())), "utf-8")
