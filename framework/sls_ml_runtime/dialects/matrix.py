"""Read many rows of numbers out of JSON, in less time than a JSON parser needs to make an object of each.

The body is split at its quotation marks. What lies between the names must then be the skeleton of rows, and
numbers; these are parsed as one flat list. Whatever is not as simple as that is left to the JSON parser:
what is read here is what it would read.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_SPACE = b" \t\r\n"
_NUMBER = b"0123456789+-.eE"
_GAPS = bytes.maketrans(b":{}]", b"    ")


def read_matrix(body: bytes, names: Sequence[str]) -> list[float] | None:
    """All values of ``{"rows": [{...}, ...]}`` or ``[{...}, ...]``, row by row.

    Args:
        body: A JSON body.
        names: What each row must name, and nothing else; in the order in which the values are wanted.

    Returns:
        ``rows * len(names)`` numbers, or None: the body is something else, or no JSON at all.
    """
    parts = body.split(b'"')
    head = [part.translate(None, _SPACE) for part in parts[:3]]
    start, tail = (0, b"]") if head[0] == b"[{" else (2, b"]}")
    found, between = parts[start + 1 :: 2], b"".join(parts[start + 2 :: 2])
    wanted = [name.encode() for name in names]
    width = len(wanted)
    order = found[:width]
    count = len(found) // width
    simple = (
        (start == 0 or head == [b"{", b"rows", b":[{"])
        and all(name.isprintable() and "\\" not in name for name in names)  # else JSON escapes them
        and sorted(order) == sorted(wanted)
        and found == order * count
        and _are_rows(between.translate(None, _SPACE), width, count, tail)
    )
    if not simple:
        return None
    # Now there is a number, or something like it, behind each colon. Where there is one elsewhere too, two
    # come next to each other below, with nothing but space between them, and the parser refuses them.
    try:
        values: list[float] = json.loads(b"[%b]" % between.translate(_GAPS))
    except ValueError:
        return None
    if order == wanted:
        return values
    ordered = values.copy()
    for position, name in enumerate(wanted):
        ordered[position::width] = values[order.index(name) :: width]
    return ordered


def _are_rows(dense: bytes, width: int, count: int, tail: bytes) -> bool:
    """Whether what lies between names, without its space, is that of rows of numbers."""
    row = b":," * (width - 1) + b":}"
    skeleton = b",{".join([row] * count) + tail
    return dense.translate(None, _NUMBER) == skeleton and b":," not in dense and b":}" not in dense
