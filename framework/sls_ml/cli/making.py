"""Commands that make what is checked in, and the packages: convert, inspect, generate, package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sls_ml import codegen
from sls_ml import deploy as story
from sls_ml import package as packaging
from sls_ml.cli.choosing import known, known_functions, known_models
from sls_ml.cli.console import Output
from sls_ml.cli.options import HERE, FrozenOption, JsonOption, ProjectOption, StageOption
from sls_ml.conversion import Converted
from sls_ml.conversion import convert as convert_model
from sls_ml.deploy import Prepared
from sls_ml.errors import StaleError, UsageError
from sls_ml.measure import hook_imports
from sls_ml.package.model import Package
from sls_ml.provider.aws import chalice as projects
from sls_ml.spec import Project, read

if TYPE_CHECKING:
    from sls_ml.artifact import Artifact


def convert(
    models: Annotated[list[str] | None, typer.Argument(help="Models of the spec; all without any.")] = None,
    *,
    again: Annotated[bool, typer.Option("--again", help="Convert even what has not changed.")] = False,
    project: ProjectOption = HERE,
    stage: StageOption = None,
    json: JsonOption = False,
) -> None:
    """Convert trained models to slim ONNX artifacts, proven against the originals."""
    output = Output.open(as_json=json)
    spec = read(project, stage)
    made: dict[str, Converted] = {}
    for name in known_models(spec, models):
        with output.working(f"{name}: looking for changes") as show:
            made[name] = convert_model(spec, name, again=again, show=show)
    output.document({"models": {name: _artifact(artifact) for name, artifact in made.items()}})
    if not json:
        output.table(
            ("model", "digest", "bytes", "kind", "engines", ""),
            (
                (
                    name,
                    artifact.digest[:12],
                    f"{artifact.bytes:,}",
                    artifact.manifest["kind"],
                    ", ".join(artifact.manifest["engines"]),
                    "converted" if artifact.fresh else "unchanged",
                )
                for name, artifact in made.items()
            ),
        )
        from sls_ml.artifact.page import said_of_quantization

        for name, artifact in made.items():
            if told := _quantization(artifact):
                output.say(f"{name}: {said_of_quantization(told)}")


def inspect(
    model: Annotated[str, typer.Argument(help="A model of the spec, or the address of an artifact.")],
    *,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write it as one page that needs nothing else.")
    ] = None,
    with_start: Annotated[
        bool,
        typer.Option("--with-start", help="Measure a cold start for the page, as `bench coldstart` does."),
    ] = False,
    project: ProjectOption = HERE,
    stage: StageOption = None,
    json: JsonOption = False,
) -> None:
    """Show what an artifact expects, answers and weighs, and how it was proven."""
    from sls_ml.artifact import load

    output = Output.open(as_json=json)
    spec: Project | None = None
    if with_start and (html is None or "/" in model):
        raise UsageError(
            "a start is measured for the page of a model of the spec",
            code="start-without-page",
            mend="name such a model, and --html page.html",
        )
    if "/" in model:
        artifact = load(model)
    else:
        spec = read(project, stage)
        known("model", model, spec.models)
        with output.working(f"{model}: looking for changes") as show:
            artifact = load(str(convert_model(spec, model, show=show).folder))
    if html is not None:
        from sls_ml.artifact.page import render

        start = None if spec is None else _start(spec, model, artifact, output, measure=with_start)
        html.write_text(render(artifact, start), encoding="utf-8")
    document: dict[str, Any] = {
        "name": artifact.name,
        "digest": artifact.digest,
        "bytes": artifact.bytes,
        "manifest": artifact.manifest,
        "report": artifact.report,
        "html": None if html is None else str(html),
    }
    output.document(document)
    if json:
        return
    if html is not None:
        output.say(f"wrote {html}")
        return
    _show_artifact(output, artifact)


def _start(spec: Project, model: str, artifact: Artifact, output: Output, *, measure: bool) -> str | None:
    """The picture of a cold start with an artifact: the last that was measured here, or one measured now."""
    from sls_ml.cli.measuring import measure_starts
    from sls_ml.measure import record

    endpoints = [name for name, each in spec.functions.items() if each.http and model in each.model_names]
    if measure:
        if not endpoints:
            raise UsageError(
                f"no endpoint serves {model}, so that no start of one can be measured",
                code="no-endpoint",
                mend="leave --with-start out",
            )
        measure_starts(spec, endpoints[0], output)
    pictures = (record.picture(spec, name, model, artifact.digest) for name in endpoints)
    return next((picture for picture in pictures if picture is not None), None)


def generate(
    *,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail when a file is stale.")] = False,
    upgrade: Annotated[
        bool, typer.Option("--upgrade", help="Pin the newest packages that `requirements` of hooks allow.")
    ] = False,
    project: ProjectOption = HERE,
    stage: StageOption = None,
    json: JsonOption = False,
) -> None:
    """Write the functions' code into the handlers folder; your hooks.py is never touched."""
    output = Output.open(as_json=json)
    spec = read(project, stage)
    if check:
        stale = story.stale_files(spec)
        output.document({"stale": [str(path) for path in stale]})
        if stale:
            raise StaleError(
                f"{len(stale)} generated files are not what the spec gives",
                code="handlers-stale",
                where=", ".join(str(path) for path in stale),
                mend="run `sls-ml generate` and check in what it writes",
            )
        output.say("generated code is fresh")
        return
    models = {}
    for name in spec.models:
        with output.working(f"{name}: looking for changes") as show:
            models[name] = convert_model(spec, name, show=show)
    with output.working("generating"):
        prepared = story.decide(spec, models, resolve=True, upgrade=upgrade)
    written = codegen.write(prepared.sources, spec.handlers_folder)
    output.document({"written": [str(path) for path in written]})
    for path in written:
        output.say(f"{'wrote' if path in prepared.sources else 'removed'} {spec.handlers / path}")
    if not written:
        output.say("generated code is fresh")


