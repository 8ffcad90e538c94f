"""A sample with its checked-in artifacts and functions, to be measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from command_line import Done, copy_sample, run


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_sample("breast-cancer", tmp_path_factory.mktemp("measured"))


@pytest.fixture
def sls_ml(sample: Path) -> Callable[..., Done]:
    """Run a command in the folder of the sample; nothing is deployed."""
    return lambda *words: run(sample, *words)
