"""The story of a conversion: model and sample in, an artifact that passed the parity gate out."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pydantic import TypeAdapter, ValidationError

from sls_ml.artifact import adversarial, drift, mlflow, parity, signature, slim, stages, structure
from sls_ml.artifact import manifest as manifests
from sls_ml.artifact.artifact import Artifact
from sls_ml.artifact.diagnosis import diverging_step, parity_error
from sls_ml.artifact.exporters import sklearn as exporter
from sls_ml.artifact.exporters.graph_model import GraphModel
from sls_ml.artifact.exporters.libraries import adopted
from sls_ml.artifact.extras import need
from sls_ml.artifact.original import Original, original
from sls_ml.artifact.sample import fit_sample, read_table
from sls_ml.artifact.source import read_model
from sls_ml.errors import ModelError, ParityError, SlsMlError, UsageError
from sls_ml.spec.model import Engine, Name, Tolerance

if TYPE_CHECKING:
    import pandas as pd

_LITE, _CAPI, _PYTHON = "lite", "ort_capi", "ort_python"
_LITE_FILE = "model.lite"

_LITE_ROWS = 1500
"""Rows that the lite engine is compared on, the made-up ones among them: it takes them one by one."""

_NARROWING = (None, "final", "all")
"""Where to narrow to float32, in the order of trying; the first that answers as the original is taken."""

_FEWEST, _MOST, _CELLS = 300, 4000, 1_000_000
"""Bounds on the sample rows that the gate compares, and on their cells where there are many columns."""


_MOST_JUDGED = 1000
"""Bound on the sample rows of a model that brings its graph."""


@dataclass(frozen=True)
class _Candidate:
    """One graph that may become the artifact's: its manifest so far, its bytes, and what the gate said."""

    manifest: dict[str, Any]
    graph: bytes
    verdict: parity.Verdict


def build(
    model: Any,
    sample: Any,
    *,
    name: str,
    tolerance: Tolerance | None = None,
    trust: bool = False,
    engine: Engine = "auto",
) -> Artifact:
    """Convert a trained model into an artifact.

    Args:
        model: A fitted estimator of scikit-learn, XGBoost, LightGBM or CatBoost, a booster, a module of
            PyTorch, or the path of a model file or of an MLflow folder; docs/sources.md lists them.
        sample: Rows like those that the model will see: a DataFrame, a 2-D array, a list of dicts, a list of
            texts, or the path of a .csv, .jsonl or .parquet file. Columns that the model does not read, such
            as the target, may be there. None takes the input example of an MLflow folder.
        name: The model's name in the spec.
        tolerance: How far the artifact may be from the original; None takes the spec's defaults.
        trust: Whether code that a model file brings may run.
        engine: The engine that must be able to serve the artifact; ``auto`` takes any.

    Raises:
        ModelError: The model or the sample cannot be used.
        ParityError: The converted model does not answer as the original.
        ExternalError: An extra is not installed.
    """
    started = time.monotonic()
    _check(name, engine)
    need("sklearn")
    need("skl2onnx")
    from sls_ml.artifact import converters

    # What a candidate graph fails on is said by the gate, not by the runtime on stderr.
    need("onnxruntime").set_default_logger_severity(4)
    estimator, sample = _read(model, sample, trust)
    with _step("read the sample"):
        structure.libraries(estimator)
        judge = original(estimator, fit_sample(estimator, sample))
        converters.check(estimator)
    limits = tolerance or Tolerance()
    with need("threadpoolctl").threadpool_limits(1):  # single rows are faster without threads
        with _step("find the signature"):
            base = _base_manifest(name, judge)
            gate = _rows(judge, base)
            rows = gate.frame
            expected = judge.answers(rows)
            said = {key: values[: gate.sampled] for key, values in expected.items()}
            base["drift"] = drift.reference_of(judge.sample, said)
        chosen = _first_exact(judge, base, rows, expected, limits)
        with _step("check the engines"):
            verdicts, files = _all_engines(judge, chosen, rows, expected, limits)
    engines = _served_by(verdicts)
    if engine != "auto":
        engines = _only(engine, engines, verdicts)
    if _LITE not in engines:
        files.pop(_LITE_FILE, None)
    manifest = {
        **chosen.manifest,
        "engines": engines,
        "files": {file: manifests.entry(data) for file, data in files.items()},
    }
    report = _report(judge, verdicts, gate, time.monotonic() - started)
    return Artifact(manifest=manifest, files=files, report=report)


def _read(model: Any, sample: Any, trust: bool) -> tuple[Any, Any]:
    """Give model and sample in the forms that the rest of the story takes."""
    if isinstance(model, (str, Path)):
        path = Path(model)
        model = read_model(path, trust=trust)
        if path.is_dir():
            sample = mlflow.rows(path, sample)
    if sample is None:
        raise UsageError(
            "There is no sample.",
            code="sample-missing",
            why="without rows there is nothing to compare the artifact on",
            mend="give rows like those that the model will see; MLflow's folders may bring an input example",
        )
    with _step("read the model"):
        return adopted(model, lambda: read_table(sample)[0].shape[1]), sample


