"""Commands that measure: bench coldstart, estimate."""

from __future__ import annotations

import ast
import json as jsonlib
import random
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from sls_ml import deploy as story
from sls_ml.cli.console import Output
from sls_ml.cli.options import HERE, FrozenOption, JsonOption, ProjectOption, StageOption
from sls_ml.conversion import locked
from sls_ml.errors import UsageError
from sls_ml.intent.model import Function
from sls_ml.local import managed_runtime
from sls_ml.measure import cost
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
    record = bench_record(spec, chosen)
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(jsonlib.dumps(document, indent=2) + "\n")
    if svg is not None:
        svg.write_text(draw(measured))
    output.document(document)
    if not json:
        _show(output, measured)
    if max_ratio is not None:
        measured.hold_to(max_ratio)


def bench_record(spec: Project, function: str) -> Path:
    """Where the last measurement of a function is kept, for `estimate`."""
    return spec.work_folder / "bench" / f"coldstart-{function}.json"


def estimate(
    function: Annotated[str | None, typer.Argument(help="A function of the spec; else the first.")] = None,
    *,
    requests: Annotated[str, typer.Option(help="Requests, or objects to score: 1M/month, 50k/day, 10/s.")],
    rows_per_request: Annotated[int, typer.Option(min=1, help="Rows in one request.")] = 1,
    memory: Annotated[int | None, typer.Option(min=128, help="MB, in place of the spec's.")] = None,
    duration: Annotated[
        str, typer.Option(help="Milliseconds of a warm request; auto: as measured here.")
    ] = "auto",
    init: Annotated[str, typer.Option(help="Milliseconds of a start; auto: as measured here.")] = "auto",
    cold_share: Annotated[
        str, typer.Option(help="Share of requests that wait for a start; auto: from the traffic.")
    ] = "auto",
    project: ProjectOption = HERE,
    stage: StageOption = None,
    json: JsonOption = False,
) -> None:
    """Estimate what a function costs in a month, at list prices."""
    output = Output.open(as_json=json)
    spec = read(project, stage)
    table = cost.prices(spec.provider)
    for warning in table.warnings(spec.region, date.today()):
        output.warn(warning)
    wanted = _deployed(spec, function)
    record = bench_record(spec, wanted.name)
    measured = jsonlib.loads(record.read_text()) if record.is_file() else None
    if measured is None:
        output.warn(f"{wanted.name} has not been measured here; `sls-ml bench coldstart` does that")
    usage = _usage(
        wanted,
        cost.per_month(requests),
        rows_per_request,
        memory or wanted.memory,
        measured or UNMEASURED[wanted.models[0].engine],
        (duration, init, cold_share),
    )
    lines = cost.bill(usage, table)
    choices = {
        (start, architecture): cost.total(cost.bill(_as(usage, start, architecture), table))
        for start in ("plain", "snapstart", "provisioned")
        for architecture in ("x86_64", "arm64")
    }
    output.document(
        {
            "function": wanted.name,
            "provider": table.provider,
            "prices": {"kind": table.kind, "region": table.region, "read": str(table.read)},
            "currency": table.currency,
            "measured": measured is not None,
            "usage": asdict(usage),
            "lines": [asdict(line) | {"cost": round(line.cost, 4)} for line in lines],
            "total": round(cost.total(lines), 2),
            "choices": [
                {"start": start, "architecture": architecture, "total": round(each, 2)}
                for (start, architecture), each in choices.items()
            ],
        }
    )
    if not json:
        _show_bill(output, usage, lines, table)
        output.say()
        output.table(
            ("start", "x86_64", "arm64"),
            (
                (start, *(f"{choices[start, architecture]:,.2f}" for architecture in ("x86_64", "arm64")))
                for start in ("plain", "snapstart", "provisioned")
            ),
            title=f"the same month, started and built otherwise ({table.currency})",
        )


UNMEASURED = {
    "lite": {"cpu_ms": 45.0, "request_ms": 0.5, "log_bytes": 800, "answer_bytes": 300},
    "ort_capi": {"cpu_ms": 75.0, "request_ms": 0.5, "log_bytes": 800, "answer_bytes": 300},
    "ort_python": {"cpu_ms": 300.0, "request_ms": 0.5, "log_bytes": 800, "answer_bytes": 300},
}
"""Figures of a small model on a core of 2024, where nothing was measured."""

