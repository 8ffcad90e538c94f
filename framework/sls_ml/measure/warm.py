"""One environment that answers requests one after the other: processor time and memory of each."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

from sls_ml.local.processes import cpu_seconds, kill_group, peak_resident_kb
from sls_ml.local.runtime_api import RuntimeApi
from sls_ml.measure.start import (
    StartError,
    failed,
    invocation,
    spawn,
    variables,
    wait_for_answer,
    wait_until_idle,
)
from sls_ml.measure.subject import Subject


@dataclass(frozen=True)
class Asked:
    """A request that was answered.

    Attributes:
        answer: What the function returned.
        cpu_milliseconds: Processor time that it took, until the function waits for the next event.
        peak_kb: The most resident memory that the process had so far.
        log: What the function wrote to its log meanwhile.
        answer_bytes: Size of the answer, as Lambda counts it.
    """

    answer: Any
    cpu_milliseconds: float
    peak_kb: int
    log: bytes
    answer_bytes: int

    @property
    def log_bytes(self) -> int:
        """Size of what it wrote."""
        return len(self.log)


class Environment:
    """A started function.

    Attributes:
        start_cpu_milliseconds: Processor time until it waits for its first event.
        start_kb: The most resident memory that it had until then.
    """

    def __init__(self, subject: Subject, api: RuntimeApi, process: Popen[bytes], log: Path) -> None:
        self._subject, self._api, self._process, self._log = subject, api, process, log
        try:
            wait_until_idle(api, process)
        except StartError as failure:
            raise failed(subject, failure, log) from failure
        self._cpu = cpu_seconds(process.pid)
        self.start_cpu_milliseconds = self._cpu * 1000
        self.start_kb = peak_resident_kb(process.pid)

    def ask(self, event: bytes) -> Asked:
        """Let the function answer an event.

        Raises:
            ExternalError: It did not.
        """
        written = self._log.stat().st_size
        self._api.send(invocation(event))
        try:
            body = wait_for_answer(self._api, self._process)
            wait_until_idle(self._api, self._process)
        except StartError as failure:
            raise failed(self._subject, failure, self._log) from failure
        before, self._cpu = self._cpu, cpu_seconds(self._process.pid)
        return Asked(
            answer=json.loads(body),
            cpu_milliseconds=(self._cpu - before) * 1000,
            peak_kb=peak_resident_kb(self._process.pid),
            log=self._written_since(written),
            answer_bytes=len(body),
        )

    def _written_since(self, size: int) -> bytes:
        with self._log.open("rb") as log:
            log.seek(size)
            return log.read()


@contextmanager
def environment(subject: Subject) -> Iterator[Environment]:
    """Start a function, and end it when the context does.

    Raises:
        ExternalError: It does not start.
    """
    with tempfile.TemporaryDirectory(prefix="sls-ml-warm-") as name:
        temporary = Path(name)
        api = RuntimeApi()
        variable = variables(subject) | {"AWS_LAMBDA_RUNTIME_API": api.address, "TMPDIR": name}
        try:
            with (temporary / "log").open("wb") as log:
                process = spawn(subject, ["-m", "awslambdaric"], variable, log.fileno())
                try:
                    yield Environment(subject, api, process, temporary / "log")
                finally:
                    kill_group(process.pid)
                    process.wait()
        finally:
            api.close()
