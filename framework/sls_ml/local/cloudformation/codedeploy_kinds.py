"""CodeDeploy's part in a release: its resource types, and the check before traffic moves.

The check is carried out as CodeDeploy does it: the function is called with the ids of a deployment, and must
give its verdict through the API. Then traffic moves all at once: steps and alarms are not emulated.
"""

# ruff: noqa: ARG002 - every kind has the same methods

from __future__ import annotations

import json
import secrets
import string
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sls_ml.local.cloudformation.kind import Kind, Made, Properties, ResourceError, Site
from sls_ml.local.service import Operation, ServiceError


class Application(Kind):
    """``AWS::CodeDeploy::Application``: a name."""

    carried = frozenset({"ApplicationName", "ComputePlatform"})
    passed_over = frozenset({"Tags"})
    replaces = frozenset({"ApplicationName", "ComputePlatform"})

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Take the name."""
        return Made(properties.get("ApplicationName", name))

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Nothing is left of it."""


class DeploymentGroup(Kind):
    """``AWS::CodeDeploy::DeploymentGroup``: a name within an application."""

    carried = frozenset({"ApplicationName", "DeploymentGroupName"})
    passed_over = frozenset(
        {
            "AlarmConfiguration",
            "AutoRollbackConfiguration",
            "DeploymentConfigName",
            "DeploymentStyle",
            "ServiceRoleArn",
            "Tags",
        }
    )
    replaces = carried

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Take the name."""
        return Made(properties.get("DeploymentGroupName", name))

    def update(self, site: Site, made: Made, old: Properties, new: Properties) -> Made:
        """Steps and alarms have no effect here."""
        return made

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Nothing is left of it."""


@dataclass
class _Deployment:
    """A deployment that waits for its check."""

    group: str
    hook: str
    execution: str
    verdict: str | None = None


class Checks:
    """Asks the checks of releases, and takes their verdicts."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._deployments: dict[str, _Deployment] = {}
        self._busy = threading.Lock()

    def ask(self, policy: Mapping[str, Any]) -> None:
        """Run the check that an alias names for its updates, if it names one.

        Args:
            policy: ``CodeDeployLambdaAliasUpdate`` of the alias, resolved.

        Raises:
            ResourceError: It did not say that traffic may move.
        """
        hook = policy.get("BeforeAllowTrafficHook")
        if not hook:
            return
        name = "d-" + "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(9))
        group = f"{policy['ApplicationName']}/{policy['DeploymentGroupName']}"
        deployment = _Deployment(group, hook, secrets.token_urlsafe(24))
        with self._busy:
            self._deployments[name] = deployment
        event = {"DeploymentId": name, "LifecycleEventHookExecutionId": deployment.execution}
        try:
            self._site.client("lambda").invoke(FunctionName=hook, Payload=json.dumps(event))
        finally:
            with self._busy:
                del self._deployments[name]
        if deployment.verdict != "Succeeded":
            raise ResourceError(
                f"CodeDeploy deployment {name} failed: BeforeAllowTraffic ({hook}) "
                + (f"said {deployment.verdict}" if deployment.verdict else "gave no verdict")
            )

    def operations(self) -> dict[str, Operation]:
        """CodeDeploy's operations that there are, by name."""
        return {"PutLifecycleEventHookExecutionStatus": self._put_verdict}

    def resource(self, params: Mapping[str, Any]) -> str:
        """The deployment group that a call is about, for policies."""
        with self._busy:
            deployment = self._deployments.get(params.get("deploymentId", ""))
        group = deployment.group if deployment else "*"
        return f"arn:aws:codedeploy:{self._site.region}:{self._site.account}:deploymentgroup:{group}"

    def _put_verdict(self, params: dict[str, Any]) -> Any:
        with self._busy:
            deployment = self._deployments.get(params.get("deploymentId", ""))
            if deployment is None:
                raise ServiceError("DeploymentDoesNotExistException", "There is no such deployment.")
            if params.get("lifecycleEventHookExecutionId") != deployment.execution:
                raise ServiceError("InvalidLifecycleEventHookExecutionIdException", "It is of another event.")
            deployment.verdict = params.get("status")
        return {"lifecycleEventHookExecutionId": deployment.execution}
