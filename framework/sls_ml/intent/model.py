"""The neutral deployment: what must exist, and why, before any provider says how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sls_ml.spec.model import (
    Architecture,
    Aws,
    Concurrency,
    Follow,
    Http,
    ProviderName,
    PythonVersion,
    Rollout,
    Schedule,
    Secret,
    Tolerance,
    Traffic,
)

EngineName = Literal["lite", "ort_capi", "ort_python"]


@dataclass(frozen=True)
class ModelRef:
    """One model that a function serves.

    Attributes:
        name: Name in the spec; the first path segment in the store.
        digest: sha256 of manifest.json, 64 hex digits.
        files: Every file of the artifact that the function needs, with its size in bytes.
        engine: The engine that will run it.
        bundled: Whether the artifact rides in the package; else it is fetched from the store at start.
        manifest: The parsed manifest.json.
        watched: Whether its functions count what they see, for the drift watch.
        answers: What its engine answers for the manifest's example rows, by key; empty where unknown.
        tolerance: How far answers may be from the right ones.
    """

    name: str
    digest: str
    files: Mapping[str, int]
    engine: EngineName
    bundled: bool
    manifest: Mapping[str, Any]
    watched: bool = False
    answers: Mapping[str, Any] = field(default_factory=dict)
    tolerance: Tolerance = field(default_factory=Tolerance)


@dataclass(frozen=True)
class Place:
    """A bucket and a key prefix. `bucket` None is the stack's own data bucket; `prefix` ends with ``/``."""

    bucket: str | None
    prefix: str


@dataclass(frozen=True)
class Batch:
    """Scoring of the objects that arrive at a place, and at times of those that wait there.

    `max_rejected` is a share of the rows.
    """

    source: Place
    target: Place
    format: Literal["csv", "jsonl", "parquet"]
    output: Literal["csv", "jsonl", "parquet"]
    join: tuple[str, ...]
    max_rejected: float
    schedule: Schedule | None = None


@dataclass(frozen=True)
class ReadModel:
    """Read the artifacts of one model: ``<store>/<model>/*``, because two releases share a role."""

    model: str


@dataclass(frozen=True)
class ReadAlias:
    """Read where one alias of a model points."""

    model: str
    alias: str


@dataclass(frozen=True)
class WriteLogs:
    """Write to the function's own log group."""


@dataclass(frozen=True)
class ReadObjects:
    """Read the input objects of a batch function."""

    place: Place


@dataclass(frozen=True)
class ListObjects:
    """See which objects a place has, to find those that wait."""

    place: Place


@dataclass(frozen=True)
class WriteObjects:
    """Write the results of a batch function, and read its own manifests for replays."""

    place: Place


@dataclass(frozen=True)
class ReceiveMessages:
    """Take object events from the function's own queue."""


@dataclass(frozen=True)
class SendMessages:
    """Put objects that wait, or take longer than a call, into the function's own queue."""


@dataclass(frozen=True)
class ReadSecret:
    """Read one secret at start."""

    name: str


Grant = (
    ReadModel
    | ReadAlias
    | WriteLogs
    | ReadObjects
    | ListObjects
    | WriteObjects
    | ReceiveMessages
    | SendMessages
    | ReadSecret
)

Signal = Literal[
    "cold_starts",
    "concurrency",
    "dead_letters",
    "drift",
    "failed",
    "failed_follows",
    "failed_starts",
    "gb_seconds",
    "init",
    "latency",
    "missing_values",
    "objects",
    "queue_age",
    "queued",
    "refused_objects",
    "rejected",
    "requests",
    "rows",
    "throttles",
    "unseen_categories",
]
"""What can be seen of a function. `failed` are calls without an answer, `rejected` the requests (of a batch:
the rows) that the model's signature refuses, `init` and `latency` milliseconds, `queue_age` seconds.
`gb_seconds` is the time that is paid for, without starts. `drift`, the largest population stability index of
inputs and predictions, and `missing_values` and `unseen_categories` in its inputs are seen of a model."""


