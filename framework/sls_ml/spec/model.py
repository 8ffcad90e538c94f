"""The spec as frozen values: what sls-ml.yaml may say, with its defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from sls_ml.spec.values import (
    Bytes,
    Certificate,
    DomainName,
    HostedZone,
    Key,
    Milliseconds,
    Moment,
    Name,
    Policy,
    ProjectName,
    Rate,
    Recurrence,
    Requirement,
    Seconds,
    SecretField,
    SecurityGroup,
    Share,
    Silence,
    Subnet,
    TimeZone,
)

ProviderName = Literal["aws", "gcp", "azure", "knative"]
Engine = Literal["auto", "lite", "ort_capi", "ort_python"]
Quantize = Literal["none", "dynamic"]
Architecture = Literal["x86_64", "arm64"]
PythonVersion = Literal["3.11", "3.12", "3.13"]

LOCAL_STAGE = "local"
"""The reserved stage: deploys to the embedded cloud on this machine."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Tolerance(_Model):
    """How far the converted model may be from the original.

    `probability` is absolute; `value` is relative to ``1 + |y|``.
    """

    probability: float = Field(default=1e-5, gt=0)
    value: float = Field(default=1e-6, gt=0)


class Model(_Model):
    """A trained model: the file, a sample of its input, and how to treat it."""

    source: Path
    sample: Path
    tolerance: Tolerance = Tolerance()
    trust: bool = False
    engine: Engine = "auto"
    quantize: Quantize = "none"


class Jwt(_Model):
    """Tokens that let callers in: who signs them, and whom they must be meant for.

    The issuer is an https URL; on the local stage http will do for one on this machine.
    """

    issuer: str = Field(pattern=r"^(https://[^\s]+|http://(127\.0\.0\.1|localhost)(:\d+)?(/[^\s]*)?)$")
    audience: tuple[str, ...] = Field(min_length=1)


class Domain(_Model):
    """A host name of your own: the ARN of its certificate, and the id of a zone that is to get its record."""

    name: DomainName
    certificate: Certificate
    zone: HostedZone | None = None


class Throttle(_Model):
    """How many requests per second are let through, and how many at once beyond that."""

    rate: int = Field(ge=1)
    burst: int = Field(ge=1)


class Http(_Model):
    """An HTTP endpoint and who may call it."""

    auth: Literal["iam", "jwt", "key", "public"] = "iam"
    jwt: Jwt | None = None
    throttle: Throttle | None = None
    domain: Domain | None = None
    cors: tuple[str, ...] = ()
    page: bool = False
    max_rows: int = Field(default=1000, ge=1)
    max_body: Bytes = 4 << 20


class Objects(_Model):
    """Batch scoring of the objects that arrive in a bucket.

    `from_` and `to` are ``auto`` (a bucket of the stack's own) or URIs of a bucket and prefix.
    """

    from_: str = Field(default="auto", alias="from")
    to: str = "auto"
    format: Literal["csv", "jsonl", "parquet"] = "csv"
    output: Literal["csv", "jsonl", "parquet"] = "csv"
    join: tuple[str, ...] = ()
    max_rejected: Share = 0.05


class Period(_Model):
    """From a time on, so many environments wait, and no more than `max` where they follow the traffic."""

    at: Moment
    provisioned: int = Field(ge=0)
    max: int | None = Field(default=None, ge=1)
    timezone: TimeZone = "UTC"


class Concurrency(_Model):
    """Limits and warm capacity, in execution environments; `target` is a utilisation share.

    `provisioned` wait, and from each time of `schedule` on as many as it says there.
    """

    reserved: int | None = Field(default=None, ge=0)
    provisioned: int | None = Field(default=None, ge=1)
    target: float = Field(default=0.7, gt=0, le=1)
    schedule: tuple[Period, ...] = ()


class Traffic(_Model):
    """The expected traffic: requests (objects, of a batch function), and how many come at the same moment.

    `silence` is the time without any after which somebody is told: ``auto``, a time in which many should
    have come; a time of your own, such as a night; or null for never.
    """

    requests: Rate
    burst: int = Field(default=1, ge=1)
    silence: Literal["auto"] | Silence | None = "auto"


def _even(value: object) -> object:
    return value if isinstance(value, dict | Traffic) or value is None else {"requests": value}


class Secret(_Model):
    """An environment value that is read from the provider's secret store at start."""

    secret: SecretField

    @property
    def name(self) -> str:
        """The secret's name, without the field of it that is wanted."""
        return self.secret.partition("#")[0]


