"""A built package, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sls_ml.spec.model import Architecture


@dataclass(frozen=True)
class PackagedFile:
    """One file in the package: its path inside, its size in bytes, and where it came from."""

    path: str
    bytes: int
    origin: str


@dataclass(frozen=True)
class Package:
    """A function's package for one Python version and architecture.

    Attributes:
        function: Name of the function.
        kind: A zip file, or the context of a container image.
        path: The zip file or the context folder.
        sha256: Digest of the zip's bytes (of the context's canonical listing for an image), 64 hex digits.
        bytes: Size of the zip.
        unpacked_bytes: Size of all files after unpacking.
        python: ``3.13``.
        files: All files, sorted by path.
        pruned: Files left out of the wheels, with their sizes, sorted by path.
        warnings: What the user should know, such as bytecode that could not be compiled here.
    """

    function: str
    kind: Literal["zip", "image"]
    path: Path
    sha256: str
    bytes: int
    unpacked_bytes: int
    python: str
    architecture: Architecture
    files: tuple[PackagedFile, ...]
    pruned: tuple[PackagedFile, ...]
    warnings: tuple[str, ...]
