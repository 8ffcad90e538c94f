"""Renews the pinned wheels of generated functions: exact versions, and the hashes of every target's wheel.

A pin file is a fragment of a requirements file: the packages of one need (an engine, a library), which
codegen copies verbatim into the ``requirements.txt`` of each function that has the need. Run by hand when a
version is to be raised::

    python -m sls_ml.codegen.pins framework/sls_ml/provider/aws/data/pins onnxruntime==1.32.0

Without versions the files keep theirs, and their hashes are checked against the index and written anew.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

import uv

from sls_ml.errors import ExternalError

TARGETS = tuple(
    (python, platform)
    for python in ("3.11", "3.12", "3.13")
    for platform in ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28", "aarch64-apple-darwin")
)
"""The Python versions and platforms that a function may have, the glibc of the wheels at most 2.28; and
laptops with macOS, where the embedded cloud runs functions too."""

_HEADER = "# Renewed by: python -m sls_ml.codegen.pins. Hashes: CPython {pythons}; {systems}.\n"
_PIN = re.compile(r"([a-z0-9-]+)==([^\s\\]+)")


def renew(folder: Path, raised: Mapping[str, str]) -> None:
    """Write every pin file of `folder` anew.

    Args:
        folder: Holds ``<need>.txt``, each with at least one line ``name==version``.
        raised: Package name to the version that replaces the one in its file.

    Raises:
        ExternalError: uv cannot resolve a package for one of the targets.
    """
    for file in sorted(folder.glob("*.txt")):
        pins = {name: raised.get(name, version) for name, version in _PIN.findall(file.read_text("utf-8"))}
        file.write_text(fragment(pins), encoding="utf-8")


def fragment(pins: Mapping[str, str]) -> str:
    """The text of a pin file: every package of `pins` with the hashes of its wheels for all `TARGETS`."""
    hashes: dict[str, set[str]] = {name: set() for name in pins}
    for python, platform in TARGETS:
        for name, sha256 in _wheels(pins, python, platform):
            hashes[name].add(sha256)
    lines = [
        _HEADER.format(
            pythons=", ".join(dict.fromkeys(python for python, _ in TARGETS)),
            systems=", ".join(dict.fromkeys(_system(platform) for _, platform in TARGETS)),
        )
    ]
    for name in sorted(pins):
        options = "".join(f" \\\n    --hash=sha256:{sha256}" for sha256 in sorted(hashes[name]))
        lines.append(f"{name}=={pins[name]}{options}\n")
    return "".join(lines)


def _system(platform: str) -> str:
    machine, _, system = platform.partition("-")
    return f"{'macOS' if 'darwin' in system else 'Linux'} {machine}"


def _wheels(pins: Mapping[str, str], python: str, platform: str) -> Iterable[tuple[str, str]]:
    """Pairs of package name and sha256 of the wheels that fit one target."""
    command = [
        *(uv.find_uv_bin(), "pip", "compile", "--quiet", "--format", "pylock.toml"),
        *("--no-deps", "--no-header", "--only-binary", ":all:", "--no-python-downloads"),
        *("--python-version", python, "--python-platform", platform, "-"),
    ]
    wanted = "".join(f"{name}=={version}\n" for name, version in pins.items())
    environment = {**os.environ, "MACOSX_DEPLOYMENT_TARGET": "14.0"}  # what onnxruntime's wheels ask for
    done = subprocess.run(command, input=wanted, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ExternalError(
            f"uv finds no wheels for Python {python} on {platform}.",
            code="pins-unresolved",
            where=", ".join(wanted.split()),
            why=done.stderr.strip(),
            mend="Pin versions that publish wheels for every target.",
        )
    for package in tomllib.loads(done.stdout)["packages"]:
        for wheel in package["wheels"]:
            yield package["name"], wheel["hashes"]["sha256"]


if __name__ == "__main__":
    renew(Path(sys.argv[1]), dict(_PIN.findall(" ".join(sys.argv[2:]))))