def package(
    functions: Annotated[
        list[str] | None, typer.Argument(help="Functions of the spec; all without any.")
    ] = None,
    *,
    explain: Annotated[
        bool, typer.Option("--explain", help="List what is in it and what was left out.")
    ] = False,
    chalice: Annotated[
        Path | None,
        typer.Option(help="Write functions of `style: chalice` as projects of Chalice below this folder."),
    ] = None,
    frozen: FrozenOption = False,
    project: ProjectOption = HERE,
    stage: StageOption = None,
    json: JsonOption = False,
) -> None:
    """Build the functions' packages for the platform that they run on."""
    output = Output.open(as_json=json)
    spec = read(project, stage)
    chosen = known_functions(spec, functions)
    prepared = story.prepare(spec, frozen=frozen, narrator=output)
    packages = {name: built for name, built in story.package(prepared, output).items() if name in chosen}
    if chalice:
        _write_chalice_projects(output, prepared, packages, chalice)
    output.document(
        {"packages": {name: _package(built, explain=explain and json) for name, built in packages.items()}}
    )
    if json:
        return
    output.table(
        ("function", "zip", "unpacked", "Python", "architecture", "path"),
        (
            (
                name,
                _mb(built.bytes),
                _mb(built.unpacked_bytes),
                built.python,
                built.architecture,
                _short(built.path),
            )
            for name, built in packages.items()
        ),
    )
    for built in packages.values() if explain else ():
        _print_explanation(output, built)


def _write_chalice_projects(
    output: Output, prepared: Prepared, packages: Mapping[str, Package], folder: Path
) -> None:
    deployment = prepared.deployment
    handlers = prepared.project.handlers_folder / deployment.project / deployment.provider
    functions = [each for each in deployment.functions if each.style == "chalice" and each.name in packages]
    if not functions:
        raise UsageError(
            "none of these functions has `style: chalice`",
            code="no-chalice-function",
            mend="write style: chalice under functions.<name> in sls-ml.yaml",
        )
    for function in functions:
        name = function.name
        projects.write_project(
            deployment, function, packages[name], source=handlers / name, folder=folder / name
        )
        output.note(f"{name}: wrote the Chalice project {folder / name}")
        left_out = ", ".join(projects.only_merged(deployment))
        merged = f".chalice/merge-{deployment.stage}.json"
        output.note(
            f"{name}: {left_out}: in `chalice package --merge-template {merged}`, not in `chalice deploy`"
        )


def _artifact(artifact: Converted) -> dict[str, Any]:
    return {
        "address": artifact.folder.as_uri() + "/",
        "digest": artifact.digest,
        "bytes": artifact.bytes,
        "engines": artifact.manifest["engines"],
        "converted": artifact.fresh,
        "quantization": _quantization(artifact),
    }


