"""The command that begins a project: init."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from sls_ml.cli.console import Output
from sls_ml.cli.options import JsonOption
from sls_ml.errors import UsageError
from sls_ml.spec import SPEC_FILE, read

_IGNORED = ".sls-ml/\n"
_PICKLES = {".joblib", ".pkl", ".pickle", ".pt", ".pt2", ".pth"}
_TABLES = {".csv", ".jsonl", ".ndjson", ".parquet"}
_NO_NAMES = {"model", "pipeline", "estimator", "classifier", "regressor", "clf"}
"""File names that say nothing of a model: it is called like its project."""

_SPEC = """\
# What sls-ml deploys: all keys are in `sls-ml schema`, explained in docs/spec.md.
project: {project}
region: {region}

models:
  {model}:
    source: {source}
    sample: {sample}    # rows as the model takes them: signature, parity gate{trust}

functions:
  predict:
    model: {model}
    http: {{auth: iam}}    # who may call: iam (signed with AWS credentials), jwt, key or public
  score:
    model: {model}
    objects: {{format: csv}}    # files that arrive in the stack's own bucket are scored
"""


def init(
    folder: Annotated[Path, typer.Argument(help="Where the project begins.", show_default="here")] = Path(),
    *,
    model: Annotated[Path, typer.Option("--model", "-m", help="The trained model.", show_default=False)],
    sample: Annotated[Path, typer.Option("--sample", help="Rows of its input.", show_default=False)],
    name: Annotated[str | None, typer.Option(help="The project's name; default the folder's.")] = None,
    region: Annotated[str, typer.Option(help="Where it is deployed.")] = "eu-west-1",
    trust: Annotated[bool, typer.Option("--trust", help="Loading this pickle may run its code.")] = False,
    json: JsonOption = False,
) -> None:
    """Begin a project for a trained model; what exists already is never overwritten."""
    output = Output.open(as_json=json)
    _check_files(model, sample)
    spec = folder / SPEC_FILE
    if spec.exists():
        raise UsageError(
            f"{spec} exists already", code="spec-exists", mend="edit it, or begin in another folder"
        )
    called = _named(name or folder.resolve().name)
    text = _SPEC.format(
        project=called,
        region=region,
        model=called if model.stem.lower() in _NO_NAMES else _named(model.stem, shortest=1),
        source=_relative(model, folder),
        sample=_relative(sample, folder),
        trust="\n    trust: true    # loading it may run code: only for files of your own"
        if _trusted(output, model, trust)
        else "",
    )
    folder.mkdir(parents=True, exist_ok=True)
    partial = spec.with_suffix(".new")
    partial.write_text(text, encoding="utf-8")
    partial.replace(spec)
    written = [str(spec), *_ignore(folder)]
    read(folder)
    output.document({"written": written})
    for path in written:
        output.say(f"wrote {path}")
    where = "" if folder.resolve() == Path.cwd() else f" --project {folder}"
    output.say(f"\nnext: sls-ml deploy --stage local{where}")


def _named(word: str, *, shortest: int = 3) -> str:
    """The nearest name that a spec allows."""
    name = re.sub(r"[^a-z0-9]+", "-", word.lower()).strip("-")[:32].rstrip("-")
    if not re.match("[a-z]", name):
        name = f"m-{name}".rstrip("-")
    return name if len(name) >= shortest else f"{name}-model"


def _relative(file: Path, folder: Path) -> str:
    """A path as the spec has it: relative to the spec's folder where it lies below it."""
    absolute = file.resolve()
    base = folder.resolve()
    return str(absolute.relative_to(base)) if absolute.is_relative_to(base) else str(absolute)


def _check_files(model: Path, sample: Path) -> None:
    for what, file in (("model", model), ("sample", sample)):
        if not file.exists():
            raise UsageError(
                f"the {what} {file} does not exist",
                code="model-missing" if what == "model" else "sample-missing",
                mend=f"name an existing file with --{what}",
            )
    if sample.suffix.lower() not in _TABLES:
        raise UsageError(
            f"{sample} is no table of rows",
            code="sample-form",
            mend="swap --model and --sample"
            if model.suffix.lower() in _TABLES
            else "save the sample as .csv, .jsonl or .parquet",
        )


def _trusted(output: Output, model: Path, given: bool) -> bool:
    """Ask once, when nobody has said it and somebody is there to ask."""
    if given or (doubt := _doubt(model)) is None:
        return given
    if sys.stdin.isatty():
        return typer.confirm(f"{model.name} {doubt}. Is it your own?", err=True)
    output.warn(f"{model.name} {doubt}: if it is your own, write `trust: true` below its source")
    return False


def _doubt(model: Path) -> str | None:
    """Why a model file needs its owner's word; None for one that loads without running anything."""
    suffix = model.suffix.lower()
    if suffix in _PICKLES:
        return "is a pickle, and loading it runs the code in it"
    if suffix != ".skops" or importlib.util.find_spec("skops") is None:
        return None
    from sls_ml.artifact.source import untrusted_types

    unknown = untrusted_types(model)
    return f"holds types that skops does not vouch for ({', '.join(unknown)})" if unknown else None


def _ignore(folder: Path) -> list[str]:
    """Keep caches and the embedded cloud's data out of version control."""
    file = folder / ".gitignore"
    lines = file.read_text(encoding="utf-8") if file.exists() else ""
    if _IGNORED in lines:
        return []
    with file.open("a", encoding="utf-8") as stream:
        stream.write(("" if not lines or lines.endswith("\n") else "\n") + _IGNORED)
    return [str(file)]
