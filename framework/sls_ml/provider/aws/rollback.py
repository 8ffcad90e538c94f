"""The template that takes one function back to a past release and leaves all others alone."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from sls_ml.provider.aws import names
from sls_ml.provider.aws.cloudformation import FUNCTION_METADATA

_REFERENCE = re.compile(r'(?:"Ref": "|"Fn::GetAtt": \["|\$\{)(\w+)["}.]')
"""Logical ids in a resource; those of AWS itself, such as ``AWS::Region``, have colons."""


def holds(template: Mapping[str, Any], version_id: str) -> bool:
    """Whether a template publishes a version, given by its logical id."""
    return version_id in template["Resources"]


def taken_back(current: Mapping[str, Any], past: Mapping[str, Any], function: str) -> dict[str, Any]:
    """The current template with the resources that belong to one function as they were in the past.

    Args:
        current: The template of the stack as it stands.
        past: A template of the same stack that holds the release to go back to.
        function: Name of the function in the spec.

    Returns:
        A template; resources that the function shares with others stay, or come back where they are gone. One
        that refers to something of the function that is no longer there, such as the dashboard to a queue,
        goes back too, and is left out where it did so in the past as well. The alias goes back at once: no
        canary delays what mends a bad release.
    """
    resources = {name: body for name, body in past["Resources"].items() if _owner(body) is None}
    resources |= {name: body for name, body in current["Resources"].items() if _owner(body) != function}
    resources |= {
        name: {key: value for key, value in body.items() if key != "UpdatePolicy"}
        for name, body in past["Resources"].items()
        if _owner(body) == function
    }
    for name in [name for name, body in resources.items() if _owner(body) is None]:
        if not _fits(resources[name], resources):
            before = past["Resources"].get(name)
            if before is not None and _fits(before, resources):
                resources[name] = before
            else:
                del resources[name]
    own = {names.logical_id(function, suffix) for suffix in names.OUTPUT_SUFFIXES}
    outputs = {name: body for name, body in current["Outputs"].items() if name not in own}
    outputs |= {name: body for name, body in past["Outputs"].items() if name in own}
    return {**current, "Outputs": outputs, "Resources": resources}


def _fits(resource: Mapping[str, Any], resources: Mapping[str, Any]) -> bool:
    """Whether everything that a resource refers to exists."""
    return all(found in resources for found in _REFERENCE.findall(json.dumps(resource)))


def _owner(resource: Mapping[str, Any]) -> str | None:
    owner: str | None = resource.get("Metadata", {}).get(FUNCTION_METADATA)
    return owner
