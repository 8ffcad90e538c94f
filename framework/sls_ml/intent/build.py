"""A Project and the manifests of its models become a Deployment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, cast

from sls_ml.errors import ModelError, Problem, SpecError
from sls_ml.intent import alarms, drift, starting
from sls_ml.intent.model import (
    Batch,
    Deployment,
    EngineName,
    Function,
    Grant,
    ListObjects,
    ModelRef,
    Place,
    ReadAlias,
    ReadModel,
    ReadObjects,
    ReadSecret,
    ReceiveMessages,
    SendMessages,
    WriteLogs,
    WriteObjects,
)
from sls_ml.intent.unsupported import refuse_unsupported
from sls_ml.spec.model import Aws, Http, Objects, Project, Schedule, Secret
from sls_ml.spec.model import Function as FunctionSpec
from sls_ml_runtime.dialects.csv_rows import output_columns

LITE_FILE = "model.lite"
"""The file of an artifact that the lite engine reads; the others read all but that."""

BUNDLE_LIMIT = 20 << 20
"""Artifacts up to this many bytes ride in the package; larger ones are fetched from the store at start."""

HTTP_TIMEOUT = 10
"""Seconds an HTTP function may take unless the spec says otherwise."""

BATCH_TIMEOUT = 300
"""Seconds a batch function may take for one delivery of events unless the spec says otherwise."""

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")

_ONE_EACH = "make a function for each model; they may take their objects from the same place"

LOG_RETENTION = 30
"""Days that log events are kept."""


Answers = Mapping[str, Mapping[str, Mapping[str, Any]]]


def build(
    project: Project,
    manifests: Mapping[str, tuple[str, Mapping[str, Any]]],
    answers: Answers = MappingProxyType({}),
) -> Deployment:
    """Decide what must exist for a project.

    Args:
        project: The checked spec.
        manifests: Model name -> (digest of the artifact, parsed manifest.json).
        answers: Model name -> engine -> what it answers for the example rows, where that is known.

    Raises:
        UnsupportedError: The spec uses a key that this version does not carry out.
        SpecError: Input and output places of batch functions overlap, or feed each other in a circle; or an
            address to notify is none, keys of a function contradict each other or are for another
            provider, or a canary is too small for the error rate.
        ModelError: A model cannot be run by the engine that the spec names, or misses a join column.
    """
    if project.provider != "aws" and project.aws != Aws():
        problem = Problem("aws", None, f"the provider is {project.provider}", "leave the key out")
        raise SpecError("keys for another provider", code="foreign-key", problems=(problem,))
    refuse_unsupported(project)
    _refuse_addresses(project.alarms.notify)
    _refuse_blind_canary(project)
    functions = tuple(
        _function(name, spec, project, manifests, answers) for name, spec in project.functions.items()
    )
    _refuse_loops(functions)
    return Deployment(
        project=project.project,
        stage=project.stage,
        provider=project.provider,
        region=project.region,
        store=project.store,
        vendor=project.vendor,
        functions=functions,
        rollout=project.rollout,
        notify=project.alarms.notify,
        drift=drift.watch(functions, project.alarms.drift),
        aws=project.aws,
    )


def _function(
    name: str,
    spec: FunctionSpec,
    project: Project,
    manifests: Mapping[str, tuple[str, Mapping[str, Any]]],
    answers: Answers,
) -> Function:
    many_rows = spec.objects is not None
    watches = project.alarms.drift is not None
    models = tuple(
        _model(
            model, project, *manifests[model], answers.get(model, {}), many_rows=many_rows, watches=watches
        )
        for model in spec.model_names
    )
    batch = _batch(name, spec.objects, spec.schedule) if spec.objects else None
    if batch:
        _refuse_columns(name, batch, models)
    if spec.http:
        _refuse_tokens(name, spec.http)
    start = starting.decide(name, spec, models, project.alarms.p99)
    timeout = spec.timeout or (HTTP_TIMEOUT if batch is None else BATCH_TIMEOUT)
    watched = (
        alarms.http_alarms(project.alarms, spec.concurrency, spec.traffic)
        if batch is None
        else alarms.batch_alarms(project.alarms, timeout, spec.traffic)
    )
    return Function(
        name=name,
        models=models,
        http=spec.http,
        batch=batch,
        memory=spec.memory,
        timeout=timeout,
        python=spec.python,
        architecture=spec.architecture,
        start=start.kind,
        concurrency=start.concurrency,
        observability=spec.observability or ("native" if batch is None else "powertools"),
        style=spec.style,
        environment=spec.environment,
        grants=tuple(_grants(models, batch, spec)),
        log_retention=LOG_RETENTION,
        alarms=(*watched, *([alarms.failed_follows()] if spec.followed else [])),
        charts=alarms.charts(batch, models),
        start_reason=start.reason,
        requirements=spec.requirements,
        traffic=spec.traffic,
        follow=spec.followed,
    )


def _model(
    name: str,
    project: Project,
    digest: str,
    manifest: Mapping[str, Any],
    answers: Mapping[str, Mapping[str, Any]],
    *,
    many_rows: bool,
    watches: bool,
) -> ModelRef:
    """The model with its engine: the first that is proven, or for many rows the one with the throughput."""
    wanted = project.models[name].engine
    proven = list(manifest["engines"])
    if wanted != "auto" and wanted not in proven:
        raise ModelError(
            f"the engine {wanted} does not run the model {name}",
            code="engine-not-proven",
            where=f"models.{name}.engine",
            why=f"engines that passed the parity gate: {', '.join(proven)}",
            mend="use engine: auto",
        )
    first = "ort_capi" if many_rows and "ort_capi" in proven else proven[0]
    engine = cast("EngineName", first if wanted == "auto" else wanted)
    files = {
        path: entry["bytes"]
        for path, entry in manifest["files"].items()
        if (path == LITE_FILE) == (engine == "lite")
    }
    return ModelRef(
        name=name,
        digest=digest,
        files=files,
        engine=engine,
        bundled=sum(files.values()) <= BUNDLE_LIMIT,
        manifest=manifest,
        watched=watches and drift.watchable(manifest),
        answers=answers.get(engine, {}),
        tolerance=project.models[name].tolerance,
    )


def _batch(function: str, objects: Objects, schedule: Schedule | None) -> Batch:
    return Batch(
        source=_place(objects.from_, f"{function}/in/"),
        target=_place(objects.to, f"{function}/out/"),
        format=objects.format,
        output=objects.output,
        join=objects.join,
        max_rejected=objects.max_rejected,
        schedule=schedule,
    )


def _refuse_columns(function: str, batch: Batch, models: tuple[ModelRef, ...]) -> None:
    """Refuse a file of results that could not be written: by several models, or with a column twice."""
    key = f"functions.{function}"
    if len(models) > 1:
        names = ", ".join(model.name for model in models)
        problem = Problem(f"{key}.models", None, f"a file is scored by one model: {names}", _ONE_EACH)
        raise SpecError("a batch function has one model", code="batch-models", problems=(problem,))
    results = set(output_columns(models[0].manifest))
    if taken := [name for name in batch.join if name in results]:
        what = f"the results have columns called {', '.join(taken)}, too"
        problem = Problem(f"{key}.objects.join", None, what, "rename the columns in the input files")
        raise SpecError("a column would be written twice", code="join-taken", problems=(problem,))


def _place(uri: str, own: str) -> Place:
    if uri == "auto":
        return Place(bucket=None, prefix=own)
    bucket, _, prefix = uri.partition("://")[2].partition("/")
    return Place(bucket=bucket, prefix=prefix if prefix.endswith("/") or not prefix else f"{prefix}/")


def _grants(models: tuple[ModelRef, ...], batch: Batch | None, spec: FunctionSpec) -> Iterator[Grant]:
    yield WriteLogs()
    for model in models:
        yield ReadModel(model.name)
        if spec.followed is not None:
            yield ReadAlias(model.name, spec.followed.alias)
    if batch is not None:
        yield ReceiveMessages()
        yield ReadObjects(batch.source)
        yield WriteObjects(batch.target)
        yield SendMessages()
        if batch.schedule is not None:
            yield ListObjects(batch.source)
    for value in spec.environment.values():
        if isinstance(value, Secret):
            yield ReadSecret(value.name)


def _refuse_addresses(addresses: tuple[str, ...]) -> None:
    wrong = [address for address in addresses if not _ADDRESS.fullmatch(address)]
    if wrong:
        raise SpecError(
            "alarms are sent by mail",
            code="not-an-address",
            problems=tuple(
                Problem(
                    "alarms.notify", None, f"{address!r} is not a mail address", "such as ops@example.org"
                )
                for address in wrong
            ),
        )


def _refuse_tokens(function: str, http: Http) -> None:
    if (http.auth == "jwt") != (http.jwt is not None):
        what = "is needed with auth: jwt" if http.jwt is None else f"has no meaning with auth: {http.auth}"
        problem = Problem(f"functions.{function}.http.jwt", None, what, "jwt: {issuer: ..., audience: [...]}")
        raise SpecError("tokens of whom?", code="jwt-unclear", problems=(problem,))


def _refuse_blind_canary(project: Project) -> None:
    """A release that fails every call of a small share must still raise the alarm that takes it back."""
    canary, rate = project.rollout.canary, project.alarms.error_rate
    if canary is not None and canary.percent / 100 <= rate:
        what = (
            f"is {canary.percent}, and alarms.error_rate {rate:.4g}: no failure of the canary would be seen"
        )
        problem = Problem("rollout.canary.percent", None, what, "shift more, or lower the error rate")
        raise SpecError("a canary that cannot sing", code="canary-blind", problems=(problem,))


def _refuse_loops(functions: tuple[Function, ...]) -> None:
    """A result that is the input of the function that wrote it would be scored for ever."""
    feeds = {
        writer.name: [
            reader.name
            for reader in functions
            if reader.batch and writer.batch and _overlap(writer.batch.target, reader.batch.source)
        ]
        for writer in functions
    }
    for start in feeds:
        path = _path_back(start, feeds)
        if path:
            key = f"functions.{start}.objects.to"
            what = (
                "overlaps its own input: each result would be scored again"
                if len(path) == 1
                else f"feeds a circle of functions: {' -> '.join([start, *path])}"
            )
            raise SpecError(
                "the results of a batch function come back as its input",
                code="object-loop",
                problems=(Problem(key, None, what, "give `to` a prefix that no `from` contains"),),
            )


def _overlap(one: Place, other: Place) -> bool:
    return one.bucket == other.bucket and (
        one.prefix.startswith(other.prefix) or other.prefix.startswith(one.prefix)
    )


def _path_back(start: str, feeds: Mapping[str, list[str]]) -> list[str]:
    """The functions on a way from `start` back to itself, or nothing."""
    paths = [[following] for following in feeds[start]]
    seen: set[str] = set()
    while paths:
        path = paths.pop(0)
        if path[-1] == start:
            return path
        if path[-1] not in seen:
            seen.add(path[-1])
            paths.extend([*path, following] for following in feeds[path[-1]])
    return []
