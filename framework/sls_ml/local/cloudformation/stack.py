"""A stack, its resources, its history and its previews, as values."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from sls_ml.local.cloudformation.kind import Made, Properties
from sls_ml.local.cloudformation.template import Template

_STACK = "AWS::CloudFormation::Stack"


@dataclass(frozen=True)
class Event:
    """One line of a stack's history."""

    at: datetime
    logical: str
    physical: str
    type: str
    status: str
    reason: str | None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True)
class Resource:
    """A resource of a stack as it was made."""

    logical: str
    type: str
    made: Made
    properties: Properties
    deletion: str
    replacement: str
    at: datetime

    @property
    def kept(self) -> bool:
        """Whether it outlives the stack."""
        return self.deletion in ("Retain", "RetainExceptOnCreate")


@dataclass(frozen=True)
class PropertyChange:
    """A property that changes; values as JSON, None where it is not given or not known before."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Change:
    """One line of a change set. `replacement` is None for additions and removals."""

    action: Literal["Add", "Modify", "Remove"]
    logical: str
    physical: str | None
    type: str
    replacement: Literal["True", "False", "Conditional"] | None
    properties: tuple[PropertyChange, ...] = ()
    policy: Literal["Delete", "Retain", "ReplaceAndDelete", "ReplaceAndRetain"] | None = None


@dataclass(frozen=True)
class ChangeSet:
    """A preview, and all that is needed to carry it out."""

    id: str
    name: str
    template: Template
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    changes: tuple[Change, ...]
    created: datetime
    description: str
    empty: bool
    executed: bool = False


@dataclass
class Stack:
    """One stack and its history."""

    id: str
    name: str
    status: str
    created: datetime
    template: Template | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    updated: datetime | None = None
    deleted: datetime | None = None
    reason: str | None = None
    resources: dict[str, Resource] = field(default_factory=dict)
    outputs: tuple[tuple[str, str, str], ...] = ()
    events: list[Event] = field(default_factory=list)
    change_sets: dict[str, ChangeSet] = field(default_factory=dict)

    def dependents_first(self) -> list[Resource]:
        """Its resources, each before those that it refers to."""
        order = self.template.order if self.template else ()
        return sorted(
            self.resources.values(),
            key=lambda each: order.index(each.logical) if each.logical in order else -1,
            reverse=True,
        )

    def record(
        self,
        status: str,
        *,
        logical: str = "",
        physical: str = "",
        type_: str = "",
        reason: str | None = None,
    ) -> None:
        """Add an event; without a logical id it is about the stack itself."""
        if not logical:
            self.status, self.reason = status, reason
            logical, physical, type_ = self.name, self.id, _STACK
        self.events.append(Event(now(), logical, physical, type_, status, reason))


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)
