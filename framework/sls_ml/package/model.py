"""A built package, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sls_ml.spec.model import Architecture


@dataclass(frozen=True)
class PackagedFile:
    """One file in the package: its path inside, its size in bytes, and where it came from.

    `origin` is a wheel (``numpy 2.4.6``), ``function``, ``runtime``, ``artifact <model>`` with its bytecode;
    `why` says of a file that was left out why it is not needed, and is empty for a file that is there.
    """

    path: str
    bytes: int
    origin: str
    why: str = ""


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
        platform: The platform that the wheels were resolved for, in uv's words: ``x86_64-manylinux_2_34``.
        glibc: The newest glibc that a shared library in the package asks for: ``2.27``; None without any.
        bytecode: Version of the interpreter that compiled the package's bytecode; None without bytecode.
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
    platform: str
    glibc: str | None
    bytecode: str | None
    files: tuple[PackagedFile, ...]
    pruned: tuple[PackagedFile, ...]
    warnings: tuple[str, ...]
