"""The one door from the rest of sls-ml to AWS; the SDK loads only behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sls_ml.provider.base import Target

if TYPE_CHECKING:
    from sls_ml.provider.aws.deployer import AwsDeployer
    from sls_ml.provider.aws.operations import Operations


def connect(target: Target) -> AwsDeployer:
    """A deployer for a region of the account that the credentials belong to."""
    from sls_ml.provider.aws.client import Client
    from sls_ml.provider.aws.deployer import AwsDeployer

    return AwsDeployer(Client(target))


def operate(target: Target) -> Operations:
    """What is done with a deployment after it is deployed: calls, objects, logs."""
    from sls_ml.provider.aws.client import Client
    from sls_ml.provider.aws.operations import Operations

    return Operations(Client(target))
