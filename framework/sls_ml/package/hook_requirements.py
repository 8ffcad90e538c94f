"""Pins the packages that a function's hooks ask for, once, and keeps the pins until the wish changes.

The generated ``requirements.txt`` ends with them, below a line with a digest of what was asked for, of
the pins above it and of the pins themselves. While it is right, no index is asked: the
file works as a lockfile does, on every machine.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sls_ml.errors import ExternalError, Problem, SlsMlError, SpecError
from sls_ml.package import wheels
from sls_ml.spec.model import PythonVersion

OLDEST_PYTHON = "3.11"
"""Pins hold for every later Python too, so that the embedded cloud can take the one that is here."""

_HEADER = "# For hooks.py, from functions.{function}.requirements; renewed by: sls-ml generate --upgrade.\n"
_DIGEST = re.compile(r"^# Resolved: sha256:([0-9a-f]{64})\n", re.MULTILINE)
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
_ENTRY = re.compile(r"^\S.*(?:\n[ \t]+.*)*\n", re.MULTILINE)
_NEWER = re.compile(r"requested Python version .* does not satisfy")


def pinned(
    function: str,
    wanted: Sequence[str],
    base: str,
    existing: Path,
    *,
    python: PythonVersion,
    resolve: bool,
    upgrade: bool = False,
) -> str:
    """The whole text of a function's requirements.txt.

    Args:
        function: The function's name in the spec.
        wanted: What ``functions.<function>.requirements`` says.
        base: The pins that the function itself needs; no package of theirs gets another version.
        existing: The requirements.txt of an earlier call, if there was one: its pins are kept.
        python: The function's Python version.
        resolve: Whether the index may be asked. Without it, pins that do not fit the wish are left out:
            the file is seen to be stale.
        upgrade: Forget the versions of `existing`.

    Raises:
        SpecError: A package is unknown, or no set of versions fits together.
        ExternalError: The index cannot be reached, or uv is missing.
    """
    if not wanted:
        return base
    known = existing.read_text("utf-8") if existing.is_file() else ""
    split = _DIGEST.search(known)
    kept = known[split.end() :] if split else ""
    if split and not upgrade and split[1] == _digest(wanted, base, kept):
        pins = kept
    elif resolve:
        pins = _resolved(function, wanted, base, "" if upgrade else kept, python)
    else:
        pins = ""
    digest = _digest(wanted, base, pins)
    return f"{base}{_HEADER.format(function=function)}# Resolved: sha256:{digest}\n{pins}"


def _digest(wanted: Sequence[str], base: str, pins: str) -> str:
    return hashlib.sha256(json.dumps([list(wanted), base, pins]).encode()).hexdigest()


def _resolved(function: str, wanted: Sequence[str], base: str, kept: str, python: PythonVersion) -> str:
    """Pins with the hashes of all wheels, without the packages that `base` pins already."""
    fixed = dict(_PIN.findall(base))
    with tempfile.TemporaryDirectory(prefix="sls-ml-") as name:
        folder = Path(name)
        asked, constraints, pins = folder / "asked.in", folder / "constraints.txt", folder / "pins.txt"
        asked.write_text("".join(f"{each}\n" for each in wanted), "utf-8")
        constraints.write_text("".join(f"{each}=={version}\n" for each, version in fixed.items()), "utf-8")
        pins.write_text(kept, "utf-8")
        options = [
            *("pip", "compile", "--quiet", "--color", "never", "--universal", "--generate-hashes"),
            *("--only-binary", ":all:", "--no-header", "--no-annotate", "--no-python-downloads"),
            *("--constraint", str(constraints), "--output-file", str(pins), str(asked)),
        ]
        trouble = wheels.uv_says(*options, "--python-version", OLDEST_PYTHON)
        if trouble is not None and _NEWER.search(" ".join(trouble.split())):
            trouble = wheels.uv_says(*options, "--python-version", python)
        if trouble is not None:
            raise _translated(trouble, function)
        entries = _ENTRY.findall(pins.read_text("utf-8"))
    return "".join(entry for entry in entries if _PIN.findall(entry)[0][0] not in fixed)


def _translated(stderr: str, function: str) -> SlsMlError:
    key = f"functions.{function}.requirements"
    if wheels.offline(stderr):
        return ExternalError(
            "the package index cannot be reached, which the requirements of hooks.py are resolved with",
            code="package-index-unreachable",
            where=key,
            why=wheels.cause(stderr),
            mend="check the network and the proxy settings",
        )
    reason = " ".join(wheels.cause(stderr).rpartition("cause:")[2].partition("\nhint:")[0].split())
    reason = reason.removeprefix("Because ").removesuffix(
        ", we can conclude that your requirements are unsatisfiable."
    )
    problem = Problem(
        key, None, f"cannot be had: {reason}", "name packages and versions that have wheels and fit together"
    )
    return SpecError(
        "the packages that hooks.py asks for cannot be had together",
        code="requirements-unresolved",
        problems=(problem,),
    )
