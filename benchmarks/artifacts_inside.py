"""One step of benchmarks/artifacts.py, in a process of its own: the last line of its output is JSON.

Raw conversions must not see our converters, which replace those of skl2onnx; a start must be the first of
its process.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ |= {"ORT_DISABLE_TELEMETRY": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
ROOT = Path(__file__).parents[1]
OPSET = {"": 18, "ai.onnx.ml": 3}
LITE = "lite.path"
LONGEST = 5.0
"""Seconds of processor time for one trial: skl2onnx does not always end with trees of doubles."""
PATIENCE = 60.0
"""Seconds of processor time for a model of benchmarks/models.py, for the same reason."""


@dataclass(frozen=True)
class Trial:
    """A recipe of the sweep, the estimator that it fitted, and the rows."""

    recipe: Any
    model: Any
    rows: Any


def ours(folder: Path) -> dict[str, Any]:
    """Convert and build the model; leaves ours.onnx and the artifact."""
    import joblib
    import numpy as np
    import onnxruntime

    from sls_ml.artifact import build

    model, rows = joblib.load(folder / "model.joblib"), joblib.load(folder / "rows.joblib")
    graph_of(model, rows)  # what is imported and set up once is not counted
    tensors, unslimmed, seconds, graph = graph_of(model, rows)
    (folder / "tensors.json").write_text(json.dumps(tensors))
    (folder / "ours.onnx").write_bytes(graph)
    started = time.perf_counter()
    artifact = build(model, rows, name="measured")
    spent = time.perf_counter() - started
    address = Path(artifact.save(folder / "store"))
    lite = address / "model.lite"
    feeds = fed(tensors, rows)
    before, after = (
        onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]).run(None, feeds)
        for data in (unslimmed, graph)
    )
    verdicts = artifact.report["engines"].values()
    deflated = zlib.compress(graph)
    started = time.process_time()
    zlib.decompress(deflated)
    inflating = time.process_time() - started
    return {
        "zlib_bytes": len(deflated),
        "inflate_seconds": inflating,
        "bytes": len(graph),
        "seconds": seconds,
        "build_seconds": spent,
        "lite": str(address / LITE) if lite.exists() else None,
        "lite_bytes": lite.stat().st_size if lite.exists() else None,
        "identical": all(
            np.asarray(one).ravel().tolist() == np.asarray(other).ravel().tolist()
            for one, other in zip(before, after, strict=True)
        ),
        "worst": max((value for verdict in verdicts for value in verdict["worst"].values()), default=0.0),
    }


def graph_of(model: Any, rows: Any) -> tuple[list[dict[str, Any]], bytes, float, bytes]:
    """Give the tensors, the graph before slimming, seconds of processor time, and the artifact's graph."""
    from sls_ml.artifact import packed, signature, slim
    from sls_ml.artifact.exporters import sklearn as exporter
    from sls_ml.artifact.original import original
    from sls_ml.artifact.sample import fit_sample

    judge = original(model, fit_sample(model, rows))
    expected = judge.answers(judge.sample.frame.iloc[:20])
    tensors = signature.tensors_of(judge.model, judge.sample)
    started = time.process_time()
    graph = exporter.export(judge.model, tensors, judge.sample.positions)
    outputs = exporter.outputs_of(graph, expected)
    exported = time.process_time() - started
    unslimmed = graph.SerializeToString()
    started = time.process_time()
    slim.slim(graph, outputs={output["from"]: output["tensor"] for output in outputs})
    slim.drop_inputs(graph, slim.unused_inputs(graph))
    data = packed.serialized(graph)
    return tensors, unslimmed, exported + time.process_time() - started, data


