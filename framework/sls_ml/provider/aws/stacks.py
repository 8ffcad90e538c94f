"""CloudFormation as the engine of every deploy: preview, execute, follow, delete."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sls_ml.errors import ApplyError
from sls_ml.provider.aws import cloudformation, stack_changes, stack_events
from sls_ml.provider.aws.client import Client, MissingError, translated
from sls_ml.provider.aws.limits import LIMITS
from sls_ml.provider.base import Changes, Progress, Rendered

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import (
        ChangeSetSummaryTypeDef,
        ChangeTypeDef,
        CreateChangeSetInputTypeDef,
        StackEventTypeDef,
        TagTypeDef,
    )

DIGEST_TAG = "sls-ml:digest"
_PREFIX = "sls-ml-"
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
_SETTLED = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
_REVIEWED = "REVIEW_IN_PROGRESS"
"""The state of a stack of which there were previews alone."""
_NEVER_WORKED = {
    "ROLLBACK_COMPLETE",
    "ROLLBACK_FAILED",
    "CREATE_FAILED",
    "DELETE_FAILED",
}
"""States in which a stack has nothing worth keeping and takes no update: it is deleted and made anew."""


@dataclass(frozen=True)
class Stack:
    """A stack as it stands."""

    id: str
    name: str
    status: str
    reason: str
    tags: Mapping[str, str]
    outputs: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Digest of what was deployed last, or nothing for a stack that sls-ml did not make."""
        return self.tags.get(DIGEST_TAG, "")

    @property
    def running(self) -> bool:
        """Whether an operation is under way."""
        return self.status.endswith("_IN_PROGRESS") and self.status != _REVIEWED


