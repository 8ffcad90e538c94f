"""Compares the resources of a stack with what its template says of them: functions and aliases."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sls_ml.local.cloudformation.kind import Site
from sls_ml.local.cloudformation.stack import Stack, now
from sls_ml.local.cloudformation.table import CARRIED_OUT

DRIFTED = frozenset({"MODIFIED", "DELETED"})


def drifts(stack: Stack, site: Site) -> Iterator[dict[str, Any]]:
    """Each resource as DescribeStackResourceDrifts tells of it; types that are not compared are left out."""
    for resource in stack.resources.values():
        try:
            live = CARRIED_OUT[resource.type].live(site, resource.made, resource.properties)
        except (KeyError, NotImplementedError):
            continue
        expected = {} if live is None else {name: resource.properties[name] for name in live}
        differences = list(_differences("", expected, live or {}))
        status = "DELETED" if live is None else "MODIFIED" if differences else "IN_SYNC"
        yield {
            "StackId": stack.id,
            "LogicalResourceId": resource.logical,
            "PhysicalResourceId": resource.made.physical,
            "ResourceType": resource.type,
            "StackResourceDriftStatus": status,
            "PropertyDifferences": differences,
            "Timestamp": now(),
        }


def _differences(path: str, expected: Any, actual: Any) -> Iterator[dict[str, str]]:
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        for name in sorted({*expected, *actual}):
            yield from _differences(f"{path}/{name}", expected.get(name), actual.get(name))
    elif _text(expected) != _text(actual):  # numbers of a template may be texts
        kind = "ADD" if expected is None else "REMOVE" if actual is None else "NOT_EQUAL"
        yield {
            "PropertyPath": path,
            "ExpectedValue": _text(expected),
            "ActualValue": _text(actual),
            "DifferenceType": kind,
        }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
