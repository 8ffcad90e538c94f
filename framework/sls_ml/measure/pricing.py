"""Price tables: what a provider asks for a unit in a region, on a day; or what the user's own file says."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any

from sls_ml.errors import UnsupportedError, UsageError
from sls_ml.spec.model import ProviderName

STALE_DAYS = 365


@dataclass(frozen=True)
class Prices:
    """The prices of a provider in one region.

    Attributes:
        provider: The provider.
        currency: ``USD``.
        kind: What kind of prices these are.
        region: The region.
        source: Where they were read.
        read: The day on which they were read.
        values: Price by name; units are in the provider's file.
        borrowed: Names of prices that are another region's, since this one's are not known here.
        lender: That other region.
        own: Names of prices from the user's own file.
        free: By name, how much of it an account has free each month.
    """

    provider: ProviderName
    currency: str
    kind: str
    region: str
    source: str
    read: date
    values: Mapping[str, float]
    borrowed: tuple[str, ...]
    lender: str
    free: Mapping[str, float]
    own: tuple[str, ...] = field(default=())

    def warnings(self, used: frozenset[str], today: date) -> Iterator[str]:
        """What makes these prices less than exact.

        Args:
            used: Names of the prices that a bill is made of.
            today: The day on which it is made.
        """
        if (today - self.read).days > STALE_DAYS:
            yield f"the prices were read on {self.read}, more than a year ago: look at the provider's pages"
        if borrowed := sorted(used & set(self.borrowed)):
            names = ", ".join(borrowed)
            yield f"not known in {self.region}, and taken from {self.lender}: {names}; see --prices"


def prices(provider: ProviderName, region: str, own: Path | None = None) -> Prices:
    """The prices of a provider in a region.

    Args:
        provider: The provider.
        region: The region.
        own: The user's file of prices, which come first: TOML with ``read`` (a date) and a table ``prices``.

    Raises:
        UnsupportedError: There are none.
        UsageError: The user's file cannot be read, or names a price that there is not.
    """
    file = resources.files("sls_ml.measure.prices").joinpath(f"{provider}.json")
    if not file.is_file():
        raise UnsupportedError(
            f"there is no price table of {provider}", code="no-prices", mend="estimate for provider: aws"
        )
    table = json.loads(file.read_text(encoding="utf-8"))
    given = {} if own is None else _own(own, frozenset(table["prices"]))
    if region not in table["regions"] and own is None:
        raise UnsupportedError(
            f"the prices of {region} are not known here",
            code="no-prices",
            why=f"known: {', '.join(table['regions'])}",
            mend="give your own with --prices, or estimate for another region with --region",
        )
    base = table["base"]
    here = table["regions"].get(region, table["regions"][base] | {"prices": {}})
    lent = table["regions"][base]["prices"]
    known = here["prices"].keys() | given.get("prices", {}).keys() | set(table["everywhere"])
    found = Prices(
        provider=provider,
        currency=table["currency"],
        kind=table["kind"],
        region=region,
        source=here["source"],
        read=date.fromisoformat(here["read"]),
        values=lent | here["prices"],
        borrowed=() if region == base else tuple(name for name in lent if name not in known),
        lender=base,
        free={name: each["quantity"] for name, each in table["free"].items()},
    )
    if own is None:
        return found
    return replace(
        found,
        values=found.values | given["prices"],
        own=tuple(given["prices"]),
        source=f"{own}; {found.source}",
        read=given.get("read", found.read),
    )


def _own(file: Path, names: frozenset[str]) -> dict[str, Any]:
    """The user's file, checked."""
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{file} cannot be read as prices",
            code="bad-prices",
            why=str(error),
            mend="write TOML: read = 2026-11-24, and a table [prices] with name = price of a unit",
        ) from error
    asked = given.get("prices")
    if not isinstance(asked, dict) or not asked:
        raise UsageError(
            f"{file} has no table [prices]", code="bad-prices", mend="write one, with name = price of a unit"
        )
    if unknown := sorted(asked.keys() - names):
        raise UsageError(
            f"{file} names prices that there are not: {', '.join(unknown)}",
            code="bad-prices",
            mend=f"there are: {', '.join(sorted(names))}",
        )
    wrong = [
        name
        for name, value in asked.items()
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0
    ]
    if wrong:
        raise UsageError(
            f"{file}: a price is a number of 0 or more: {', '.join(wrong)}",
            code="bad-prices",
            mend="give the price of one unit, such as 0.0000166667",
        )
    if "read" in given and not isinstance(given["read"], date):
        raise UsageError(
            f"{file}: read is a date", code="bad-prices", mend="write it without quotes: read = 2026-11-24"
        )
    return given
