"""How many requests wait for a start, by the shape of the traffic."""

from __future__ import annotations

import math

from sls_ml.spec.rate import MONTH

IDLE_SECONDS = 300.0
"""An environment without requests is assumed to live so long; Lambda states no time."""

RECYCLE_SECONDS = 2 * 3600.0
"""A busy environment is assumed to be replaced so often."""


def environments(requests: float, milliseconds: float, burst: int) -> float:
    """Environments that are busy at the same moment: those of one burst, or more where bursts overlap.

    Args:
        requests: Requests in a month.
        milliseconds: Duration of one.
        burst: How many come at the same moment.
    """
    return burst * max(1.0, requests / burst / MONTH * milliseconds / 1000)


def cold_share(
    requests: float, milliseconds: float, *, burst: int = 1, keep_alive: float = IDLE_SECONDS
) -> float:
    """The share of requests that wait for a start, when bursts of them come at random times.

    An environment that idles goes away, and a busy one is replaced now and then. After a pause each request
    of a burst starts an environment of its own.

    Args:
        requests: Requests in a month.
        milliseconds: Duration of one.
        burst: How many come at the same moment.
        keep_alive: Seconds that an environment without requests lives.
    """
    if not requests:
        return 0.0
    busy = environments(requests, milliseconds, burst)
    idle = math.exp(-requests / MONTH * keep_alive / busy)
    replaced = busy * MONTH / RECYCLE_SECONDS / requests
    return min(1.0, idle + replaced * (1 - idle))