class Stacks:
    """The stacks of one account and region."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def find(self, name: str) -> Stack | None:
        """The stack with this name or id, or None."""
        try:
            with translated(f"looking for the stack {name}"):
                (raw,) = self._client.cloudformation.describe_stacks(StackName=name)["Stacks"]
        except MissingError:
            return None
        return Stack(
            id=raw.get("StackId", name),
            name=raw["StackName"],
            status=raw["StackStatus"],
            reason=raw.get("StackStatusReason", ""),
            tags={tag["Key"]: tag["Value"] for tag in raw.get("Tags", [])},
            outputs={
                each.get("OutputKey", ""): each.get("OutputValue", "") for each in raw.get("Outputs", [])
            },
        )

    def template(self, name: str) -> str:
        """The template with which a stack was deployed last, in the bytes that `render` gives."""
        with translated(f"reading the template of {name}"):
            # botocore hands a JSON template over parsed.
            body: Any = self._client.cloudformation.get_template(StackName=name)["TemplateBody"]
        return cloudformation.text(json.loads(body) if isinstance(body, str) else body)

    def preview(self, rendered: Rendered, *, adopt: bool = False) -> Changes:
        """Let CloudFormation work out what a template would change.

        Earlier previews of the stack that were not carried out are thrown away. Where this very template is
        being carried out already, after an interruption, its preview comes back, for `execute` to join in.

        Args:
            rendered: The template.
            adopt: Whether resources that outlived an earlier stack are taken over by their names.

        Raises:
            ApplyError: Another operation runs on the stack, it is stuck, or the template is refused.
        """
        stack = self.find(rendered.stack)
        nothing = Changes(items=(), token=None, stack=rendered.stack)
        if stack is not None and stack.status in _SETTLED and stack.digest == rendered.digest:
            return nothing
        token = self._running_change_set(stack, rendered) if stack is not None and stack.running else None
        if token is None:
            kind = self._make_way(stack) if stack is not None else "CREATE"
            token = self._create_change_set(rendered, kind, adopt=adopt)
        try:
            failure, raw = self._change_set(rendered.stack, token)
        except MissingError as error:
            raise _stale(rendered.stack) from error
        if failure is None:
            return Changes(items=tuple(stack_changes.changes(raw)), token=token, stack=rendered.stack)
        with translated("deleting a change set"):
            self._client.cloudformation.delete_change_set(StackName=rendered.stack, ChangeSetName=token)
        if any(sentence in failure for sentence in _NO_CHANGES):
            return nothing
        raise ApplyError(
            "CloudFormation refuses the template",
            code="template-refused",
            where=f"stack {rendered.stack}",
            why=failure,
        )

    def execute(self, changes: Changes) -> Iterator[Progress]:
        """Carry a preview out and follow it to its end; joins in when it is being carried out already.

        Raises:
            ApplyError: A resource failed (the stack is back in its previous state), or the preview is stale.
        """
        if changes.token is None:
            return
        status = self._execution_status(changes)
        if status == "EXECUTE_COMPLETE":
            yield Progress(changes.stack, "skipped", "these changes are carried out already")
            return
        stack = self.find(changes.stack)
        if stack is None or status not in {"AVAILABLE", "EXECUTE_IN_PROGRESS"}:
            raise _stale(changes.stack)
        if status == "EXECUTE_IN_PROGRESS":
            after = self._before_operation(stack.id)
        else:
            after = self._newest_event(stack.id)
            try:
                with translated(f"deploying {changes.stack}"):
                    self._client.cloudformation.execute_change_set(
                        StackName=changes.stack, ChangeSetName=changes.token
                    )
            except MissingError as error:
                raise _stale(changes.stack) from error
        yield from self._follow(stack, after, _SETTLED)

    def delete(self, stack: Stack) -> Iterator[Progress]:
        """Delete a stack and follow it to its end.

        Raises:
            ApplyError: A resource could not be deleted.
        """
        after = self._newest_event(stack.id)
        with translated(f"deleting the stack {stack.name}"):
            self._client.cloudformation.delete_stack(StackName=stack.id)
        yield from self._follow(stack, after, {"DELETE_COMPLETE"})

    def buckets(self, name: str) -> list[str]:
        """Names of the buckets that a stack made."""
        pages = self._client.cloudformation.get_paginator("list_stack_resources")
        with translated(f"listing the resources of {name}"):
            return [
                each.get("PhysicalResourceId", "")
                for page in pages.paginate(StackName=name)
                for each in page["StackResourceSummaries"]
                if each["ResourceType"] == "AWS::S3::Bucket"
            ]

    def _make_way(self, stack: Stack) -> Literal["CREATE", "UPDATE"]:
        """Clear what stands in the way of a new change set, and say which kind it must be."""
        if stack.running:
            raise ApplyError(
                "another deploy is running",
                code="deploy-running",
                where=f"stack {stack.name}",
                why=f"its status is {stack.status}",
                mend="wait until it has ended, then deploy again",
            )
        if stack.status == "UPDATE_ROLLBACK_FAILED":
            raise ApplyError(
                "the stack is stuck: CloudFormation could not go back after a failed update",
                code="stack-stuck",
                where=f"stack {stack.name}",
                why=stack.reason,
                mend=f"aws cloudformation continue-update-rollback --stack-name {stack.name}",
            )
        if stack.status in _NEVER_WORKED:
            for _ in self.delete(stack):
                pass
            return "CREATE"
        for each in self._change_sets(stack):
            with translated("deleting an earlier change set"):
                self._client.cloudformation.delete_change_set(
                    StackName=stack.name, ChangeSetName=each["ChangeSetId"]
                )
        return "CREATE" if stack.status == _REVIEWED else "UPDATE"

    def _change_sets(self, stack: Stack) -> list[ChangeSetSummaryTypeDef]:
        """The stack's change sets that sls-ml made."""
        pages = self._client.cloudformation.get_paginator("list_change_sets")
        with translated(f"listing the change sets of {stack.name}"):
            return [
                each
                for page in pages.paginate(StackName=stack.name)
                for each in page["Summaries"]
                if each.get("StackName") == stack.name and each.get("ChangeSetName", "").startswith(_PREFIX)
            ]

    def _running_change_set(self, stack: Stack, rendered: Rendered) -> str | None:
        """Id of the change set with this template that is being carried out."""
        for each in self._change_sets(stack):
            if each.get("ExecutionStatus") == "EXECUTE_IN_PROGRESS" and each.get(
                "ChangeSetName", ""
            ).startswith(_PREFIX + rendered.digest[:12]):
                return each["ChangeSetId"]
        return None

    def _create_change_set(
        self, rendered: Rendered, kind: Literal["CREATE", "UPDATE"], *, adopt: bool
    ) -> str:
        arguments: CreateChangeSetInputTypeDef = {
            "StackName": rendered.stack,
            "ChangeSetName": f"{_PREFIX}{rendered.digest[:12]}-{uuid.uuid4().hex[:8]}",
            "ChangeSetType": kind,
            "Capabilities": ["CAPABILITY_NAMED_IAM"],
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value} for key, value in rendered.parameters.items()
            ],
            "Tags": _tags(rendered),
            "ImportExistingResources": adopt,
        }
        body = rendered.template.encode()
        if len(body) <= LIMITS["template_bytes"].value:
            arguments["TemplateBody"] = rendered.template
        else:
            bucket, key = self._client.package_bucket, f"plans/{rendered.digest}.json"
            with translated(f"putting the template into s3://{bucket}"):
                self._client.s3.put_object(Bucket=bucket, Key=key, Body=body)
            arguments["TemplateURL"] = self._client.object_url(bucket, key)
        with translated(f"planning {rendered.stack}"):
            return self._client.cloudformation.create_change_set(**arguments)["Id"]

    def _change_set(self, stack: str, token: str) -> tuple[str | None, list[ChangeTypeDef]]:
        """Wait for a change set: why it failed, or None and its changes."""
        while True:
            with translated(f"planning {stack}"):
                answer = self._client.cloudformation.describe_change_set(
                    StackName=stack, ChangeSetName=token, IncludePropertyValues=True
                )
            if answer["Status"] not in {"CREATE_PENDING", "CREATE_IN_PROGRESS"}:
                break
            time.sleep(self._client.poll_seconds)
        if answer["Status"] != "CREATE_COMPLETE":
            return answer.get("StatusReason", answer["Status"]), []
        raw = list(answer["Changes"])
        while next_token := answer.get("NextToken"):
            with translated(f"planning {stack}"):
                answer = self._client.cloudformation.describe_change_set(
                    StackName=stack, ChangeSetName=token, IncludePropertyValues=True, NextToken=next_token
                )
            raw.extend(answer["Changes"])
        return None, raw

    def _execution_status(self, changes: Changes) -> str:
        try:
            with translated(f"looking for the plan of {changes.stack}"):
                return self._client.cloudformation.describe_change_set(
                    StackName=changes.stack, ChangeSetName=changes.token or ""
                )["ExecutionStatus"]
        except MissingError as error:
            raise _stale(changes.stack) from error

    def _follow(self, stack: Stack, after: str | None, good: set[str]) -> Iterator[Progress]:
        """Yield each event of the running operation, from the one after `after` until it ends.

        Only events tell that it has ended: the stack's own status may lag behind the call that began it.
        """
        seen: list[StackEventTypeDef] = []
        end: StackEventTypeDef | None = None
        while end is None:
            fresh = list(self._events(stack.id, after))
            for event in reversed(fresh):
                seen.append(event)
                yield stack_events.progress(event)
                if stack_events.ends(event):
                    end = event
            after = fresh[0]["EventId"] if fresh else after
            if end is None:
                if not fresh and self._gone(stack.id):
                    return  # an empty stack may go without an event
                time.sleep(self._client.poll_seconds)
        if end.get("ResourceStatus") not in good:
            raise _failed(stack.name, end, stack_events.first_failure(seen))

    def _gone(self, stack_id: str) -> bool:
        stack = self.find(stack_id)
        return stack is None or stack.status == "DELETE_COMPLETE"

    def _events(self, stack_id: str, after: str | None) -> Iterator[StackEventTypeDef]:
        """Events of a stack, newest first, down to the one after `after`."""
        pages = self._client.cloudformation.get_paginator("describe_stack_events")
        with translated("reading the stack's events"):
            for page in pages.paginate(StackName=stack_id):
                for event in page["StackEvents"]:
                    if event["EventId"] == after:
                        return
                    yield event

    def _newest_event(self, stack_id: str) -> str | None:
        return next((event["EventId"] for event in self._events(stack_id, None)), None)

    def _before_operation(self, stack_id: str) -> str | None:
        """Id of the last event before the operation that is running, or None where it is the first."""
        events = self._events(stack_id, None)
        for event in events:
            if stack_events.begins(event):
                break
        return next((event["EventId"] for event in events), None)


