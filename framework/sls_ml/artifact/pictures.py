"""Small pictures for the page, as inline SVG that takes its colours from the page."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

_WIDTH, _HEIGHT = 420, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 10, 8, 26


def scatter(points: Sequence[tuple[float, float]], *, diagonal: bool, label: str) -> str:
    """Draw points in a frame with the ends of both axes.

    Args:
        points: The points, x and y.
        diagonal: Whether both axes share one range and a line shows where they are equal; else a line shows
            where y is zero.
        label: What the picture shows, for those who cannot see it.
    """
    across = [x for x, _ in points]
    up = [y for _, y in points]
    if diagonal:
        across = up = [*across, *up]
    if not diagonal:
        up = [*up, *(-y for y in up)]
    left, right = _range(across)
    low, high = _range(up)

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            _LEFT + (x - left) / (right - left) * (_WIDTH - _LEFT - _RIGHT),
            _HEIGHT - _BOTTOM - (y - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM),
        )

    ends = (place(left, low), place(right, high)) if diagonal else (place(left, 0.0), place(right, 0.0))
    (x1, y1), (x2, y2) = ends
    dots = "".join(
        f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3"/>'
        for x, y in (place(*point) for point in points)
    )
    floor = _HEIGHT - _BOTTOM
    heights = [(min(up), floor), (max(up), _TOP + 10)]
    if min(up) == max(up):  # all lie on one line
        heights = [(up[0], (floor + _TOP) // 2 + 4)]
    marks = "".join(
        f'<text x="{_LEFT - 8}" y="{y:g}" text-anchor="end">{value + 0.0:.3g}</text>' for value, y in heights
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">'
        f'<rect class="frame" x="{_LEFT}" y="{_TOP}" width="{_WIDTH - _LEFT - _RIGHT}" '
        f'height="{floor - _TOP}" rx="6"/>'
        f'<line class="same" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>{dots}'
        f'<text x="{_LEFT}" y="{_HEIGHT - 6}">{min(across):.3g}</text>'
        f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 6}" text-anchor="end">{max(across):.3g}</text>'
        f"{marks}</svg>"
    )


def bars(counts: Sequence[int], label: str) -> str:
    """Draw counts as a row of columns, the largest as high as the picture."""
    return _columns([1.0] * len(counts), [float(count) for count in counts], label)


def density(edges: Sequence[float], counts: Sequence[int], label: str) -> str:
    """Draw how numbers are spread: columns as wide as the bins between the edges, as high as they are dense.

    Args:
        edges: Inner edges of the bins; the outermost, which are open, are drawn as wide as their neighbours.
        counts: Numbers in each bin, one more than edges.
        label: What the picture shows.
    """
    if len(edges) < 2:
        return bars(counts, label)
    inner = [right - left for left, right in pairwise(edges)]
    widths = [inner[0], *inner, inner[-1]]
    return _columns(widths, [count / width for count, width in zip(counts, widths, strict=True)], label)


def _columns(widths: Sequence[float], heights: Sequence[float], label: str) -> str:
    across, most = 132 / (sum(widths) or 1.0), max(heights, default=0.0) or 1.0
    drawn, x = [], 0.0
    for width, height in zip(widths, heights, strict=True):
        tall = max(1.0, 28 * height / most)
        wide = width * across
        drawn.append(
            f'<rect class="column" x="{x:.1f}" y="{28 - tall:.1f}" width="{max(wide - 1.5, 0.8):.1f}" '
            f'height="{tall:.1f}" rx="1"/>'
        )
        x += wide
    return f'<svg class="spark" viewBox="0 0 132 28" role="img" aria-label="{label}">{"".join(drawn)}</svg>'


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    gap = (high - low) * 0.04 or abs(high) * 0.1 or 1e-12
    return low - gap, high + gap