class Follow(_Model):
    """An alias of the model to serve without a deploy, and after how many seconds to look where it points."""

    alias: Name
    seconds: int = Field(default=30, ge=1, le=3600)


class Schedule(_Model):
    """When the objects that wait are scored: at certain times, as they are in `timezone`, or at a rate."""

    at: Recurrence
    timezone: TimeZone = "UTC"


def _plain_time(value: object) -> object:
    return {"at": value} if isinstance(value, str) else value


class Function(_Model):
    """One deployed function: what it serves, how it is reached, how large it is.

    `memory` is in MB, `timeout` in seconds; `requirements` are packages that its hooks.py imports.
    """

    model: Name | None = None
    models: tuple[Name, ...] = ()
    http: Http | None = None
    objects: Objects | None = None
    schedule: Annotated[Schedule | None, BeforeValidator(_plain_time)] = None
    memory: int = Field(default=512, ge=128, le=10240)
    timeout: Seconds | None = None
    python: PythonVersion = "3.13"
    architecture: Architecture = "x86_64"
    package: Literal["zip", "image", "auto"] = "zip"
    start: Literal["auto", "plain", "snapstart", "provisioned"] = "auto"
    traffic: Annotated[Traffic | None, BeforeValidator(_even)] = None
    concurrency: Concurrency = Concurrency()
    observability: Literal["native", "powertools"] | None = None
    style: Literal["function", "chalice"] = "function"
    environment: dict[str, str | Secret] = {}
    requirements: tuple[Requirement, ...] = ()
    follow: Name | Follow | None = None

    @property
    def followed(self) -> Follow | None:
        """What is followed, in full."""
        return Follow(alias=self.follow) if isinstance(self.follow, str) else self.follow

    @property
    def model_names(self) -> tuple[str, ...]:
        """All models that this function serves, in the spec's order."""
        return (self.model,) if self.model else self.models


class Alarms(_Model):
    """Thresholds of the default alarms and who is told.

    `p99` is in milliseconds, `drift` a population stability index; null switches either off.
    """

    notify: tuple[str, ...] = ()
    error_rate: Share = 0.01
    p99: Milliseconds | None = None
    drift: Annotated[float, Field(gt=0)] | None = 0.2


class Vpc(_Model):
    """A network of your own that functions run in."""

    subnets: tuple[Subnet, ...] = Field(min_length=1)
    security_groups: tuple[SecurityGroup, ...] = Field(min_length=1)


class Aws(_Model):
    """What an account on AWS may ask of every function, and no other provider knows.

    `kms` is the ARN of a key for logs, queues, the bucket and environments; `permissions_boundary` the ARN of
    a policy that bounds every role.
    """

    vpc: Vpc | None = None
    kms: Key | None = None
    permissions_boundary: Policy | None = None


class Canary(_Model):
    """Shift this percentage of the traffic first, and the rest after so many minutes.

    Before that the new version is checked: it must `start`, with models that give the right answers to their
    example rows, or also `predict` these rows as a caller would ask, through the hooks.
    """

    percent: int = Field(ge=1, le=99)
    minutes: int = Field(ge=1, le=2880)
    check: Literal["predict", "start"] = "predict"


def _all_at_once(value: object) -> object:
    return {} if value == "all-at-once" else value


class Rollout(_Model):
    """How a release takes over the traffic; without `canary` all at once."""

    canary: Canary | None = None


class Spec(_Model):
    """The keys of sls-ml.yaml, save `stages`."""

    project: ProjectName
    provider: ProviderName = "aws"
    region: str = "eu-west-1"
    artifacts: Path = Path("artifacts")
    handlers: Path = Path("handlers")
    store: str = "auto"
    vendor: bool = True
    models: dict[Name, Model] = Field(min_length=1)
    functions: dict[Name, Function] = Field(min_length=1)
    alarms: Alarms = Alarms()
    rollout: Annotated[Rollout, BeforeValidator(_all_at_once)] = Rollout()
    aws: Aws = Aws()


class Project(Spec):
    """The spec with one stage's overrides applied.

    Attributes:
        folder: The folder of sls-ml.yaml, absolute; relative paths in the spec start there.
        stage: The chosen stage, or ``local``.
    """

    folder: Path
    stage: str

    @property
    def artifacts_folder(self) -> Path:
        """The folder that `convert` writes to: the local object store."""
        return (self.folder / self.artifacts).resolve()

    @property
    def handlers_folder(self) -> Path:
        """The folder that `generate` writes to."""
        return (self.folder / self.handlers).resolve()

    @property
    def work_folder(self) -> Path:
        """Caches, packages and the embedded cloud's data; never checked in."""
        return self.folder / ".sls-ml"
