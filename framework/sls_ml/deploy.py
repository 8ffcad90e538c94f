"""The story of a deploy: convert, decide, generate, package, render, preview, apply."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from sls_ml import codegen, intent
from sls_ml import package as packaging
from sls_ml.conversion import Converted, convert, installed_runtime, locked
from sls_ml.errors import ExternalError
from sls_ml.intent.model import Deployment, Function, ModelRef, ReadSecret
from sls_ml.package.model import Package
from sls_ml.provider import table
from sls_ml.provider.base import (
    Changes,
    Deployer,
    Operations,
    Progress,
    Provider,
    Rendered,
    StackOutputs,
    Target,
    Unreadable,
    Upload,
)
from sls_ml.spec.model import LOCAL_STAGE, Project
from sls_ml_runtime.follow import alias_key


class Narrator(Protocol):
    """Whoever follows the work: the command line, or a program."""

    def step(self, text: str) -> None:
        """A part of the work begins."""

    def note(self, text: str) -> None:
        """Something worth knowing by the way."""

    def warn(self, text: str) -> None:
        """Something the user should know though the work goes on."""

    def working(self, text: str) -> AbstractContextManager[Callable[[str], object]]:
        """Show that something takes a while, for as long as the context lasts; yields what tells more."""

    def follow(self, steps: Iterable[Progress], *, work: str | None = None, total: int | None = None) -> None:
        """Exhaust long work and show it: step by step, or counted where `work` names it."""


@dataclass(frozen=True)
class Prepared:
    """A project whose models are converted and whose functions are generated: all that is checked in."""

    project: Project
    models: Mapping[str, Converted]
    deployment: Deployment
    provider: Provider
    sources: Mapping[PurePosixPath, bytes]


@dataclass(frozen=True)
class Plan:
    """What a deploy would do, complete before anything is touched."""

    prepared: Prepared
    packages: Mapping[str, Package]
    rendered: Rendered
    changes: Changes


def prepare(project: Project, *, frozen: bool, narrator: Narrator) -> Prepared:
    """Convert the models and generate the functions, or with `frozen` hold what is checked in to the spec.

    Raises:
        StaleError: Frozen, and the checked-in functions are not what spec and artifacts give.
    """
    if frozen:
        models = locked(project)
    else:
        models = {}
        for name in project.models:
            with narrator.working(f"{name}: looking for changes") as show:
                models[name] = convert(project, name, show=show)
            state = "converted" if models[name].fresh else "unchanged"
            narrator.note(f"{name}: {state}, {models[name].digest[:12]}, {models[name].bytes:,} bytes")
    with narrator.working("generating"):
        prepared = decide(project, models, resolve=not frozen)
    if frozen:
        codegen.require_fresh(prepared.sources, project.handlers_folder)
    else:
        written = codegen.write(prepared.sources, project.handlers_folder)
        for folder, count in sorted(Counter(path.parts[:3] for path in written).items()):
            narrator.note(f"{PurePosixPath(project.handlers, *folder)}: {count} files written")
    return prepared


def decide(
    project: Project, models: Mapping[str, Converted], *, resolve: bool = False, upgrade: bool = False
) -> Prepared:
    """What must exist, and the code of it, without writing anything.

    Args:
        project: The checked spec.
        models: The converted models.
        resolve: Ask the package index for pins that hooks need and requirements.txt does not hold yet.
        upgrade: Ask it for the newest of those that it holds, too.
    """
    deployment = intent.build(
        project,
        {name: (model.digest, model.manifest) for name, model in models.items()},
        answers={name: model.answers for name, model in models.items()},
    )
    provider = table.provider(project.provider)
    sources = codegen.generate(
        deployment,
        provider.sources(deployment),
        requirements=_requirements(project, deployment, provider, resolve=resolve, upgrade=upgrade),
        runtime_root=installed_runtime(),
    )
    return Prepared(project, models, deployment, provider, sources)


def _requirements(
    project: Project, deployment: Deployment, provider: Provider, *, resolve: bool, upgrade: bool
) -> Mapping[str, str]:
    """Each function's requirements.txt: what it needs itself, then what its hooks ask for."""
    own = provider.requirements(deployment)
    folder = project.handlers_folder / deployment.project / deployment.provider
    return {
        function.name: packaging.pinned(
            function.name,
            function.requirements,
            own[function.name],
            folder / function.name / "requirements.txt",
            python=function.python,
            resolve=resolve,
            upgrade=upgrade,
        )
        for function in deployment.functions
    }


