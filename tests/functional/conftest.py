"""A sample, deployed once for all tests that only look at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from command_line import Done, copy_sample, run


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The breast-cancer sample, deployed to an embedded cloud of its own."""
    sample = copy_sample("breast-cancer", tmp_path_factory.mktemp("deployed"))
    try:
        done = run(sample, "deploy", "--stage", "local", "--json")
        assert done.code == 0, done.out + done.err
        yield sample, done.document
    finally:
        run(sample, "local", "down")


@pytest.fixture
def sls_ml(deployed: tuple[Path, dict[str, Any]]) -> Callable[..., Done]:
    """Run a command in the folder of the deployed sample."""
    return lambda *words, stdin=None: run(deployed[0], *words, stdin=stdin)
