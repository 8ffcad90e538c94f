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

from sls_ml_runtime.artifact import check_digest, open_folder, parse_manifest
from sls_ml_runtime.errors import ArtifactRefused, StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import Protocol

    class Store(Protocol):
        """Where artifacts are kept."""

        def read(self, key: str, size: int | None) -> Iterator[bytes]:
            """The bytes of an object in order, of the given size where it is known."""

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
            message = f"no space for {name}/{digest} in {into}: raise the function's ephemeral storage"
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
        text = b"".join(source.read(f"{place}/manifest.json", None))
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
    state = sha256()
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        for chunk in source.read(key, int(facts["bytes"])):
            state.update(chunk)
            file.write(chunk)
        if file.tell() != facts["bytes"]:
            raise ArtifactRefused(f"{key} has {file.tell()} bytes, its manifest says {facts['bytes']}")
    check_digest(key, state.hexdigest(), str(facts["sha256"]))


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

    def read(self, key: str, size: int | None) -> Iterator[bytes]:  # noqa: ARG002 - known from the file
        """As `Store.read`."""
        path = os.path.join(self._path, key)
        try:
            file = open(path, "rb")  # noqa: SIM115 - closed by the with below
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {error.strerror}") from error
        with file:
            while chunk := file.read(CHUNK):
                yield chunk

    def close(self) -> None:
        """As `Store.close`: nothing is open."""
