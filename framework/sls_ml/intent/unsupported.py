"""Keys of the spec that this version does not carry out: refused by name, never ignored."""

from __future__ import annotations

from collections.abc import Iterator

from sls_ml.errors import UnsupportedError
from sls_ml.spec.model import Alarms, Function, Project, Secret


def refuse_unsupported(project: Project) -> None:
    """Refuse a project that asks for what is not built yet.

    Raises:
        UnsupportedError: Names every such key at once.
    """
    keys = list(_project_keys(project))
    for name, function in project.functions.items():
        keys.extend(f"functions.{name}.{key}" for key in _function_keys(function))
    if keys:
        raise UnsupportedError(
            "this version of sls-ml does not carry out: " + "; ".join(keys),
            code="not-supported-yet",
            where=str(project.folder / "sls-ml.yaml"),
            mend="leave these keys out",
        )


def _project_keys(project: Project) -> Iterator[str]:
    if project.provider != "aws":
        yield f"provider: {project.provider} (only aws)"
    if project.store.startswith(("gs://", "az://")):
        yield f"store: {project.store} (only auto, s3:// and file://)"
    if project.alarms != Alarms():
        yield "alarms"
    if project.rollout.canary is not None:
        yield "rollout.canary (only all-at-once)"


def _function_keys(function: Function) -> Iterator[str]:
    if function.http is not None:
        if function.http.auth in {"jwt", "key"}:
            yield f"http.auth: {function.http.auth} (only iam and public)"
        if function.http.page:
            yield "http.page"
    if function.objects is not None:
        for key, value in (("format", function.objects.format), ("output", function.objects.output)):
            if value != "csv":
                yield f"objects.{key}: {value} (only csv)"
    if function.schedule is not None:
        yield "schedule"
    if function.package != "zip":
        yield f"package: {function.package} (only zip)"
    if function.start not in {"auto", "plain"}:
        yield f"start: {function.start} (only auto and plain)"
    if function.concurrency.provisioned is not None:
        yield "concurrency.provisioned"
    if function.style != "function":
        yield f"style: {function.style} (only function)"
    if function.follow is not None:
        yield "follow"
    own = "native" if function.objects is None else "powertools"
    if function.observability not in {None, own}:
        yield f"observability: {function.observability} (only {own} here)"
    for key, value in function.environment.items():
        if isinstance(value, Secret):
            yield f"environment.{key}.secret"
