"""What a provider is: pure translation of a Deployment, and one door to effects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal, Protocol

from sls_ml.intent.model import Deployment
from sls_ml.package.model import Package
from sls_ml.spec.model import Http, ProviderName


@dataclass(frozen=True)
class Limit:
    """One documented limit of a provider: its value, the page that states it, and when it was read."""

    value: int
    unit: str
    page: str
    read: str


Limits = Mapping[str, Limit]
"""By name: zip_bytes, unpacked_bytes, request_bytes, response_bytes, timeout_seconds, memory_mb ..."""


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
    """Where a deployed function is found; URIs are complete. `queue` is where events of objects wait."""

    endpoint: str | None
    input: str | None
    output: str | None
    queue: str | None = None


@dataclass(frozen=True)
class StackOutputs:
    """What a deployed stack offers."""

    functions: Mapping[str, FunctionOutputs]
    digest: str


@dataclass(frozen=True)
class Release:
    """One published release of a function, newest first in every listing.

    Attributes:
        function: The function's name in the spec.
        version: Its number.
        package_sha256: sha256 of its package.
        live: Whether the traffic goes there.
        deployed: Whether the stack says that it goes there; both are the same unless somebody moved it.
        models: The models in its package, and the first 12 digits of their digests.
    """

    function: str
    version: str
    package_sha256: str
    live: bool
    deployed: bool
    models: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Drift:
    """One resource of a stack that is not as its template says."""

    resource: str
    type: str
    kind: Literal["modified", "deleted"]
    detail: str


@dataclass(frozen=True)
class Alias:
    """Where an alias of a model points: a digest, the one before, and the ETag of exactly this state."""

    digest: str
    previous: str | None
    etag: str


@dataclass(frozen=True)
class Followed:
    """A deployed function that follows an alias, with the model in its package.

    Attributes:
        function: The function's name in the spec.
        model: The model's name in the spec.
        alias: The alias.
        digest: Digest of the model in the package, 64 hex digits.
        engine: The engine in the package.
        seconds: After how long the function looks where the alias points.
    """

    function: str
    model: str
    alias: str
    digest: str
    engine: str
    seconds: int


@dataclass(frozen=True)
class Answer:
    """What an endpoint answered; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class StoredObject:
    """An object as a listing shows it."""

    uri: str
    bytes: int
    etag: str


@dataclass(frozen=True)
class Spread:
    """How far an input, or the predictions, of a model in a function are from the sample.

    Attributes:
        function: The function that has seen the rows.
        of: The input, or ``(prediction)``.
        psi: The population stability index.
        rows: Rows that were counted.
        moved: The bin whose share has changed most.
        before: Its share in the sample, from 0 to 1.
        now: Its share now.
    """

    function: str
    of: str
    psi: float
    rows: int
    moved: str
    before: float
    now: float


@dataclass(frozen=True)
class ModelDrift:
    """What the drift watch says of a model.

    Attributes:
        psi: The largest index of the table; None where no function has seen enough rows.
        rows: Rows that were counted, by function.
        digests: The artifact that answered them, by function.
        least: Rows from which a function is judged.
        table: Every input and prediction of every function that is judged, the farthest first.
    """

    psi: float | None
    rows: Mapping[str, int]
    digests: Mapping[str, str]
    least: int
    table: tuple[Spread, ...]


@dataclass(frozen=True)
class Unreadable:
    """Why a secret has no value to read.

    Attributes:
        state: What ends "the secret ...", such as ``does not exist``.
        mend: The shell command that gives it a value.
    """

    state: str
    mend: str


@dataclass(frozen=True)
class LogEvent:
    """One line of a function's log; `time` is in seconds since the epoch."""

    time: float
    stream: str
    message: str


