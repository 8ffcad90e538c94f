"""One create, update or delete of a stack: goes forward, and knows the way back."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable
from typing import Any

from sls_ml.local.cloudformation.codedeploy_kinds import Checks
from sls_ml.local.cloudformation.kind import Made, Properties, Site
from sls_ml.local.cloudformation.stack import Resource, Stack, now
from sls_ml.local.cloudformation.table import CARRIED_OUT, NOT_EMULATED
from sls_ml.local.cloudformation.template import Template, TemplateError


def delete(site: Site, stack: Stack, resource: Resource, *, kept: bool = False) -> bool:
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


class Operation:
    """One create or update: goes forward, remembers how to go back, and cleans up behind."""

    def __init__(self, site: Site, stack: Stack, template: Template, checks: Checks) -> None:
        self._site = site
        self._checks = checks
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
            resource = Resource(logical, kind, made, properties, *policies, now())
            self._stack.resources[logical] = resource
            self._undo.append(lambda: self._uncreate(resource, before))
            if before is not None:
                self._replaced.append(before)
        else:
            record("UPDATE_IN_PROGRESS", before.made.physical)
            policy = (body.get("UpdatePolicy") or {}).get("CodeDeployLambdaAliasUpdate")
            if policy and "FunctionVersion" in changed:
                self._checks.ask(self._template.resolve(policy, self.attribute))
            self._undo.append(lambda: self._unupdate(before, properties))
            made = (
                carrier.update(self._site, before.made, before.properties, properties)
                if carrier
                else before.made
            )
            self._stack.resources[logical] = Resource(logical, kind, made, properties, *policies, now())
        record("CREATE_COMPLETE" if before is None else "UPDATE_COMPLETE", made.physical)

    def _restore(self, before: Resource) -> bool:
        self._stack.resources[before.logical] = before
        return True

    def _uncreate(self, resource: Resource, before: Resource | None) -> bool:
        kept = resource.deletion == "Retain"
        done = delete(self._site, self._stack, resource, kept=kept)
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
        return not [undo for undo in reversed(self._undo) if not undo()]

    def clean_up(self) -> None:
        """Delete what was replaced and what the template no longer has."""
        for resource in reversed(self._replaced):
            delete(self._site, self._stack, resource, kept=resource.replacement == "Retain")
        for resource in self._stack.dependents_first():
            if resource.logical not in self._template.resources:
                delete(self._site, self._stack, resource, kept=resource.kept)
                self._stack.resources.pop(
                    resource.logical, None
                )  # gone from the stack even if it could not be deleted


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    if isinstance(response, dict) and "Error" in response:
        return f"{response['Error'].get('Message')} ({response['Error'].get('Code')})"
    return f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else str(error)


def _suffix() -> str:
    return "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(12))
