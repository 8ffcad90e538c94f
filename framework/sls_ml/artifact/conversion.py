"""The story of a conversion: model and sample in, an artifact that passed the parity gate out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from sls_ml.artifact import candidates, drift, engines, mlflow, quantization, signature, structure
from sls_ml.artifact import manifest as manifests
from sls_ml.artifact.artifact import Artifact
from sls_ml.artifact.exporters.libraries import adopted
from sls_ml.artifact.extras import need
from sls_ml.artifact.gate_rows import rows_of
from sls_ml.artifact.original import Original, original
from sls_ml.artifact.report import answers_of, report_of
from sls_ml.artifact.sample import fit_sample
from sls_ml.artifact.source import extra_of, read_model
from sls_ml.artifact.stages import step
from sls_ml.artifact.table import read_table
from sls_ml.errors import UsageError
from sls_ml.spec.model import Engine, Quantize, Tolerance
from sls_ml.spec.values import Name


def build(
    model: Any,
    sample: Any,
    *,
    name: str,
    tolerance: Tolerance | None = None,
    trust: bool = False,
    engine: Engine = "auto",
    quantize: Quantize = "none",
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
        quantize: ``dynamic`` to store the weights of a neural network as integers of eight bits.

    Raises:
        ModelError: The model or the sample cannot be used.
        ParityError: The converted model does not answer as the original.
        ExternalError: An extra is not installed.
    """
    started = time.monotonic()
    _check(name, engine)
    extra = extra_of(model)
    need("sklearn", extra=extra)
    need("skl2onnx", extra=extra)
    from sls_ml.artifact import converters

    # What a candidate graph fails on is said by the gate, not by the runtime on stderr.
    need("onnxruntime", extra=extra).set_default_logger_severity(4)
    estimator, sample = _read(model, sample, trust)
    with step("read the sample"):
        structure.libraries(estimator)
        rows = fit_sample(estimator, sample)
        estimator = structure.taught(estimator, rows.frame)
        judge = original(estimator, rows)
        converters.check(estimator)
        converters.check_functions(judge)
    limits = tolerance or Tolerance()
    with need("threadpoolctl").threadpool_limits(1):  # single rows are faster without threads
        with step("find the signature"):
            base = _base_manifest(name, judge)
            if quantize == "dynamic":
                base["inputs"] = quantization.domain(judge, base["inputs"])
            gate = rows_of(judge, base)
            expected = judge.answers(gate.frame)
            said = {key: values[: gate.sampled] for key, values in expected.items()}
            base["drift"] = drift.reference_of(judge.sample, said)
        chosen = candidates.first_exact(judge, base, gate.frame, expected, limits)
        whole = chosen
        if quantize == "dynamic":
            with step("quantise the weights"):
                chosen = quantization.quantized(judge, whole, gate.frame, expected, limits)
        with step("check the engines"):
            verdicts, files = engines.verdicts_on(judge, chosen, gate.frame, expected, limits)
    serving = engines.served_by(verdicts)
    if engine != "auto":
        serving = engines.only(engine, serving, verdicts)
    if engines.LITE not in serving:
        files.pop(engines.LITE_FILE, None)
    manifest = {
        **chosen.manifest,
        "engines": serving,
        "files": {file: manifests.entry(data) for file, data in files.items()},
    }
    with step("answer the examples"):
        answers = answers_of(manifest, files)
    report = report_of(judge, verdicts, gate, time.monotonic() - started)
    report["examples"] = answers
    if chosen is not whole:
        report["quantization"] = quantization.told(whole, chosen)
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
    with step("read the model"):
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


def _base_manifest(name: str, judge: Original) -> dict[str, Any]:
    """Give the manifest without what rows and graph decide: drift, outputs, files, engines."""
    from sls_ml.artifact.converters import NONE_STRING, NULL_STRING

    inputs = signature.inputs_of(judge)
    for place, entry in enumerate(inputs):
        if entry["dtype"] == "string" and entry["nullable"]:
            absent = signature.missing_text(judge.sample, place)
            entry["null"] = NONE_STRING if absent is None else NULL_STRING
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