@dataclass(frozen=True)
class Measure:
    """A signal as one number per period.

    Attributes:
        signal: What is seen.
        statistic: How a period becomes a number; ``share`` is of the calls in the period, from 0 to 1.
        least: A share of fewer calls than this says nothing, and counts as 0.
        model: The model that a signal of a model is seen of.
    """

    signal: Signal
    statistic: Literal["maximum", "p50", "p99", "share", "sum"]
    least: int = 0
    model: str = ""


@dataclass(frozen=True)
class Alarm:
    """What somebody should be told about.

    Attributes:
        measure: The number that is watched.
        threshold: What the number is compared with.
        seconds: Length of a period.
        periods: Periods that are looked at.
        breaching: How many of them must be on the wrong side of the threshold.
        missing: A period without data is fine, leaves the alarm as it is, or is as wrong as one too low.
        release: Whether a release that raises it is to be taken back.
        what: What has happened, a clause.
        mend: What to do, a sentence.
        anchor: The section of docs/runbook.md.
        raised: Which side of the threshold is the wrong one.
        name: What it is called where the signal is not its name.
    """

    measure: Measure
    threshold: float
    seconds: int
    periods: int
    breaching: int
    missing: Literal["fine", "unchanged", "wrong"]
    release: bool
    what: str
    mend: str
    anchor: str
    raised: Literal["above", "below"] = "above"
    name: str = ""


@dataclass(frozen=True)
class Chart:
    """A picture on the dashboard: measures over time, in one unit."""

    title: str
    measures: tuple[Measure, ...]


@dataclass(frozen=True)
class Function:
    """One function. `memory` in MB, `timeout` in seconds, `log_retention` in days.

    `start_reason` says why it starts as it does; `concurrency` has ``provisioned`` or a ``schedule`` if and
    only if `start` is ``provisioned``; `requirements` are the packages that its hooks import; `traffic` is
    what the user expects, where they said so.
    """

    name: str
    models: tuple[ModelRef, ...]
    http: Http | None
    batch: Batch | None
    memory: int
    timeout: int
    python: PythonVersion
    architecture: Architecture
    start: Literal["plain", "snapstart", "provisioned"]
    concurrency: Concurrency
    observability: Literal["native", "powertools"]
    style: Literal["function", "chalice"]
    environment: Mapping[str, str | Secret]
    grants: tuple[Grant, ...]
    log_retention: int
    alarms: tuple[Alarm, ...] = ()
    charts: tuple[Chart, ...] = ()
    start_reason: str = ""
    requirements: tuple[str, ...] = ()
    traffic: Traffic | None = None
    follow: Follow | None = None


@dataclass(frozen=True)
class Watched:
    """A model whose inputs and predictions are compared with its sample, in all functions that serve it.

    Attributes:
        model: Its name.
        digest: The artifact that is deployed.
        functions: The functions that serve it, each with the alias of the model that it follows, or None.
        alarm: What is told from when on.
    """

    model: str
    digest: str
    functions: Mapping[str, str | None]
    alarm: Alarm


@dataclass(frozen=True)
class Drift:
    """The watch for drift: each hour, over what was seen in the last `hours`.

    A function is judged from `least` rows on, by samples of `reference` rows or more.
    """

    models: tuple[Watched, ...]
    hours: int
    least: int
    reference: int


@dataclass(frozen=True)
class Deployment:
    """Everything one stage of a project consists of, for one provider and region.

    `notify` are the mail addresses that alarms go to; `drift` is None where no model is watched; `aws` is
    what only that provider reads.
    """

    project: str
    stage: str
    provider: ProviderName
    region: str
    store: str
    vendor: bool
    functions: tuple[Function, ...]
    rollout: Rollout
    notify: tuple[str, ...] = ()
    drift: Drift | None = None
    aws: Aws = field(default_factory=Aws)
