"""Reads rates in words: 1M/month, 50k/day, 10/s."""

from __future__ import annotations

import re

MONTH = 730 * 3600
"""Seconds of a month, as AWS counts it: 730 hours."""

PATTERN = r"^\d+(\.\d+)?[kKM]?(/(s|min|h|day|month))?$"

_RATE = re.compile(r"(\d+(?:\.\d+)?)([kKM]?)(?:/(s|min|h|day|month))?")
_FACTORS = {"": 1, "k": 1e3, "K": 1e3, "M": 1e6}
_PERIODS = {"s": 1, "min": 60, "h": 3600, "day": 24 * 3600, "month": MONTH, None: MONTH}


def per_month(text: str) -> float:
    """How many in a month; a rate without a period is one of a month.

    Raises:
        ValueError: The text is no rate.
    """
    match = _RATE.fullmatch(text.strip())
    if match is None:
        raise ValueError("a rate such as 1M/month, 50k/day or 10/s")
    return float(match[1]) * _FACTORS[match[2]] * MONTH / _PERIODS[match[3]]
