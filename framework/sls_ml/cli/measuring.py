"""Commands that measure: bench coldstart, bench memory."""

from __future__ import annotations

import ast
import random
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from sls_ml import deploy as story
from sls_ml.cli.console import Output
from sls_ml.cli.options import HERE, FrozenOption, JsonOption, ProjectOption, StageOption
from sls_ml.errors import UsageError
from sls_ml.local import managed_runtime
from sls_ml.measure import record
from sls_ml.measure import subject as subjects
from sls_ml.measure.coldstart import ColdStarts, measure
from sls_ml.measure.question import Questions
from sls_ml.measure.subject import Subject
from sls_ml.measure.waterfall import draw
from sls_ml.package.model import Package
from sls_ml.spec import LOCAL_STAGE, Project, read

bench = typer.Typer(no_args_is_help=True, help="Measure functions on this machine.")


@bench.command()
def coldstart(
    function: Annotated[str | None, typer.Argument(help="A function with an endpoint.")] = None,
    *,
    starts: Annotated[int, typer.Option(min=1, help="Starts of each.")] = 20,
    against: Annotated[
        str, typer.Option(help="`empty`, or folders with handler.py and requirements.txt; commas between.")
    ] = subjects.EMPTY,
    max_ratio: Annotated[
        float | None, typer.Option(help="Fail when it takes longer than so many times the first of them.")
    ] = None,
    svg: Annotated[Path | None, typer.Option(help="Draw the start as a waterfall.")] = None,
    seed: Annotated[int | None, typer.Option(help="Which rows are asked for.")] = None,
    frozen: FrozenOption = False,
    project: ProjectOption = HERE,
    stage: StageOption = None,
    json: JsonOption = False,
) -> None:
    """Measure cold starts of a function's package under AWS's own runtime client, beside an empty handler."""
    output = Output.open(as_json=json)
    if max_ratio is not None and not against:
        raise UsageError("a ratio needs something to compare with", code="nothing-to-compare")
    spec = read(project, stage or LOCAL_STAGE)
    chosen = _endpoint(spec, function)
    prepared = story.prepare(spec, frozen=frozen, narrator=output)
    here = replace(prepared, project=spec.model_copy(update={"stage": LOCAL_STAGE}))
    package = story.package(here, output)[chosen]
    seed = random.randrange(10**6) if seed is None else seed  # noqa: S311 - rows, not secrets
    with tempfile.TemporaryDirectory(prefix="sls-ml-bench-") as name, output.progress.status("") as status:
        status.update("  building what is compared")
        measured = _measure(
            prepared,
            chosen,
            package,
            against.split(","),
            Path(name),
            starts=starts,
            seed=seed,
            progress=lambda done: status.update(f"  {done} of {starts} rounds"),
        )
    document = {"function": chosen, "seed": seed, **measured.document()}
    record.keep(spec, "coldstart", chosen, document)
    picture = draw(measured)
    record.path(spec, "coldstart", chosen, "svg").write_text(picture, encoding="utf-8")
    if svg is not None:
        svg.write_text(picture, encoding="utf-8")
    output.document(document)
    if not json:
        _show(output, measured)
    if max_ratio is not None:
        measured.hold_to(max_ratio)


def _measure(
    prepared: story.Prepared,
    chosen: str,
    package: Package,
    against: Sequence[str],
    folder: Path,
    *,
    starts: int,
    seed: int,
    progress: Any,
) -> ColdStarts:
    """Build what is measured in a folder, and measure it."""
    from sls_ml.artifact import load

    spec = prepared.project
    function = next(each for each in prepared.deployment.functions if each.name == chosen)
    model = function.models[0]
    runtime = managed_runtime.find(f"python{package.python}")
    environment = {name: value for name, value in function.environment.items() if isinstance(value, str)}
    environment |= {"SLS_ML_STORE": spec.artifacts_folder.as_uri(), "SLS_ML_STAGE": spec.stage}
    artifact = prepared.models[model.name].folder
    mine = subjects.unpack(
        package.path, folder, runtime, name=chosen, memory=function.memory, environment=environment
    )
    others: list[Subject] = []
    for word in against:
        if word == subjects.EMPTY:
            others.append(subjects.empty(folder, runtime))
        elif word:
            others.append(subjects.from_source(Path(word), folder, runtime, artifact))
    sample = spec.folder / spec.models[model.name].sample
    questions = Questions(
        load(str(artifact)),
        engine=model.engine,
        sample=sample if sample.is_file() else None,
        path="/predict" if len(function.models) == 1 else f"/models/{model.name}/predict",
        seed=seed,
    )
    exactly = not _defines_hooks(mine.folder / "hooks.py")
    return measure(mine, others, questions.next, starts=starts, exactly=exactly, progress=progress)


def _endpoint(spec: Project, function: str | None) -> str:
    endpoints = [name for name, each in spec.functions.items() if each.http is not None]
    if function is None and endpoints:
        return endpoints[0]
    if function not in endpoints:
        raise UsageError(
            f"{function} is no function with an endpoint" if function else "no function has an endpoint",
            code="no-endpoint",
            mend=f"endpoints: {', '.join(endpoints) or 'none'}",
        )
    return str(function)


def _defines_hooks(hooks: Path) -> bool:
    """Whether the user's hooks change rows or answers, so that these are not the artifact's own."""
    if not hooks.is_file():
        return False
    body = ast.parse(hooks.read_bytes()).body
    return any(isinstance(node, ast.FunctionDef) and node.name in {"before", "after"} for node in body)


def _show(output: Output, measured: ColdStarts) -> None:
    times = f"x {measured.timings[1].name}" if len(measured.timings) > 1 else ""
    output.table(
        ("cold start", "ms", times, "least", "CPU ms", "x", "MB", "x", "zip KB"),
        (
            (
                timing.name,
                f"{timing.median:.1f}",
                _times(timing.ratio),
                f"{min(timing.milliseconds):.1f}",
                f"{median(timing.cpu_milliseconds):.1f}",
                _times(timing.cpu_ratio),
                f"{timing.resident_mb:.1f}",
                _times(timing.memory_ratio),
                "" if timing.package_bytes is None else f"{timing.package_bytes / 1000:,.0f}",
            )
            for timing in measured.timings
        ),
    )
    output.say()
    rows = [share for share in measured.phases if share.milliseconds >= 0.05]
    output.table(
        ("phase", "module", "ms"),
        ((share.phase, share.module, f"{share.milliseconds:.1f}") for share in rows),
        title=f"where {measured.timings[0].name} spends it (with a probe; Python {measured.python})",
    )


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"
