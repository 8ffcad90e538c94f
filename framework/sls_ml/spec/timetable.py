"""Reads the times of a schedule, cron(…) and at(…) as AWS writes them, and says when they come."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

PATTERN = r"^(cron|at)\(.+\)$"
PATTERN_WITH_RATES = r"^(cron|at|rate)\(.+\)$"

_CALL = re.compile(r"(cron|at|rate)\(\s*(.*?)\s*\)")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_PART = re.compile(r"(\*|[A-Z\d]+)(?:-([A-Z\d]+))?(?:/(\d+))?")
_RATE = re.compile(r"([1-9]\d{0,8}) (minute|hour|day)s?")
_LEAP_YEARS_APART = 8
_EXAMPLE = "such as cron(0 7 ? * MON-FRI *) or at(2027-01-31T07:00:00)"


@dataclass(frozen=True)
class _Field:
    """One of the six fields of a cron expression: its bounds, its names, and the patterns beyond lists."""

    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()
    special: str = "(?!)"

    def values(self, text: str) -> frozenset[int]:
        """All values of a list of numbers, ranges and steps.

        Raises:
            ValueError: A part is none, or out of bounds.
        """
        return frozenset(value for part in text.split(",") for value in self._part(part))

    def _part(self, part: str) -> range:
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(self._wrong(part))
        first, last, step = match.groups()
        low = self.least if first == "*" else self._number(first, part)
        high = self._number(last, part) if last else self.most if first == "*" or step else low
        if low > high or step == "0":
            raise ValueError(self._wrong(part))
        return range(low, high + 1, int(step or 1))

    def _number(self, text: str, part: str) -> int:
        if text in self.names:
            return self.least + self.names.index(text)
        if not text.isdigit() or not self.least <= int(text) <= self.most:
            raise ValueError(self._wrong(part))
        return int(text)

    def _wrong(self, part: str) -> str:
        names = f" or {self.names[0]} to {self.names[-1]}" if self.names else ""
        return f"{self.name} from {self.least} to {self.most}{names} in place of {part!r}"


_MINUTES = _Field("minutes", 0, 59)
_HOURS = _Field("hours", 0, 23)
_DAYS = _Field("days of the month", 1, 31, special=r"\?|L|LW|([1-9]|[12]\d|3[01])W")
_OF_YEAR = _Field("months", 1, 12, _MONTHS)
_OF_WEEK = _Field("days of the week", 1, 7, _WEEKDAYS, special=r"\?|L|([1-7]|[A-Z]{3})(L|#[1-5])")
_YEARS = _Field("years", 1970, 2199)
_FIELDS = (_MINUTES, _HOURS, _DAYS, _OF_YEAR, _OF_WEEK, _YEARS)


def checked(text: str) -> str:
    """The expression, if it is one that comes at certain times.

    Raises:
        ValueError: It is none; says what is expected.
    """
    match = _CALL.fullmatch(text)
    if match is None:
        raise ValueError(f"a time {_EXAMPLE}")
    kind, inner = match.groups()
    if kind == "rate":
        raise ValueError(f"a time of the day, which a rate does not have, {_EXAMPLE}")
    if kind == "at":
        _moment(inner)
        return text
    fields = _split(inner)
    for field, value in zip(_FIELDS, fields, strict=True):
        if not re.fullmatch(field.special, value):
            field.values(value)
        elif field is _OF_WEEK and value not in "?L":
            field.values(value.rstrip("L").partition("#")[0])
    if (fields[2] == "?") == (fields[4] == "?"):
        raise ValueError("`?` for either the days of the month or the days of the week, and not for both")
    return text


def checked_with_rates(text: str) -> str:
    """The expression, if it is one that comes at certain times, or again and again after some time.

    Raises:
        ValueError: It is none; says what is expected.
    """
    match = _CALL.fullmatch(text)
    if match is None or match[1] != "rate":
        return checked(text)
    if not _RATE.fullmatch(match[2]):
        raise ValueError(f"a rate such as rate(6 hours), in minutes, hours or days, in place of {text!r}")
    return text


def times(text: str, zone: ZoneInfo, year: int) -> Iterator[datetime]:
    """When an expression comes in a year, if it comes in every year: none of ``at(…)`` or of certain years.

    Args:
        text: A checked expression.
        zone: Where its hours are counted.
        year: The year.
    """
    if text.startswith("cron") and _split(_inner(text))[-1] == "*":
        yield from _in_year(text, zone, year)


def following(text: str, zone: ZoneInfo, after: datetime) -> datetime | None:
    """When an expression comes next after a moment; None when it never comes again.

    Args:
        text: A checked expression, with rates.
        zone: Where its hours are counted.
        after: A moment with a time zone; that from which on a rate is counted, too.
    """
    kind, inner = text.partition("(")[0], _inner(text)
    if kind == "rate":
        number, unit = inner.split()
        return after + timedelta(**{unit.rstrip("s") + "s": int(number)})
    if kind == "at":
        moment = datetime.fromisoformat(inner).replace(tzinfo=zone)
        return moment if moment > after else None
    first = after.astimezone(zone).year
    of_years = _YEARS.values(_split(inner)[-1])
    years = (year for year in range(first, first + _LEAP_YEARS_APART + 1) if year in of_years)
    coming = (moment for year in years for moment in _in_year(text, zone, year))
    return next((moment for moment in coming if moment > after), None)


def _inner(text: str) -> str:
    return text.partition("(")[2].removesuffix(")").strip()


def _in_year(text: str, zone: ZoneInfo, year: int) -> Iterator[datetime]:
    minutes, hours, days, months, weekdays, _ = _split(_inner(text))
    clock = [(hour, minute) for hour in _HOURS.values(hours) for minute in _MINUTES.values(minutes)]
    of_year = _OF_YEAR.values(months)
    day = date(year, 1, 1)
    while day.year == year:
        if day.month in of_year and (_on_day(day, days) if weekdays == "?" else _on_weekday(day, weekdays)):
            for hour, minute in clock:
                yield datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
        day += timedelta(days=1)


def _moment(text: str) -> None:
    """Refuse what is no date and time of the form that AWS takes."""
    try:
        datetime.strptime(text, "%Y-%m-%dT%H:%M:%S")
    except ValueError:
        raise ValueError("a moment such as at(2027-01-31T07:00:00)") from None


def _split(inner: str) -> list[str]:
    fields = inner.split()
    if len(fields) != len(_FIELDS):
        names = ", ".join(field.name for field in _FIELDS)
        raise ValueError(f"the six fields {names}, {_EXAMPLE}")
    return fields


def _on_day(day: date, text: str) -> bool:
    """Whether a date is one of the days of the month that a field names."""
    last = calendar.monthrange(day.year, day.month)[1]
    if not re.fullmatch(_DAYS.special, text):
        return day.day in _DAYS.values(text)
    if text == "L":
        return day.day == last
    wanted = last if text == "LW" else int(text.removesuffix("W"))
    if wanted > last:
        return False
    weekday = calendar.weekday(day.year, day.month, wanted)
    if weekday == calendar.SATURDAY:
        wanted += -1 if wanted > 1 else 2
    elif weekday == calendar.SUNDAY:
        wanted += 1 if wanted < last else -2
    return day.day == wanted


def _on_weekday(day: date, text: str) -> bool:
    """Whether a date is one of the days of the week that a field names; Sunday is 1."""
    number = day.isoweekday() % 7 + 1
    if not re.fullmatch(_OF_WEEK.special, text):
        return number in _OF_WEEK.values(text)
    if text == "L":
        return number == _OF_WEEK.most
    name, _, nth = text.removesuffix("L").partition("#")
    if number not in _OF_WEEK.values(name):
        return False
    if nth:
        return (day.day - 1) // 7 + 1 == int(nth)
    return day.day + 7 > calendar.monthrange(day.year, day.month)[1]
