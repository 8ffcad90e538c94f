"""Refuse models that do not fit into a function's memory, where Lambda would kill it without a word.

Imported only for models that may be too large.
"""

from __future__ import annotations

import resource

from sls_ml_runtime.errors import EngineError, MemoryTooSmall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

MB = 1 << 20


def within(megabytes: int, function: str, start: Callable[[], T]) -> T:
    """What `start` gives; until it has ended, the process cannot take more memory than the function has.

    An allocation beyond that fails, which Python and ONNX Runtime tell. The kernel counts what a process may
    write to (RLIMIT_DATA), and not files that it reads through mapped memory, as `lite` does. What is only
    reserved, such as stacks of threads, takes nothing of the function's memory.

    Args:
        megabytes: The function's memory.
        function: Its name in the spec.
        start: Loads the models, and makes a first prediction.

    Raises:
        MemoryTooSmall: There was not enough of it; the message says what to raise.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (megabytes * MB + _unused(), hard))
    try:
        return start()
    except (MemoryError, EngineError) as error:
        if isinstance(error, EngineError) and "bad_alloc" not in str(error):
            raise
        raise MemoryTooSmall(
            f"the models take more than the {megabytes} MB of the function: raise functions.{function}.memory"
            f" in sls-ml.yaml; sls-ml bench memory {function} tells how much they need"
        ) from error
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _unused() -> int:
    """Bytes that the process may write to and has not written to."""
    try:
        with open("/proc/self/status", encoding="ascii") as file:  # noqa: PTH123 - pathlib is slow to import
            facts = dict(line.split(":", 1) for line in file)
        return max(0, int(facts["VmData"].split()[0]) - int(facts["RssAnon"].split()[0])) << 10
    except (OSError, KeyError):  # macOS, where a function runs for trying out alone
        return 0
