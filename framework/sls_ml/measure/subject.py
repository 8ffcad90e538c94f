"""What is started: a function's package as it lies on Lambda, or something to compare it with."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sls_ml.errors import ExternalError, UsageError
from sls_ml.local.managed_runtime import ManagedRuntime

EMPTY = "empty"
"""The handler that does nothing: the least that any Python function costs."""

_EMPTY_HANDLER = """def handler(event, context):
    return {"statusCode": 200}
"""


@dataclass(frozen=True)
class Subject:
    """A function, unpacked.

    Attributes:
        name: What tables call it.
        folder: Its task root.
        runtime: The Python that runs it.
        handler: ``module.function``.
        memory: Memory of the function in MB.
        environment: Variables beside those that Lambda sets.
        package_bytes: Size of the zip; None for what has none.
    """

    name: str
    folder: Path
    runtime: ManagedRuntime
    handler: str = "handler.handler"
    memory: int = 512
    environment: Mapping[str, str] = field(default_factory=dict)
    package_bytes: int | None = None

    def files(self) -> frozenset[str]:
        """All files of the task root."""
        return frozenset(
            path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file()
        )


def unpack(
    package: Path,
    into: Path,
    runtime: ManagedRuntime,
    *,
    name: str,
    memory: int,
    environment: Mapping[str, str],
) -> Subject:
    """Unpack a function's zip, read-only."""
    folder = into / name
    with zipfile.ZipFile(package) as archive:
        archive.extractall(folder)
    _protect(folder)
    return Subject(
        name,
        folder,
        runtime,
        memory=memory,
        environment=environment,
        package_bytes=package.stat().st_size,
    )


def empty(into: Path, runtime: ManagedRuntime) -> Subject:
    """Make the handler that does nothing."""
    folder = into / EMPTY
    folder.mkdir()
    (folder / "handler.py").write_text(_EMPTY_HANDLER)
    _compile(folder, runtime)
    _protect(folder)
    return Subject(EMPTY, folder, runtime)


def from_source(source: Path, into: Path, runtime: ManagedRuntime, artifact: Path) -> Subject:
    """Build a function that somebody wrote by hand, with all its bytecode.

    Args:
        source: A folder with ``handler.py`` (which has ``handler``) and ``requirements.txt``.
        into: Where to build.
        runtime: The Python to build for.
        artifact: The model's artifact; the function finds it in ``artifact/`` below its task root.

    Raises:
        UsageError: The folder is not such a function.
        ExternalError: Its requirements cannot be installed.
    """
    for file in ("handler.py", "requirements.txt"):
        if not (source / file).is_file():
            raise UsageError(
                f"{source} is not a function to compare with: it has no {file}",
                code="not-a-function",
                mend="name `empty`, or a folder with handler.py and requirements.txt",
            )
    folder = into / source.name
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(artifact, folder / "artifact")
    _install(folder, runtime)
    _compile(folder, runtime)
    _protect(folder)
    return Subject(source.name, folder, runtime)


def _install(folder: Path, runtime: ManagedRuntime) -> None:
    from uv import find_uv_bin

    command = [find_uv_bin(), "pip", "install", "--quiet", "--only-binary", ":all:"]
    command += ["--python", str(runtime.executable), "--target", str(folder)]
    command += ["--requirement", str(folder / "requirements.txt")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ExternalError(
            f"the requirements of {folder.name} cannot be installed",
            code="requirements-not-installed",
            where=str(folder / "requirements.txt"),
            why=done.stderr.strip()[-2000:],
            mend="mend requirements.txt, or connect to a package index",
        )


def _compile(folder: Path, runtime: ManagedRuntime) -> None:
    """Compile all modules with hashes that nobody checks, as our packager does.

    A file of a wheel that does not compile is left as it is: a function that imports it fails, which is told
    then.
    """
    command = [str(runtime.executable), "-m", "compileall", "-qq", "--invalidation-mode", "unchecked-hash"]
    subprocess.run([*command, str(folder)], check=False)


def _protect(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
