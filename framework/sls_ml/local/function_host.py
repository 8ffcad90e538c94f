"""Runs functions: cold and warm environments, concurrency, limits, errors, as Lambda does."""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sls_ml.errors import ExternalError
from sls_ml.local import managed_runtime, telemetry
from sls_ml.local.account import Account
from sls_ml.local.environment import (
    INIT_SECONDS,
    Ending,
    ExecutionEnvironment,
    OutOfMemory,
    TimedOut,
    environment_variables,
)
from sls_ml.local.functions import Configuration, Function, LambdaError
from sls_ml.local.processes import started
from sls_ml.local.runtime_api import Answered, Exited, Failed, Invocation

REQUEST_BYTES = 6_291_456
RESPONSE_BYTES = 6_291_556
ACCOUNT_CONCURRENCY = 32
"""Environments at one time for all functions without a reservation: AWS gives a thousand, a laptop less."""

SNAPSHOT_SECONDS = 130.0
"""Seconds that initialising with SnapStart may take, or the function's own timeout if that is longer:
https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html, read on 2026-11-24."""

IDLE_SECONDS = 600.0
MEMORY_CHECK_SECONDS = 0.05

_log = logging.getLogger(__name__)


class ThrottledError(LambdaError):
    """No environment may be started, and none is free."""

    def __init__(self) -> None:
        super().__init__("TooManyRequestsException", "Rate Exceeded.")


@dataclass(frozen=True)
class Outcome:
    """What a call gave.

    Attributes:
        payload: The answer, or the error as JSON.
        failed: Whether it is an error.
        version: The version that ran.
        log_tail: The end of its log.
        duration_ms: How long the handler ran, without the start, as the report tells.
    """

    payload: bytes
    failed: bool
    version: str
    log_tail: bytes
    duration_ms: float


