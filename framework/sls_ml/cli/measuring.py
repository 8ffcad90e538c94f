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
from sls_ml.cli.console import Output, describe
from sls_ml.cli.options import HERE, FrozenOption, JsonOption, ProjectOption, StageOption
from sls_ml.errors import UsageError
from sls_ml.intent.figures import MB_PER_CPU, fetch_ms
from sls_ml.intent.model import Function
from sls_ml.local import managed_runtime
from sls_ml.measure import memory as sizing
from sls_ml.measure import pricing, record, usage
from sls_ml.measure import subject as subjects
from sls_ml.measure.coldstart import ColdStarts, measure
from sls_ml.measure.cost import Usage
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
        raise UsageError(
            "a ratio needs something to compare with", code="nothing-to-compare", mend="say --against empty"
        )
    spec = read(project, stage or LOCAL_STAGE)
    measured, document = measure_starts(
        spec,
        _endpoint(spec, function),
        output,
        frozen=frozen,
        against=against.split(","),
        starts=starts,
        seed=seed,
    )
    if svg is not None:
        svg.write_text(draw(measured), encoding="utf-8")
    exceeded = None if max_ratio is None else measured.over(max_ratio)
    if exceeded is not None and json:
        output.document({**document, "error": describe(exceeded)})
        raise typer.Exit(exceeded.exit_code)
    output.document(document)
    if not json:
        _show(output, measured)
    if exceeded is not None:
        raise exceeded


def measure_starts(
    spec: Project,
    chosen: str,
    output: Output,
    *,
    frozen: bool = False,
    against: Sequence[str] = (subjects.EMPTY,),
    starts: int = 20,
    seed: int | None = None,
) -> tuple[ColdStarts, dict[str, Any]]:
    """Measure the starts of a function, and keep document and picture beside the spec."""
    prepared = story.prepare(spec, frozen=frozen, narrator=output)
    package = _packaged(prepared, chosen, output)
    seed = random.randrange(10**6) if seed is None else seed  # noqa: S311 - rows, not secrets
    with tempfile.TemporaryDirectory(prefix="sls-ml-bench-") as name, output.working("") as show:
        show("building what is compared")
        measured = _measure(
            prepared,
            chosen,
            package,
            against,
            Path(name),
            starts=starts,
            seed=seed,
            progress=lambda done: show(f"{done} of {starts} rounds"),
        )
    artifacts = {model.name: model.digest for model in _function(prepared, chosen).models}
    document = {"function": chosen, "artifacts": artifacts, "seed": seed, **measured.document()}
    record.keep(spec, "coldstart", chosen, document)
    record.path(spec, "coldstart", chosen, "svg").write_text(draw(measured), encoding="utf-8")
    return measured, document


@bench.command()
def memory(
    function: Annotated[str | None, typer.Argument(help="A function with an endpoint.")] = None,
    *,
    seed: Annotated[int | None, typer.Option(help="Which rows are asked for.")] = None,
    frozen: FrozenOption = False,
    project: ProjectOption = HERE,
    stage: StageOption = None,
    json: JsonOption = False,
) -> None:
    """Measure memory and processor time of a function's package, and advise how much memory to give it."""
    output = Output.open(as_json=json)
    spec = read(project, stage or LOCAL_STAGE)
    chosen = _endpoint(spec, function)
    prepared = story.prepare(spec, frozen=frozen, narrator=output)
    table = pricing.prices(spec.provider, spec.region)
    package = _packaged(prepared, chosen, output)
    seed = random.randrange(10**6) if seed is None else seed  # noqa: S311 - rows, not secrets
    wanted = _function(prepared, chosen)
    assert wanted.http is not None  # noqa: S101 - it is an endpoint
    with tempfile.TemporaryDirectory(prefix="sls-ml-bench-") as name, output.working(f"measuring {chosen}"):
        subject, questions = _subject(prepared, wanted, package, Path(name), seed)
        measured = sizing.measure(
            subject, questions, max_rows=wanted.http.max_rows, max_body=wanted.http.max_body
        )
    month = usage.expected(wanted, usage.cpu(spec, wanted))
    advice = sizing.advise(
        measured,
        month,
        table,
        timeout=wanted.timeout,
        p99=spec.alarms.p99,
        fetch_ms=fetch_ms(sum(sum(each.files.values()) for each in wanted.models if not each.bundled)),
    )
    document = {
        "function": chosen,
        "seed": seed,
        "engine": wanted.models[0].engine,
        "python": package.python,
        "package_sha256": package.sha256,
        "memory": wanted.memory,
        "architecture": wanted.architecture,
        "cold_share": month.cold_share,
        "currency": table.currency,
        "prices": {"region": table.region, "read": str(table.read)},
        **sizing.document(measured, advice),
    }
    record.keep(spec, "memory", chosen, document)
    output.document(document)
    if not json:
        _show_memory(output, wanted, measured, advice, month, table)


