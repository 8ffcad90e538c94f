"""Resource types of EventBridge and its scheduler."""

# ruff: noqa: ARG002 - every kind has the same methods

from __future__ import annotations

from contextlib import suppress
from typing import Any

from sls_ml.local.cloudformation.kind import Kind, Made, Properties, Site, document, picked


class Rule(Kind):
    """``AWS::Events::Rule``."""

    carried = frozenset({"Name", "Description", "EventBusName", "EventPattern", "State", "Targets"})
    passed_over = frozenset({"Tags"})
    replaces = frozenset({"Name", "EventBusName"})

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Put the rule with its targets."""
        rule = properties.get("Name", name[-64:])
        self._put(site, rule, {}, properties)
        return Made(rule, {"Arn": f"arn:aws:events:{site.region}:{site.account}:rule/{rule}"})

    def update(self, site: Site, made: Made, old: Properties, new: Properties) -> Made:
        """Put it again; targets that are no longer named go."""
        self._put(site, made.physical, old, new)
        return made

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Remove targets and rule."""
        events = site.client("events")
        with suppress(events.exceptions.ResourceNotFoundException):
            if ids := [target["Id"] for target in properties.get("Targets") or []]:
                events.remove_targets(Rule=made.physical, Ids=ids)
            events.delete_rule(Name=made.physical)

    @staticmethod
    def _put(site: Site, rule: str, old: Properties, new: Properties) -> None:
        events = site.client("events")
        values = picked(new, "Description", "EventBusName", "State")
        events.put_rule(Name=rule, EventPattern=document(new["EventPattern"]), **values)
        ids = {target["Id"] for target in new.get("Targets") or []}
        if gone := sorted({target["Id"] for target in old.get("Targets") or []} - ids):
            events.remove_targets(Rule=rule, Ids=gone)
        if targets := new.get("Targets"):
            events.put_targets(Rule=rule, Targets=targets)


class Schedule(Kind):
    """``AWS::Scheduler::Schedule``; sls_ml.local.scheduler carries it out."""

    carried = frozenset(
        {
            "Description",
            "FlexibleTimeWindow",
            "Name",
            "ScheduleExpression",
            "ScheduleExpressionTimezone",
            "State",
            "Target",
        }
    )
    replaces = frozenset({"Name"})

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Create the schedule."""
        schedule = properties.get("Name", name[-64:])
        answer = site.client("scheduler").create_schedule(Name=schedule, **self._given(properties))
        return Made(schedule, {"Arn": answer["ScheduleArn"]})

    def update(self, site: Site, made: Made, old: Properties, new: Properties) -> Made:
        """Put it again, whole."""
        site.client("scheduler").update_schedule(Name=made.physical, **self._given(new))
        return made

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Delete the schedule."""
        scheduler = site.client("scheduler")
        with suppress(scheduler.exceptions.ResourceNotFoundException):
            scheduler.delete_schedule(Name=made.physical)

    def _given(self, properties: Properties) -> dict[str, Any]:
        return picked(properties, *self.carried - {"Name"})
