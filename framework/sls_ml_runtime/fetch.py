"""Fetch an artifact from its store into a folder: parallel ranges, verified while they arrive.

Imported only by functions whose artifact does not ride in the package, since it loads an HTTP client.
"""

# pathlib costs milliseconds of a cold start.
# ruff: noqa: PTH103, PTH104, PTH112, PTH118, PTH120, PTH123

from __future__ import annotations

import errno
import os
import threading
from hashlib import sha256
from mmap import mmap

from sls_ml_runtime.artifact import check_digest, open_folder, parse_manifest
from sls_ml_runtime.errors import ArtifactRefused, StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from io import BufferedReader
    from typing import Protocol

    class Store(Protocol):
        """Where artifacts are kept."""

        def read(self, key: str) -> bytes:
            """All bytes of an object."""

        def fill(self, key: str, target: memoryview) -> Iterator[int]:
            """Fill memory with an object; yields how many bytes from the start are there."""

        def close(self) -> None:
            """Let go of connections."""


CHUNK = 1 << 20


def fetch(
    store: str, name: str, digest: str, into: str | os.PathLike[str], files: Collection[str] | None = None
) -> str:
    """Fetch ``<store>/<name>/<digest>/`` unless it is already there, and verify it.

    The folder appears under its name only when all of it is verified, so that an interrupted start leaves
    nothing that a later one would trust.

    Args:
        store: URI of the store, ``s3://bucket[/prefix]`` or ``file:///folder``.
        name: The model's name.
        digest: sha256 of the artifact's manifest.json, 64 hex digits.
        into: A folder that may be written to, such as one below the temp folder.
        files: The files that are wanted beside manifest.json; None for all.

    Returns:
        The folder ``<into>/<name>/<digest>``.

    Raises:
        StoreError: The artifact cannot be had; the message says what to grant or mend.
        ArtifactRefused: What came is not what the digest says.
    """
    target = os.path.join(os.fspath(into), name, digest)
    if os.path.isdir(target):
        open_folder(target, digest)
        return target
    source = _open_store(store)
    try:
        _fetch_folder(source, f"{name}/{digest}", digest, target, files)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            message = (
                f"no space for {name}/{digest} in {into}: deploy again, which gives the function room for its"
                " models, and let hooks.py keep less there"
            )
            raise StoreError(message) from error
        message = f"{name}/{digest} cannot be written to {into}: {error.strerror}"
        raise StoreError(message) from error
    finally:
        source.close()
    return target


def _fetch_folder(source: Store, place: str, digest: str, target: str, files: Collection[str] | None) -> None:
    partial = f"{target}-{os.getpid()}-{threading.get_ident()}"
    os.makedirs(partial)
    try:
        text = source.read(f"{place}/manifest.json")
        check_digest("manifest.json", sha256(text).hexdigest(), digest)
        with open(os.path.join(partial, "manifest.json"), "wb") as file:
            file.write(text)
        for file_name, facts in parse_manifest(text)["files"].items():
            if files is None or file_name in files:
                _fetch_file(source, f"{place}/{file_name}", os.path.join(partial, file_name), facts)
        os.rename(partial, target)
    except BaseException:
        from shutil import rmtree

        rmtree(partial, ignore_errors=True)
        raise


def _fetch_file(source: Store, key: str, path: str, facts: dict[str, str | int]) -> None:
    """Fetch one file, straight into the memory that it is mapped to, and hash what is there of it."""
    state = sha256()
    size = int(facts["bytes"])
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w+b") as file:
        if size:
            _reserve(file.fileno(), size)
            memory = memoryview(mmap(file.fileno(), size))
            done = 0
            for end in source.fill(key, memory):
                state.update(memory[done:end])
                done = end
    check_digest(key, state.hexdigest(), str(facts["sha256"]))


def _reserve(file: int, size: int) -> None:
    """Make room on the disk: without it, writing to the mapped memory would end the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    else:
        os.truncate(file, size)  # macOS, where a function runs for trying out alone


def _open_store(uri: str) -> Store:
    scheme, _, rest = uri.rstrip("/").partition("://")
    match scheme:
        case "s3":
            from sls_ml_runtime.s3 import Bucket

            bucket, _, prefix = rest.partition("/")
            return Bucket(bucket, prefix)
        case "file":
            return Folder(rest)
        case _:
            raise StoreError(f"the store {uri} is neither s3:// nor file://")


class Folder:
    """A store in a local folder."""

    def __init__(self, path: str) -> None:
        self._path = path

    def read(self, key: str) -> bytes:
        """As `Store.read`."""
        with self._opened(key) as file:
            return file.read()

    def fill(self, key: str, target: memoryview) -> Iterator[int]:
        """As `Store.fill`."""
        with self._opened(key) as file:
            if os.fstat(file.fileno()).st_size != len(target):
                raise ArtifactRefused(f"{key} has another size than its manifest says")
            done = 0
            while count := file.readinto(target[done : done + CHUNK]):
                done += count
                yield done

    def _opened(self, key: str) -> BufferedReader:
        path = os.path.join(self._path, key)
        try:
            return open(path, "rb")
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {error.strerror}") from error

    def close(self) -> None:
        """As `Store.close`: nothing is open."""
