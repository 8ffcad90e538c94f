"""Platforms of the providers' runtimes and of this machine."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from sls_ml.errors import UnsupportedError
from sls_ml.package import LocalTarget, interpreters, local_target, targets


@pytest.mark.parametrize(
    ("python", "architecture", "expected"),
    [
        ("3.13", "x86_64", "x86_64-manylinux_2_34"),
        ("3.12", "arm64", "aarch64-manylinux_2_34"),
        ("3.11", "x86_64", "x86_64-manylinux_2_17"),  # glibc 2.26; uv knows no platform between 2.17 and 2.28
    ],
)
def test_lambda_platforms(python, architecture, expected):
    # THEN the newest platform that the runtime's glibc covers is taken
    assert targets.function_platform("aws", python, architecture) == expected


def test_platform_in_place_of_the_provider_s():
    # WHEN a platform is named
    target = targets.target("aws", "3.13", "x86_64", "aarch64-manylinux_2_31")
    # THEN its architecture and glibc count
    assert target == targets.Target("3.13", "arm64", "aarch64-manylinux_2_31", (2, 31))


def test_macos_has_no_glibc():
    # THEN a platform without glibc has none to compare with
    assert targets.target("aws", "3.13", "x86_64", "aarch64-apple-darwin").glibc is None


def test_unknown_machine_is_refused():
    # THEN a platform that functions do not have is an error
    with pytest.raises(UnsupportedError, match="not for riscv64"):
        targets.target("aws", "3.13", "x86_64", "riscv64-unknown-linux")


def test_function_s_own_python_runs_its_package(monkeypatch):
    # GIVEN a Linux machine with a new glibc and the function's Python
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.36"))
    python = interpreters.Interpreter(Path("/opt/python3.13"), "3.13.5")
    monkeypatch.setattr(interpreters, "find", lambda _: python)
    # THEN it runs the very package that is deployed
    assert local_target("3.13", "x86_64") == LocalTarget("3.13", None, python.executable)
    # and another one for another architecture
    assert local_target("3.13", "arm64") == LocalTarget("3.13", "x86_64-manylinux_2_36", python.executable)


def test_without_the_function_s_python_the_running_one_is_taken(monkeypatch):
    # GIVEN a machine without the function's Python
    monkeypatch.setattr(interpreters, "find", lambda _: None)
    # WHEN the local target is asked for
    target = local_target("3.13", "x86_64")
    # THEN it is the running interpreter on this machine's own platform
    assert target.python == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert target.platform == targets.host_platform()
    assert target.executable == Path(sys.executable)


@pytest.mark.parametrize(
    ("system", "machine", "expected"),
    [
        ("darwin", "arm64", "aarch64-apple-darwin"),
        ("darwin", "x86_64", "x86_64-apple-darwin"),
        ("win32", "AMD64", "x86_64-pc-windows-msvc"),
    ],
)
def test_platforms_of_laptops(monkeypatch, system, machine, expected):
    # GIVEN a laptop
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    # THEN its platform is what uv calls it
    assert targets.host_platform() == expected
