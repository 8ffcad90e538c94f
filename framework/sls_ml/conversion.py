"""Converts the models of a project, or finds that nothing they depend on has changed."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sls_ml.artifact.folder import verified
from sls_ml.errors import ArtifactError, ModelError, ParityError, StaleError
from sls_ml.spec.model import Model, Project

_TOOLS = (
    "scikit-learn",
    "skl2onnx",
    "onnx",
    "onnxruntime",
    "numpy",
    "pandas",
    "protobuf",
    "skops",
    "xgboost",
    "xgboost-cpu",
    "lightgbm",
    "catboost",
    "torch",
    "onnxscript",
)


@dataclass(frozen=True)
class Converted:
    """A model's artifact in the project's artifacts folder.

    Attributes:
        name: The model's name in the spec.
        digest: sha256 of manifest.json, 64 hex digits.
        folder: Where the artifact lies.
        manifest: The parsed manifest.json.
        bytes: Size of the files that the manifest lists.
        answers: Engine to what it answers for the manifest's example rows; empty where an earlier version
            converted the model.
        fresh: Whether it was converted just now.
    """

    name: str
    digest: str
    folder: Path
    manifest: Mapping[str, Any]
    bytes: int
    answers: Mapping[str, Mapping[str, Any]]
    fresh: bool


def convert(
    project: Project, name: str, *, again: bool = False, show: Callable[[str], object] | None = None
) -> Converted:
    """Convert one model unless its file, sample, settings and the tools are what they were.

    Args:
        project: The checked spec.
        name: The model's name in the spec.
        again: Convert even when nothing changed.
        show: Told what is being done.

    Raises:
        ModelError: The model file or the sample cannot be used.
        ParityError: The converted model does not predict as the original.
    """
    model = project.models[name]
    source, sample = project.folder / model.source, project.folder / model.sample
    for key, file in (("source", source), ("sample", sample)):
        if not file.exists():
            raise ModelError(
                f"the file {file.name} of the model {name} does not exist",
                code="source-missing" if key == "source" else "sample-missing",
                where=f"models.{name}.{key}: {file}",
                mend="train and save the model first, or correct the path" if key == "source" else None,
            )
    record = project.work_folder / "cache" / "convert" / f"{_key(name, model, source, sample)}.json"
    if not again and (known := _recorded(record)) and _whole(project.artifacts_folder / name / known):
        return find(project, name, known)

    from sls_ml.artifact import build, stages

    def begin(part: str) -> None:
        if show:
            show(f"{name}: {part}")

    try:
        with stages.heard_by(begin):
            artifact = build(
                source,
                sample,
                name=name,
                tolerance=model.tolerance,
                trust=model.trust,
                engine=model.engine,
                quantize=model.quantize,
            )
    except (ModelError, ParityError) as error:
        error.where = error.where or f"models.{name}: {model.source}, {model.sample}"
        raise
    folder = project.artifacts_folder / name / artifact.digest
    if folder.exists() and not (_whole(folder) and _answers(folder)):
        shutil.rmtree(folder)
    artifact.save(str(project.artifacts_folder))
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps({"digest": artifact.digest}))
    return find(project, name, artifact.digest, fresh=True)


def find(project: Project, name: str, digest: str, *, fresh: bool = False) -> Converted:
    """Look an artifact up in the artifacts folder, and hold every byte of it to the digest.

    Raises:
        StaleError: It is not there.
        ArtifactError: It is not what the digest says, or not whole.
    """
    folder = project.artifacts_folder / name / digest
    if not _there(folder):
        raise StaleError(
            f"the artifact {digest[:12]} of the model {name} is not in the artifacts folder",
            code="artifact-missing",
            where=str(folder),
            mend="run `sls-ml convert` and `sls-ml generate`, and check in what they write",
        )
    manifest = verified(folder, digest)
    size = sum(entry["bytes"] for entry in manifest["files"].values())
    return Converted(name, digest, folder, manifest, size, _answers(folder), fresh)


def locked(project: Project) -> Mapping[str, Converted]:
    """The artifacts that the checked-in functions name: what a frozen deploy works with.

    Raises:
        StaleError: A function has not been generated, or names other models than the spec.
    """
    digests: dict[str, str] = {}
    for function in project.functions:
        config = project.handlers_folder / project.project / project.provider / function / "config.json"
        if not config.exists():
            raise StaleError(
                f"the function {function} has not been generated",
                code="handlers-missing",
                where=str(config.parent),
                mend="run `sls-ml generate` and check in what it writes",
            )
        models = json.loads(config.read_text())["models"]
        digests |= {name: entry["digest"] for name, entry in models.items()}
    missing = sorted(set(project.models) - set(digests))
    if used := [name for name in missing if _is_used(project, name)]:
        raise StaleError(
            f"the generated functions do not know the models {', '.join(used)}",
            code="handlers-stale",
            mend="run `sls-ml generate` and check in what it writes",
        )
    return {name: find(project, name, digest) for name, digest in sorted(digests.items())}


def _recorded(record: Path) -> str | None:
    """The digest that an earlier conversion came to; None without one, or where its record was cut short."""
    try:
        return str(json.loads(record.read_text())["digest"])
    except (OSError, ValueError, KeyError):
        return None


def _there(folder: Path) -> bool:
    """Whether there is something; what may not be looked at is an error, and not absent."""
    try:
        folder.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _whole(folder: Path) -> bool:
    """Whether an artifact is what its address says; an interrupted write leaves less."""
    try:
        return _there(folder) and bool(verified(folder, folder.name))
    except ArtifactError:
        return False


def _answers(folder: Path) -> Mapping[str, Mapping[str, Any]]:
    """What report.json tells of the example rows; it is not hashed, so what cannot be read is no report."""
    try:
        answers = json.loads((folder / "report.json").read_bytes())["examples"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return answers if isinstance(answers, dict) else {}


def _is_used(project: Project, name: str) -> bool:
    return any(name in function.model_names for function in project.functions.values())


def _key(name: str, model: Model, source: Path, sample: Path) -> str:
    """A digest of everything that the conversion of a model depends on."""
    key = hashlib.sha256()
    settings = model.model_dump_json(exclude={"source", "sample"})
    for part in (name, source.suffix, sample.suffix, settings, *_versions()):
        key.update(part.encode() + b"\0")
    for path in (source, sample, Path(__file__).parent / "artifact", installed_runtime()):
        for file in _files(path):
            key.update(hashlib.sha256(file.read_bytes()).digest())
    return key.hexdigest()


def installed_runtime() -> Path:
    """The folder of the runtime that comes with this version."""
    import sls_ml_runtime

    return Path(sls_ml_runtime.__path__[0])


def _files(path: Path) -> Iterable[Path]:
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file() and file.suffix != ".pyc")


def _versions() -> list[str]:
    found = []
    for tool in _TOOLS:
        try:
            found.append(f"{tool}=={importlib.metadata.version(tool)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
