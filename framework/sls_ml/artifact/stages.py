"""Tells whoever waits for a conversion which part of it begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[str], object]

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def heard_by(listener: Listener | None) -> Iterator[None]:
    """Let a listener hear of the parts that begin while the context lasts."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def begin(part: str) -> None:
    """Say that a part begins, such as ``check the engines``."""
    if listener := _listener.get():
        listener(part)
