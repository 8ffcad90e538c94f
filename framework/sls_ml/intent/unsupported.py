"""Keys of the spec that this version does not carry out: refused by name, never ignored."""

from __future__ import annotations

from collections.abc import Iterator

from sls_ml.errors import UnsupportedError
from sls_ml.spec.model import Function, Project


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


def _function_keys(function: Function) -> Iterator[str]:
    asked = [
        (function.package != "zip", f"package: {function.package} (only zip)"),
    ]
    if function.style == "chalice":
        asked += [
            (
                function.objects is not None,
                "style: chalice of objects (Chalice 1.34 packages no bucket events)",
            ),
            (function.observability == "powertools", "observability: powertools with style: chalice"),
        ]
    if objects := function.objects:
        asked += [
            (function.observability == "native", "observability: native (only powertools)"),
            (objects.format != "csv", f"objects.format: {objects.format} (only csv)"),
            (objects.output != "csv", f"objects.output: {objects.output} (only csv)"),
        ]
    return (key for wanted, key in asked if wanted)
