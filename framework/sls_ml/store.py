"""A content-addressed place for artifacts and packages: put, get, head and list over one URI."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypedDict, TypeVar
from urllib.parse import urlsplit

from sls_ml.errors import ExternalError, UsageError

if TYPE_CHECKING:
    from obstore.store import ClientConfig
    from obstore.store import ObjectStore as Client

PutMode = Literal["create", "overwrite"]
_T = TypeVar("_T")
_SCHEMES = ("file", "s3", "gs", "az")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class ObjectMeta(TypedDict):
    """What a store knows about an object without reading it."""

    path: str
    """The object's path below the store's root."""

    size: int
    """Its size in bytes."""


class Store(Protocol):
    """Somewhere to keep objects under slash-separated paths."""

    uri: str
    """Where the store is, without a trailing slash: a path, or ``s3://bucket/prefix`` and the like."""

    def put(self, path: str, data: bytes, *, mode: PutMode = "create") -> bool:
        """Write an object atomically; give False if `mode` is ``create`` and it is already there."""

    def get(self, path: str) -> bytes | None:
        """Read a whole object, or give None if there is none."""

    def head(self, path: str) -> ObjectMeta | None:
        """Describe an object, or give None if there is none."""

    def list(self, prefix: str = "") -> Iterator[ObjectMeta]:
        """Give all objects below `prefix` (whole path segments), sorted by path."""


class ObjectStore:
    """A store on a folder or a bucket, carried by obstore."""

    def __init__(self, uri: str, client: Client) -> None:
        self.uri = uri
        self._client = client

    def put(self, path: str, data: bytes, *, mode: PutMode = "create") -> bool:
        """Write an object atomically; give False if `mode` is ``create`` and it is already there.

        Raises:
            ExternalError: The store cannot be reached or refuses.
        """
        import obstore
        from obstore.exceptions import AlreadyExistsError

        def write() -> bool:
            try:
                obstore.put(self._client, path, data, mode=mode)
            except AlreadyExistsError:
                return False
            return True

        return self._ask(write, f"write {path}")

    def get(self, path: str) -> bytes | None:
        """Read a whole object, or give None if there is none.

        Raises:
            ExternalError: The store cannot be reached or refuses.
        """
        import obstore

        def read() -> bytes | None:
            try:
                return bytes(obstore.get(self._client, path).bytes())
            except FileNotFoundError:
                return None

        return self._ask(read, f"read {path}")

    def head(self, path: str) -> ObjectMeta | None:
        """Describe an object, or give None if there is none.

        Raises:
            ExternalError: The store cannot be reached or refuses.
        """
        import obstore

        def describe() -> ObjectMeta | None:
            try:
                found = obstore.head(self._client, path)
            except FileNotFoundError:
                return None
            return {"path": found["path"], "size": found["size"]}

        return self._ask(describe, f"look at {path}")

    def list(self, prefix: str = "") -> Iterator[ObjectMeta]:
        """Give all objects below `prefix` (whole path segments), sorted by path.

        Raises:
            ExternalError: The store cannot be reached or refuses.
        """
        import obstore

        def collect() -> list[ObjectMeta]:
            chunks = obstore.list(self._client, prefix or None)
            return [{"path": found["path"], "size": found["size"]} for chunk in chunks for found in chunk]

        return iter(sorted(self._ask(collect, f"list {prefix or 'all'}"), key=lambda meta: meta["path"]))

    def _ask(self, action: Callable[[], _T], doing: str) -> _T:
        from obstore.exceptions import BaseError

        try:
            return action()
        except (BaseError, OSError) as error:
            raise ExternalError(
                f"The store could not {doing}.",
                code="store-failed",
                where=self.uri,
                why=_cause(error),
                mend="check that the place exists, and that the credentials at hand may use it",
            ) from error


def open_store(uri: str | Path) -> ObjectStore:
    """Open the store at a path, or at a ``file://``, ``s3://``, ``gs://`` or ``az://`` URI.

    Credentials come from the environment, as the provider's own tools read them; ``AWS_ENDPOINT_URL``
    points ``s3://`` elsewhere (plain http is allowed on loopback only). A folder is made at the first put.

    Raises:
        UsageError: `uri` names no kind of store that we know.
        ExternalError: The store cannot be set up from the environment.
    """
    scheme, separator, rest = str(uri).partition("://")
    text = scheme + separator + rest.rstrip("/") if separator else scheme.rstrip("/") or "/"
    if not separator:
        return _open_folder(text, Path(text))
    if scheme == "file":
        return _open_folder(text, Path(urlsplit(text).path))
    parts = urlsplit(text)
    if scheme not in _SCHEMES or not parts.netloc:
        raise UsageError(
            f"{text!r} is not the address of a store.",
            code="store-address",
            mend="use a path, file:///folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix",
        )
    return _open_bucket(text, scheme)


def _open_folder(uri: str, folder: Path) -> ObjectStore:
    from obstore.exceptions import BaseError
    from obstore.store import LocalStore

    try:
        return ObjectStore(uri, LocalStore(prefix=folder.absolute(), mkdir=True))
    except (BaseError, OSError) as error:
        raise ExternalError(
            "The store's folder cannot be used.",
            code="store-failed",
            where=uri,
            why=_cause(error),
            mend="name a folder that you may write to",
        ) from error


def _open_bucket(uri: str, scheme: str) -> ObjectStore:
    from obstore.exceptions import BaseError
    from obstore.store import AzureStore, GCSStore

    try:
        match scheme:
            case "s3":
                client: Client = _open_s3(uri)
            case "gs":
                client = GCSStore.from_url(uri)
            case _:
                client = AzureStore.from_url(uri)
    except (BaseError, ValueError) as error:
        raise ExternalError(
            "The store cannot be set up from this environment.",
            code="store-failed",
            where=uri,
            why=_cause(error),
            mend="check the address, and the credentials at hand",
        ) from error
    return ObjectStore(uri, client)


def _open_s3(uri: str) -> Client:
    """Go where AWS_ENDPOINT_URL says; obstore itself reads the other variables."""
    from obstore.store import S3Store

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if not endpoint:
        return S3Store.from_url(uri)
    options: ClientConfig = {"allow_http": urlsplit(endpoint).hostname in _LOOPBACK}
    return S3Store.from_url(uri, endpoint=endpoint, client_options=options)


def _cause(error: Exception) -> str:
    """Give an error's sentence without the client's debug output."""
    return " ".join(str(error).partition("Debug source:")[0].split())
