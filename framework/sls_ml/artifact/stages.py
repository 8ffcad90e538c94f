"""The parts of a conversion: whoever waits hears which one begins, and its failure names it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from sls_ml.errors import ModelError, SlsMlError

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


@contextmanager
def step(doing: str) -> Iterator[None]:
    """Begin a part, and translate what a library raises in it, unforeseen, while a model goes through it.

    Raises:
        ModelError: A library failed.
    """
    begin(doing)
    try:
        yield
    except SlsMlError:
        raise
    except Exception as error:
        raise ModelError(
            f"The model cannot be converted: it failed to {doing}.",
            code="model-unsupported",
            why=f"{type(error).__name__}: {' '.join(str(error).split())[:300]}",
            mend="check that the model predicts its own sample; docs/estimators.md lists what converts",
        ) from error
