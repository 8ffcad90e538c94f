"""Measures packaging: time of a first, an edited and an unchanged build, bytes, import time of the result.

    python benchmarks/packaging.py [--runs 5]

Prints Markdown. Wheels are in uv's and pip's caches before the clock starts, so that no download is counted.
With ``sam`` on PATH (and the function's Python), ``sam build`` of the same pins is measured beside ours.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

FRAMEWORK = Path(__file__).parents[1] / "framework"
sys.path.insert(0, str(FRAMEWORK))

from sls_ml import package  # noqa: E402
from sls_ml.intent.model import Function  # noqa: E402
from sls_ml.package import content, interpreters  # noqa: E402
from sls_ml.spec.model import Concurrency, PythonVersion  # noqa: E402

PYTHON: PythonVersion = "3.13"
PINS = FRAMEWORK / "sls_ml/provider/aws/data/pins"
WHEELS = {"lite": (), "ort_capi": ("onnxruntime",), "ort_python": ("onnxruntime", "numpy")}
IMPORTS = {
    "lite": "import sls_ml_runtime.engines.lite",
    "ort_capi": "import sls_ml_runtime, ctypes, glob; "
    "ctypes.CDLL(glob.glob('onnxruntime/capi/libonnxruntime.so.*')[0])",
    "ort_python": "import sls_ml_runtime, onnxruntime",
}

FUNCTION = Function(
    name="predict",
    models=(),
    http=None,
    batch=None,
    memory=512,
    timeout=10,
    python=PYTHON,
    architecture="x86_64",
    start="plain",
    concurrency=Concurrency(),
    observability="native",
    style="function",
    environment={},
    grants=(),
    log_retention=30,
)


def main() -> None:
    """Measure every engine, then ``sam build`` when it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    row("build", "first s", "hooks edited s", "unchanged s", "zip MB", "unpacked MB", "spawn + import ms")
    row(*["---"] * 7)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        row("bare interpreter", *["-"] * 5, import_milliseconds(folder, "pass", runs))
        for engine in WHEELS:
            row(f"sls-ml, {engine}", *ours(engine, folder / engine, runs))
        if shutil.which("sam") and shutil.which(f"python{PYTHON}"):
            row("sam build, onnxruntime + numpy", *sam(folder / "sam", runs))


def ours(engine: str, folder: Path, runs: int) -> list[str]:
    """One row of figures for a function with one engine."""
    runtime = folder / "sls_ml_runtime"
    shutil.copytree(FRAMEWORK / "sls_ml_runtime", runtime)
    source, artifact = project(engine, folder, runtime)

    def build(cache: str) -> package.Package:
        return package.build(
            FUNCTION,
            source=source,
            runtime=runtime,
            artifacts={"model": artifact},
            limits={},
            cache=folder / cache,
        )

    build("warm")
    first = [seconds(lambda run=run: build(f"cache{run}")) for run in range(runs)]  # type: ignore[misc]
    unchanged = [seconds(lambda: build("warm")) for _ in range(runs * 3)]
    edited = []
    for run in range(runs):
        (source / "hooks.py").write_text(f"RUN = {run}\n")
        edited.append(seconds(lambda: build("warm")))
    built = build("warm")
    with zipfile.ZipFile(built.path) as archive:
        archive.extractall(folder / "task")
    start = import_milliseconds(folder / "task", IMPORTS[engine], runs)
    return [
        best(first),
        best(edited),
        best(unchanged),
        mb(built.bytes),
        mb(built.unpacked_bytes),
        start,
    ]


def sam(folder: Path, runs: int) -> list[str]:
    """The same row for ``sam build``, which has no bytecode and prunes nothing."""
    source = folder / "src"
    source.mkdir(parents=True)
    (source / "handler.py").write_text("import onnxruntime\n")
    versions = [line.split()[0] for need in WHEELS["ort_python"] for line in pins(need) if "==" in line]
    (source / "requirements.txt").write_text("\n".join(versions))
    properties = {"CodeUri": "src/", "Handler": "handler.handler", "Runtime": f"python{PYTHON}"}
    resource = {"Type": "AWS::Serverless::Function", "Properties": properties}
    template = {"Transform": "AWS::Serverless-2016-10-31", "Resources": {"Predict": resource}}
    (folder / "template.json").write_text(json.dumps(template))
    environment = os.environ | {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "eu-west-1"}
    command = ["sam", "build", "--template", "template.json", "--cached"]

    def build() -> None:
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)

    build()
    first = []
    for _ in range(runs):
        shutil.rmtree(folder / ".aws-sam")
        first.append(seconds(build))
    unchanged = [seconds(build) for _ in range(runs)]
    edited = []
    for run in range(runs):
        (source / "handler.py").write_text(f"import onnxruntime\nRUN = {run}\n")
        edited.append(seconds(build))
    task = folder / ".aws-sam/build/Predict"
    files = [path for path in task.rglob("*") if path.is_file()]
    with zipfile.ZipFile(folder / "out.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            archive.write(path, path.relative_to(task))
    sizes = (folder / "out.zip").stat().st_size, sum(path.stat().st_size for path in files)
    start = import_milliseconds(task, "import onnxruntime", runs)
    return [best(first), best(edited), best(unchanged), *map(mb, sizes), start]


def project(engine: str, folder: Path, runtime: Path) -> tuple[Path, Path]:
    """A generated function's folder and a small artifact."""
    file = "model.lite" if engine == "lite" else "model.onnx"
    data = bytes(range(256)) * 40
    listed = {file: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}}
    manifest = json.dumps({"format": 1, "name": "model", "files": listed}).encode()
    digest = hashlib.sha256(manifest).hexdigest()
    artifact, source = folder / "artifacts/model" / digest, folder / "handlers/demo/aws/predict"
    for place in (artifact, source):
        place.mkdir(parents=True)
    (artifact / "manifest.json").write_bytes(manifest)
    (artifact / file).write_bytes(data)
    model = {"digest": digest, "files": {file: len(data)}, "bundled": True, "engine": engine}
    pinned = {"version": "0", "digest": content.tree_digest(runtime)}
    (source / "config.json").write_text(json.dumps({"models": {"model": model}, "runtime": pinned}))
    (source / "handler.py").write_text("import hooks\n")
    (source / "hooks.py").write_text("RUN = None\n")
    lines = [line for need in WHEELS[engine] for line in pins(need)]
    (source / "requirements.txt").write_text("\n".join(lines) + "\n")
    return source, artifact


def pins(need: str) -> Iterable[str]:
    """The lines of a pin file of the AWS provider."""
    return (PINS / f"{need}.txt").read_text().splitlines()


def import_milliseconds(task: Path, program: str, runs: int) -> str:
    """Spawn an interpreter and import; files are cached, no bytecode is written: task roots are read-only."""
    interpreter = interpreters.find(PYTHON)
    if interpreter is None:
        return "-"
    command = [str(interpreter.executable), "-S", "-B", "-c", program]
    environment = {"ORT_DISABLE_TELEMETRY": "1", "HOME": str(task)}

    def start() -> None:
        subprocess.run(command, cwd=task, env=environment, check=True)

    start()
    return f"{min(seconds(start) for _ in range(runs * 4)) * 1000:.0f}"


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def best(values: list[float]) -> str:
    """The least of several times in seconds: what the work takes when nothing else runs."""
    return f"{min(values):.2f}"


def mb(size: int) -> str:
    """A size in millions of bytes."""
    return f"{size / 1e6:.1f}"


def row(*cells: str) -> None:
    """Print one row of a Markdown table."""
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
