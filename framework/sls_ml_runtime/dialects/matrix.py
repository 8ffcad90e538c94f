"""Read many rows of numbers out of JSON, in less time than a JSON parser needs to make an object of each.

The first row shows how the names and what lies between them are written. A regular expression of that text
cuts the numbers out of all rows, and all numbers are parsed as one list. Whatever is not as simple as that is
left to the JSON parser: what is read here is what it would read.
"""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

MAX_FORMS = 32
"""For so many ways of writing a row there are expressions, which take as long to make as some hundred rows
to read: a client writes all of its rows in one way, and one that does not shall cost no time or memory."""

_SPACE = b" \t\r\n"
_OPENING = 64
"""Bytes in which a body shows that it is rows."""
_ESCAPED = frozenset('"\\')
_NO_NUMBERS = b'"', b"[", b"{", b"u", b"s"
"""A value of JSON that is no number holds one of these; NaN and Infinity are numbers to the parser."""
_forms: dict[tuple[bytes, ...], re.Pattern[bytes]] = {}


def read_matrix(
    body: bytes, names: Sequence[str], keys: Collection[bytes] = (b"rows", b"")
) -> list[float] | None:
    """All values of ``{"rows": [{...}, ...]}`` or ``[{...}, ...]``, row by row.

    Args:
        body: A JSON body.
        names: What each row must name, and nothing else; in the order in which the values are wanted.
        keys: What may stand in place of ``rows``; empty where a bare list is one of the forms.

    Returns:
        ``rows * len(names)`` numbers, or None: the body is something else, or no JSON at all.
    """
    openings = tuple(b'{"%b":[{' % key if key else b"[{" for key in keys)
    if not body[:_OPENING].translate(None, _SPACE).startswith(openings):
        return None
    first = _first_row(body, names, keys)
    numbers = first and _numbers(body, *first[1:])
    if not first or not numbers:
        return None
    # Each of these is at least one value, or an error; where there are as many values, each is one.
    text = b",".join(numbers)
    if any(sign in text for sign in _NO_NUMBERS):
        return None
    try:
        values: list[float] = json.loads(b"[%b]" % text)
    except ValueError:
        return None
    if len(values) != len(numbers):
        return None
    order, width = first[0], len(names)
    if order != [*names]:
        given = [*values]
        for place, name in enumerate(names):
            values[place::width] = given[order.index(name) :: width]
    return values


def read_lines(body: bytes, names: Sequence[str]) -> list[float] | None:
    """As `read_matrix`, of a row in each line."""
    lines = [line for line in map(bytes.strip, body.split(b"\n")) if line]
    # Where each line has both braces of a row and there are as many rows as lines, each line is one.
    if not all(line[:1] == b"{" and line[-1:] == b"}" for line in lines):
        return None
    values = read_matrix(b"[%b]" % b",".join(lines), names, (b"",))
    return values if values and len(values) == len(lines) * len(names) else None


def _first_row(
    body: bytes, names: Sequence[str], keys: Collection[bytes]
) -> tuple[list[str], list[bytes], bytes] | None:
    """How the first row is written.

    Returns:
        The names in its order, the text before each of its numbers, from the brace or the comma on, and what
        closes the body, without space; None where it has other names, or writes them in another way.
    """
    width = len(names)
    pieces = body.split(b'":', width + 1)
    wrapped = any(_before(pieces[0], key) == b"{" for key in keys if key)
    start, closing = (1, b"]}") if wrapped else (0, b"]")
    head, *between = pieces[start : start + width] or [b""]
    texts = [head[head.find(b"{") :], *[piece[piece.find(b",") :] for piece in between]]
    found = [text.rpartition(b'"')[2] for text in texts]
    places = {name.encode(): name for name in names if name.isprintable() and _ESCAPED.isdisjoint(name)}
    befores = [_before(head, found[0]), *map(_before, texts[1:], found[1:])]
    if len(places) != width or places.keys() != {*found} or befores != [b"[{", *[b","] * (width - 1)]:
        return None
    return [places[name] for name in found], [text + b'":' for text in texts], closing


def _numbers(body: bytes, texts: list[bytes], closing: bytes) -> list[bytes] | None:
    """What stands in the place of a number, row by row; None where a row is not written as the first one."""
    form = _form(tuple(texts))
    if form is None:
        return None
    # Nothing, the numbers of a row, what comes behind it; nothing, the numbers of the next, ...; nothing.
    rows = form.split(body[body.find(texts[0]) :])
    width = len(texts)
    behind = rows[width + 1 :: width + 2]
    between = {text.translate(None, _SPACE) for text in {*behind[:-1]}}
    if not between <= {b","} or not behind[-1] or behind[-1].translate(None, _SPACE) != closing:
        return None
    del rows[:: width + 2]
    del rows[width :: width + 1]
    return rows


def _form(texts: tuple[bytes, ...]) -> re.Pattern[bytes] | None:
    """An expression that finds a row by the text before each of its numbers; None: there are too many forms.

    Its groups are the numbers and what comes behind the row. Where there is no row it takes all that is left,
    so that it looks at each byte once.
    """
    if texts not in _forms and len(_forms) < MAX_FORMS:
        row = rb"([^,]*+)".join(map(re.escape, texts))
        _forms[texts] = re.compile(row + rb"([^}]*+)\}([^{]*+)|.+", re.DOTALL)
    return _forms.get(texts)


def _before(piece: bytes, name: bytes) -> bytes | None:
    """What comes before a name at the end of a piece, without space; None where another name is there."""
    before, _, found = piece.rpartition(b'"')
    return before.translate(None, _SPACE) if found == name else None
