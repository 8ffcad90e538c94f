"""Lambda's functions, versions and aliases: what exists, before anything runs."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import random
import re
import shutil
import tempfile
import threading
import uuid
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

UNPACKED_LIMIT = 262_144_000
LATEST = "$LATEST"
_NAME = re.compile(
    r"(?:arn:aws:lambda:[a-z0-9-]+:\d{12}:function:)?(?P<name>[A-Za-z0-9_-]{1,64})"
    r"(?::(?P<qualifier>\$LATEST|[A-Za-z0-9_-]+))?"
)


class LambdaError(Exception):
    """An error that Lambda's API answers, with its code in botocore's model."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def invalid(message: str) -> LambdaError:
    """A value that Lambda refuses."""
    return LambdaError("InvalidParameterValueException", message)


@dataclass(frozen=True)
class Code:
    """A package, unpacked read-only. `sha256` is hex, `size` the zip's bytes."""

    sha256: str
    size: int
    folder: Path

    @property
    def sha256_base64(self) -> str:
        """The digest as Lambda's CodeSha256."""
        return base64.b64encode(bytes.fromhex(self.sha256)).decode()


@dataclass(frozen=True)
class Configuration:
    """One version of a function, or its latest state. `memory` and `storage` in MB, `timeout` in seconds."""

    name: str
    version: str
    function_arn: str
    code: Code
    runtime: str
    handler: str
    role: str
    memory: int = 128
    timeout: int = 3
    storage: int = 512
    environment: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    architecture: str = "x86_64"
    log_format: str = "Text"
    log_group: str = ""
    log_levels: Mapping[str, str] = field(default_factory=dict)
    tracing: str = "PassThrough"
    snap_start: bool = False
    modified: str = ""
    revision: str = ""

    @property
    def arn(self) -> str:
        """The ARN, with the version's number for a published one."""
        return self.function_arn if self.version == LATEST else f"{self.function_arn}:{self.version}"

    @property
    def snapped(self) -> bool:
        """Whether environments of this version come from a snapshot."""
        return self.snap_start and self.version != LATEST

    def same_as(self, other: Configuration) -> bool:
        """Whether publishing this after `other` would give nothing new."""
        mine, theirs = (
            replace(each, version="", modified="", revision="", description="") for each in (self, other)
        )
        return mine == theirs


@dataclass
class Alias:
    """A name for a version, with a share of calls to another one while traffic shifts."""

    name: str
    version: str
    description: str
    weights: Mapping[str, float]
    revision: str


@dataclass
class Url:
    """A function URL: its address, and how callers are checked."""

    function: str
    qualifier: str | None
    address: str
    auth: str
    cors: Mapping[str, Any]
    created: str


