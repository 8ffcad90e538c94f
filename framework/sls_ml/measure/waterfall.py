"""Draws cold starts as an SVG: bars of everything compared, and below a waterfall of the function's own."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from sls_ml.measure.coldstart import ColdStarts, Timing
from sls_ml.measure.profile import nested
from sls_ml.measure.start import Mark

WIDTH = 960
_LEFT, _RIGHT, _ROW, _TOP = 250, 90, 20, 34
_LEAST_SHARE = 0.008
"""Marks shorter than this share of the start are not drawn."""

_STYLE = """
text { font: 12px ui-sans-serif, system-ui, sans-serif; fill: #1f2430 }
.title { font-weight: 600; font-size: 14px }
.figure, .tick { fill: #5b6472; font-variant-numeric: tabular-nums }
.grid { stroke: #d9dde3 }
.back { fill: #ffffff }
.subject { fill: #3b6fb6 } .other { fill: #aab4c2 }
.phase { fill: #3b6fb6 } .import { fill: #e0a030 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6e9ee } .figure, .tick { fill: #9aa4b2 } .grid { stroke: #343b47 } .back { fill: #14181f }
}
"""


def draw(measured: ColdStarts) -> str:
    """The picture as the text of an SVG file."""
    drawn = _drawn(measured.marks)
    bars_end = _TOP + _ROW * len(measured.timings)
    height = bars_end + 60 + _ROW * len(drawn) + 16
    title = f"Cold start of {measured.timings[0].name}, Python {measured.python}"
    starts = len(measured.timings[0].milliseconds)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="back" width="{WIDTH}" height="{height}"/>',
        f'<text class="title" x="16" y="22">{escape(title)}, medians of {starts} starts</text>',
        *_comparison(measured.timings),
        f'<text class="title" x="16" y="{bars_end + 30}">Where it goes, from the spawn of the process</text>',
        *_waterfall(drawn, bars_end + 44),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _comparison(timings: tuple[Timing, ...]) -> Iterator[str]:
    scale = (WIDTH - _LEFT - _RIGHT) / max(timing.median for timing in timings)
    for position, timing in enumerate(timings):
        kind = "other" if position else "subject"
        width = timing.median * scale
        yield from _bar(
            kind, timing.name, 16, _TOP + _ROW * position, _LEFT, width, f"{timing.median:.1f} ms"
        )


def _waterfall(drawn: list[tuple[int, Mark]], top: int) -> Iterator[str]:
    end = max(mark.ended for _, mark in drawn)
    scale = (WIDTH - _LEFT - _RIGHT) / end
    bottom = top + _ROW * len(drawn)
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000) if end * 1000 / step <= 12)
    for tick in range(0, int(end * 1000) + 1, step):
        x = _LEFT + tick / 1000 * scale
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}"/>'
        yield f'<text class="tick" x="{x:.1f}" y="{bottom + 14}" text-anchor="middle">{tick}</text>'
    for row, (depth, mark) in enumerate(drawn):
        width = max(1.0, mark.seconds * scale)
        name = f"import {mark.name}" if mark.kind == "import" else mark.name
        figure = f"{mark.seconds * 1000:.1f} ms"
        left = _LEFT + mark.begun * scale
        yield from _bar(mark.kind, name, 16 + 10 * depth, top + _ROW * row, left, width, figure)


def _bar(
    kind: str, name: str, indent: int, top: int, left: float, width: float, figure: str
) -> Iterator[str]:
    shown = name if len(name) <= 36 else f"…{name[-35:]}"
    yield f'<text x="{indent}" y="{top + 14}">{escape(shown)}</text>'
    yield (
        f'<rect class="{kind}" x="{left:.1f}" y="{top + 4}" width="{width:.1f}" height="{_ROW - 7}" rx="2">'
        f"<title>{escape(name)}: {figure}</title></rect>"
    )
    yield f'<text class="figure" x="{left + width + 6:.1f}" y="{top + 14}">{figure}</text>'


def _drawn(marks: tuple[Mark, ...]) -> list[tuple[int, Mark]]:
    """What is long enough to be seen; of the client only the whole, which no function can change."""
    least = _LEAST_SHARE * max(each.ended for each in marks)
    client_ended = next((mark.ended for mark in marks if mark.name == "client"), 0.0)
    return [
        (depth, mark)
        for depth, mark in nested(marks)
        if mark.seconds >= least and (mark.kind == "phase" or mark.begun >= client_ended)
    ]
