"""Generates every function of a deployment: a provider's templates, filled, and their settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from string import Template as Holes
from typing import Any, Protocol

import sls_ml
from sls_ml.intent.model import Deployment, Function
from sls_ml.runtime_tree import RUNTIME, runtime_digest, runtime_files
from sls_ml_runtime.follow import signature

USERS_OWN = frozenset({"app.py", "hooks.py"})
"""The files of a function that are the user's: written when they are missing, and never looked at again."""


class Source(Protocol):
    """A provider's template of one file; `once` marks the user's own."""

    @property
    def text(self) -> str:
        """The file's text with its holes."""
        ...

    @property
    def once(self) -> bool:
        """Whether the file is written once and is the user's from then on."""
        ...


def generate(
    deployment: Deployment,
    sources: Mapping[PurePosixPath, Source],
    *,
    requirements: Mapping[str, str],
    runtime_root: Path,
) -> dict[PurePosixPath, bytes]:
    """The generated files of all functions, without touching the disk but to read the runtime.

    Args:
        deployment: What is deployed.
        sources: The provider's templates, by path below ``<project>/<provider>``: ``predict/handler.py``.
            Their holes are ``$project``, ``$function`` and ``$digest``.
        requirements: Text of each function's ``requirements.txt``, pins with hashes; empty text for none.
        runtime_root: The folder of `sls_ml_runtime` that the functions are to run with.

    Returns:
        Content by path below the project's handlers folder, sorted:
        ``<project>/<provider>/<function>/handler.py``. The ``$digest`` in a file is the sha256 over all that
        its function was generated from, so that a review sees at once which functions a change touches.
    """
    base = PurePosixPath(deployment.project, deployment.provider)
    runtime = {"version": sls_ml.__version__, "digest": runtime_digest(runtime_root)}
    files: dict[PurePosixPath, bytes] = {}
    for function in deployment.functions:
        texts = {
            path.relative_to(function.name).as_posix(): source
            for path, source in sources.items()
            if path.parts[0] == function.name
        }
        settled = {
            "config.json": _json(config(deployment, function, runtime)),
            "requirements.txt": requirements[function.name],
        }
        digest = _digest(texts, settled)
        for name, source in texts.items():
            filled = Holes(source.text).substitute(
                project=deployment.project, function=function.name, digest=digest
            )
            files[base / function.name / name] = filled.encode()
        for name, text in settled.items():
            files[base / function.name / name] = text.encode()
    if deployment.vendor:
        vendored = runtime_files(runtime_root)
        files.update({base / RUNTIME / path: content for path, content in vendored.items()})
    return dict(sorted(files.items()))


def config(deployment: Deployment, function: Function, runtime: Mapping[str, str]) -> dict[str, Any]:
    """What a function knows of itself, as config.json has it: no address and nothing of the stage."""
    http, batch = function.http, function.batch
    return {
        "format": 1,
        "project": deployment.project,
        "function": function.name,
        "kind": "http" if http else "objects",
        "models": {
            model.name: {
                "digest": model.digest,
                "files": dict(model.files),
                "bundled": model.bundled,
                "engine": model.engine,
                "watched": model.watched,
            }
            for model in function.models
        },
        "http": http
        and {
            "auth": http.auth,
            "max_rows": http.max_rows,
            "max_body": http.max_body,
            "page": http.page,
            "cors": list(http.cors),
        },
        "objects": batch
        and {
            "format": batch.format,
            "output": batch.output,
            "join": list(batch.join),
            "max_rejected": batch.max_rejected,
        },
        "runtime": dict(runtime),
        **_followed(function),
    }


def _followed(function: Function) -> dict[str, Any]:
    """The alias that a function follows, and the signatures that what it points to must have."""
    if function.follow is None:
        return {}
    signatures = {model.name: signature(model.manifest) for model in function.models}
    return {"follow": {**function.follow.model_dump(), "signatures": signatures}}


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def _digest(texts: Mapping[str, Source], settled: Mapping[str, str]) -> str:
    """sha256 over names and unfilled texts of one function, without the files that are the user's."""
    inputs = {name: source.text for name, source in texts.items() if not source.once} | dict(settled)
    digest = hashlib.sha256()
    for name, text in sorted(inputs.items()):
        digest.update(f"{name}\0{len(text.encode())}\0{text}".encode())
    return digest.hexdigest()
