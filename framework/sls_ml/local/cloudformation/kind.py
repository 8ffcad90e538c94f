"""What one resource type is to the stack engine: create, update and delete through the AWS API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar

Properties = Mapping[str, Any]


class ResourceError(Exception):
    """A resource could not be created, updated or deleted; the message goes to the stack's events."""


@dataclass(frozen=True)
class Made:
    """A resource that exists: its physical id and what ``Fn::GetAtt`` answers."""

    physical: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Site:
    """Where resources are made: the embedded cloud's API with its administrator's keys."""

    url: str
    region: str
    account: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)

    def client(self, service: str) -> Any:
        """A boto3 client of one service of this cloud."""
        return _client(self, service)


@cache
def _client(site: Site, service: str) -> Any:
    import boto3
    from botocore.config import Config

    connect: Any = boto3.session.Session().client  # typed for each service by name
    return connect(
        service,
        endpoint_url=site.url,
        region_name=site.region,
        aws_access_key_id=site.access_key,
        aws_secret_access_key=site.secret_key,
        config=Config(retries={"mode": "standard", "total_max_attempts": 1}, read_timeout=960),
    )


class Kind:
    """One resource type.

    Attributes:
        carried: Properties that are carried out.
        passed_over: Properties that are accepted and have no effect here; a deploy lists them.
        replaces: Properties whose change makes a new resource.
    """

    carried: ClassVar[frozenset[str]] = frozenset()
    passed_over: ClassVar[frozenset[str]] = frozenset()
    replaces: ClassVar[frozenset[str]] = frozenset()

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Make the resource; `name` is the one CloudFormation would give it."""
        raise NotImplementedError

    def update(self, site: Site, made: Made, old: Properties, new: Properties) -> Made:
        """Change the resource in place."""
        raise NotImplementedError

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Remove the resource; one that is gone already is no error."""
        raise NotImplementedError

    def live(self, site: Site, made: Made, properties: Properties) -> dict[str, Any] | None:
        """The properties that drift detection compares, as they are now, and no others.

        None where the resource is gone. A type that is not compared raises NotImplementedError.
        """
        raise NotImplementedError


class PutWhole(Kind):
    """A resource type that is created and changed by the same call, which puts it whole."""

    def update(self, site: Site, made: Made, old: Properties, new: Properties) -> Made:  # noqa: ARG002
        """Put it again, under the name that it has."""
        return self.create(site, made.physical, new)


def tag_map(properties: Properties) -> dict[str, str]:
    """CloudFormation's list of tags as a map."""
    return {tag["Key"]: str(tag["Value"]) for tag in properties.get("Tags") or []}


def tag_list(properties: Properties) -> list[dict[str, str]]:
    """The tags as most services take them."""
    return [{"Key": key, "Value": value} for key, value in tag_map(properties).items()]


def document(value: Any) -> str:
    """A policy, a pattern or the like as JSON, given as such or as a value."""
    return value if isinstance(value, str) else json.dumps(value)


def picked(properties: Properties, *names: str) -> dict[str, Any]:
    """The named properties that are given."""
    return {name: properties[name] for name in names if name in properties}


def numbers(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The values with the named ones as whole numbers: parameters arrive as text."""
    return {name: int(value) if name in names else value for name, value in values.items()}