def fed(tensors: list[dict[str, Any]], rows: Any) -> dict[str, Any]:
    """Give the rows as the graph takes them."""
    import numpy as np

    feeds = {}
    for tensor in tensors:
        kind = object if tensor["dtype"] == "string" else tensor["dtype"]
        values = rows.iloc[:, tensor["columns"]].to_numpy(dtype=kind)
        feeds[tensor["name"]] = values if tensor["rank"] == 2 else np.ascontiguousarray(values[:, 0])
    return feeds


def raw(folder: Path) -> dict[str, Any]:
    """Convert the model with skl2onnx alone; leaves raw.onnx, which ONNX Runtime can load."""
    import joblib
    import onnxruntime
    from models import Trained

    model, rows = joblib.load(folder / "model.joblib"), joblib.load(folder / "rows.joblib")
    tensors = json.loads((folder / "tensors.json").read_text())
    onnxruntime.set_default_logger_severity(4)
    signal.signal(signal.SIGPROF, _stopped)
    facts: dict[str, Any] = {}
    for narrow, kind in ((False, "double"), (True, "float32")):
        with suppress(TimeoutError):
            signal.setitimer(signal.ITIMER_PROF, PATIENCE)
            started = time.process_time()
            data = raw_graph(model, tensors, narrow=narrow)
            spent = time.process_time() - started
            signal.setitimer(signal.ITIMER_PROF, 0)
            facts = {"bytes": len(data), "seconds": spent} | facts
            with suppress(Exception):  # ONNX Runtime has several classes of its own
                session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
                (folder / "raw.onnx").write_bytes(data)
                error = None if narrow else error_of_raw(Trained(model, rows), tensors, session)
                return facts | {"ready": str(folder / "raw.onnx"), "kind": kind, "error": error}
    raise SystemExit("skl2onnx alone writes no graph that ONNX Runtime loads")


def error_of_raw(trained: Any, tensors: list[dict[str, Any]], session: Any) -> float:
    """How far probabilities or values are from scikit-learn's, in terms of 1 + |y|."""
    import numpy as np

    wanted = trained.predictions()
    said = np.reshape(session.run(None, fed(tensors, trained.held_out))[-1], np.shape(wanted))
    return float(np.max(np.abs(said - wanted) / (1.0 + np.abs(wanted))))


def raw_graph(model: Any, tensors: list[dict[str, Any]], *, narrow: bool) -> bytes:
    """Convert with skl2onnx alone, for the inputs that our graph has."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common import data_types
    from sklearn.feature_extraction.text import CountVectorizer

    kinds = {
        "float64": data_types.FloatTensorType if narrow else data_types.DoubleTensorType,
        "float32": data_types.FloatTensorType,
        "int64": data_types.Int64TensorType,
        "bool": data_types.BooleanTensorType,
        "string": data_types.StringTensorType,
    }
    types = [
        (one["name"], kinds[one["dtype"]]([None, len(one["columns"])] if one["rank"] == 2 else [None]))
        for one in tensors
    ]
    parts = [part for _, part in getattr(model, "steps", [("", model)])]
    options = {id(part): {"zipmap": False} for part in parts if hasattr(part, "classes_")}
    # A locale that is here: skl2onnx's own default is not.
    options |= {id(part): {"locale": "C.UTF-8"} for part in parts if isinstance(part, CountVectorizer)}
    try:
        graph = convert_sklearn(model, initial_types=types, target_opset=OPSET, options=options)
    except (AttributeError, NameError):  # a part that has no such option
        graph = convert_sklearn(model, initial_types=types, target_opset=OPSET)
    return bytes(graph.SerializeToString())


def start(path: Path) -> dict[str, float]:
    """Load a graph or a lite file: processor time until it can be asked, and the process's peak memory."""
    if path.name == LITE:
        from sls_ml_runtime.artifact import open_folder
        from sls_ml_runtime.engines.table import load

        artifact = open_folder(path.parent, path.parent.name, verify=False)
        started = time.process_time()
        load(artifact, engine="lite")
    else:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        started = time.process_time()
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    spent = time.process_time() - started
    return {"ms": spent * 1e3, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3}