def package(prepared: Prepared, narrator: Narrator, *, only: str | None = None) -> Mapping[str, Package]:
    """Build the package of every function, or of one, or find those of the same inputs.

    For the local stage they fit what the embedded cloud can run here, where the function's Python version or
    platform is not at hand.
    """
    project, deployment = prepared.project, prepared.deployment
    base = project.handlers_folder / project.project / project.provider
    runtime = base / "sls_ml_runtime" if project.vendor else installed_runtime()
    packages: dict[str, Package] = {}
    for function in deployment.functions:
        if only not in {None, function.name}:
            continue
        python, platform = None, None
        if project.stage == LOCAL_STAGE:
            local = packaging.local_target(function.python, function.architecture, provider=project.provider)
            python, platform = local.python, local.platform
        with narrator.working(f"packaging {function.name}"):
            built = packaging.build(
                function,
                source=base / function.name,
                runtime=runtime,
                artifacts={model.name: prepared.models[model.name].folder for model in function.models},
                limits=prepared.provider.LIMITS,
                cache=project.work_folder,
                provider=project.provider,
                python=python,
                platform=platform,
            )
        packages[function.name] = built
        narrator.note(f"{built.function}: {built.bytes / 1e6:.1f} MB, Python {built.python}")
        for warning in built.warnings:
            narrator.warn(f"{built.function}: {warning}")
    return packages


def plan(prepared: Prepared, packages: Mapping[str, Package], deployer: Deployer) -> Plan:
    """Let the provider say what a deploy would change."""
    rendered = prepared.provider.render(prepared.deployment, packages)
    return Plan(prepared, packages, rendered, deployer.changes(rendered))


def draft(prepared: Prepared) -> Rendered:
    """The description of a deployment whose packages need not be built: to be read, not deployed."""
    packages = {
        function.name: Package(
            function=function.name,
            kind="zip",
            path=Path(),
            sha256="0" * 64,
            bytes=0,
            unpacked_bytes=0,
            python=function.python,
            architecture=function.architecture,
            platform="",
            glibc=None,
            bytecode=None,
            files=(),
            pruned=(),
            warnings=(),
        )
        for function in prepared.deployment.functions
    }
    return prepared.provider.render(prepared.deployment, packages)


def apply(plan: Plan, deployer: Deployer, narrator: Narrator) -> StackOutputs:
    """Upload artifacts and packages, carry the plan out, and read where everything is found.

    Where nothing changes, only what functions fetch is looked for in the store, and put back if it is gone.
    """
    unchanged, prepared = plan.changes.empty, plan.prepared
    place = store(prepared.project, deployer)
    fetched = {
        model.name for each in prepared.deployment.functions for model in each.models if not model.bundled
    }
    wanted = [model for name, model in prepared.models.items() if name in fetched or not unchanged]
    uploads = [upload for model in wanted for upload in artifact_uploads(model, place)]
    if not unchanged:
        uploads += deployer.uploads(plan.rendered)
    narrator.follow(deployer.upload(uploads), work="uploads")
    if not unchanged:
        _point(prepared, deployer)
        narrator.follow(deployer.apply(plan.changes), work="resources", total=len(plan.changes.items))
    return deployer.outputs()


def connect(project: Project) -> Deployer:
    """The door to what changes a stage."""
    return table.provider(project.provider).connect(target(project)).at(project.project, project.stage)


def operate(project: Project) -> Operations:
    """The door to what is done with a deployed stage."""
    return table.provider(project.provider).operate(target(project), project.project, project.stage)


def target(project: Project) -> Target:
    """Where a stage is deployed to; for the local stage the embedded cloud is started if need be.

    Raises:
        ExternalError: What talks to the provider is not installed.
    """
    if importlib.util.find_spec("boto3") is None:
        extra = "local" if project.stage == LOCAL_STAGE else "aws"
        raise ExternalError(
            "deploying needs boto3, which is not installed",
            code="extra-missing",
            mend=f"pip install 'sls-ml[{extra}]'",
        )
    if project.stage != LOCAL_STAGE:
        return Target(region=project.region, stage=project.stage)
    from sls_ml.local import control

    endpoint = control.up(project.folder, project.region)
    return Target(
        region=endpoint.region,
        stage=LOCAL_STAGE,
        endpoint_url=endpoint.url,
        access_key=endpoint.access_key,
        secret_key=endpoint.secret_key,
    )


