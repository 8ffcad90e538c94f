"""Which platform a package is resolved for: what a provider's function runs on, or this machine."""

from __future__ import annotations

import platform as host
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, assert_never

from sls_ml.errors import UnsupportedError
from sls_ml.package import interpreters
from sls_ml.spec.model import Architecture, ProviderName

Glibc = tuple[int, int]

FUNCTION_GLIBC: Mapping[ProviderName, Mapping[str, Glibc]] = {
    # docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html, read 2026-11-24: python3.11 runs on
    # Amazon Linux 2 (glibc 2.26), python3.12 and later on Amazon Linux 2023 (glibc 2.34).
    "aws": {"3.11": (2, 26), "3.12": (2, 34), "3.13": (2, 34)},
}
"""glibc of a provider's own Python runtimes."""

COMMON_GLIBC: Glibc = (2, 28)
"""Taken where a provider's runtime is not in the table: what today's numeric wheels ask for at least."""

_UV_MINORS = (17, 28, *range(31, 41))
"""uv knows the platforms manylinux_2_<minor> for these."""

_MANYLINUX = re.compile(r"-manylinux_(\d+)_(\d+)$")

_MACHINES: Mapping[str, Architecture] = {
    "x86_64": "x86_64",
    "amd64": "x86_64",
    "arm64": "arm64",
    "aarch64": "arm64",
}


@dataclass(frozen=True)
class Target:
    """What a package is for.

    Attributes:
        python: ``3.13``.
        platform: In uv's words: ``x86_64-manylinux_2_34``.
        glibc: The newest glibc that a shared library may ask for; None on a platform without glibc.
    """

    python: str
    architecture: Architecture
    platform: str
    glibc: Glibc | None

    def __str__(self) -> str:
        where = f"{self.architecture} with glibc {dotted(self.glibc)}" if self.glibc else self.platform
        return f"Python {self.python} on {where}"


@dataclass(frozen=True)
class LocalTarget:
    """What the embedded cloud runs a function with on this machine.

    Attributes:
        python: ``3.13``, for `build`'s argument of that name.
        platform: For `build`'s argument of that name; None when this machine runs the function's own package.
        executable: The interpreter.
    """

    python: str
    platform: str | None
    executable: Path


def target(provider: ProviderName, python: str, architecture: Architecture, platform: str | None) -> Target:
    """The target of a package: a provider's runtime, or the given platform in uv's words.

    Raises:
        UnsupportedError: The platform is neither x86_64 nor arm64.
    """
    if platform is None:
        glibc = function_glibc(provider, python)
        return Target(python, architecture, function_platform(provider, python, architecture), glibc)
    manylinux = _MANYLINUX.search(platform)
    own = (int(manylinux[1]), int(manylinux[2])) if manylinux else None
    return Target(python, architecture_of(platform), platform, own)


def function_platform(provider: ProviderName, python: str, architecture: Architecture) -> str:
    """The platform of a provider's runtime, in uv's words: ``x86_64-manylinux_2_34``."""
    return _manylinux(architecture, function_glibc(provider, python))


def function_glibc(provider: ProviderName, python: str) -> Glibc:
    """The glibc of a provider's runtime."""
    return FUNCTION_GLIBC.get(provider, {}).get(python, COMMON_GLIBC)


def architecture_of(platform: str) -> Architecture:
    """The architecture that a platform in uv's words is for."""
    machine = platform.partition("-")[0]
    if machine not in _MACHINES:
        raise UnsupportedError(
            f"packages are built for x86_64 and arm64, not for {platform}",
            code="unknown-platform",
            mend="name a platform of uv, such as aarch64-manylinux_2_34",
        )
    return _MACHINES[machine]


def local_target(python: str, architecture: Architecture, *, provider: ProviderName = "aws") -> LocalTarget:
    """What runs a function on this machine: its own Python when that is installed, else the running one.

    Args:
        python: The function's Python version.
        architecture: The function's architecture.
        provider: Whose runtime the function is for.

    Raises:
        UnsupportedError: This machine is neither x86_64 nor arm64.
    """
    interpreter = interpreters.find(python)
    here = host_platform()
    if interpreter is None:
        running = f"{sys.version_info.major}.{sys.version_info.minor}"
        return LocalTarget(running, here, Path(sys.executable))
    runs_package = (
        sys.platform == "linux"
        and architecture_of(here) == architecture
        and _host_glibc() >= function_glibc(provider, python)
    )
    return LocalTarget(python, None if runs_package else here, interpreter.executable)


def dotted(glibc: Glibc) -> str:
    """A version of glibc as people write it: ``2.34``."""
    return f"{glibc[0]}.{glibc[1]}"


def host_platform() -> str:
    """This machine's platform in uv's words."""
    machine = _MACHINES.get(host.machine().lower())
    if machine is None:
        raise UnsupportedError(
            f"functions do not run on a {host.machine()} machine",
            code="unknown-platform",
            mend="use --stage local on an x86_64 or arm64 machine",
        )
    match sys.platform:
        case "darwin":
            return f"{_machine(machine)}-apple-darwin"
        case "win32":
            return f"{_machine(machine)}-pc-windows-msvc"
        case _:
            return _manylinux(machine, _host_glibc())


def _manylinux(architecture: Architecture, glibc: Glibc) -> str:
    minor = max((known for known in _UV_MINORS if (2, known) <= glibc), default=_UV_MINORS[0])
    return f"{_machine(architecture)}-manylinux_2_{minor}"


def _machine(architecture: Architecture) -> Literal["x86_64", "aarch64"]:
    match architecture:
        case "x86_64":
            return "x86_64"
        case "arm64":
            return "aarch64"
        case _:
            assert_never(architecture)


def _host_glibc() -> Glibc:
    name, version = host.libc_ver()
    if name != "glibc":
        return COMMON_GLIBC
    major, minor = version.split(".")[:2]
    return int(major), int(minor)