def _check(name: str, engine: str) -> None:
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError as error:
        raise UsageError(
            f"{name!r} cannot be the name of a model.",
            code="model-name",
            mend="use up to 32 lower-case letters, digits and single hyphens, starting with a letter",
        ) from error
    if engine not in get_args(Engine):
        raise UsageError(
            f"There is no engine {engine!r}.",
            code="engine-unknown",
            mend=f"use one of {', '.join(get_args(Engine))}",
        )


@contextmanager
def _step(doing: str) -> Iterator[None]:
    """Translate what a library raises, unforeseen, while a model goes through it."""
    stages.begin(doing)
    try:
        yield
    except SlsMlError:
        raise
    except Exception as error:
        raise ModelError(
            f"The model cannot be converted: it failed to {doing}.",
            code="model-unsupported",
            why=f"{type(error).__name__}: {' '.join(str(error).split())[:300]}",
            mend="check that the model predicts its own sample; docs/estimators.md lists what converts",
        ) from error


def _base_manifest(name: str, judge: Original) -> dict[str, Any]:
    """Give the manifest without what rows and graph decide: drift, outputs, files, engines."""
    from sls_ml.artifact.converters import NULL_STRING

    inputs = signature.inputs_of(judge)
    for entry in inputs:
        if entry["dtype"] == "string" and entry["nullable"]:
            entry["null"] = NULL_STRING
    return {
        "format": manifests.FORMAT,
        "name": name,
        "kind": judge.kind,
        "inputs": inputs,
        "tensors": signature.tensors_of(judge.model, judge.sample),
        "classes": judge.classes,
        "example": signature.examples_of(judge),
        "source": {
            "library": structure.library_name(judge.model),
            "estimator": structure.describe(judge.model),
        },
    }


@dataclass(frozen=True)
class _Rows:
    """The rows of the gate.

    Attributes:
        frame: The sample's, then those that were made up.
        sampled: How many are the sample's.
        raised: How many others the signature admits though the original raises on them.
    """

    frame: pd.DataFrame
    sampled: int
    raised: int


