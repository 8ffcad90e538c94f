"""Interpreters are found by running them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sls_ml.package import interpreters


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with nothing but what a test puts there."""
    for name in ("PYENV_ROOT", "XDG_DATA_HOME", "PATH"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.delenv("UV_PYTHON_INSTALL_DIR", raising=False)
    interpreters.find.cache_clear()
    yield tmp_path
    interpreters.find.cache_clear()


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_running_interpreter_needs_no_search(machine):
    # WHEN the running version is asked for
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    # THEN it is the running interpreter
    found = interpreters.find(python)
    assert found is not None
    assert found.executable == Path(sys.executable)
    assert found.version.startswith(f"{python}.")


def test_newest_patch_of_pyenv_is_taken(machine):
    # GIVEN two patch versions in pyenv
    for version in ("3.99.9", "3.99.10"):
        program(
            machine / f"PYENV_ROOT/versions/{version}/bin/python", f"echo cpython {version.replace('.', ' ')}"
        )
    # THEN the newer by number is found
    found = interpreters.find("3.99")
    assert found is not None
    assert found.version == "3.99.10"


def test_shim_that_fails_is_no_interpreter(machine):
    # GIVEN a shim on PATH that ends as pyenv's do without a version
    program(machine / "PATH/python3.99", "echo 'python3.99: command not found' >&2; exit 127")
    # THEN there is none
    assert interpreters.find("3.99") is None


def test_program_of_another_version_is_no_interpreter(machine):
    # GIVEN a program that bears the name and is another version, or another implementation
    program(machine / "PATH/python3.99", "echo cpython 3 98 1")
    program(machine / "PYENV_ROOT/versions/3.99.1/bin/python", "echo pypy 3 99 1")
    # THEN there is none
    assert interpreters.find("3.99") is None


def test_uv_s_versions_are_found(machine):
    # GIVEN a Python that uv installed
    path = program(
        machine / "XDG_DATA_HOME/uv/python/cpython-3.99.2-linux/bin/python3", "echo cpython 3 99 2"
    )
    # THEN it is found
    assert interpreters.find("3.99") == interpreters.Interpreter(path, "3.99.2")