def _tags(rendered: Rendered) -> list[TagTypeDef]:
    metadata = json.loads(rendered.template).get("Metadata", {})
    tags = {**metadata, DIGEST_TAG: rendered.digest}
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def _stale(stack: str) -> ApplyError:
    return ApplyError(
        "the plan is out of date",
        code="plan-stale",
        where=f"stack {stack}",
        why="another deploy was planned or carried out in the meantime",
        mend="run the same command again",
    )


def _failed(stack: str, end: StackEventTypeDef, failure: stack_events.Failure | None) -> ApplyError:
    status = end.get("ResourceStatus", "")
    back = "; the previous release is back in place" if status == "UPDATE_ROLLBACK_COMPLETE" else ""
    if failure is None:
        return ApplyError(
            f"the operation ended in {status}{back}",
            code="apply-failed",
            where=f"stack {stack}",
            why=end.get("ResourceStatusReason"),
            mend=f"see what it did: aws cloudformation describe-stack-events --stack-name {stack}",
        )
    return ApplyError(
        f"{failure.resource} failed{back}",
        code="apply-failed",
        where=f"{failure.resource} ({failure.type}), stack {stack}",
        why=failure.reason,
        mend=_CHECKED if "BeforeAllowTraffic" in failure.reason else None,
    )


_CHECKED = "see what the check found wrong: sls-ml logs <function> --check"
