"""The template that takes one function back to a past release and leaves all others alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sls_ml.provider.aws import names
from sls_ml.provider.aws.cloudformation import FUNCTION_METADATA


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
        A template; resources that the function shares with others stay, or come back where they are gone.
    """
    resources = {name: body for name, body in past["Resources"].items() if _owner(body) is None}
    resources |= {name: body for name, body in current["Resources"].items() if _owner(body) != function}
    resources |= {name: body for name, body in past["Resources"].items() if _owner(body) == function}
    own = {names.logical_id(function, suffix) for suffix in names.OUTPUT_SUFFIXES}
    outputs = {name: body for name, body in current["Outputs"].items() if name not in own}
    outputs |= {name: body for name, body in past["Outputs"].items() if name in own}
    return {**current, "Outputs": outputs, "Resources": resources}


def _owner(resource: Mapping[str, Any]) -> str | None:
    owner: str | None = resource.get("Metadata", {}).get(FUNCTION_METADATA)
    return owner