class Operations(Protocol):
    """What is done with a deployment after it is deployed."""

    def invoke(
        self,
        endpoint: str,
        path: str,
        http: Http,
        *,
        method: str = "POST",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        timeout: int = 60,
    ) -> Answer:
        """Call an endpoint, signed with the caller's credentials where its auth is ``iam``."""

    def put_object(self, uri: str, body: bytes | BinaryIO) -> str:
        """Write an object; returns its ETag, which names this very content in the results."""

    def read_object(self, uri: str) -> bytes:
        """Read an object whole."""

    def list_objects(self, uri: str) -> Iterator[StoredObject]:
        """The objects whose URI begins with `uri`, sorted by key."""

    def wait_for_object(self, uri: str, suffix: str, *, timeout: float) -> StoredObject:
        """The first object whose URI begins with `uri` and ends with `suffix`, as soon as there is one."""

    def pending(self, function: FunctionOutputs, digest: str) -> Iterator[StoredObject]:
        """The objects in the input of a batch function that have no results of a model, by its digest."""

    def hand_over(self, function: FunctionOutputs, objects: Sequence[StoredObject]) -> None:
        """Have a batch function score objects of its input, as if they had just arrived."""

    def logs(
        self, function: str, *, since: float, follow: bool = False, check: bool = False
    ) -> Iterator[LogEvent]:
        """The log of a function, by its name in the spec, or of its check; oldest event first."""

    def metrics(self, function: str, *, since: float, models: Sequence[str] = ()) -> Mapping[str, float]:
        """What a function has done since a moment (seconds since the epoch), by the name of the number.

        For each of `models` also its drift, where that was judged since.
        """

    def drift(self) -> Mapping[str, ModelDrift]:
        """Let the drift watch look at what was seen until now; its findings by model, none without it."""

    def unreadable(self, secret: str) -> Unreadable | None:
        """Why a secret, by its name, has no value to read; None where it has one. Does not read the value."""

    def announces_objects(self, bucket: str) -> bool:
        """Whether a bucket tells of its new objects, as the input of a batch function must."""

    def announce_objects(self, bucket: str) -> None:
        """Let a bucket tell of its new objects."""

    def request_line(self, endpoint: str, path: str, body: str, http: Http) -> str:
        """A shell line that sends a request; it holds no credentials, only the variables that do."""


class Aliases(Protocol):
    """The aliases of models in the store."""

    def find(self, uri: str) -> Alias | None:
        """An alias as it stands, or None."""

    def move(self, uri: str, digest: str, *, before: Alias | None) -> None:
        """Point an alias to a digest, unless somebody moved it since it was looked at."""

    def manifest(self, uri: str) -> bytes | None:
        """The bytes of a manifest in the store, or None."""


class Deployer(Protocol):
    """The effects: everything that talks to the provider."""

    @property
    def store(self) -> str:
        """What ``store: auto`` means here, as a URI without a slash at its end."""

    @property
    def account(self) -> str:
        """The account, or what the provider calls so, that the credentials belong to."""

    def trusts(self, issuer: str) -> bool:
        """Whether the account takes the signed tokens of an issuer, given by its host."""

    def at(self, project: str, stage: str) -> Deployer:
        """The same deployer, for the stack of one stage of a project."""

    def bootstrap(self) -> Iterator[Progress]:
        """Create or update what every deploy in this account and region needs."""

    def uploads(self, rendered: Rendered) -> Sequence[Upload]:
        """Where the packages of a deployment go."""

    def upload(self, files: Iterable[Upload]) -> Iterator[Progress]:
        """Upload files; what is there already is skipped."""

    def changes(self, rendered: Rendered) -> Changes:
        """The provider's own preview; one call where the deployment is there already."""

    def apply(self, changes: Changes) -> Iterator[Progress]:
        """Carry changes out: safe to run twice, to interrupt and to run again."""

    def outputs(self) -> StackOutputs:
        """Where the deployed functions are found."""

    @property
    def aliases(self) -> Aliases:
        """The aliases of models in the store."""

    def followed(self) -> Sequence[Followed]:
        """What the deployed functions follow; nothing where nothing is deployed."""

    def releases(self) -> Sequence[Release]:
        """Every published release of every function, newest first."""

    def drift(self) -> Sequence[Drift]:
        """What was changed past the provider's own deployments; takes up to minutes."""

    def rollback(self, release: Release) -> Iterator[Progress]:
        """Send the traffic back to a past release, then make the stack say the same."""

    def destroy(self) -> Iterator[Progress]:
        """Delete the stack, and say what is left."""


class Provider(Protocol):
    """A provider; a package module satisfies it."""

    @property
    def NAME(self) -> ProviderName:  # noqa: N802 - a constant of the module
        """The provider's name in a spec."""

    @property
    def LIMITS(self) -> Limits:  # noqa: N802 - a constant of the module
        """The provider's documented limits."""

    def sources(self, deployment: Deployment) -> Mapping[PurePosixPath, Template]:
        """The templates of all functions, by path below ``<project>/<provider>``."""

    def requirements(self, deployment: Deployment) -> Mapping[str, str]:
        """The text of each function's requirements.txt: exact pins with hashes."""

    def render(self, deployment: Deployment, packages: Mapping[str, Package]) -> Rendered:
        """The provider's native description of a deployment."""

    def connect(self, target: Target) -> Deployer:
        """The door to what changes something."""

    def operate(self, target: Target, project: str, stage: str) -> Operations:
        """The door to what is done with the deployment of one stage."""
