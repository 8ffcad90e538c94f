"""Stacks and change sets: create, update, roll back and delete, with events, as CloudFormation does."""

from __future__ import annotations

import secrets
import string
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from sls_ml.local.cloudformation.kind import Made, Properties, Site
from sls_ml.local.cloudformation.table import CARRIED_OUT, NOT_EMULATED
from sls_ml.local.cloudformation.template import Template, TemplateError

NO_CHANGES = (
    "The submitted information didn't contain changes. Submit different information to create a change set."
)
_STACK = "AWS::CloudFormation::Stack"


class Refused(Exception):
    """A call that CloudFormation answers with a ValidationError (or the given code)."""

    def __init__(self, message: str, code: str = "ValidationError") -> None:
        super().__init__(message)
        self.code = code


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


@dataclass(frozen=True)
class Change:
    """One line of a change set. `replacement` is None for additions and removals."""

    action: Literal["Add", "Modify", "Remove"]
    logical: str
    physical: str | None
    type: str
    replacement: Literal["True", "False", "Conditional"] | None
    properties: tuple[str, ...] = ()


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
        self.events.append(Event(_now(), logical, physical, type_, status, reason))


def _now() -> datetime:
    return datetime.now(UTC)


def _suffix() -> str:
    return "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(12))


class Stacks:
    """All stacks of the embedded cloud. One operation runs at a time, and is over when its call returns."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._stacks: dict[str, Stack] = {}
        self._busy = threading.Lock()

    def find(self, name_or_id: str) -> Stack:
        """A stack by name (deleted ones only by id)."""
        for stack in self._stacks.values():
            if stack.id == name_or_id or (stack.name == name_or_id and stack.status != "DELETE_COMPLETE"):
                return stack
        raise Refused(f"Stack with id {name_or_id} does not exist")

    def all(self) -> tuple[Stack, ...]:
        """Every stack, deleted ones included, oldest first."""
        return tuple(self._stacks.values())

    def _begin(self, name: str, status: str) -> Stack:
        if any(s.name == name and s.status != "DELETE_COMPLETE" for s in self._stacks.values()):
            raise Refused(f"Stack [{name}] already exists", "AlreadyExistsException")
        arn = f"arn:aws:cloudformation:{self._site.region}:{self._site.account}:stack/{name}/{uuid.uuid4()}"
        stack = self._stacks[arn] = Stack(arn, name, status, _now())
        return stack

    def bind(self, name: str, stack_id: str, text: str, parameters: Mapping[str, str]) -> Template:
        """Read and check a template for a stack.

        Raises:
            Refused: It is not valid, or uses a type or property that is in neither table.
        """
        pseudo = {
            "AWS::AccountId": self._site.account,
            "AWS::Partition": "aws",
            "AWS::Region": self._site.region,
            "AWS::StackId": stack_id,
            "AWS::StackName": name,
            "AWS::URLSuffix": "amazonaws.com",
        }
        try:
            template = Template(text, parameters, pseudo)
        except TemplateError as error:
            raise Refused(str(error)) from error
        types = {body.get("Type", "") for body in template.resources.values()}
        if unknown := sorted(types - set(CARRIED_OUT) - NOT_EMULATED):
            raise Refused(f"Template format error: Unrecognized resource types: [{', '.join(unknown)}]")
        for logical, body in template.resources.items():
            if (kind := CARRIED_OUT.get(body["Type"])) and (
                wrong := sorted(set(body.get("Properties") or {}) - kind.carried - kind.passed_over)
            ):
                names = ", ".join(f"{body['Type']}.{name}" for name in wrong)
                raise Refused(f"Resource {logical}: the embedded cloud does not know {names}")
        return template

    def create_change_set(
        self,
        stack_name: str,
        name: str,
        kind: str,
        text: str,
        parameters: Mapping[str, str],
        tags: Mapping[str, str],
        description: str = "",
    ) -> tuple[Stack, ChangeSet]:
        """Preview a template against a stack; kind CREATE begins a stack in review."""
        if kind == "CREATE":
            try:
                stack = self.find(stack_name)
            except Refused:
                template = self.bind(stack_name, "", text, parameters)
                stack = self._begin(stack_name, "REVIEW_IN_PROGRESS")
                stack.record("REVIEW_IN_PROGRESS", reason="User Initiated")
            if stack.status != "REVIEW_IN_PROGRESS":
                raise Refused(
                    f"Stack [{stack_name}] already exists and cannot be created again with the changeSet [{name}]."
                )
        else:
            stack = self.find(stack_name)
            self._updatable(stack)
        template = self.bind(stack.name, stack.id, text, parameters)
        if any(name in (c.name, c.id) for c in stack.change_sets.values()):
            raise Refused(f"ChangeSet {name} already exists", "AlreadyExistsException")
        changes = tuple(self._changes(stack, template))
        arn = (
            f"arn:aws:cloudformation:{self._site.region}:{self._site.account}:changeSet/{name}/{uuid.uuid4()}"
        )
        empty = kind != "CREATE" and not changes and dict(tags) == dict(stack.tags)
        if stack.template is not None:
            empty = empty and self._outputs_alike(stack.template, template)
        change_set = ChangeSet(arn, name, template, parameters, tags, changes, _now(), description, empty)
        stack.change_sets[arn] = change_set
        return stack, change_set

    @staticmethod
    def _outputs_alike(old: Template, new: Template) -> bool:
        return bool(old.document.get("Outputs") == new.document.get("Outputs"))

    @staticmethod
    def _updatable(stack: Stack) -> None:
        if stack.status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"):
            raise Refused(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")

    def _changes(self, stack: Stack, new: Template) -> Iterable[Change]:
        old = stack.template
        touched: dict[str, bool] = {}
        for logical in new.order:
            body = new.resources[logical]
            before = stack.resources.get(logical)
            if before is None or old is None:
                touched[logical] = True
                yield Change("Add", logical, None, body["Type"], None)
                continue
            was, now = old.symbolic(logical), new.symbolic(logical)
            names = tuple(sorted(n for n in {*was, *now} if was.get(n) != now.get(n)))
            follows = [n for n in new.references(body.get("Properties") or {}) if touched.get(n)]
            kind = CARRIED_OUT.get(before.type)
            anew = before.type != body["Type"] or bool(kind and set(names) & kind.replaces)
            if names or follows or before.type != body["Type"]:
                touched[logical] = anew
                replacement: Literal["True", "False", "Conditional"] = "True" if anew else "False"
                if follows and not anew:
                    pointing = {
                        n
                        for n, v in (body.get("Properties") or {}).items()
                        if new.references(v) & set(follows)
                    }
                    replacement = "Conditional" if kind and pointing & kind.replaces else "False"
                    touched[logical] = replacement == "Conditional"
                yield Change("Modify", logical, before.made.physical, body["Type"], replacement, names)
        for logical, resource in stack.resources.items():
            if logical not in new.resources:
                yield Change("Remove", logical, resource.made.physical, resource.type, None)

    def execute(self, stack: Stack, change_set: ChangeSet) -> None:
        """Carry out a change set."""
        if change_set.empty:
            raise Refused(
                f"ChangeSet [{change_set.id}] cannot be executed in its current status of [FAILED]",
                "InvalidChangeSetStatus",
            )
        stack.change_sets.clear()
        self.apply(stack, change_set.template, change_set.parameters, change_set.tags)

    def create(self, name: str, text: str, parameters: Mapping[str, str], tags: Mapping[str, str]) -> Stack:
        """Create a stack without a preview."""
        template = self.bind(name, "", text, parameters)
        stack = self._begin(name, "REVIEW_IN_PROGRESS")
        self.apply(stack, self.bind(name, stack.id, text, parameters), parameters, tags)
        del template
        return stack

    def update(
        self, stack: Stack, text: str, parameters: Mapping[str, str], tags: Mapping[str, str] | None
    ) -> None:
        """Update a stack without a preview."""
        self._updatable(stack)
        template = self.bind(stack.name, stack.id, text, parameters)
        same_tags = tags is None or dict(tags) == dict(stack.tags)
        if stack.template and not tuple(self._changes(stack, template)) and same_tags:
            if self._outputs_alike(stack.template, template):
                raise Refused("No updates are to be performed.")
        self.apply(stack, template, parameters, stack.tags if tags is None else tags)

    def apply(
        self, stack: Stack, template: Template, parameters: Mapping[str, str], tags: Mapping[str, str]
    ) -> None:
        """Bring the stack to the template, or back to where it was."""
        creating = stack.status == "REVIEW_IN_PROGRESS"
        verb = "CREATE" if creating else "UPDATE"
        with self._busy:
            stack.record(f"{verb}_IN_PROGRESS", reason="User Initiated")
            operation = _Operation(self._site, stack, template)
            try:
                operation.forward()
                outputs = tuple(template.outputs(operation.attribute))
            except Exception as error:  # noqa: BLE001 - whatever a resource raises fails the stack
                failed = operation.failed or "the outputs"
                reason = f"The following resource(s) failed to {verb.lower()}: [{failed}]. "
                if not operation.failed:
                    reason = f"{error} "
                if creating:
                    stack.record("ROLLBACK_IN_PROGRESS", reason=f"{reason}Rollback requested by user.")
                    stack.template, stack.parameters, stack.tags = template, parameters, tags
                else:
                    stack.record("UPDATE_ROLLBACK_IN_PROGRESS", reason=reason)
                clean = operation.back()
                status = "ROLLBACK" if creating else "UPDATE_ROLLBACK"
                stack.record(f"{status}_{'COMPLETE' if clean else 'FAILED'}")
                return
            if not creating:
                stack.record("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
                operation.clean_up()
                stack.updated = _now()
            stack.template, stack.parameters, stack.tags = template, parameters, tags
            stack.outputs = outputs
            stack.record(f"{verb}_COMPLETE")

    def delete(self, stack: Stack) -> None:
        """Delete a stack and what it made, in reverse order, but for what is retained."""
        with self._busy:
            stack.record("DELETE_IN_PROGRESS", reason="User Initiated")
            clean = True
            for resource in reversed(tuple(stack.resources.values())):
                kept = resource.deletion in ("Retain", "RetainExceptOnCreate")
                clean = _delete(self._site, stack, resource, kept=kept) and clean
            if clean:
                stack.deleted = _now()
            stack.record("DELETE_COMPLETE" if clean else "DELETE_FAILED")


def _delete(site: Site, stack: Stack, resource: Resource, *, kept: bool = False) -> bool:
    """Delete one resource of a stack, with its events; False when it could not be deleted."""

    def record(status: str, reason: str | None = None) -> None:
        stack.record(
            status,
            logical=resource.logical,
            physical=resource.made.physical,
            type_=resource.type,
            reason=reason,
        )

    if kept:
        record("DELETE_SKIPPED")
    else:
        record("DELETE_IN_PROGRESS")
        try:
            if kind := CARRIED_OUT.get(resource.type):
                kind.delete(site, resource.made, resource.properties)
        except Exception as error:  # noqa: BLE001 - any error of the service is the resource's
            record("DELETE_FAILED", str(error))
            return False
        record("DELETE_COMPLETE")
    if stack.resources.get(resource.logical) is resource:
        del stack.resources[resource.logical]
    return True


class _Operation:
    """One create or update: goes forward, remembers how to go back, and cleans up behind."""

    def __init__(self, site: Site, stack: Stack, template: Template) -> None:
        self._site = site
        self._stack = stack
        self._template = template
        self._undo: list[Callable[[], bool]] = []
        self._replaced: list[Resource] = []
        self.failed: str | None = None

    def attribute(self, logical: str, name: str | None) -> Any:
        """What Ref or GetAtt of a resource answers now."""
        resource = self._stack.resources[logical]
        if name is None:
            return resource.made.physical
        if resource.type in NOT_EMULATED:
            return f"{logical}.{name}"
        if name not in resource.made.attributes:
            raise TemplateError(f"Requested attribute {name} does not exist in schema for {resource.type}")
        return resource.made.attributes[name]

    def forward(self) -> None:
        """Create and update in the template's order; stops at the first failure."""
        for logical in self._template.order:
            before = self._stack.resources.get(logical)
            kind = self._template.resources[logical]["Type"]
            verb = "CREATE" if before is None else "UPDATE"
            try:
                self._one(logical, kind, before)
            except Exception as error:
                self.failed = logical
                physical = before.made.physical if before else ""
                self._stack.record(
                    f"{verb}_FAILED", logical=logical, physical=physical, type_=kind, reason=_reason(error)
                )
                raise

    def _one(self, logical: str, kind: str, before: Resource | None) -> None:
        body = self._template.resources[logical]
        properties = self._template.resolve(body.get("Properties") or {}, self.attribute)
        policies = (body.get("DeletionPolicy", "Delete"), body.get("UpdateReplacePolicy", "Delete"))

        def record(status: str, physical: str) -> None:
            self._stack.record(status, logical=logical, physical=physical, type_=kind)

        carrier = CARRIED_OUT.get(kind)
        if before is not None and before.type == kind and before.properties == properties:
            self._stack.resources[logical] = Resource(
                logical, kind, before.made, properties, *policies, before.at
            )
            self._undo.append(lambda: self._restore(before))
            return
        changed = {
            n
            for n in {*properties, *(before.properties if before else ())}
            if before is None or before.properties.get(n) != properties.get(n)
        }
        if before is None or before.type != kind or (carrier and changed & carrier.replaces):
            record("CREATE_IN_PROGRESS" if before is None else "UPDATE_IN_PROGRESS", "")
            name = f"{self._stack.name}-{logical}-{_suffix()}"
            made = carrier.create(self._site, name, properties) if carrier else Made(logical)
            resource = Resource(logical, kind, made, properties, *policies, _now())
            self._stack.resources[logical] = resource
            self._undo.append(lambda: self._uncreate(resource, before))
            if before is not None:
                self._replaced.append(before)
        else:
            record("UPDATE_IN_PROGRESS", before.made.physical)
            self._undo.append(lambda: self._unupdate(before, properties))
            made = (
                carrier.update(self._site, before.made, before.properties, properties)
                if carrier
                else before.made
            )
            self._stack.resources[logical] = Resource(logical, kind, made, properties, *policies, _now())
        record("CREATE_COMPLETE" if before is None else "UPDATE_COMPLETE", made.physical)

    def _restore(self, before: Resource) -> bool:
        self._stack.resources[before.logical] = before
        return True

    def _uncreate(self, resource: Resource, before: Resource | None) -> bool:
        kept = resource.deletion == "Retain"
        done = _delete(self._site, self._stack, resource, kept=kept)
        return self._restore(before) and done if before is not None else done

    def _unupdate(self, before: Resource, attempted: Properties) -> bool:
        try:
            if carrier := CARRIED_OUT.get(before.type):
                carrier.update(self._site, before.made, attempted, before.properties)
        except Exception as error:  # noqa: BLE001 - any error of the service is the resource's
            self._stack.record(
                "UPDATE_FAILED",
                logical=before.logical,
                physical=before.made.physical,
                type_=before.type,
                reason=_reason(error),
            )
            return False
        self._stack.record(
            "UPDATE_COMPLETE", logical=before.logical, physical=before.made.physical, type_=before.type
        )
        return self._restore(before)

    def back(self) -> bool:
        """Undo what was done, last first; whether all of it could be undone."""
        return all([undo() for undo in reversed(self._undo)])

    def clean_up(self) -> None:
        """Delete what was replaced and what the template no longer has."""
        for resource in reversed(self._replaced):
            _delete(self._site, self._stack, resource, kept=resource.replacement == "Retain")
        for resource in reversed(tuple(self._stack.resources.values())):
            if resource.logical not in self._template.resources:
                kept = resource.deletion in ("Retain", "RetainExceptOnCreate")
                if not _delete(self._site, self._stack, resource, kept=kept):
                    self._stack.resources.pop(resource.logical, None)


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    if isinstance(response, dict) and "Error" in response:
        return f"{response['Error'].get('Message')} ({response['Error'].get('Code')})"
    return f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else str(error)
