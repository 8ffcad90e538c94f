"""A real moto server over HTTP: the API of AWS on loopback, empty for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from sls_ml.provider.aws import connect
from sls_ml.provider.aws.cloudformation import text
from sls_ml.provider.aws.deployer import AwsDeployer
from sls_ml.provider.aws.render import with_digest
from sls_ml.provider.base import Rendered, Target

KEYS = {"access_key": "AKIAIOSFODNN7EXAMPLE", "secret_key": "only-for-loopback"}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Address of the server."""
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def target(server: str) -> Target:
    """A target whose account is empty."""
    httpx.post(f"{server}/moto-api/reset").raise_for_status()
    return Target(region="eu-west-1", stage="dev", endpoint_url=server, **KEYS)


@pytest.fixture
def deployer(target: Target) -> AwsDeployer:
    """A deployer in a region where the bootstrap buckets exist."""
    s3 = service(target, "s3")
    for kind in ("store", "packages"):
        s3.create_bucket(
            Bucket=f"sls-ml-{kind}-123456789012-eu-west-1",
            CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
        )
    return connect(target)


@pytest.fixture
def aws(target: Target) -> Callable[[str], Any]:
    """Makes plain boto3 clients for the same server, to look at what was done."""
    return lambda name: service(target, name)


def service(target: Target, name: str) -> Any:
    return boto3.client(
        name,
        endpoint_url=target.endpoint_url,
        region_name=target.region,
        aws_access_key_id=target.access_key,
        aws_secret_access_key=target.secret_key,
    )


@pytest.fixture
def stack() -> Callable[..., Rendered]:
    """Makes a rendered stack of the resources given."""

    def make(**resources: Any) -> Rendered:
        metadata = {"sls-ml:project": "credit-risk", "sls-ml:stage": "dev"}
        return with_digest("sls-ml-credit-risk-dev", text({"Metadata": metadata, "Resources": resources}))

    return make
