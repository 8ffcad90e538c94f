"""What the imports of a function's hooks add to each cold start, measured in its package on this machine."""

from __future__ import annotations

import re
import subprocess
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from sls_ml.package import Package, interpreters, local_target
from sls_ml.package.imports import imported

RUNS = 5

_LINE = re.compile(r"^import time:\s+\d+ \|\s+(\d+) \| (\S+)$", re.MULTILINE)
# What the handler imports before comes first, so that hooks are charged for the rest alone. One space after
# the bar is a module that nothing else was importing.
_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); import sls_ml_runtime.aws, sls_ml_runtime.metrics"


def milliseconds(package: Package) -> Mapping[str, float] | None:
    """The least time of a few starts for each module that hooks.py imports, longest first.

    Only the modules are imported, not hooks.py itself: it may need what only its function has.

    Returns:
        Module to milliseconds; nothing without imports; None where this machine cannot run the package.
    """
    with zipfile.ZipFile(package.path) as packed:
        modules = imported(packed.read("hooks.py")) if "hooks.py" in packed.namelist() else ()
        if not modules:
            return {}
        interpreter = interpreters.find(package.python)
        here = local_target(package.python, package.architecture)
        if interpreter is None or here.platform not in (None, package.platform):
            return None
        with tempfile.TemporaryDirectory(prefix="sls-ml-") as folder:
            packed.extractall(folder)
            runs = [_run(interpreter.executable, Path(folder), modules) for _ in range(RUNS)]
    least = {name: min(run[name] for run in runs) for name in modules if name in runs[0]}
    return dict(sorted(least.items(), key=lambda item: -item[1]))


def _run(python: Path, folder: Path, modules: tuple[str, ...]) -> dict[str, float]:
    program = "\n".join(
        [_PROGRAM, *(f"try: import {name}; print('{name}')\nexcept ImportError: pass" for name in modules)]
    )
    command = [str(python), "-I", "-B", "-X", "importtime", "-c", program, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    spent = {name: int(microseconds) / 1000 for microseconds, name in _LINE.findall(done.stderr)}
    found = set(done.stdout.split())
    return {name: spent.get(name, 0.0) for name in modules if name in found}
