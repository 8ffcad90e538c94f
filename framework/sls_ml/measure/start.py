"""One cold start: a process under awslambdaric and a Runtime API on loopback, from spawn to first answer."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sls_ml.errors import ExternalError
from sls_ml.local.processes import kill_group, resident_kb, started
from sls_ml.local.runtime_api import Answered, Failed, Invocation, Ready, RuntimeApi, Signal
from sls_ml.measure.subject import Subject

ARN = "arn:aws:lambda:eu-west-1:000000000000:function:measured:live"
_SECONDS = 120.0
_PROBE = Path(__file__).with_name("probe.py")


@dataclass(frozen=True)
class Start:
    """One start that ended in an answer.

    Attributes:
        milliseconds: From the spawn of the process to the answer of its first request.
        cpu_milliseconds: Processor time of the process: what a function with a share of a CPU waits for.
        resident_kb: Resident memory after that answer.
        answer: What the function returned.
        lines: What it wrote to its log.
        marks: With the probe: seconds since the spawn at which things began and ended, else None.
    """

    milliseconds: float
    cpu_milliseconds: float
    resident_kb: int
    answer: Any
    lines: tuple[str, ...]
    marks: tuple[Mark, ...] | None = None


@dataclass(frozen=True)
class Mark:
    """Something that took time in a start: a module's import, or a phase; seconds since the spawn."""

    kind: str
    name: str
    begun: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long it took, with all that happened inside."""
        return self.ended - self.begun


def start(subject: Subject, event: bytes, *, probed: bool = False) -> Start:
    """Start a function once, with a request that already waits, and end it.

    Args:
        subject: The function.
        event: Its first event.
        probed: Note when modules are imported and phases begin; takes a little time itself.

    Raises:
        ExternalError: It did not start, or did not answer.
    """
    with tempfile.TemporaryDirectory(prefix="sls-ml-start-") as name:
        temporary = Path(name)
        api = RuntimeApi()
        try:
            api.send(invocation(event))
            with (temporary / "log").open("wb") as log:
                return _run(subject, api, temporary, log.fileno(), probed=probed)
        finally:
            api.close()


def _run(subject: Subject, api: RuntimeApi, temporary: Path, log: int, *, probed: bool) -> Start:
    marks_file = temporary / "marks.json"
    program = ["-P", str(_PROBE), str(marks_file)] if probed else ["-m", "awslambdaric"]
    environment = variables(subject) | {"AWS_LAMBDA_RUNTIME_API": api.address, "TMPDIR": str(temporary)}
    begun = time.perf_counter()
    process = spawn(subject, program, environment, log)
    try:
        body = wait_for_answer(api, process)
        milliseconds = (time.perf_counter() - begun) * 1000
        wait_until_idle(api, process)
        resident = resident_kb(process.pid)
    except StartError as failure:
        raise failed(subject, failure, temporary / "log") from failure
    finally:
        kill_group(process.pid)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    cpu = (used.ru_utime + used.ru_stime) * 1000
    marks = _marks(marks_file, begun, milliseconds) if probed else None
    lines = (temporary / "log").read_text(errors="replace").splitlines()
    return Start(milliseconds, cpu, resident, json.loads(body), tuple(lines), marks)


class StartError(Exception):
    """A process that ended, failed or went quiet."""


def spawn(
    subject: Subject, program: Sequence[str], environment: Mapping[str, str], log: int
) -> subprocess.Popen[bytes]:
    """Begin a function's process, the leader of a group of its own."""
    return subprocess.Popen(
        [str(subject.runtime.executable), "-S", *program, subject.handler],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd=subject.folder,
        env=environment,
        start_new_session=True,
    )


def failed(subject: Subject, failure: StartError, log: Path) -> ExternalError:
    """The error of a function that did not answer, with the end of its log."""
    return ExternalError(
        f"{subject.name} did not answer a request",
        code="start-failed",
        where=str(subject.folder),
        why=f"{failure}\n{log.read_text(errors='replace')[-2000:]}".strip(),
        mend="mend what the log names; it is your own code where hooks.py is in it",
    )


def wait_for_answer(api: RuntimeApi, process: subprocess.Popen[bytes]) -> bytes:
    """What the function returned for the event that it works on.

    Raises:
        StartError: It failed, ended, or gave no answer in time.
    """
    for signal in _signals(api, process):
        match signal:
            case Answered(failed=False, body=body):
                return body
            case Answered(body=body):
                raise StartError(body.decode(errors="replace"))
            case _:
                continue
    raise StartError(f"no answer in {_SECONDS:.0f} seconds")


def wait_until_idle(api: RuntimeApi, process: subprocess.Popen[bytes]) -> None:
    """Wait until the client asks for its next event: all work before it is then done.

    Raises:
        StartError: It ended, failed, or asked for none in time.
    """
    if not any(isinstance(signal, Ready) for signal in _signals(api, process)):
        raise StartError("it asked for no further event")


def _signals(api: RuntimeApi, process: subprocess.Popen[bytes]) -> Iterator[Signal]:
    """What the client tells, until it has had its time.

    Raises:
        StartError: The function failed to start, or its process ended.
    """
    limit = time.perf_counter() + _SECONDS
    while time.perf_counter() < limit:
        try:
            signal = api.signals.get(timeout=0.5)
        except queue.Empty:
            if started(process.pid) is None:
                raise StartError("the process ended") from None
            continue
        if isinstance(signal, Failed):
            raise StartError(signal.body.decode(errors="replace"))
        yield signal


def invocation(event: bytes) -> Invocation:
    """An event, as the Runtime API hands it over."""
    return Invocation(
        id=str(uuid.uuid4()),
        payload=event,
        deadline_ms=int((time.time() + _SECONDS) * 1000),
        function_arn=ARN,
        trace="Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=0",
    )


def variables(subject: Subject) -> dict[str, str]:
    """The environment of a function's process, as Lambda sets it; nothing is inherited."""
    root, libraries = str(subject.folder), str(subject.runtime.libraries)
    python = ".".join(subject.runtime.python.split(".")[:2])
    return {
        "SLS_ML_STAGE": "measured",
        **subject.environment,
        "AWS_ACCESS_KEY_ID": "measured",
        "AWS_SECRET_ACCESS_KEY": "measured",  # boto3 looks for credentials as soon as a client is made
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{python}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(subject.memory),
        "AWS_LAMBDA_FUNCTION_NAME": "measured",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/measured",
        "AWS_LAMBDA_LOG_STREAM_NAME": "measured",
        "AWS_REGION": "eu-west-1",
        "LAMBDA_RUNTIME_DIR": libraries,
        "LAMBDA_TASK_ROOT": root,
        "LANG": "en_US.UTF-8",
        "ORT_DISABLE_TELEMETRY": "1",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": os.pathsep.join((root, libraries)),
        "TZ": ":UTC",
        "_HANDLER": subject.handler,
    }


def _marks(file: Path, begun: float, milliseconds: float) -> tuple[Mark, ...]:
    """The probe's marks, on the clock that starts with the spawn; both processes read the same clock."""
    noted = json.loads(file.read_text())
    marks = [Mark(kind, name, first - begun, last - begun) for kind, name, first, last in noted]
    born = min(mark.begun for mark in marks)
    return (Mark("phase", "start", 0.0, milliseconds / 1000), Mark("phase", "interpreter", 0.0, born), *marks)
