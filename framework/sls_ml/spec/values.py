"""The kinds of value that keys of sls-ml.yaml may have: names, quantities, times, addresses on a provider."""

from __future__ import annotations

import re
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from sls_ml.spec import rate, timetable

_NAME = re.compile(r"[a-z](?:[a-z0-9]|-(?=[a-z0-9]))*")


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("lower-case letters, digits and single hyphens, starting with a letter")
    return value


def _quantity(units: dict[str, float], example: str) -> BeforeValidator:
    """Accept a bare number or a text such as ``10s``, and give the number in the base unit."""
    pattern = re.compile(rf"(\d+(?:\.\d+)?)\s*({'|'.join(units)})")

    def parse(value: object) -> object:
        if not isinstance(value, str):
            return value
        match = pattern.fullmatch(value)
        if match is None:
            raise ValueError(f"a quantity such as {example}")
        number = float(match[1]) * units[match[2]]
        return int(number) if number.is_integer() else number

    return BeforeValidator(parse)


def _schema(kind: str, pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"type": kind}, {"type": "string", "pattern": pattern}]})


def _matching(pattern: str, example: str) -> AfterValidator:
    """Accept texts that match a pattern as a whole."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(f"such as {example}")
        return value

    return AfterValidator(check)


Name = Annotated[str, Field(min_length=1, max_length=32), AfterValidator(_name)]
ProjectName = Annotated[str, Field(min_length=3, max_length=32), AfterValidator(_name)]
Seconds = Annotated[
    int, _quantity({"s": 1, "m": 60}, "10s or 5m"), Field(ge=1), _schema("integer", r"^\d+\s*(s|m)$")
]
Silence = Annotated[
    int,
    _quantity({"m": 60, "h": 3600, "d": 86400}, "90m, 14h or 1d"),
    Field(ge=600, le=86400),
    _schema("integer", r"^\d+\s*(m|h|d)$"),
]
Milliseconds = Annotated[
    int, _quantity({"ms": 1, "s": 1000}, "200ms or 2s"), Field(ge=1), _schema("integer", r"^\d+\s*(ms|s)$")
]
Bytes = Annotated[
    int,
    _quantity({"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}, "512KB or 4MB"),
    Field(ge=1),
    _schema("integer", r"^\d+\s*(B|KB|MB|GB)$"),
]
Share = Annotated[
    float,
    _quantity({"%": 0.01}, "5% or 0.05"),
    Field(ge=0, le=1),
    _schema("number", r"^\d+(\.\d+)?\s*%$"),
]
Rate = Annotated[
    float,
    BeforeValidator(lambda value: rate.per_month(value) if isinstance(value, str) else value),
    Field(ge=0),
    _schema("number", rate.PATTERN),
]
"""So many in a month."""


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, OSError, ValueError) as error:
        raise ValueError("a time zone such as Europe/Zurich") from error
    return value


Moment = Annotated[
    str, AfterValidator(timetable.checked), WithJsonSchema({"type": "string", "pattern": timetable.PATTERN})
]
"""A time of the day, of days or once."""

Recurrence = Annotated[
    str,
    AfterValidator(timetable.checked_with_rates),
    WithJsonSchema({"type": "string", "pattern": timetable.PATTERN_WITH_RATES}),
]
"""A time, or a rate."""

TimeZone = Annotated[str, AfterValidator(_zone)]
DomainName = Annotated[
    str,
    _matching(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", "risk.example.org"),
]
Certificate = Annotated[
    str,
    _matching(
        r"arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/[A-Za-z0-9-]+",
        "arn:aws:acm:eu-west-1:123456789012:certificate/1234abcd-12ab-34cd-56ef-1234567890ab",
    ),
]
HostedZone = Annotated[str, _matching(r"Z[A-Z0-9]{1,31}", "Z0123456789ABCDEFGHIJ")]
SecretField = Annotated[
    str, _matching(r"[A-Za-z0-9/_+=.@-]{1,512}(#.+)?", "credit/database, or credit/database#password")
]
"""A secret's name, and perhaps the field of it that is wanted."""
Requirement = Annotated[
    str,
    _matching(
        r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._, -]+\])?\s*([<>=!~][<>=!~A-Za-z0-9.*+, -]*)?(;.+)?",
        "phonenumbers, or numpy>=2,<3: the name of a package, with versions",
    ),
]
Subnet = Annotated[str, _matching(r"subnet-[0-9a-f]{8,17}", "subnet-0a1b2c3d4e5f67890")]
SecurityGroup = Annotated[str, _matching(r"sg-[0-9a-f]{8,17}", "sg-0a1b2c3d4e5f67890")]
Key = Annotated[
    str,
    _matching(
        r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+",
        "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    ),
]
Policy = Annotated[
    str,
    _matching(
        r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[\w+=,.@/-]+", "arn:aws:iam::123456789012:policy/boundary"
    ),
]
