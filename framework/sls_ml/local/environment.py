"""One execution environment: a process that runs a version of a function under the real runtime client."""

from __future__ import annotations

import contextlib
import os
import queue
import select
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sls_ml.local.functions import Configuration
from sls_ml.local.managed_runtime import ManagedRuntime
from sls_ml.local.processes import kill_group, memory_mb
from sls_ml.local.runtime_api import (
    Answered,
    Exited,
    Failed,
    Invocation,
    Ready,
    RuntimeApi,
    Signal,
    Snapshot,
)
from sls_ml.local.telemetry import Journal

INIT_SECONDS = 10.0
RESTORE_SECONDS = 10.0
"""Seconds that hooks after a restore may take:
https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks.html, read on 2026-11-24."""


@dataclass(frozen=True)
class TimedOut:
    """The function did not answer in its time."""


@dataclass(frozen=True)
class OutOfMemory:
    """The process grew beyond its memory and was killed."""


Ending = Answered | Failed | Exited | TimedOut | OutOfMemory


def environment_variables(
    configuration: Configuration,
    runtime: ManagedRuntime,
    journal: Journal,
    credentials: Mapping[str, str],
    *,
    region: str,
    endpoint: str,
) -> dict[str, str]:
    """The whole environment of a function's process, as Lambda sets it; nothing is inherited."""
    task_root = str(configuration.code.folder)
    return {
        **configuration.environment,
        **credentials,
        "AWS_DEFAULT_REGION": region,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{configuration.runtime}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration.memory),
        "AWS_LAMBDA_FUNCTION_NAME": configuration.name,
        "AWS_LAMBDA_FUNCTION_VERSION": configuration.version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start" if configuration.snapped else "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": configuration.log_format,
        "AWS_LAMBDA_LOG_GROUP_NAME": journal.group,
        "AWS_LAMBDA_LOG_STREAM_NAME": journal.stream,
        **({"AWS_LAMBDA_LOG_LEVEL": level} if (level := configuration.log_levels.get("application")) else {}),
        "AWS_REGION": region,
        "LAMBDA_RUNTIME_DIR": str(runtime.libraries),
        "LAMBDA_TASK_ROOT": task_root,
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join((task_root, str(runtime.libraries))),
        "TZ": ":UTC",
        "_HANDLER": configuration.handler,
    }


class ExecutionEnvironment:
    """A process with its Runtime API, from its start until it is killed. One invocation at a time.

    Args:
        configuration: The version to run.
        runtime: The Python to run it with.
        variables: Its environment.
        journal: Where its output goes.
        folder: Where its temporary folder is made.
    """

    def __init__(
        self,
        configuration: Configuration,
        runtime: ManagedRuntime,
        variables: Mapping[str, str],
        journal: Journal,
        folder: Path,
    ) -> None:
        self.configuration = configuration
        self.journal = journal
        self.idle_since = 0.0
        self.init_ms: float | None = None
        self.restore_ms: float | None = None
        self.peak_mb = 0
        self._over_memory = False
        self._temporary = Path(tempfile.mkdtemp(dir=folder))
        self._api = RuntimeApi()
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        self._output = reader
        self._rest = b""
        self._pumping = threading.Lock()
        try:
            self._process = subprocess.Popen(
                [str(runtime.executable), "-S", "-m", "awslambdaric", configuration.handler],
                stdin=subprocess.DEVNULL,
                stdout=writer,
                stderr=writer,
                cwd=configuration.code.folder,
                env={
                    **variables,
                    "AWS_LAMBDA_RUNTIME_API": self._api.address,
                    "TMPDIR": str(self._temporary),
                },
                start_new_session=True,
            )
        finally:
            os.close(writer)
        self.pid = self._process.pid
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def initialise(self, seconds: float) -> Ending | None:
        """Wait until the function can be called, or with SnapStart restored; an Ending when it cannot.

        Args:
            seconds: How long it may take.
        """
        begun = time.perf_counter()
        signal = self._signal(begun + seconds)
        self.init_ms = (time.perf_counter() - begun) * 1000
        return self._ending(signal, Snapshot if self.configuration.snapped else Ready)

    def restore(self) -> Ending | None:
        """Let an environment of SnapStart go on until it can be called; an Ending when it cannot."""
        begun = time.perf_counter()
        self._api.restore.set()
        signal = self._signal(begun + RESTORE_SECONDS)
        self.restore_ms = (time.perf_counter() - begun) * 1000
        return self._ending(signal, Ready)

    def _ending(
        self, signal: Signal | TimedOut | OutOfMemory, wanted: type[Ready | Snapshot]
    ) -> Ending | None:
        self._pump()
        match signal:
            case Ready() | Snapshot():
                unknown = Failed(b'{"errorType":"Runtime.Unknown"}', "Runtime.Unknown")
                return None if isinstance(signal, wanted) else unknown
            case Answered():
                return Failed(b'{"errorType":"Runtime.Unknown"}', "Runtime.Unknown")
            case Failed() | Exited() | TimedOut() | OutOfMemory():
                return signal

    def invoke(self, invocation: Invocation, seconds: float) -> Ending:
        """Run the handler once; anything but an answer means that this environment is over."""
        self._api.send(invocation)
        limit = time.perf_counter() + seconds
        signal = self._signal(limit)
        while isinstance(signal, Ready | Snapshot):  # the runtime asks for more after each answer
            signal = self._signal(limit)
        self.peak_mb = max(self.peak_mb, memory_mb(self.pid))
        self._pump()
        return signal

    def _signal(self, limit: float) -> Signal | TimedOut | OutOfMemory:
        try:
            signal = self._api.signals.get(timeout=max(0.0, limit - time.perf_counter()))
        except queue.Empty:
            return TimedOut()
        return OutOfMemory() if isinstance(signal, Exited) and self._over_memory else signal

    def check_memory(self) -> None:
        """Measure the process, and kill it when it is larger than the function may be."""
        used = memory_mb(self.pid)
        self.peak_mb = max(self.peak_mb, used)
        if used > self.configuration.memory:
            self._over_memory = True
            kill_group(self.pid)

    def kill(self) -> None:
        """End the process and its children, and forget its temporary files."""
        kill_group(self.pid)
        self._watcher.join()
        self._api.close()
        shutil.rmtree(self._temporary, ignore_errors=True)

    def _watch(self) -> None:
        """Carry the output to the log until the process has ended and its pipe is empty."""
        while True:
            select.select([self._output], [], [])
            if not self._pump():
                break
        code = self._process.wait()
        with self._pumping:
            os.close(self._output)
            self._output = -1
        self._api.signals.put(Exited(code))

    def _pump(self) -> bool:
        """Write what lies in the pipe to the log; False at its end."""
        with self._pumping:
            if self._output < 0:
                return False
            chunks = []
            open_ = True
            with contextlib.suppress(BlockingIOError):
                while chunk := os.read(self._output, 1 << 16):
                    chunks.append(chunk)
                open_ = False
            *lines, self._rest = (self._rest + b"".join(chunks)).split(b"\n")
            if not open_ and self._rest:
                lines.append(self._rest)
                self._rest = b""
            # The runtime client writes \r for the line ends within one message.
            self.journal.write(line.decode(errors="replace").replace("\r", "\n") for line in lines)
            return open_
