"""Calls a generated handler in its own process; started by warm.py and warm_forms.py in an unpacked package.

Reads what to do as JSON from stdin, sends the handler's log to nowhere, and writes its findings to stderr.
"""

from __future__ import annotations

import binascii
import csv
import io
import json
import os
import sys
from array import array
from collections.abc import Callable
from statistics import median
from time import perf_counter_ns, process_time_ns
from typing import Any

sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
os.environ["_X_AMZN_TRACE_ID"] = "Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=0"
sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - as long as the process lives

import handler  # type: ignore[import-not-found]  # noqa: E402

BLOCKS = 20


class Context:
    """Lambda's context."""

    function_name = "measured"
    function_version = "1"
    memory_limit_in_mb = 1769
    invoked_function_arn = "arn:aws:lambda:eu-west-1:000000000000:function:measured:live"
    aws_request_id = "00000000-0000-0000-0000-000000000000"


def main() -> None:
    """Measure one row, many rows and memory, or many rows in each of the forms that are asked for."""
    asked = json.load(sys.stdin)
    if "forms" in asked:
        sys.stderr.write(json.dumps({"forms": forms(asked["forms"], asked["rows"], asked["calls"])}))
        return
    one = times(asked["one"], asked["calls"], perf_counter_ns)
    # The processor's own clock costs too much for one row, and is what a busy machine disturbs least.
    many = times(asked["many"], max(BLOCKS * 5, asked["calls"] // 100), process_time_ns)
    found = {
        "one_us": one[0] / 1e3,
        "one_engine_us": one[1] / 1e3,
        "many_ms": many[0] / 1e6,
        "many_engine_ms": many[1] / 1e6,
        "many_json_ms": many[2] / 1e6,
        "memory_calls": asked["memory_calls"],
        "resident_kb": resident(asked["one"], asked["memory_calls"]),
    }
    sys.stderr.write(json.dumps(found))


def engine_alone(rows: list[dict[str, Any]]) -> Callable[[], Any]:
    """A call of the engine with rows that are ready for it: of our function, or of benchmarks/usual."""
    if not hasattr(handler, "SERVICE"):
        feeds = handler.feeds(rows)
        return lambda: handler.session.run(None, feeds)
    (model,) = handler.SERVICE.models.values()
    columns = model.columns(rows)
    return lambda: model.engine.run(columns)


def times(event: dict[str, Any], calls: int, clock: Callable[[], int]) -> tuple[float, float, float]:
    """Nanoseconds of the handler, of the engine alone and of parsing the body, taken in turn.

    Of many blocks of calls the one counts that the machine disturbed least; in it, the medians.
    """
    engine = engine_alone(json.loads(event["body"])["rows"])
    return _quietest(event, engine, PARSERS["json"], calls, clock)


def forms(
    asked: dict[str, dict[str, Any]], rows: list[dict[str, Any]], calls: int
) -> dict[str, tuple[float, float, float, int]]:
    """As `times` for each form, by the processor's clock, and the bytes of its body."""
    engine = engine_alone(rows)
    found = {}
    for form, how in asked.items():
        parse = PARSERS[how["parsed"]]
        found[form] = (
            *_quietest(how["event"], engine, parse, calls, process_time_ns),
            len(how["event"]["body"]),
        )
    return found


def _csv(body: str) -> Any:
    lines = csv.reader(io.StringIO(body))
    return next(lines), [list(map(float, line)) for line in lines]


def _bytes(body: str) -> Any:
    data = binascii.a2b_base64(body)
    return array("d", data[len(data) % 8 :])


PARSERS: dict[str, Callable[[str], Any]] = {
    "json": json.loads,
    "lines": lambda body: list(map(json.loads, body.splitlines())),
    "csv": _csv,
    "bytes": _bytes,
}
"""What parsing a body takes the standard library alone."""


def _quietest(
    event: dict[str, Any],
    engine: Callable[[], Any],
    parse: Callable[[str], Any],
    calls: int,
    clock: Callable[[], int],
) -> tuple[float, float, float]:
    answer = handler.handler(event, Context())
    assert answer["statusCode"] == 200, answer
    return min(_block(event, engine, parse, calls // BLOCKS, clock) for _ in range(BLOCKS))


def _block(
    event: dict[str, Any],
    engine: Callable[[], Any],
    parse: Callable[[str], Any],
    calls: int,
    clock: Callable[[], int],
) -> tuple[float, float, float]:
    body, context = event["body"], Context()
    whole, alone, parsing = [], [], []
    for _ in range(calls):
        begun = clock()
        handler.handler(event, context)
        answered = clock()
        engine()
        ran = clock()
        parse(body)
        parsed = clock()
        whole.append(answered - begun)
        alone.append(ran - answered)
        parsing.append(parsed - ran)
    return median(whole), median(alone), median(parsing)


def resident(event: dict[str, Any], calls: int) -> list[int]:
    """Resident KB, sampled a hundred times over many calls of the engine."""
    engine = engine_alone(json.loads(event["body"])["rows"])
    page = os.sysconf("SC_PAGE_SIZE") // 1024
    samples = []
    for _ in range(100 if calls else 0):
        for _ in range(calls // 100):
            engine()
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
            samples.append(int(file.read().split()[1]) * page)
    return samples


if __name__ == "__main__":
    main()
