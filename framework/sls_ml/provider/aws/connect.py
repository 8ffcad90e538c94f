"""The one door from the rest of sls-ml to AWS; the SDK loads only behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sls_ml.provider.aws import names
from sls_ml.provider.base import Target

if TYPE_CHECKING:
    from sls_ml.provider.aws.deployer import AwsDeployer
    from sls_ml.provider.aws.operations import AwsOperations


def connect(target: Target) -> AwsDeployer:
    """A deployer for a region of the account that the credentials belong to."""
    from sls_ml.provider.aws.client import Client
    from sls_ml.provider.aws.deployer import AwsDeployer

    return AwsDeployer(Client(target))


def operate(target: Target, project: str, stage: str) -> AwsOperations:
    """What is done with the deployment of one stage: calls, objects, logs, metrics."""
    from sls_ml.provider.aws.client import Client
    from sls_ml.provider.aws.operations import AwsOperations

    namespace = names.metrics_namespace(project, stage)
    return AwsOperations(Client(target), names.stack_name(project, stage), namespace)
