"""Tells one version of the embedded cloud's code from another."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path


def code_version() -> str:
    """A digest of this folder's modules and of moto's version: a daemon with another one is out of date."""
    digest = hashlib.sha256(version("moto").encode())
    folder = Path(__file__).parent
    for file in sorted(folder.rglob("*.py")):
        digest.update(str(file.relative_to(folder)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]