def _quantization(artifact: Converted) -> dict[str, Any] | None:
    """What the report says of integers as weights; None where there are none."""
    if "quantized" not in artifact.manifest:
        return None
    from sls_ml.artifact import load

    told: dict[str, Any] | None = load(str(artifact.folder)).report.get("quantization")
    return told


def _show_artifact(output: Output, artifact: Artifact) -> None:
    manifest, report = artifact.manifest, artifact.report
    output.say(f"{artifact.name}  {artifact.digest}", style="bold")
    output.say(f"{manifest['source']['estimator']}: {manifest['kind']}\n")
    output.table(
        ("file", "bytes"), ((name, f"{entry['bytes']:,}") for name, entry in manifest["files"].items())
    )
    output.say()
    proven = report.get("engines", {})
    output.table(
        ("engine", "serves", "largest difference from the original"),
        (
            (name, _place(name, manifest["engines"]), _worst(proven.get(name)))
            for name in [*manifest["engines"], *sorted(set(proven) - set(manifest["engines"]))]
        ),
    )
    if rows := report.get("rows"):
        output.say(
            f"compared on {rows['sample']:,} rows of the sample and {rows['adversarial']:,} made-up ones"
        )
    if told := report.get("quantization"):
        from sls_ml.artifact.page import said_of_quantization

        output.say(said_of_quantization(told))
    output.say()
    output.table(("input", "dtype", "missing", "allowed"), (_input(entry) for entry in manifest["inputs"]))
    if manifest["classes"] is not None:
        from sls_ml.artifact.several import told as named

        output.say(f"\nclasses: {named(manifest['classes'])}")


def _place(engine: str, serving: Sequence[str]) -> str:
    if engine not in serving:
        return "no"
    return "first choice" if engine == serving[0] else "yes"


def _worst(verdict: Mapping[str, Any] | None) -> str:
    if verdict is None:
        return "not tried on this machine"
    worst = ", ".join(f"{key} {value:.1e}" for key, value in verdict["worst"].items() if value)
    return worst or "none" if verdict["passed"] else f"refused: {worst}"


def _input(entry: dict[str, Any]) -> tuple[object, ...]:
    allowed = "any"
    if entry["categories"] is not None:
        allowed = ", ".join(str(category) for category in entry["categories"][:8])
        allowed += ", …" if len(entry["categories"]) > 8 else ""
    elif entry["range"] is not None:
        allowed = "{:g} to {:g}".format(*entry["range"])
    elif entry["finite"]:
        allowed = "finite"
    return (entry["name"], entry["dtype"], "yes" if entry["nullable"] else "refused", allowed)


def _package(built: Package, *, explain: bool) -> dict[str, Any]:
    document = packaging.explain(built)
    if not explain:
        for key in ("files", "origins", "pruned"):
            del document[key]
    else:
        document["hook_imports"] = hook_imports.milliseconds(built)
    return document


def _print_explanation(output: Output, built: Package) -> None:
    document = packaging.explain(built)
    output.say(f"\n{built.function}: {', '.join(_made_of(built))}")
    output.table(("bytes", "from"), ((f"{size:,}", what) for what, size in document["origins"].items()))
    output.say()
    output.table(
        ("bytes", "file"), ((f"{size:,}", path) for path, size in list(document["files"].items())[:10])
    )
    output.say(f"\nleft out: {_mb(document['pruned_bytes'])}")
    left_out = ((f"{size:,}", what) for what, size in document["pruned"].items() if size)
    output.table(("bytes", "what"), left_out)
    costs = hook_imports.milliseconds(built)
    if costs is None:
        output.say("\nwhat hooks.py imports is not measured: this machine does not run the package")
    elif costs:
        output.say("\nwhat hooks.py imports, at each cold start (measured here)")
        output.table(("ms", "module"), ((f"{cost:.1f}", name) for name, cost in costs.items()))


def _short(path: Path) -> Path:
    """A path as the user would write it: relative where it lies below the current folder."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _made_of(built: Package) -> Iterator[str]:
    yield f"{len(built.files)} files"
    yield f"bytecode of Python {built.bytecode}" if built.bytecode else "no bytecode"
    yield f"libraries for {built.architecture}, glibc {built.glibc}" if built.glibc else "no shared libraries"


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
