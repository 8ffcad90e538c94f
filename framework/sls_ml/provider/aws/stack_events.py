"""The events of a CloudFormation stack read as Progress, and the one that made an operation fail."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sls_ml.provider.base import Progress

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackEventTypeDef

STARTS = {"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"}
"""Status of the stack's own event with which an operation begins."""

_CASCADE = ("Resource creation cancelled", "Resource update cancelled", "The following resource(s) failed")


@dataclass(frozen=True)
class Failure:
    """The resource with which an operation began to fail, and the provider's reason."""

    resource: str
    type: str
    reason: str


def is_stack(event: StackEventTypeDef) -> bool:
    """Whether an event is about the stack as a whole."""
    return event.get("PhysicalResourceId") == event["StackId"]


def begins(event: StackEventTypeDef) -> bool:
    """Whether an operation begins with this event."""
    return is_stack(event) and event.get("ResourceStatus") in STARTS


def ends(event: StackEventTypeDef) -> bool:
    """Whether an operation ends with this event."""
    return is_stack(event) and not event.get("ResourceStatus", "").endswith("_IN_PROGRESS")


def progress(event: StackEventTypeDef) -> Progress:
    """What an event says to somebody who waits for the operation to end."""
    status = event.get("ResourceStatus", "")
    subject = event.get("LogicalResourceId", event["StackName"])
    kind = event.get("ResourceType", "")
    detail = f"{status.lower().replace('_', ' ')}, {kind}"
    if status.endswith("_FAILED"):
        return Progress(subject, "failed", event.get("ResourceStatusReason", detail))
    if status == "DELETE_SKIPPED":
        return Progress(subject, "skipped", f"kept, {kind}")
    return Progress(subject, "done" if status.endswith("_COMPLETE") else "started", detail)


def first_failure(events: Iterable[StackEventTypeDef]) -> Failure | None:
    """The cause of a failed operation: its first failed resource that was not just cancelled with the rest.

    Args:
        events: The operation's events, oldest first.
    """
    for event in events:
        reason = event.get("ResourceStatusReason", "")
        if (
            event.get("ResourceStatus", "").endswith("_FAILED")
            and not is_stack(event)
            and not reason.startswith(_CASCADE)
        ):
            return Failure(event.get("LogicalResourceId", ""), event.get("ResourceType", ""), reason)
    return None
