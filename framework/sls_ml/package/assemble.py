"""Turns files into a part of a package: bytecode beside modules, shared libraries checked, all compressed."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from sls_ml.errors import SpecError, UnsupportedError
from sls_ml.package import archive, elf
from sls_ml.package.archive import Member
from sls_ml.package.bytecode import Module, compile_modules
from sls_ml.package.content import RUNTIME_ORIGIN, Source
from sls_ml.package.interpreters import Interpreter
from sls_ml.package.model import PackagedFile
from sls_ml.package.targets import Glibc, Target, dotted

_THREADS = 4  # zlib leaves the interpreter lock; large libraries take most of the time


@dataclass(frozen=True)
class Part:
    """Compressed files of a package, what they are, and what was left out.

    Attributes:
        members: The compressed files.
        files: One for each member, in the same order.
        pruned: Files that were left out.
        glibc: The newest glibc that a shared library asks for, or None.
    """

    members: tuple[Member, ...]
    files: tuple[PackagedFile, ...]
    pruned: tuple[PackagedFile, ...] = ()
    glibc: Glibc | None = None

    def save(self, path: Path) -> None:
        """Keep this part on disk as a zip and a listing beside it."""
        listing = {"files": self.files, "pruned": self.pruned, "glibc": self.glibc}
        archive.write(path, self.members)
        with archive.replacing(path.with_suffix(".json")) as file:
            file.write(json.dumps(listing, default=asdict).encode())

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """A part that was kept on disk; None when there is none, or not all of it."""
        try:
            listing: dict[str, Any] = json.loads(path.with_suffix(".json").read_bytes())
            members = tuple(archive.read(path))
        except (OSError, ValueError, zipfile.BadZipFile):
            return None
        return cls(
            members,
            tuple(PackagedFile(**file) for file in listing["files"]),
            tuple(PackagedFile(**file) for file in listing["pruned"]),
            tuple(listing["glibc"]) if listing["glibc"] else None,
        )


def assemble(sources: Sequence[Source], target: Target, interpreter: Interpreter | None) -> Part:
    """Compile, check and compress files.

    Args:
        sources: The files.
        target: What the package is for.
        interpreter: Compiles the modules; None to leave bytecode out.

    Raises:
        SpecError: Two files want the same path, or a module of the user's own does not compile.
        UnsupportedError: A shared library is for another machine or a newer glibc.
    """
    _refuse_duplicates(sources)
    with tempfile.TemporaryDirectory(prefix="sls-ml-") as folder, ThreadPoolExecutor(_THREADS) as threads:
        modules = [
            Module(s.path, s.file, s.user, bare=s.origin == RUNTIME_ORIGIN)
            for s in sources
            if s.path.endswith(".py")
        ]
        compiling = (
            threads.submit(compile_modules, modules, interpreter, Path(folder)) if interpreter else None
        )
        largest_first = sorted(sources, key=lambda source: source.file.stat().st_size, reverse=True)
        packed = list(threads.map(lambda source: _pack(source, target), largest_first))
        origins = {source.path: source.origin for source in sources}
        packed.extend(
            _pack(Source(compiled.path, compiled.file, origins[compiled.module.path]), target)
            for compiled in (compiling.result() if compiling else ())
        )
    packed.sort(key=lambda item: item[0].path)
    return Part(
        members=tuple(member for member, _, _ in packed),
        files=tuple(PackagedFile(member.path, member.size, origin) for member, origin, _ in packed),
        glibc=max((glibc for _, _, glibc in packed if glibc), default=None),
    )


def _pack(source: Source, target: Target) -> tuple[Member, str, Glibc | None]:
    content = source.file.read_bytes()
    library = elf.read(content)
    if library:
        _check(source, library, target)
    return archive.deflate(source.path, content), source.origin, library.glibc if library else None


def _check(source: Source, library: elf.Library, target: Target) -> None:
    if library.machine != target.architecture:
        raise UnsupportedError(
            f"{source.path} is a library for {library.machine or 'another machine'}, "
            f"the function runs on {target.architecture}",
            code="wrong-architecture",
            where=f"{source.origin}: {source.file}",
            mend=f"replace it by a build for {target.architecture}",
        )
    if library.glibc and target.glibc and library.glibc > target.glibc:
        raise UnsupportedError(
            f"{source.path} needs glibc {dotted(library.glibc)}, the function has {dotted(target.glibc)}",
            code="glibc-too-new",
            where=f"{source.origin}: {source.file}",
            mend="use a later Python version of the provider, or a build for an older glibc",
        )


def path_taken(path: str, one: str, other: str) -> SpecError:
    """The error of two files that want the same path."""
    return SpecError(
        f"two files want to be {path} in the package",
        code="package-path-taken",
        where=f"{one} and {other}",
        mend="rename the one in the function's folder",
    )


def _refuse_duplicates(sources: Iterable[Source]) -> None:
    seen: dict[str, Source] = {}
    for source in sources:
        if (other := seen.setdefault(source.path, source)) is not source:
            raise path_taken(source.path, str(other.file), str(source.file))
