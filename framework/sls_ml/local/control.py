"""Starts, finds and ends the daemon of a project's embedded cloud."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import sls_ml
from sls_ml.errors import ExternalError
from sls_ml.local.code_version import code_version
from sls_ml.local.files import Endpoint, Files
from sls_ml.local.managed_runtime import cache_folder
from sls_ml.local.processes import kill_group, started

START_SECONDS = 30.0
STOP_SECONDS = 10.0
DEFAULT_REGION = "eu-west-1"


def up(folder: Path, region: str = DEFAULT_REGION) -> Endpoint:
    """Start the embedded cloud of a project folder, or find the one that runs.

    A daemon of another region, of an older version of its code, or one that does not answer, is replaced.
    What a cloud holds is in memory: a new daemon begins empty.

    Args:
        folder: The folder of sls-ml.yaml.
        region: Its region.

    Raises:
        ExternalError: moto is not installed, or the daemon does not start; with the end of its log.
    """
    if importlib.util.find_spec("moto") is None:
        raise ExternalError(
            "The embedded cloud needs moto, which is not installed.",
            code="local-missing",
            mend="pip install 'sls-ml[local]'",
        )
    files = Files.of(folder)
    with _locked(files):
        endpoint = _live(files)
        current = files.read_code() == code_version()
        if endpoint is not None and endpoint.region == region and current and _answers(endpoint):
            return endpoint
        _end(files)
        return _start(files, folder.resolve(), region)


def status(folder: Path) -> Endpoint | None:
    """The endpoint of the daemon that runs for a project folder; None when none does."""
    return _live(Files.of(folder))


def logs(folder: Path, *, follow: bool = False) -> Iterator[str]:
    """Lines of the daemon's log, oldest first; with `follow` also those to come, until it ends."""
    files = Files.of(folder)
    if not files.log.exists():
        return
    with files.log.open(errors="replace") as log:
        while True:
            alive = follow and _live(files) is not None
            for line in log:
                yield line.rstrip("\n")
            if not alive:
                return
            time.sleep(0.2)


def down(folder: Path) -> bool:
    """End the daemon of a project folder with all its functions; whether one ran."""
    files = Files.of(folder)
    with _locked(files):
        ran = _live(files) is not None
        _end(files)
        return ran


@contextlib.contextmanager
def _locked(files: Files) -> Iterator[None]:
    """One starter or ender at a time."""
    with files.start_lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _live(files: Files) -> Endpoint | None:
    """The daemon that the state names, if that very process still runs."""
    state = files.read_state()
    if state is None:
        return None
    endpoint, start = state
    return endpoint if start is not None and started(endpoint.pid) == start else None


def _answers(endpoint: Endpoint) -> bool:
    port = urlsplit(endpoint.url).port or 0
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return False
    return True


def _end(files: Files) -> None:
    """End the daemon, by force if it must be, and the functions that a crash left behind."""
    if _live(files) is not None and (state := files.read_state()) is not None:
        endpoint, start = state
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.kill(endpoint.pid, number)
            limit = time.monotonic() + STOP_SECONDS
            while started(endpoint.pid) == start and time.monotonic() < limit:
                time.sleep(0.02)
            if started(endpoint.pid) != start:
                break
    files.state.unlink(missing_ok=True)
    if files.children.exists():
        root, *children = files.children.read_text().splitlines() or [""]
        for line in children if root == str(files.root) else ():  # a copied folder has no say over them
            pid, _, start = line.partition(" ")
            if started(int(pid)) == start:
                kill_group(int(pid))
        files.children.unlink()


def _start(files: Files, folder: Path, region: str) -> Endpoint:
    reader, writer = os.pipe()
    try:
        with files.log.open("wb") as log:
            subprocess.run(
                [
                    *(sys.executable, "-m", "sls_ml.local.daemon", str(folder)),
                    *("--region", region, "--ready", str(writer)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=files.root,
                env=_environment(),
                pass_fds=(writer,),
                check=False,
            )
        os.close(writer)
        writer = -1
        ready = select.select([reader], [], [], START_SECONDS)[0] and os.read(reader, 16) == b"ready\n"
    finally:
        os.close(reader)
        if writer >= 0:
            os.close(writer)
    endpoint = _live(files) if ready else None
    if endpoint is None:
        tail = files.log.read_text(errors="replace").splitlines()[-15:]
        raise ExternalError(
            "The embedded cloud did not start.",
            code="local-start",
            where=str(files.log),
            why="\n".join(tail) or "it said nothing",
            mend="Read the log; `sls-ml local down` and try again.",
        )
    return endpoint


def _environment() -> dict[str, str]:
    """The daemon's environment: this one's, without keys and settings of a real account."""
    own = ("AWS_", "MOTO_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    packages = [str(Path(sls_ml.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    return {
        **kept,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "PYTHONPYCACHEPREFIX": str(cache_folder() / "bytecode"),  # moto compiles for a second
        "PYTHONPATH": os.pathsep.join(filter(None, packages)),
    }