class FunctionHost:
    """All execution environments of the embedded cloud.

    Args:
        account: Whose functions they are.
        folder: Where environments keep temporary files.
        children: File that lists the started processes, for cleaning up after a crash.
    """

    def __init__(self, *, account: Account, folder: Path, children: Path) -> None:
        self._account = account
        self._folder = folder
        self._children = children
        self._lock = threading.Lock()
        self._idle: dict[tuple[str, str], list[ExecutionEnvironment]] = {}
        self._snapshots: dict[tuple[str, str], ExecutionEnvironment] = {}
        self._busy: Counter[str] = Counter()
        self._working: set[ExecutionEnvironment] = set()
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def invoke(
        self,
        function: Function,
        configuration: Configuration,
        payload: bytes,
        *,
        qualifier: str | None = None,
        client_context: str | None = None,
        request_id: str | None = None,
    ) -> Outcome:
        """Run a version once, in a warm environment where one is free.

        Raises:
            LambdaError: The payload is too large, is no JSON, or the function is throttled.
        """
        if len(payload) > REQUEST_BYTES:
            raise LambdaError(
                "RequestTooLargeException",
                f"Request must be smaller than {REQUEST_BYTES} bytes for the InvokeFunction operation",
            )
        arn = configuration.function_arn + (f":{qualifier}" if qualifier else "")
        invocation = Invocation(
            id=request_id or str(uuid.uuid4()),
            payload=payload,
            deadline_ms=int((time.time() + configuration.timeout) * 1000),
            function_arn=arn,
            trace=f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)};Parent={secrets.token_hex(8)};Sampled=0",
            client_context=client_context,
        )
        environment = self._take(function, configuration, qualifier)
        try:
            outcome = self._run(configuration, environment, invocation)
            figures = {
                "Invocations": 1.0,
                "Errors": float(outcome.failed),
                "Duration": outcome.duration_ms,
                "Throttles": 0.0,
            }
            self._count(function, qualifier, figures)
            return outcome
        finally:
            with self._lock:
                self._busy[configuration.name] -= 1

    def snapshot(self, configuration: Configuration) -> None:
        """Initialise a version with SnapStart as it is published, and keep it for its first cold start.

        Raises:
            LambdaError: It does not initialise, or its hooks before the snapshot fail.
        """
        environment, ending = self._begin(configuration, max(SNAPSHOT_SECONDS, configuration.timeout))
        if ending is not None:
            payload, kind = _told(ending, "-", int(SNAPSHOT_SECONDS))
            environment.journal.init_report(environment.init_ms or 0.0, "error")
            environment.kill()
            raise LambdaError("InvalidParameterValueException", f"{kind}: {payload.decode(errors='replace')}")
        environment.idle_since = time.monotonic()
        with self._lock:
            self._snapshots[configuration.arn, configuration.revision] = environment

    def _count(self, function: Function, qualifier: str | None, values: Mapping[str, float]) -> None:
        name = function.latest.name
        telemetry.count(name, qualifier, values, account=self._account.number, region=self._account.region)

    def _take(
        self, function: Function, configuration: Configuration, qualifier: str | None
    ) -> ExecutionEnvironment | None:
        """Count a call in, and take a warm environment if there is one."""
        with self._lock:
            name = configuration.name
            if function.reserved is None:
                full = self._busy.total() >= ACCOUNT_CONCURRENCY
            else:
                full = self._busy[name] >= function.reserved
            if not full:
                self._busy[name] += 1
                warm = self._idle.get((configuration.arn, configuration.revision))
                return warm.pop() if warm else None
        self._count(function, qualifier, {"Throttles": 1.0})
        raise ThrottledError

    def _run(
        self, configuration: Configuration, environment: ExecutionEnvironment | None, invocation: Invocation
    ) -> Outcome:
        cold = environment is None
        seconds = float(configuration.timeout)
        if environment is None:
            environment, ending = self._start(configuration)
            if isinstance(ending, TimedOut):
                # Lambda starts once more within the invocation, on the function's own time.
                environment.journal.init_report(environment.init_ms or 0.0, "timeout")
                environment.kill()
                begun = time.perf_counter()
                environment, ending = self._start(configuration, seconds)
                seconds -= time.perf_counter() - begun
        else:
            ending = None
        with self._lock:
            self._working.add(environment)
        try:
            environment.journal.start(invocation.id)
            begun = time.perf_counter()
            if ending is None:
                ending = environment.invoke(invocation, seconds)
            duration_ms = (time.perf_counter() - begun) * 1000
        finally:
            with self._lock:
                self._working.discard(environment)
        payload, error = _told(ending, invocation.id, configuration.timeout)
        if isinstance(ending, TimedOut):
            duration_ms = configuration.timeout * 1000.0
            environment.journal.write(
                [f"{invocation.id} Task timed out after {configuration.timeout:.2f} seconds"]
            )
        status = "timeout" if isinstance(ending, TimedOut) else "success" if _survives(ending) else "error"
        environment.journal.report(
            invocation.id,
            duration_ms=duration_ms,
            peak_mb=environment.peak_mb,
            init_ms=environment.init_ms if cold else None,
            restore_ms=environment.restore_ms if cold else None,
            status=status,
            error=None if _survives(ending) or isinstance(ending, TimedOut) else error,
        )
        outcome = Outcome(
            payload=payload,
            failed=error is not None,
            version=configuration.version,
            log_tail=environment.journal.take_tail(),
            duration_ms=duration_ms,
        )
        self._give_back(environment, survives=_survives(ending))
        return outcome

    def _start(
        self, configuration: Configuration, seconds: float = INIT_SECONDS
    ) -> tuple[ExecutionEnvironment, Ending | None]:
        """A cold start; with SnapStart from the snapshot, or for a further environment from one like it."""
        if not configuration.snapped:
            return self._begin(configuration, seconds)
        with self._lock:
            kept = self._snapshots.pop((configuration.arn, configuration.revision), None)
        environment, ending = (
            (kept, None) if kept else self._begin(configuration, max(SNAPSHOT_SECONDS, seconds))
        )
        if ending is None and (ending := environment.restore()) is not None:
            environment.kill()
            if isinstance(ending, TimedOut):
                raise LambdaError(
                    "SnapStartTimeoutException",
                    "Lambda couldn't restore the snapshot within the timeout limit.",
                )
            raise LambdaError(
                "SnapStartException", "The afterRestore() runtime hook encountered an error; see the log."
            )
        return environment, ending

    def _begin(
        self, configuration: Configuration, seconds: float
    ) -> tuple[ExecutionEnvironment, Ending | None]:
        try:
            runtime = managed_runtime.find(configuration.runtime)
        except ExternalError as error:
            _log.error("%s", error)
            raise LambdaError("ServiceException", str(error)) from error
        journal = telemetry.Journal(configuration, account=self._account.number, region=self._account.region)
        journal.init_start(runtime.python)
        variables = environment_variables(
            configuration,
            runtime,
            journal,
            self._account.credentials(configuration.role, configuration.name),
            region=self._account.region,
            endpoint=self._account.url,
        )
        environment = ExecutionEnvironment(configuration, runtime, variables, journal, self._folder)
        with self._lock, self._children.open("a") as children:
            children.write(f"{environment.pid} {started(environment.pid)}\n")
        return environment, environment.initialise(seconds)

    def _give_back(self, environment: ExecutionEnvironment, *, survives: bool) -> None:
        if survives and not self._stopping.is_set():
            environment.idle_since = time.monotonic()
            key = (environment.configuration.arn, environment.configuration.revision)
            with self._lock:
                self._idle.setdefault(key, []).append(environment)
        else:
            environment.kill()

    def forget(self, *gone: Configuration) -> None:
        """Kill the warm environments of versions that are deleted."""
        keys = {(configuration.arn, configuration.revision) for configuration in gone}
        self._drop(lambda _environment, key: key in keys)

    def _drop(self, condition: Callable[[ExecutionEnvironment, tuple[str, str]], bool]) -> None:
        dropped = []
        with self._lock:
            for key, environments in list(self._idle.items()):
                dropped += [e for e in environments if condition(e, key)]
                self._idle[key] = [e for e in environments if not condition(e, key)]
                if not self._idle[key]:
                    del self._idle[key]
            for key, environment in list(self._snapshots.items()):
                if condition(environment, key):
                    dropped.append(self._snapshots.pop(key))
        for environment in dropped:
            environment.kill()

    def _watch(self) -> None:
        while not self._stopping.wait(MEMORY_CHECK_SECONDS):
            with self._lock:
                working = tuple(self._working)
            for environment in working:
                environment.check_memory()
            self._drop(lambda environment, _key: time.monotonic() - environment.idle_since > IDLE_SECONDS)

    def close(self) -> None:
        """Kill every environment."""
        self._stopping.set()
        self._watcher.join()
        self._drop(lambda _environment, _key: True)
        with self._lock:
            working = tuple(self._working)
        for environment in working:
            environment.kill()