def _packaged(prepared: story.Prepared, function: str, output: Output) -> Package:
    """The package as the embedded cloud would run it on this machine."""
    local = prepared.project.model_copy(update={"stage": LOCAL_STAGE})
    return story.package(replace(prepared, project=local), output, only=function)[function]


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
    function = _function(prepared, chosen)
    mine, questions = _subject(prepared, function, package, folder, seed)
    artifact = prepared.models[function.models[0].name].folder
    others: list[Subject] = []
    for word in against:
        if word == subjects.EMPTY:
            others.append(subjects.empty(folder, mine.runtime))
        elif word:
            others.append(subjects.from_source(Path(word), folder, mine.runtime, artifact))
    exactly = not _defines_hooks(mine.folder / "hooks.py")
    return measure(mine, others, questions.next, starts=starts, exactly=exactly, progress=progress)


def _function(prepared: story.Prepared, name: str) -> Function:
    return next(each for each in prepared.deployment.functions if each.name == name)


def _subject(
    prepared: story.Prepared, function: Function, package: Package, folder: Path, seed: int
) -> tuple[Subject, Questions]:
    """A function's package, unpacked, and questions that it answers."""
    from sls_ml.artifact import load

    spec, model = prepared.project, function.models[0]
    environment = {name: value for name, value in function.environment.items() if isinstance(value, str)}
    environment |= {"SLS_ML_STORE": spec.artifacts_folder.as_uri(), "SLS_ML_STAGE": spec.stage}
    subject = subjects.unpack(
        package.path,
        folder,
        managed_runtime.find(f"python{package.python}"),
        name=function.name,
        memory=function.memory,
        environment=environment,
    )
    sample = spec.folder / spec.models[model.name].sample
    questions = Questions(
        load(str(prepared.models[model.name].folder)),
        engine=model.engine,
        sample=sample if sample.is_file() else None,
        path="/predict" if len(function.models) == 1 else f"/models/{model.name}/predict",
        seed=seed,
    )
    return subject, questions


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
        (
            "cold start",
            "ms",
            times,
            "least",
            "CPU ms",
            times and f"CPU {times}",
            "MB",
            times and f"MB {times}",
            "zip KB",
        ),
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


def _show_memory(
    output: Output,
    function: Function,
    measured: sizing.Measured,
    advice: sizing.Advice,
    month: Usage,
    table: pricing.Prices,
) -> None:
    start, one, most = measured.start, measured.one_row, measured.largest
    output.table(
        ("measured here", "rows", "body KB", "CPU ms", "peak MB"),
        (
            ("start", "", "", f"{start.cpu_ms:.1f}", f"{start.peak_mb:.1f}"),
            *(
                (
                    name,
                    f"{each.rows:,}",
                    f"{each.request_bytes / 1000:,.1f}",
                    f"{each.cpu_ms:.2f}",
                    f"{each.peak_mb:.1f}",
                )
                for name, each in (("a request of one row", one), ("the largest request", most))
            ),
        ),
    )
    output.say()
    output.table(
        ("MB", "vCPU", "start ms", "one row ms", "largest ms", f"{table.currency} a million", ""),
        (
            (
                f"{size.memory}",
                f"{size.cpus:.2f}",
                f"{size.start_ms:,.0f}",
                f"{size.one_row_ms:,.1f}",
                f"{size.largest_ms:,.0f}",
                f"{size.cost:,.3f}",
                size.why_not or _mark(size.memory, function.memory, advice),
            )
            for size in advice.sizes
        ),
        title=f"computed for Lambda, {month.architecture}; {month.cold_share:.2%} of requests start",
    )
    output.say()
    if advice.recommended is None:
        output.say(f"no size does: {advice.reason}")
    else:
        output.say(f"memory: {advice.recommended}   # {advice.reason}", style="bold")
        output.say(f"the least that does is {advice.least} MB; the spec has {function.memory} MB")
    output.say(
        f"It needs {measured.needs_mb} MB: the peak, {sizing.OVERHEAD_MB} MB that Lambda adds, and "
        f"{sizing.MARGIN - 1:.0%} room."
    )
    output.say(
        "Memory and processor time were measured on this machine; times on Lambda are computed from them, "
        f"with one vCPU for {MB_PER_CPU} MB and a share of it for less. Nothing was measured on Lambda."
    )


def _mark(size: int, now: int, advice: sizing.Advice) -> str:
    marks = [("least", advice.least), ("recommended", advice.recommended), ("spec", now)]
    return ", ".join(word for word, memory in marks if memory == size)
