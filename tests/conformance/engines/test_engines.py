"""Every engine gives what the oracle gives, over all types, ranks and numbers of rows, and leaks nothing."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sls_ml.artifact.lite import NotCovered
from sls_ml_runtime.engines.table import load
from sls_ml_runtime.errors import EngineError
from sls_ml_runtime.signature import columns_from_table

FRAMEWORK = Path(__file__).parents[3] / "framework"
TYPES = ("float32", "float64", "int64", "int32", "bool", "string")
ECHOES = [f"echo-{dtype}-{shape}" for dtype in TYPES for shape in ("3-2", "1-2", "1-1")]
MODELS = ["classifier", "regressor", "forest", "mixed"]


def columns(model: Any, rows: int) -> Any:
    return columns_from_table(model.manifest, {name: values[:rows] for name, values in model.table.items()})


def same(one: Any, other: Any, tolerance: float) -> bool:
    if isinstance(one, float) and math.isnan(one):
        return math.isnan(other)
    return bool(one == other) or (
        isinstance(one, float) and math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance)
    )


@pytest.mark.parametrize("rows", [0, 1, 7])
@pytest.mark.parametrize("name", MODELS)
def test_agrees_with_the_oracle(
    build: Callable[[str], Any], load_engine: Callable[..., Any], engine: str, name: str, rows: int
) -> None:
    # GIVEN a model in this engine and in the oracle
    model = build(name)
    given = columns(model, rows)

    # WHEN both run the same columns
    found = load_engine(engine, model).run(given)
    expected = load_engine("ort_python", model).run(given)

    # THEN outputs, dtypes and shapes are equal, and values as far as their dtype carries
    assert {key: value[:2] for key, value in found.items()} == {
        key: value[:2] for key, value in expected.items()
    }
    for key, (dtype, _, flat) in found.items():
        tolerance = 1e-6 if dtype == "float32" else 1e-13
        assert all(same(*pair, tolerance) for pair in zip(flat, expected[key][2], strict=True))


@pytest.mark.parametrize("rows", [0, 1, 7])
@pytest.mark.parametrize("name", ECHOES)
def test_carries_every_type_unchanged(
    build: Callable[[str], Any], load_engine: Callable[..., Any], engine: str, name: str, rows: int
) -> None:
    # GIVEN a graph that gives its input back
    model = build(name)
    given = columns(model, rows)
    if engine == "lite" and "int32" in name:  # convert tells it, and the other engines serve the model
        with pytest.raises(NotCovered, match="not of type int32"):
            load_engine(engine, model)
        return

    # WHEN values at the edges of its type go through
    dtype, shape, flat = load_engine(engine, model).run(given)["y"]

    # THEN they come back in the same type and shape, row by row
    _, expected, width, rank = name.split("-")
    assert (dtype, shape) == (expected, (rows, int(width)) if rank == "2" else (rows,))
    values = [value for row in zip(*(column for _, column in given), strict=True) for value in row]
    assert all(same(*pair, 0.0) for pair in zip(flat, values, strict=True))


def test_a_failure_is_an_engine_error_and_passes(
    failing: Any, load_engine: Callable[..., Any], engine: str
) -> None:
    # GIVEN a graph that fails on some rows
    loaded = load_engine(engine, failing)

    # WHEN such a row comes THEN it is an EngineError with the engine's reason
    reason = "row 0: IndexError" if engine == "lite" else "indices element out of data bounds"
    with pytest.raises(EngineError, match=reason):
        loaded.run(columns_from_table(failing.manifest, {"f0": [9]}))

    # AND the next rows are answered
    assert list(loaded.run(columns(failing, 3))["y"][2]) == [0.0, 0.0, 0.0]


def test_a_damaged_model_is_an_engine_error(
    build: Callable[[str], Any], load_engine: Callable[..., Any], engine: str
) -> None:
    # GIVEN half a model WHEN it is loaded THEN that is an EngineError
    with pytest.raises(EngineError):
        load_engine(engine, build("classifier"), halved=True)


def test_threads_do_not_change_the_answer(
    build: Callable[[str], Any], load_engine: Callable[..., Any], engine: str
) -> None:
    # GIVEN a model WHEN it runs with two threads THEN its answer is the same
    model = build("forest")
    given = columns(model, 7)
    assert load_engine(engine, model, threads=2).run(given) == load_engine(engine, model).run(given)


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads memory from /proc")
@pytest.mark.parametrize("name", ["echo-string-3-2", "mixed"])
def test_memory_stays_where_it_is(
    build: Callable[[str], Any], load_engine: Callable[..., Any], engine: str, name: str
) -> None:
    # GIVEN an engine that has run for a while
    model = build(name)
    loaded = load_engine(engine, model)
    given = columns(model, 7)
    for _ in range(2000):
        loaded.run(given)
    before = resident()

    # WHEN it runs many times more: a leak of 200 bytes a run would be 2 MB
    for _ in range(10_000):
        loaded.run(given)

    # THEN its memory has not grown
    assert resident() - before < 1_000_000


def test_auto_takes_the_first_engine_that_is_here(build: Callable[[str], Any], tmp_path: Path) -> None:
    # GIVEN an artifact that prefers an engine whose file it lacks
    from sls_ml_runtime.artifact import Artifact

    model = build("classifier")
    (tmp_path / "model.onnx").write_bytes(model.onnx)
    artifact = Artifact("m", "0" * 64, model.manifest | {"engines": ["lite", "ort_capi"]}, str(tmp_path))

    # WHEN it is loaded THEN the next one runs it
    assert load(artifact).name == "ort_capi"

    # AND where none is left, the error has each one's reason
    artifact.manifest["engines"] = ["lite", "unheard-of"]
    with pytest.raises(EngineError, match=r"lite: .*model\.lite.*unheard-of: there is no engine"):
        load(artifact)


def test_sends_no_telemetry(
    engine: str, build: Callable[[str], Any], load_engine: Callable[..., Any], tmp_path: Path
) -> None:
    # GIVEN a process with a home of its own, in which nobody switched telemetry off
    home = tmp_path / "home"
    home.mkdir()
    load_engine(engine, build("classifier"))  # writes it
    program = (
        f"import sys; sys.path[:0] = {[str(FRAMEWORK), *sys.path]!r}\n"
        "from sls_ml_runtime.artifact import Artifact\nfrom sls_ml_runtime.engines import load\n"
        f"load(Artifact('m', '', {build('classifier').manifest!r}, {str(tmp_path)!r}), engine={engine!r})"
    )

    # WHEN the engine loads a model
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
    subprocess.run([sys.executable, "-I", "-c", program], env=environment, check=True)

    # THEN ONNX Runtime has not written the identity and the queue of its telemetry
    assert list(home.rglob("*onnxruntime*")) == []