@dataclass
class Function:
    """A function with all that hangs on it. `reserved` is its concurrency, None for the account's."""

    latest: Configuration
    versions: dict[str, Configuration] = field(default_factory=dict)
    published: int = 0
    aliases: dict[str, Alias] = field(default_factory=dict)
    reserved: int | None = None
    policy: list[dict[str, Any]] = field(default_factory=list)
    urls: dict[str | None, Url] = field(default_factory=dict)
    event_invoke: dict[str | None, dict[str, int]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def version(self, qualifier: str | None) -> Configuration:
        """The version behind a qualifier; of an alias that shifts traffic, one by its weights."""
        if qualifier in (None, LATEST):
            return self.latest
        number = qualifier
        if alias := self.aliases.get(str(qualifier)):
            number = alias.version
            share = random.random()  # noqa: S311 - traffic, not secrets
            for other, weight in alias.weights.items():
                if share < weight:
                    number = other
                    break
                share -= weight
        if number == LATEST:
            return self.latest
        if str(number) not in self.versions:
            raise LambdaError(
                "ResourceNotFoundException", f"Function not found: {self.latest.function_arn}:{qualifier}"
            )
        return self.versions[str(number)]


class Functions:
    """All functions of the embedded cloud.

    Args:
        account: Account number.
        region: Region of every ARN.
        folder: Where packages are unpacked, one folder per digest.
    """

    def __init__(self, account: str, region: str, folder: Path) -> None:
        self._prefix = f"arn:aws:lambda:{region}:{account}:function:"
        self._folder = folder
        self._functions: dict[str, Function] = {}
        self.lock = threading.RLock()

    def all(self) -> tuple[Function, ...]:
        """Every function, oldest first."""
        return tuple(self._functions.values())

    def split(self, name: str, qualifier: str | None = None) -> tuple[str, str | None]:
        """Name and qualifier from a name, a name with qualifier, or an ARN."""
        match = _NAME.fullmatch(name)
        if match is None:
            raise LambdaError("ValidationException", f"'{name}' is not the name of a function")
        return match["name"], match["qualifier"] or qualifier

    def get(self, name: str) -> Function:
        """A function by any form of its name, whatever the qualifier."""
        plain, _ = self.split(name)
        if plain not in self._functions:
            raise LambdaError("ResourceNotFoundException", f"Function not found: {self._prefix}{plain}")
        return self._functions[plain]

    def resolve(self, name: str, qualifier: str | None = None) -> tuple[Function, Configuration]:
        """The function and the version that a call to this name and qualifier reaches."""
        _, qualifier = self.split(name, qualifier)
        function = self.get(name)
        return function, function.version(qualifier)

    def unpack(self, package: bytes) -> Code:
        """Unpack a zip once per digest, read-only.

        Raises:
            LambdaError: It is no zip, reaches out of its folder, or is too large.
        """
        digest = hashlib.sha256(package).hexdigest()
        folder = self._folder / digest
        if not folder.exists():
            try:
                with zipfile.ZipFile(io.BytesIO(package)) as archive:
                    self._extract(archive, folder)
            except zipfile.BadZipFile as error:
                raise invalid("Could not unzip uploaded file. Please check your file.") from error
        return Code(digest, len(package), folder)

    def _extract(self, archive: zipfile.ZipFile, folder: Path) -> None:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > UNPACKED_LIMIT:
            raise invalid(f"Unzipped size must be smaller than {UNPACKED_LIMIT} bytes")
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=self._folder))
        try:
            for entry in entries:
                inside = PurePosixPath(entry.filename)
                if inside.is_absolute() or ".." in inside.parts:
                    raise invalid(f"Could not unzip uploaded file: {entry.filename} leaves the package")
                target = partial / inside
                if entry.is_dir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as source, target.open("wb") as sink:
                    shutil.copyfileobj(source, sink)
                moved = datetime(*entry.date_time, tzinfo=UTC).timestamp()
                os.utime(target, (moved, moved))
                target.chmod(0o555 if (entry.external_attr >> 16) & 0o111 else 0o444)
            for path in (*partial.rglob("*"), partial):
                if path.is_dir():
                    path.chmod(0o555)
            partial.rename(folder)
        except BaseException:
            remove_read_only(partial)
            raise

    def create(self, name: str, *, tags: Mapping[str, str], **values: Any) -> Function:
        """Create a function; `values` are fields of its configuration."""
        plain, _ = self.split(name)
        with self.lock:
            if plain in self._functions:
                raise LambdaError("ResourceConflictException", f"Function already exist: {plain}")
            values.setdefault("log_group", f"/aws/lambda/{plain}")
            configuration = Configuration(
                name=plain, version=LATEST, function_arn=self._prefix + plain, **_stamped(values)
            )
            function = self._functions[plain] = Function(configuration, tags=dict(tags))
            return function

    def update(self, name: str, **values: Any) -> Function:
        """Change fields of a function's latest configuration."""
        with self.lock:
            function = self.get(name)
            function.latest = replace(function.latest, **_stamped(values))
            return function

    def publish(self, name: str, description: str | None, sha256: str | None) -> Configuration:
        """Publish the latest state; the newest version comes back when nothing changed since."""
        with self.lock:
            function = self.get(name)
            latest = function.latest
            if sha256 is not None and sha256 != latest.code.sha256_base64:
                raise invalid(
                    f"CodeSHA256 ({sha256}) is different from current CodeSHA256 in $LATEST "
                    f"({latest.code.sha256_base64}). Please try again with the CodeSHA256 in $LATEST."
                )
            newest = function.versions.get(str(function.published))
            if newest is not None and latest.same_as(newest):
                return newest
            function.published += 1
            number = str(function.published)
            text = latest.description if description is None else description
            version = replace(latest, version=number, **_stamped({"description": text}))
            function.versions[number] = version
            return version

    def delete(self, name: str, qualifier: str | None) -> tuple[Configuration, ...]:
        """Delete a function or one version; gives back what is gone."""
        plain, qualifier = self.split(name, qualifier)
        with self.lock:
            function = self.get(plain)
            if qualifier is None:
                del self._functions[plain]
                return (function.latest, *function.versions.values())
            if qualifier not in function.versions:
                raise invalid("$LATEST version cannot be deleted without deleting the function.")
            users = [a.name for a in function.aliases.values() if qualifier in (a.version, *a.weights)]
            if users:
                raise LambdaError(
                    "ResourceConflictException",
                    f"Function {plain}:{qualifier} is referenced by aliases: {', '.join(users)}",
                )
            return (function.versions.pop(qualifier),)


def _stamped(values: Mapping[str, Any]) -> dict[str, Any]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
    return {**values, "modified": now, "revision": str(uuid.uuid4())}


def remove_read_only(folder: Path) -> None:
    """Remove a folder whose files and folders may be read-only."""
    for path in (folder, *folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(folder)