def silent_buckets(prepared: Prepared) -> list[str]:
    """Existing buckets that functions take objects from, but that do not announce them.

    The embedded cloud has no buckets of its own: there the buckets that a spec names are made.

    Raises:
        ExternalError: A bucket does not exist, or may not be looked at.
    """
    project = prepared.project
    batches = [function.batch for function in prepared.deployment.functions if function.batch]
    named = {batch.source.bucket for batch in batches if batch.source.bucket}
    if project.stage == LOCAL_STAGE:
        from sls_ml.local import buckets

        targets = {batch.target.bucket for batch in batches if batch.target.bucket}
        buckets.provide(target(project), named | targets)
        return []
    if not named:
        return []
    operations = operate(project)
    try:
        return [name for name in sorted(named) if not operations.announces_objects(name)]
    except ExternalError as error:
        if error.code == "bucket-missing":
            error.mend = "make the bucket, or leave `from` out: then the stack has one of its own"
        raise


def unreadable_secrets(prepared: Prepared, narrator: Narrator) -> list[tuple[str, str, Unreadable]]:
    """Function, secret and why, where a function names a secret that has no value to read.

    A secret that may not be looked at is a warning: it may well exist.
    """
    readers: dict[str, list[str]] = {}
    for function in prepared.deployment.functions:
        for grant in function.grants:
            if isinstance(grant, ReadSecret):
                readers.setdefault(grant.name, []).append(function.name)
    if not readers:
        return []
    operations = operate(prepared.project)
    found = []
    for secret, functions in sorted(readers.items()):
        names = ", ".join(functions)
        try:
            unreadable = operations.unreadable(secret)
        except ExternalError as error:
            if error.code != "access-denied":
                raise
            narrator.warn(
                f"cannot see whether the secret {secret} of {names} exists; it is missing, or "
                f"may not be looked at: {error.why}"
            )
            continue
        if unreadable is not None:
            found.append((names, secret, unreadable))
    return found


def address(prepared: Prepared, model: Converted, deployer: Deployer) -> str:
    """Where an artifact can be loaded from: the store, or on this machine the artifacts folder."""
    if prepared.project.stage == LOCAL_STAGE:
        return f"{model.folder.as_uri()}/"
    return f"{store(prepared.project, deployer)}/{model.name}/{model.digest}/"


def not_emulated(plan: Plan) -> tuple[tuple[str, str], ...]:
    """Resources that the embedded cloud accepts without carrying them out: (logical id, type)."""
    if plan.prepared.project.stage != LOCAL_STAGE:
        return ()
    from sls_ml.local import cloudformation

    return tuple(cloudformation.not_emulated(plan.rendered.template))


def stale_files(project: Project) -> list[PurePosixPath]:
    """Generated files that are not what the spec and the checked-in artifacts give."""
    prepared = decide(project, locked(project))
    return list(codegen.check(prepared.sources, project.handlers_folder))


def artifact_uploads(model: Converted, store: str) -> Iterator[Upload]:
    """Every file of an artifact, the manifest after the files that it lists."""
    for file in [*sorted(model.manifest["files"]), "manifest.json"]:
        yield Upload(model.folder / file, f"{store}/{model.name}/{model.digest}/{file}")


def store(project: Project, deployer: Deployer) -> str:
    """Where the artifacts of a project are kept, as a URI without a slash at its end."""
    return deployer.store if project.store == "auto" else project.store.rstrip("/")


def elsewhere(prepared: Prepared, deployer: Deployer) -> Iterator[tuple[str, str, str]]:
    """Function, alias and digest, where an alias points to another artifact than what is deployed."""
    for function, model, uri in _aliases(prepared, deployer):
        alias = deployer.aliases.find(uri)
        if function.follow is not None and alias is not None and alias.digest != model.digest:
            yield function.name, function.follow.alias, alias.digest


def _point(prepared: Prepared, deployer: Deployer) -> None:
    """Make the aliases that are new: what is deployed is what they point to first."""
    for _, model, uri in _aliases(prepared, deployer):
        if deployer.aliases.find(uri) is None:
            deployer.aliases.move(uri, model.digest, before=None)


def _aliases(prepared: Prepared, deployer: Deployer) -> Iterator[tuple[Function, ModelRef, str]]:
    for function in prepared.deployment.functions:
        if function.follow is not None:
            for model in function.models:
                key = alias_key(model.name, function.follow.alias)
                yield function, model, f"{store(prepared.project, deployer)}/{key}"
