"""Installs a function's pinned wheels for its own platform into a folder, and says why that fails."""

from __future__ import annotations

import csv
import os
import platform as host
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import uv

from sls_ml.errors import ExternalError, SlsMlError, StaleError, UnsupportedError
from sls_ml.package.targets import Target

Alternative = tuple[str, str, str]
"""Another Python version, its platform in uv's words, and what to write in the spec to get them."""

MACOS = "14.0"
"""Of macOS, for which uv takes 13 otherwise: wheels of onnxruntime ask for 14."""

_NO_WHEEL = re.compile(r"(?:Because|because|and) (\S+?)==(\S+) has no (?:usable )?wheels")
_UNKNOWN = re.compile(r"(?:Because|because|and) (\S+) was not found in the package registry")
_NO_VERSION = re.compile(r"there is no version of (\S+?)==([^\s,]+)")
_HASH = re.compile(r"Hash mismatch for `?([^`\s]+)`?")
_UNPINNED = re.compile(
    r"In `--require-hashes` mode, all requirements must (?:have a hash|have their versions pinned)[^:]*: (.+)"
)
_NETWORK = re.compile(r"error sending request|Failed to fetch|Request failed|dns error|network was disabled")

_RENEWED = "sls-ml generate --upgrade"
"""Stands in a requirements file whose last pins are those of hooks."""


def pins(requirements: Path) -> str:
    """The lines of a requirements file that say something; empty for a function that needs no wheels.

    Raises:
        StaleError: There is no such file.
    """
    try:
        text = requirements.read_text("utf-8")
    except FileNotFoundError as error:
        raise StaleError(
            f"the function {requirements.parent.name} has no {requirements.name}",
            code="function-not-generated",
            where=str(requirements),
            mend="run: sls-ml generate",
        ) from error
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("#"))


def install(
    requirements: Path, folder: Path, target: Target, alternatives: Sequence[Alternative] = ()
) -> None:
    """Install pinned wheels into a folder, from uv's cache alone when it holds them all.

    Args:
        requirements: Exact pins with hashes. Dependencies are not followed: all that is needed is pinned.
        folder: Where to; created.
        target: Whose Python and platform the wheels are for.
        alternatives: Tried, without installing anything, when a wheel does not exist for this target.

    Raises:
        UnsupportedError: A package has no wheel for this Python and platform.
        StaleError: A pin lacks its version or hash.
        ExternalError: No network, an unknown package, or a file that is not what its hash says.
    """
    command = _options(requirements, target.python, target.platform, folder)
    if _uv("--offline", *command) is None:
        return
    if (stderr := _uv(*command)) is not None:
        raise _translated(stderr, requirements, target, alternatives)


def origins(folder: Path) -> dict[str, str]:
    """Which wheel each installed file came from: path to ``numpy 2.4.6``."""
    found = {}
    for record in sorted(folder.glob("*.dist-info/RECORD")):
        name, _, version = record.parent.name.removesuffix(".dist-info").partition("-")
        with record.open(newline="", encoding="utf-8") as rows:
            found.update({row[0]: f"{name.replace('_', '-')} {version}" for row in csv.reader(rows)})
    return found


def _options(requirements: Path, python: str, platform: str, folder: Path) -> list[str]:
    target = ["--python-version", python, "--python-platform", platform]
    return ["--requirements", str(requirements), *target, "--target", str(folder)]


def _uv(*arguments: str) -> str | None:
    """Run ``uv pip install``; None when it worked, else what it wrote."""
    return uv_says(
        *("pip", "install", "--python", sys.executable, "--no-python-downloads"),
        *("--only-binary", ":all:", "--no-deps", "--require-hashes", "--no-progress", "--color", "never"),
        *arguments,
    )


def uv_says(*arguments: str) -> str | None:
    """Run uv; None when it worked, else what it wrote.

    Raises:
        ExternalError: It is not installed.
    """
    try:
        program = uv.find_uv_bin()
    except FileNotFoundError as error:
        raise ExternalError(
            "uv is not installed, which resolves the wheels of a function",
            code="uv-missing",
            why=str(error),
            mend="install sls-ml again: uv comes with it",
        ) from error
    done = subprocess.run(
        [program, *arguments],
        env={**os.environ, "MACOSX_DEPLOYMENT_TARGET": host.mac_ver()[0] or MACOS},
        capture_output=True,
        text=True,
        check=False,
    )
    return None if done.returncode == 0 else done.stderr


def _translated(
    stderr: str, requirements: Path, target: Target, alternatives: Sequence[Alternative]
) -> SlsMlError:
    text = " ".join(stderr.split())
    where = str(requirements)
    if match := _UNPINNED.search(text):
        return StaleError(
            f"{match[1]} is not pinned with a version and hashes",
            code="requirements-not-pinned",
            where=where,
            mend="run: sls-ml generate",
        )
    if match := _HASH.search(text):
        return ExternalError(
            f"the wheel of {match[1]} is not the one that was pinned",
            code="wheel-hash-mismatch",
            where=where,
            why=cause(stderr),
            mend="do not deploy it before you know who changed it: the index, a mirror, or the pins",
        )
    if match := _NO_WHEEL.search(text):
        found = " or ".join(_ways_out(requirements, alternatives))
        ways = [f"every pin has a wheel with {found}"] if found else []
        if _RENEWED in requirements.read_text("utf-8"):
            ways.append(f"if hooks need {match[1]}, allow another version and run: {_RENEWED}")
        return UnsupportedError(
            f"{match[1]} {match[2]} has no wheel for {target}",
            code="no-wheel-for-target",
            where=where,
            why="functions are built from wheels alone: nothing is compiled for another machine",
            mend="; ".join(ways) or "pin a version that has one",
        )
    if match := _UNKNOWN.search(text) or _NO_VERSION.search(text):
        name = " ".join(match.groups())
        return ExternalError(
            f"the package index has no {name}",
            code="wheel-not-found",
            where=where,
            why=cause(stderr),
            mend="check its name and version, and which index uv is configured to use",
        )
    if offline(stderr):
        return ExternalError(
            "the package index cannot be reached, and uv's cache does not hold all wheels",
            code="package-index-unreachable",
            where=where,
            why=cause(stderr),
            mend="check the network and the proxy settings",
        )
    return ExternalError(
        "uv cannot resolve the wheels",
        code="wheels-unresolved",
        where=where,
        why=stderr.strip(),
        mend="change the requirements that uv names",
    )


def _ways_out(requirements: Path, alternatives: Sequence[Alternative]) -> Iterator[str]:
    for python, platform, words in alternatives:
        with tempfile.TemporaryDirectory() as folder:
            if _uv("--dry-run", *_options(requirements, python, platform, Path(folder))) is None:
                yield words


def offline(stderr: str) -> bool:
    """Whether uv could not reach the package index."""
    return _NETWORK.search(" ".join(stderr.split())) is not None


def cause(stderr: str) -> str:
    """The words of uv, from its first error on."""
    return stderr[max(stderr.find("error:"), 0) :].removeprefix("error:").strip()
