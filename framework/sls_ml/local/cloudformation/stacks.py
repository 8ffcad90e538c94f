"""Stacks and change sets: create, update, roll back and delete, with events, as CloudFormation does."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

from sls_ml.local.cloudformation.codedeploy_kinds import Checks
from sls_ml.local.cloudformation.kind import Site
from sls_ml.local.cloudformation.operation import Operation, delete
from sls_ml.local.cloudformation.stack import Change, ChangeSet, PropertyChange, Stack, now
from sls_ml.local.cloudformation.table import CARRIED_OUT, NOT_EMULATED
from sls_ml.local.cloudformation.template import Template, TemplateError

NO_CHANGES = (
    "The submitted information didn't contain changes. Submit different information to create a change set."
)


class RefusedError(Exception):
    """A call that CloudFormation answers with a ValidationError (or the given code)."""

    def __init__(self, message: str, code: str = "ValidationError") -> None:
        super().__init__(message)
        self.code = code


class Stacks:
    """All stacks of the embedded cloud. One operation runs at a time, and is over when its call returns."""

    def __init__(self, site: Site, checks: Checks) -> None:
        self._site = site
        self._checks = checks
        self._stacks: dict[str, Stack] = {}
        self._busy = threading.Lock()

    def find(self, name_or_id: str) -> Stack:
        """A stack by name (deleted ones only by id)."""
        for stack in self._stacks.values():
            if stack.id == name_or_id or (stack.name == name_or_id and stack.status != "DELETE_COMPLETE"):
                return stack
        raise RefusedError(f"Stack with id {name_or_id} does not exist")

    def all(self) -> tuple[Stack, ...]:
        """Every stack, deleted ones included, oldest first."""
        return tuple(self._stacks.values())

    def _begin(self, name: str, status: str) -> Stack:
        if any(s.name == name and s.status != "DELETE_COMPLETE" for s in self._stacks.values()):
            raise RefusedError(f"Stack [{name}] already exists", "AlreadyExistsException")
        arn = f"arn:aws:cloudformation:{self._site.region}:{self._site.account}:stack/{name}/{uuid.uuid4()}"
        stack = self._stacks[arn] = Stack(arn, name, status, now())
        return stack

    def bind(self, name: str, stack_id: str, text: str, parameters: Mapping[str, str]) -> Template:
        """Read and check a template for a stack.

        Raises:
            RefusedError: It is not valid, or uses a type or property that is in neither table.
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
            raise RefusedError(str(error)) from error
        types = {body.get("Type", "") for body in template.resources.values()}
        if unknown := sorted(types - set(CARRIED_OUT) - NOT_EMULATED):
            raise RefusedError(f"Template format error: Unrecognized resource types: [{', '.join(unknown)}]")
        for logical, body in template.resources.items():
            if (kind := CARRIED_OUT.get(body["Type"])) and (
                wrong := sorted(set(body.get("Properties") or {}) - kind.carried - kind.passed_over)
            ):
                names = ", ".join(f"{body['Type']}.{name}" for name in wrong)
                raise RefusedError(f"Resource {logical}: the embedded cloud does not know {names}")
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
            except RefusedError:
                template = self.bind(stack_name, "", text, parameters)
                stack = self._begin(stack_name, "REVIEW_IN_PROGRESS")
                stack.record("REVIEW_IN_PROGRESS", reason="User Initiated")
            if stack.status != "REVIEW_IN_PROGRESS":
                raise RefusedError(
                    f"Stack [{stack_name}] already exists and cannot be created again "
                    f"with the changeSet [{name}]."
                )
        else:
            stack = self.find(stack_name)
            self._updatable(stack)
        template = self.bind(stack.name, stack.id, text, parameters)
        if any(c.name == name and not c.executed for c in stack.change_sets.values()):
            raise RefusedError(f"ChangeSet {name} already exists", "AlreadyExistsException")
        changes = tuple(self._changes(stack, template))
        arn = (
            f"arn:aws:cloudformation:{self._site.region}:{self._site.account}:changeSet/{name}/{uuid.uuid4()}"
        )
        empty = kind != "CREATE" and self._same(stack, template, tags)
        change_set = ChangeSet(arn, name, template, parameters, tags, changes, now(), description, empty)
        stack.change_sets[arn] = change_set
        return stack, change_set

    def _same(self, stack: Stack, template: Template, tags: Mapping[str, str]) -> bool:
        """Whether a template and tags would leave a stack as it is."""
        outputs = stack.template.document.get("Outputs") if stack.template else None
        changes = any(True for _ in self._changes(stack, template))
        return not changes and dict(tags) == dict(stack.tags) and outputs == template.document.get("Outputs")

    @staticmethod
    def _updatable(stack: Stack) -> None:
        if stack.status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"):
            raise RefusedError(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")

    def _changes(self, stack: Stack, new: Template) -> Iterator[Change]:
        replaced: set[str] = set()
        for logical in new.order:
            body = new.resources[logical]
            before = stack.resources.get(logical)
            if before is None or stack.template is None:
                replaced.add(logical)
                yield Change("Add", logical, None, body["Type"], None)
                continue
            was, will = stack.template.symbolic(logical), new.symbolic(logical)
            properties = tuple(_property_changes(was, will))
            given = body.get("Properties") or {}
            follows = {n for n, value in given.items() if new.references(value) & replaced}
            if not properties and not follows and before.type == body["Type"]:
                continue
            kind = CARRIED_OUT.get(before.type)
            decisive = kind.replaces if kind else frozenset()
            replacement: Literal["True", "False", "Conditional"] = "False"
            if before.type != body["Type"] or {p.name for p in properties} & decisive:
                replacement = "True"
            elif follows & decisive:
                replacement = "Conditional"
            if replacement != "False":
                replaced.add(logical)
            keep = before.replacement == "Retain"
            policy: Literal["ReplaceAndRetain", "ReplaceAndDelete"] | None
            policy = ("ReplaceAndRetain" if keep else "ReplaceAndDelete") if replacement == "True" else None
            properties += tuple(
                PropertyChange(n, None, None) for n in sorted(follows - {p.name for p in properties})
            )
            physical = before.made.physical
            yield Change("Modify", logical, physical, body["Type"], replacement, properties, policy)
        for logical, resource in stack.resources.items():
            if logical not in new.resources:
                physical = resource.made.physical
                policy_left: Literal["Retain", "Delete"] = "Retain" if resource.kept else "Delete"
                yield Change("Remove", logical, physical, resource.type, None, (), policy_left)

    def execute(self, stack: Stack, change_set: ChangeSet) -> None:
        """Carry out a change set."""
        if change_set.empty or change_set.executed:
            raise RefusedError(
                f"ChangeSet [{change_set.id}] cannot be executed in its current status",
                "InvalidChangeSetStatus",
            )
        stack.change_sets.clear()
        stack.change_sets[change_set.id] = replace(change_set, executed=True)
        self.apply(stack, change_set.template, change_set.parameters, change_set.tags)

    def create(self, name: str, text: str, parameters: Mapping[str, str], tags: Mapping[str, str]) -> Stack:
        """Create a stack without a preview."""
        self.bind(name, "", text, parameters)  # a template that is refused leaves no stack behind
        stack = self._begin(name, "REVIEW_IN_PROGRESS")
        self.apply(stack, self.bind(name, stack.id, text, parameters), parameters, tags)
        return stack

    def update(
        self, stack: Stack, text: str, parameters: Mapping[str, str], tags: Mapping[str, str] | None
    ) -> None:
        """Update a stack without a preview."""
        self._updatable(stack)
        template = self.bind(stack.name, stack.id, text, parameters)
        if self._same(stack, template, stack.tags if tags is None else tags):
            raise RefusedError("No updates are to be performed.")
        self.apply(stack, template, parameters, stack.tags if tags is None else tags)

    def apply(
        self, stack: Stack, template: Template, parameters: Mapping[str, str], tags: Mapping[str, str]
    ) -> None:
        """Bring the stack to the template, or back to where it was."""
        creating = stack.status == "REVIEW_IN_PROGRESS"
        verb = "CREATE" if creating else "UPDATE"
        with self._busy:
            stack.record(f"{verb}_IN_PROGRESS", reason="User Initiated")
            operation = Operation(self._site, stack, template, self._checks)
            try:
                operation.forward()
                outputs = tuple(template.outputs(operation.attribute))
            except Exception as error:  # noqa: BLE001 - whatever a resource raises fails the stack
                reason = f"{error} "  # of an output
                if operation.failed:
                    reason = f"The following resource(s) failed to {verb.lower()}: [{operation.failed}]. "
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
                stack.updated = now()
            stack.template, stack.parameters, stack.tags = template, parameters, tags
            stack.outputs = outputs
            stack.record(f"{verb}_COMPLETE")

    def delete(self, stack: Stack) -> None:
        """Delete a stack and what it made, in reverse order, but for what is retained."""
        with self._busy:
            stack.record("DELETE_IN_PROGRESS", reason="User Initiated")
            clean = True
            for resource in stack.dependents_first():
                clean = delete(self._site, stack, resource, kept=resource.kept) and clean
            if clean:
                stack.deleted = now()
            stack.record("DELETE_COMPLETE" if clean else "DELETE_FAILED")


def _property_changes(was: Mapping[str, Any], will: Mapping[str, Any]) -> Iterator[PropertyChange]:
    for name in sorted({*was, *will}):
        before, after = was.get(name), will.get(name)
        if before != after:
            yield PropertyChange(name, _shown(before), _shown(after))


def _shown(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
