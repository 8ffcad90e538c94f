"""Read many rows of numbers out of JSON, in less time than a JSON parser needs to make an object of each.

The body is split behind its names. Each piece must then be a number, what lies between it and the next name,
and that name, written in the same way in every row. The end is cut off, and all numbers are parsed as one
list. Whatever is not as simple as that is left to the JSON parser: what is read here is what it would read.
"""

from __future__ import annotations

import json
from itertools import repeat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_SPACE = b" \t\r\n"
_ESCAPED = frozenset('"\\')
_NO_NUMBERS = b'"', b"[", b"{", b"u", b"s"
"""A value of JSON that is no number holds one of these; NaN and Infinity are numbers to the parser."""


def read_matrix(body: bytes, names: Sequence[str]) -> list[float] | None:
    """All values of ``{"rows": [{...}, ...]}`` or ``[{...}, ...]``, row by row.

    Args:
        body: A JSON body.
        names: What each row must name, and nothing else; in the order in which the values are wanted.

    Returns:
        ``rows * len(names)`` numbers, or None: the body is something else, or no JSON at all.
    """
    pieces = body.split(b'":')
    start, closing = (1, b"}]}") if _before(pieces[0], b"rows") == b"{" else (0, b"}]")
    width = len(names)
    wanted = [name.encode() for name in names]
    order = [piece.rpartition(b'"')[2] for piece in pieces[start : start + width]]
    cells = pieces[start + 1 :]
    simple = (
        all(name.isprintable() and not _ESCAPED.intersection(name) for name in names)
        and sorted(order) == sorted(wanted)
        and _before(pieces[start], order[0]) == b"[{"
        and len(cells) % width == 0
    )
    number, brace, rest = pieces[-1].partition(b"}")
    if not simple or not cells or brace + rest.translate(None, _SPACE) != closing:
        return None
    numbers = [b""] * len(cells)
    heads, cut = pieces[: start + 1], len(brace + rest)
    for place, name in enumerate(order):
        column = cells[place::width]
        last = place == width - 1
        between, following = (b"},{", order[0]) if last else (b",", order[place + 1])
        end = column[0][column[0].find(between[:1]) :]
        if _before(end, following) == between:
            column = list(map(bytes.removesuffix, column, repeat(end)))
            cut += len(end) * (len(column) - last)
        elif not last or len(column) > 1:
            return None
        numbers[wanted.index(name) :: width] = column
    numbers[wanted.index(order[-1]) - width] = number
    # Each end was there where nothing is left of the body but the numbers, here with commas between them.
    # Each of these is at least one value, or an error; where there are as many values, each is one.
    text = b",".join(numbers)
    colons = len(pieces) - 1
    size = len(body) - 2 * colons - sum(map(len, heads)) - cut + len(cells) - 1
    if len(text) != size or any(sign in text for sign in _NO_NUMBERS):
        return None
    try:
        values: list[float] = json.loads(b"[%b]" % text)
    except ValueError:
        return None
    return values if len(values) == len(cells) else None


def _before(piece: bytes, name: bytes) -> bytes | None:
    """What comes before a name at the end of a piece, without space; None where another name is there."""
    before, _, found = piece.rpartition(b'"')
    return before.translate(None, _SPACE) if found == name else None