def _rows(judge: Original, manifest: Mapping[str, Any]) -> _Rows:
    import pandas as pd

    most = max(_FEWEST, min(_MOST, _CELLS // len(judge.sample.dtypes)))
    if isinstance(judge.model, GraphModel):
        most = min(most, _MOST_JUDGED)  # ONNX's reference takes trees row by row
    given = judge.sample.frame.iloc[:most].reset_index(drop=True)
    sampled = judge.accepted(given)
    if not len(sampled):
        raise ModelError(
            "The model raises on every row of the sample.",
            code="sample-refused",
            mend="give a sample with rows like those that the model was trained on",
        )
    admitted = parity.inside(manifest, adversarial.rows_for(judge, manifest["inputs"]))
    made = judge.accepted(admitted)
    raised = len(admitted) - len(made)
    if len(sampled) < len(given):
        raised += max(0, len(parity.inside(manifest, given)) - len(sampled))
    frame = pd.concat([sampled, made], ignore_index=True) if len(made) else sampled
    return _Rows(frame, len(sampled), raised)


def _first_exact(
    judge: Original,
    base: Mapping[str, Any],
    rows: pd.DataFrame,
    expected: Mapping[str, Any],
    tolerance: Tolerance,
) -> _Candidate:
    """Give the first candidate that answers as the original.

    Raises:
        ParityError: Some candidate could be run, but none answers as the original.
        ModelError: None could be converted and run.
    """
    failed: list[SlsMlError] = []
    for before in _NARROWING[:1] if isinstance(judge.model, GraphModel) else _NARROWING:
        try:
            with _step("convert and compare"):
                candidate = _candidate(judge, base, rows, expected, tolerance, before)
        except ModelError as error:
            failed.append(error)
            continue
        if candidate.verdict.difference is None:
            return candidate
        failed.append(_divergence(judge, base, rows, candidate.verdict, tolerance))
    raise next((error for error in failed if isinstance(error, ParityError)), failed[0])


def _candidate(
    judge: Original,
    base: Mapping[str, Any],
    rows: pd.DataFrame,
    expected: Mapping[str, Any],
    tolerance: Tolerance,
    before: str | None,
) -> _Candidate:
    if isinstance(judge.model, GraphModel):
        model = judge.model.graph()
    else:
        model = exporter.export(judge.model, base["tensors"], judge.sample.positions, before=before)
    outputs = exporter.outputs_of(model, expected)
    manifest = {**base, "outputs": outputs, "engines": [_PYTHON]}
    slim.slim(model, outputs={output.pop("from"): output["tensor"] for output in outputs})
    spare = slim.unused_inputs(model)
    slim.drop_inputs(model, spare)
    manifest["opset"] = {opset.domain: opset.version for opset in model.opset_import}
    manifest["tensors"] = [tensor for tensor in base["tensors"] if tensor["name"] not in spare]
    graph = slim.serialized(model)
    served = parity.rehearse(manifest, {manifests.GRAPH: graph})
    verdict = parity.judge_engine(judge, manifest, served, _PYTHON, rows, expected, tolerance)
    return _Candidate(manifest, graph, verdict)


def _divergence(
    judge: Original,
    base: Mapping[str, Any],
    rows: pd.DataFrame,
    verdict: parity.Verdict,
    tolerance: Tolerance,
) -> ParityError:
    assert verdict.difference is not None  # noqa: S101 - asked for a verdict of difference only
    return parity_error(judge, verdict, diverging_step(judge, base, rows, tolerance), tolerance)


def _all_engines(
    judge: Original,
    chosen: _Candidate,
    rows: pd.DataFrame,
    expected: Mapping[str, Any],
    tolerance: Tolerance,
) -> tuple[list[parity.Verdict], dict[str, bytes]]:
    """Judge the engines that the gate has not used yet, in the manifest's order of preference.

    Returns:
        The verdicts on all engines that cover the graph and are here, and the artifact's files.
    """
    from sls_ml_runtime.errors import EngineError

    files = {manifests.GRAPH: chosen.graph}
    verdicts = []
    lite = _compiled(chosen)
    if lite is not None:
        last = slice(max(0, len(rows) - _LITE_ROWS), None)
        few = {key: values[last] for key, values in expected.items()}
        served = parity.rehearse(chosen.manifest, {**files, _LITE_FILE: lite})
        with suppress(EngineError):
            frame = rows.iloc[last].reset_index(drop=True)
            verdict = parity.judge_engine(judge, chosen.manifest, served, _LITE, frame, few, tolerance)
            verdicts.append(verdict)
            if verdict.difference is None:
                files[_LITE_FILE] = lite
    served = parity.rehearse(chosen.manifest, files)
    with suppress(EngineError):
        verdicts.append(parity.judge_engine(judge, chosen.manifest, served, _CAPI, rows, expected, tolerance))
    return [*verdicts, chosen.verdict], files


def _compiled(chosen: _Candidate) -> bytes | None:
    """Compile the graph for the lite engine, if that covers it."""
    from sls_ml.artifact.lite import NotCovered, compile_lite

    try:
        return compile_lite(chosen.graph, chosen.manifest)
    except NotCovered:
        return None


def _served_by(verdicts: Sequence[parity.Verdict]) -> list[str]:
    """List the engines that may serve, best first.

    The C library runs the same kernels as the Python package, so it is listed where it could not be tried:
    the same model has the same address on every machine.
    """
    failed = {verdict.engine for verdict in verdicts if verdict.difference is not None}
    lite = {verdict.engine for verdict in verdicts} & {_LITE}
    return [engine for engine in (*lite, _CAPI, _PYTHON) if engine not in failed]


def _only(engine: str, engines: Sequence[str], verdicts: Sequence[parity.Verdict]) -> list[str]:
    if engine in engines:
        return [engine]
    tried = any(verdict.engine == engine for verdict in verdicts)
    raise ModelError(
        f"The engine {engine} cannot serve this model.",
        code="engine-unfit",
        why="it does not answer as the original" if tried else "it does not cover the graph, or is not here",
        mend=f"set `engine: auto`, or one of {', '.join(engines)}",
    )


def _report(
    judge: Original, verdicts: Sequence[parity.Verdict], gate: _Rows, seconds: float
) -> dict[str, Any]:
    from importlib.metadata import version

    tools = ["numpy", "onnx", "onnxruntime", "scikit-learn", "skl2onnx"]
    tools += [name for name in structure.packages(judge.model) if _installed(name)]
    own = (
        judge.model.judged_by if isinstance(judge.model, GraphModel) else structure.library_name(judge.model)
    )
    return {
        "format": manifests.FORMAT,
        "judge": own,
        "rows": {
            "sample": gate.sampled,
            "adversarial": len(gate.frame) - gate.sampled,
            "original_raises": gate.raised,
        },
        "engines": {verdict.engine: _told(verdict) for verdict in verdicts},
        "tools": {"python": platform.python_version(), **{tool: version(tool) for tool in tools}},
        "machine": platform.machine(),
        "seconds": round(seconds, 3),
    }


def _told(verdict: parity.Verdict) -> dict[str, Any]:
    return {
        "passed": verdict.difference is None,
        "worst": dict(verdict.worst),
        "ties": verdict.ties,
        "furthest": [
            {"key": one.key, "row": one.row, "expected": one.expected, "got": one.got, "error": one.error}
            for one in verdict.furthest
            if math.isfinite(one.error)
        ],
        "pairs": [list(pair) for pair in verdict.pairs],
    }


def _installed(package: str) -> bool:
    from importlib.metadata import PackageNotFoundError, version

    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True
