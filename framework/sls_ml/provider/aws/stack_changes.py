"""A change set of CloudFormation read as Changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal

from sls_ml.provider.base import Change

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import (
        ChangeTypeDef,
        ResourceChangeDetailTypeDef,
        ResourceChangeTypeDef,
    )

_LONGEST_VALUE = 48
_UNKNOWN = ("{{changeSet:", "${")


def changes(raw: Iterable[ChangeTypeDef]) -> Iterator[Change]:
    """Translate the resource changes of a change set, sorted by resource.

    A resource of which only the tags change is left out: the stack's digest is a tag that CloudFormation
    hands down to every resource, so that they all change with each deploy.
    """
    found = [each["ResourceChange"] for each in raw if "ResourceChange" in each]
    for change in sorted(found, key=lambda each: each["LogicalResourceId"]):
        if change.get("Action") == "Modify" and set(change.get("Scope", [])) == {"Tags"}:
            continue
        yield Change(
            action=_action(change),
            resource=change["LogicalResourceId"],
            type=change.get("ResourceType", ""),
            detail=_detail(change),
        )


def _action(change: ResourceChangeTypeDef) -> Literal["add", "modify", "replace", "remove"]:
    match change.get("Action"):
        case "Add" | "Import":
            return "add"
        case "Remove":
            return "remove"
        case _:
            return "replace" if change.get("Replacement") == "True" else "modify"


def _detail(change: ResourceChangeTypeDef) -> str:
    if change.get("Action") == "Remove":
        return "kept, no longer part of the stack" if change.get("PolicyAction") == "Retain" else ""
    parts = list(dict.fromkeys(filter(None, (_property(each) for each in change.get("Details", [])))))
    if change.get("Replacement") == "Conditional":
        parts.append("perhaps by replacement")
    return ", ".join(parts)


def _property(detail: ResourceChangeDetailTypeDef) -> str:
    """One changed property, with its values where they are short."""
    target = detail.get("Target", {})
    name = target.get("Name") or target.get("Attribute", "")
    if name == "Tags":
        return ""
    before, after = target.get("BeforeValue"), target.get("AfterValue")
    if before is None or after is None or not (_telling(before) and _telling(after)):
        return name
    return f"{name} {before} -> {after}"


def _telling(value: str) -> bool:
    """Whether a value is short, and known before the change is carried out."""
    return len(value) <= _LONGEST_VALUE and not value.startswith(_UNKNOWN)
