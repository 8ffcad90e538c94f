"""What goes into a package beside wheels: the function's folder, the runtime, the artifacts it bundles."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from sls_ml import runtime_tree
from sls_ml.artifact import manifest as manifests
from sls_ml.artifact.folder import MEND, verified
from sls_ml.errors import ArtifactError, StaleError, UnsupportedError
from sls_ml.intent.model import EngineName
from sls_ml.runtime_tree import RUNTIME
from sls_ml_runtime.engines.lite import Program
from sls_ml_runtime.errors import EngineError

REQUIREMENTS = "requirements.txt"
RUNTIME_ORIGIN = "runtime"
_GENERATED = frozenset({"handler.py", "config.json"})
_LITE_FILE = "model.lite"


@dataclass(frozen=True)
class Source:
    """One file for the package: its path there, where it is now, whose it is, and whether users edit it."""

    path: str
    file: Path
    origin: str
    user: bool = False


@dataclass(frozen=True)
class Bundled:
    """A model of config.json that rides in the package."""

    model: str
    digest: str
    engine: EngineName
    files: tuple[str, ...]


@dataclass(frozen=True)
class Settings:
    """What packaging reads of a function's config.json.

    Attributes:
        engines: The engines of its models.
        bundled: The models that ride in the package.
        fetches: Whether there are others, which it fetches when it starts or is told to follow.
        follows: Whether it follows an alias.
        scores: Whether it scores objects; else it answers requests.
        page: Whether it serves a page about its models.
        watched: Whether it counts rows of a model, to find drift.
        runtime_digest: The runtime that it was generated for.
    """

    engines: frozenset[EngineName]
    bundled: tuple[Bundled, ...]
    fetches: bool
    follows: bool
    scores: bool
    page: bool
    watched: bool
    runtime_digest: str


def settings(source: Path) -> Settings:
    """Read config.json of a function's folder.

    Raises:
        StaleError: It is missing, or not what this version generates.
    """
    path = source / "config.json"
    try:
        config: dict[str, Any] = json.loads(path.read_bytes())
        models: dict[str, Any] = config["models"]
        return Settings(
            engines=frozenset(cast("EngineName", model["engine"]) for model in models.values()),
            bundled=tuple(
                Bundled(
                    name, model["digest"], model["engine"], tuple(_read_by(model["engine"], model["files"]))
                )
                for name, model in sorted(models.items())
                if model["bundled"]
            ),
            fetches="follow" in config or not all(model["bundled"] for model in models.values()),
            follows="follow" in config,
            scores=config["kind"] == "objects",
            page=bool((config["http"] or {}).get("page")),
            watched=any(model.get("watched") for model in models.values()),
            runtime_digest=config["runtime"]["digest"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StaleError(
            f"{path.name} of the function {source.name} is missing or not what sls-ml generates",
            code="function-not-generated",
            where=str(path),
            why=f"{type(error).__name__}: {error}",
            mend="run: sls-ml generate",
        ) from error


def function_files(source: Path) -> Iterator[Source]:
    """Every file of the function's folder but requirements.txt, hidden files and bytecode.

    Raises:
        UnsupportedError: The folder holds a symbolic link.
    """
    for path in _walk(source):
        inside = path.relative_to(source).as_posix()
        if inside != REQUIREMENTS:
            yield Source(inside, path, "function", user=inside not in _GENERATED)


def runtime_files(runtime: Path, pinned: str) -> Iterator[Source]:
    """The runtime, when it is the one that config.json pins.

    Raises:
        StaleError: It is another.
    """
    found = runtime_tree.runtime_digest(runtime)
    if found != pinned:
        raise StaleError(
            "the runtime is not the one that the function was generated for",
            code="runtime-changed",
            where=str(runtime),
            why=f"config.json pins {pinned[:12]}, this is {found[:12]}",
            mend="run: sls-ml generate, or install the version of sls-ml that generated it",
        )
    for path in runtime_tree.runtime_files(runtime):
        yield Source(f"{RUNTIME}/{path}", runtime / path, RUNTIME_ORIGIN)


def lite_families(settings: Settings, artifacts: Mapping[str, Path]) -> frozenset[str] | None:
    """The families of operations that the function's models ask of the lite engine.

    Args:
        settings: What config.json says.
        artifacts: Folder of the artifact of each bundled model.

    Returns:
        Names of modules in ``engines/lite_ops``; None where the function fetches models, or one cannot be
        read.
    """
    if settings.fetches:
        return None
    families: set[str] = set()
    for bundled in settings.bundled:
        if _LITE_FILE in bundled.files:
            try:
                path = artifacts[bundled.model] / _LITE_FILE
                steps = Program(path.read_bytes(), str(path)).header["steps"]
            except (KeyError, OSError, EngineError):
                return None  # told when the artifact is packaged
            families.update(step[0].partition(".")[0] for step in steps)
    if "kernels" in families:
        families.add("linear")  # which it imports
    return frozenset(families)


def artifact_files(bundled: Bundled, folder: Path | None) -> Iterator[Source]:
    """The manifest of a bundled artifact and the files that its engine reads.

    Raises:
        ArtifactError: The artifact is not there, or not what its digest says.
    """
    if folder is None or not (folder / "manifest.json").is_file():
        raise ArtifactError(
            f"the artifact of {bundled.model} with digest {bundled.digest[:12]} is not here",
            code="artifact-missing",
            where=str(folder) if folder else bundled.model,
            mend="run: sls-ml convert, then sls-ml generate",
        )
    listed = verified(folder, bundled.digest)["files"]
    base = f"artifacts/{bundled.model}/{bundled.digest}"
    for name in ("manifest.json", *bundled.files):
        if name not in {"manifest.json", *listed}:
            raise manifests.lacking(name, where=str(folder), mend=MEND)
        yield Source(f"{base}/{name}", folder / name, f"artifact {bundled.model}")


def _read_by(engine: EngineName, files: Mapping[str, int]) -> list[str]:
    """The files of an artifact that an engine reads: lite its own one, the others all but that."""
    return sorted(name for name in files if (name == _LITE_FILE) == (engine == "lite"))


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "__pycache__" and not name.startswith("."))
        for name in sorted([*files, *folders]):
            if (path := Path(parent, name)).is_symlink():
                raise UnsupportedError(
                    f"{path.name} is a symbolic link, which a package cannot hold",
                    code="symbolic-link",
                    where=str(path),
                    mend="put the file itself there",
                )
        for name in sorted(files):
            if not name.startswith(".") and not name.endswith(".pyc"):
                yield Path(parent, name)
