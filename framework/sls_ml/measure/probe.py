"""Runs awslambdaric with a clock on every import and every phase of a start.

A program for the interpreter of the function, never imported:

    python -S -P probe.py MARKS handler.handler

Writes ``[[kind, name, begun, ended], ...]`` to the file MARKS after the first request; times are those of
``perf_counter``, which all processes of a machine share.
"""

from __future__ import annotations

import sys
from time import perf_counter

_BORN = perf_counter()

from _thread import get_ident  # noqa: E402
from importlib.machinery import PathFinder  # noqa: E402

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

_PHASES = {
    "sls_ml_runtime.fetch": (("fetch", "fetch"),),
    "sls_ml_runtime.artifact": (
        ("open_folder", "open"),
        ("_sha256", "verify"),
        ("_sha256_of_file", "verify"),
    ),
    "sls_ml_runtime.engines.table": (("load", "session"),),
    "sls_ml_runtime.serve": (("Service.warm", "first prediction"),),
}
"""Functions of the runtime whose calls are phases of a start, by the module that defines them."""

_marks: list[tuple[str, str, float, float]] = []
_main = get_ident()


def _note(kind: str, name: str, begun: float) -> None:
    if get_ident() == _main:  # what other threads do meanwhile costs the start nothing
        _marks.append((kind, name, begun, perf_counter()))


def _timed(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        begun = perf_counter()
        try:
            return function(*arguments, **options)
        finally:
            _note("phase", name, begun)

    return call


class _Clock:
    """Stands in for the finder of modules on the path, and notes how long each takes to find and to run."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        begun = perf_counter()
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return spec
        run = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            try:
                run(module)
            finally:
                _note("import", name, begun)
            _watch(name, module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


class _Hash:
    """A hash that notes how long it is fed: what is fetched is verified while it comes."""

    def __init__(self, state: Any) -> None:
        self.update = _timed(state.update, "verify")
        self.hexdigest = state.hexdigest


def _watch(name: str, module: ModuleType) -> None:
    """Put clocks on the functions of a module that are phases, before anyone has taken them out of it."""
    if name == "sls_ml_runtime.fetch":
        sha256 = module.sha256
        module.sha256 = lambda data=b"": _Hash(sha256(data))  # type: ignore[attr-defined]
    for path, phase in _PHASES.get(name, ()):
        *owners, function = path.split(".")
        owner: Any = module
        for each in owners:
            owner = getattr(owner, each)
        setattr(owner, function, _timed(getattr(owner, function), phase))


def _first(handler: Callable[..., Any], marks: str) -> Callable[..., Any]:
    """The handler, with its first call noted and everything written down after it."""

    def call(event: Any, context: Any) -> Any:
        begun = perf_counter()
        result = handler(event, context)
        _note("phase", "request", begun)
        import json

        with open(marks, "w", encoding="utf-8") as file:  # noqa: PTH123 - pathlib may not be loaded yet
            json.dump(_marks, file)
        return result

    return call


def main() -> None:
    """Run the client as ``python -m awslambdaric`` does."""
    import os

    _, marks, handler = sys.argv
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - as above
    sys.meta_path[sys.meta_path.index(PathFinder)] = _Clock
    from awslambdaric import __main__, bootstrap

    _marks.append(("phase", "client", _BORN, perf_counter()))
    find = bootstrap._get_handler

    def get_handler(name: str) -> Callable[..., Any]:
        begun = perf_counter()
        found = find(name)
        _note("phase", "function", begun)
        return _first(found, marks)

    bootstrap._get_handler = get_handler
    __main__.main([sys.argv[0], handler])


if __name__ == "__main__":
    main()
