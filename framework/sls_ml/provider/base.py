"""What a provider is: pure translation of a Deployment, and one door to effects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal, Protocol

from sls_ml.intent.model import Deployment
from sls_ml.package.model import Package
from sls_ml.spec.model import ProviderName


@dataclass(frozen=True)
class Limit:
    """One documented limit of a provider: its value, the page that states it, and when it was read."""

    value: int
    unit: str
    page: str
    read: str


Limits = Mapping[str, Limit]
"""Keys: zip_bytes, unpacked_bytes, request_bytes, response_bytes, timeout_seconds, memory_mb, init_seconds, ..."""


@dataclass(frozen=True)
class Template:
    """The text of one generated file; `once` marks a file that is written once and then the user's own."""

    text: str
    once: bool = False


@dataclass(frozen=True)
class Rendered:
    """The provider's native description of a deployment.

    Attributes:
        stack: Name of the stack.
        template: The template's text, deterministic.
        parameters: Values for the template's parameters.
        digest: sha256 over template and parameters, 64 hex digits; stored as a tag on the stack.
        uploads: Object key in the package bucket -> local file, all content-addressed.
    """

    stack: str
    template: str
    parameters: Mapping[str, str]
    digest: str
    uploads: Mapping[str, Path]


@dataclass(frozen=True)
class Target:
    """Where to deploy: region, and for the embedded cloud its endpoint and credentials."""

    region: str
    stage: str
    endpoint_url: str | None = None
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    profile: str | None = None


@dataclass(frozen=True)
class Upload:
    """A local file and the URI it goes to; skipped when the object exists (all are content-addressed)."""

    file: Path
    uri: str


@dataclass(frozen=True)
class Progress:
    """One step of long work, as it happens."""

    subject: str
    status: Literal["started", "done", "failed", "skipped"]
    detail: str = ""


@dataclass(frozen=True)
class Change:
    """One resource that a deployment will touch."""

    action: Literal["add", "modify", "replace", "remove"]
    resource: str
    type: str
    detail: str = ""


@dataclass(frozen=True)
class Changes:
    """The provider's own preview; `token` is what `apply` needs to carry out exactly this."""

    items: tuple[Change, ...]
    token: str | None
    stack: str

    @property
    def empty(self) -> bool:
        """Whether nothing would change."""
        return self.token is None


@dataclass(frozen=True)
class FunctionOutputs:
    """Where a deployed function is found; URIs are complete."""

    endpoint: str | None
    input: str | None
    output: str | None


@dataclass(frozen=True)
class StackOutputs:
    """What a deployed stack offers."""

    functions: Mapping[str, FunctionOutputs]
    digest: str


@dataclass(frozen=True)
class Release:
    """One published release of a function, newest first in every listing."""

    function: str
    version: str
    package_sha256: str
    live: bool


class Deployer(Protocol):
    """The effects: everything that talks to the provider."""

    def upload(self, files: Iterable[Upload]) -> Iterator[Progress]: ...
    def changes(self, rendered: Rendered) -> Changes: ...
    def apply(self, changes: Changes) -> Iterator[Progress]: ...
    def outputs(self) -> StackOutputs: ...
    def releases(self) -> Sequence[Release]: ...
    def rollback(self, release: Release) -> Iterator[Progress]: ...
    def destroy(self) -> Iterator[Progress]: ...


class Provider(Protocol):
    """A provider; a package module satisfies it."""

    NAME: ProviderName
    LIMITS: Limits

    def sources(self, deployment: Deployment) -> Mapping[PurePosixPath, Template]: ...
    def render(self, deployment: Deployment, packages: Mapping[str, Package]) -> Rendered: ...
    def connect(self, target: Target) -> Deployer: ...