ROW_MS = 0.02
"""What a further row of a request takes at least: it is parsed, checked and written."""

OBJECT_MS = 200.0
"""What a batch function waits for its queue's objects: it reads one and writes two."""

MB_PER_CPU = 1769
"""Lambda gives one vCPU for so much memory, and a share of it for less."""


def _usage(
    function: Function,
    requests: float,
    rows: int,
    memory: int,
    figures: dict[str, Any],
    given: tuple[str, str, str],
) -> Usage:
    duration, init, cold_share = given
    slower = max(1.0, MB_PER_CPU / memory)
    if "subjects" in figures:
        phases = {phase["phase"]: phase["milliseconds"] for phase in figures["phases"]}
        figures = figures | {
            "cpu_ms": figures["subjects"][function.name]["cpu_ms"],
            "request_ms": phases.get("request", 0.5),
        }
    one = (figures["request_ms"] + ROW_MS * (rows - 1)) * slower + (OBJECT_MS if function.batch else 0.0)
    milliseconds = max(1.0, one if duration == "auto" else _milliseconds(duration))
    return Usage(
        requests=requests,
        milliseconds=milliseconds,
        init_milliseconds=figures["cpu_ms"] * slower if init == "auto" else _milliseconds(init),
        cold_share=(cost.cold_share(requests, milliseconds) if cold_share == "auto" else _share(cold_share)),
        memory=memory,
        architecture=function.architecture,
        start=function.start,
        provisioned=function.concurrency.provisioned or 0,
        endpoint=(
            None if function.http is None else "url" if function.http.auth in {"iam", "public"} else "api"
        ),
        log_bytes=figures["log_bytes"],
        response_bytes=figures["answer_bytes"] * rows,
        alarms=len(function.alarms),
        fetches=sum(0 if model.bundled else 1 + len(model.files) for model in function.models),
        log_days=function.log_retention,
    )


def _as(usage: Usage, start: Any, architecture: Any) -> Usage:
    """The same usage, started and built otherwise; with one environment that waits where none is asked."""
    return replace(usage, start=start, architecture=architecture, provisioned=max(1, usage.provisioned))


def _milliseconds(text: str) -> float:
    try:
        return float(text.removesuffix("ms"))
    except ValueError as error:
        raise UsageError(f"{text!r} is no time", code="bad-time", mend="write 20ms, or auto") from error


def _share(text: str) -> float:
    try:
        return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError as error:
        raise UsageError(f"{text!r} is no share", code="bad-share", mend="write 1%, or auto") from error


def _deployed(spec: Project, name: str | None) -> Function:
    """A function as it would be deployed, from the artifacts that are checked in."""
    functions = {each.name: each for each in story.decide(spec, locked(spec)).deployment.functions}
    if name is None:
        return next(iter(functions.values()))
    if name not in functions:
        raise UsageError(
            f"there is no function {name!r} in the spec",
            code="function-unknown",
            mend=f"functions: {', '.join(functions)}",
        )
    return functions[name]


def _show_bill(output: Output, usage: Usage, lines: Sequence[cost.Line], table: cost.Prices) -> None:
    output.table(
        ("line", "quantity", "unit", f"{table.currency} each", table.currency),
        (
            (
                line.what,
                f"{line.quantity:,.2f}",
                line.unit,
                f"{line.price:.10f}".rstrip("0"),
                f"{line.cost:,.2f}",
            )
            for line in lines
        ),
        title=(
            f"a month of {usage.requests:,.0f} requests, {usage.memory} MB, {usage.architecture}, "
            f"{usage.start} start"
        ),
    )
    output.say(f"total {cost.total(tuple(lines)):,.2f} {table.currency}")
    output.say(
        f"a request takes {usage.milliseconds:.1f} ms, a start {usage.init_milliseconds:.0f} ms; "
        f"{usage.cold_share:.3%} of requests wait for one"
    )
    output.say(f"{table.kind}; {table.region}, read on {table.read}")


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
