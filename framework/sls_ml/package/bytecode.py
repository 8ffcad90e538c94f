"""Compiles modules to bytecode with the function's own Python, so that no cold start has to."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sls_ml.errors import SpecError
from sls_ml.package.interpreters import Interpreter

TASK_ROOT = "/var/task"
"""Where tracebacks say that a module is; the machine that compiled it must not show."""

WITHOUT = (
    "Python {python} is not installed here, so the package carries no bytecode: each cold start compiles "
    "what it imports, which makes imports two to three times as long with numpy and onnxruntime. "
    "Get it with: uv python install {python}"
)
"""The warning of a package that could not be compiled."""

# Runs in the function's interpreter. An unchecked file is taken as it is, without a look at its source.
_PROGRAM = """
import json, py_compile, sys
failed = {}
for source, shown, target, checked, level in json.load(sys.stdin):
    mode = "CHECKED_HASH" if checked else "UNCHECKED_HASH"
    try:
        py_compile.compile(source, target, shown, doraise=True, optimize=level,
                           invalidation_mode=py_compile.PycInvalidationMode[mode])
    except py_compile.PyCompileError as error:
        failed[source] = error.msg
json.dump([sys.implementation.cache_tag, failed], sys.stdout)
"""


@dataclass(frozen=True)
class Module:
    """A module to compile.

    Attributes:
        path: Its path in the package.
        source: Where its source is.
        user: Whether the user may edit it.
        bare: Whether its bytecode goes without docstrings and assertions, as with ``python -OO``.
    """

    path: str
    source: Path
    user: bool
    bare: bool = False


@dataclass(frozen=True)
class Bytecode:
    """The bytecode of a module: its path in the package and where it is now."""

    module: Module
    path: str
    file: Path


def compile_modules(modules: Sequence[Module], interpreter: Interpreter, folder: Path) -> list[Bytecode]:
    """Compile modules in one run of the interpreter.

    Args:
        modules: Compiled in this order. Bytecode of the user's own files is checked against the hash of its
            source at import; generated and third-party files are not looked at.
        interpreter: Of the function's Python version.
        folder: An empty folder for the bytecode.

    Returns:
        The bytecode of each module; a third-party module that does not compile has none.

    Raises:
        SpecError: A file of the user's own does not compile.
    """
    targets = [folder / f"{number}.pyc" for number in range(len(modules))]
    jobs = [
        (str(module.source), f"{TASK_ROOT}/{module.path}", str(target), module.user, 2 if module.bare else 0)
        for module, target in zip(modules, targets, strict=True)
    ]
    done = subprocess.run(
        [interpreter.executable, "-I", "-S", "-W", "ignore", "-c", _PROGRAM],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        check=True,
    )
    tag, failed = json.loads(done.stdout)
    compiled = []
    for module, target in zip(modules, targets, strict=True):
        if (problem := failed.get(str(module.source))) is None:
            path = PurePosixPath(module.path)
            name = str(path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc")
            compiled.append(Bytecode(module, name, target))
        elif module.user:
            raise SpecError(
                f"{module.path} is not valid Python {interpreter.version}",
                code="invalid-python",
                where=str(module.source),
                why=problem.strip(),
                mend="correct the file, or give the function another `python`",
            )
    return compiled