def _survives(ending: Ending) -> bool:
    return isinstance(ending, Answered)


def _told(ending: Ending, request: str, timeout: int) -> tuple[bytes, str | None]:
    """The payload of an ending, and its error type if it is an error."""
    match ending:
        case Answered(failed=False, body=body) if len(body) > RESPONSE_BYTES:
            text = f"Response payload size exceeded maximum allowed payload size ({RESPONSE_BYTES} bytes)."
            return _error("Function.ResponseSizeTooLarge", text)
        case Answered(failed=failed, body=body):
            return body, "Unhandled" if failed else None
        case Failed(body=body, type=kind):
            return body, kind
        case TimedOut():
            text = f"RequestId: {request} Error: Task timed out after {timeout:.2f} seconds"
            return _error("Sandbox.Timedout", text)
        case OutOfMemory():
            return _error(
                "Runtime.OutOfMemory",
                f"RequestId: {request} Error: Runtime exited with error: signal: killed",
            )
        case Exited(code=code):
            how = "without providing a reason"
            if code:
                how = f"with error: exit status {code}" if code > 0 else f"with error: signal: {-code}"
            return _error("Runtime.ExitError", f"RequestId: {request} Error: Runtime exited {how}")


def _error(kind: str, text: str) -> tuple[bytes, str]:
    return json.dumps({"errorType": kind, "errorMessage": text}).encode(), kind
