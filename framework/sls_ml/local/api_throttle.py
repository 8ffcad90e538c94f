"""The throttle of a route: a bucket of tokens that fills up again at a rate."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Throttle:
    """Lets `burst` requests through at once, and `rate` a second after that.

    Args:
        rate: Requests per second.
        burst: Requests at once.
        clock: Gives seconds.
    """

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self.burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._at = clock()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Whether one more request may pass."""
        with self._lock:
            now = self._clock()
            self._tokens = min(float(self.burst), self._tokens + (now - self._at) * self.rate)
            self._at = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True