def sweep(folder: Path, size: Callable[[str, Trial], Any]) -> dict[str, Any]:
    """Give what is found of the graph of each trial of the sweep that has one."""
    wanted = json.loads((folder / "names.json").read_text())
    found = {}
    signal.signal(signal.SIGPROF, _stopped)
    for key, trial in trials(wanted):
        with suppress(Exception):  # what does not convert has no size
            signal.setitimer(signal.ITIMER_PROF, LONGEST)
            found[key] = size(key, trial)
        signal.setitimer(signal.ITIMER_PROF, 0)
    return found


def _stopped(*_: object) -> None:
    raise TimeoutError


def trials(wanted: list[str]) -> Iterator[tuple[str, Trial]]:
    """Fit the recipes of the sweep, the same in each process."""
    sys.path.append(str(ROOT / "tests" / "conformance" / "sweep"))
    from data import DATA, TRAINING, target
    from recipes import RECIPES
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401
    from sklearn.utils import all_estimators

    classes = dict(all_estimators())
    for number, recipe in enumerate(RECIPES):
        if wanted and recipe.estimator not in wanted:
            continue
        x = DATA[recipe.data](TRAINING, 0)
        y = target(recipe.target, x, 0)
        model = recipe.build(classes[recipe.estimator])
        with suppress(Exception):  # the sweep itself tells of those that do not fit
            model = model.fit(x) if y is None else model.fit(x, y)
        name = recipe.note or recipe.target or recipe.data
        yield f"{recipe.estimator} {name} ({number})", Trial(recipe, model, x)


def sweep_ours(folder: Path) -> dict[str, int]:
    """Sizes of our graphs; leaves what inputs each has."""
    from sls_ml.artifact.converters import check

    inputs: dict[str, Any] = {}

    def size(key: str, trial: Trial) -> int:
        check(trial.model)
        rows = list(trial.rows) if trial.rows.ndim == 1 else trial.rows
        inputs[key], _, _, data = graph_of(trial.model, rows)
        return len(data)

    found = sweep(folder, size)
    (folder / "inputs.json").write_text(json.dumps(inputs))
    return found


def sweep_raw(folder: Path) -> dict[str, tuple[int, float | None]]:
    """Sizes of skl2onnx's graphs for the same inputs, and how far their answers are from the original's."""
    inputs = json.loads((folder / "inputs.json").read_text())

    def size(key: str, trial: Trial) -> tuple[int, float | None]:
        graph = raw_graph(trial.model, inputs[key], narrow=False)
        return len(graph), error_of(graph, inputs[key], trial)

    return sweep(folder, size)


def error_of(graph: bytes, tensors: list[dict[str, Any]], trial: Trial) -> float | None:
    """The largest error on fresh rows; None for a graph that does not load, or that the sweep calls wrong."""
    import numpy as np
    import onnxruntime
    import pandas as pd
    from data import DATA, FRESH
    from trial import answers, compared

    onnxruntime.set_default_logger_severity(4)
    fresh = DATA[trial.recipe.data](FRESH, 1)
    try:
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        expected = answers(trial.model, fresh)
        said = session.run(None, fed(tensors, pd.DataFrame(fresh)))
        found = [
            np.asarray(values).reshape(np.shape(wanted))
            for values, wanted in zip(said, expected, strict=False)
        ]
        verdict = compared(trial.recipe, expected, found, ())
    except TimeoutError:
        raise
    except Exception:  # noqa: BLE001 - ONNX Runtime has several classes of its own
        return None
    return float(verdict.why) if verdict.status == "right" else None


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    steps: dict[str, Callable[[Path], Any]] = {
        "ours": ours,
        "raw": raw,
        "start": start,
        "sweep-ours": sweep_ours,
        "sweep-raw": sweep_raw,
    }
    print(json.dumps(steps[sys.argv[1]](Path(sys.argv[2]))))
