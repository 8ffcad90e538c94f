"""What a CI system is to do, whatever its files look like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class StageRoles:
    """A stage with its region and the ARNs of the roles that plan and deploy it."""

    stage: str
    region: str
    plan_role: str
    deploy_role: str


@dataclass(frozen=True)
class Work:
    """The work for one project.

    Attributes:
        name: Its name.
        folder: The folder of sls-ml.yaml, relative to the repository's top.
        branch: The branch that is deployed.
        watched: The paths whose changes matter.
        stages: What is deployed, in this order: each after the one before went well.
    """

    name: str
    folder: str
    branch: str
    watched: Sequence[str]
    stages: Sequence[StageRoles]
