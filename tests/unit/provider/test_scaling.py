"""Warm capacity on the alias, and what lets it follow the traffic."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sls_ml.provider.aws import render
from sls_ml.spec.model import Concurrency


@pytest.mark.parametrize(
    ("concurrency", "bounds"),
    [
        (Concurrency(provisioned=2, reserved=10), (2, 10)),
        (Concurrency(provisioned=2, reserved=2), None),
        (Concurrency(provisioned=2), None),
    ],
)
def test_capacity_follows_the_traffic_only_within_a_reservation(
    make: Any, concurrency: Concurrency, bounds: tuple[int, int] | None
) -> None:
    # GIVEN environments that wait, with and without room above them
    deployment = make.deployment(make.function(start="provisioned", concurrency=concurrency))
    # WHEN it is rendered
    resources = json.loads(render(deployment, {"predict": make.package("predict")}).template)["Resources"]
    # THEN the alias has them, and they scale where the reservation bounds the cost
    alias = resources["PredictAlias"]["Properties"]
    assert alias["ProvisionedConcurrencyConfig"] == {"ProvisionedConcurrentExecutions": 2}
    target = resources.get("PredictWarmCapacity", {}).get("Properties", {})
    assert (target.get("MinCapacity"), target.get("MaxCapacity")) == (bounds or (None, None))
    if bounds:
        assert target["ResourceId"] == "function:sls-ml-credit-risk-dev-predict:live"


def test_a_plain_function_has_neither(make: Any) -> None:
    deployment = make.deployment(make.function(concurrency=Concurrency(reserved=10)))
    resources = json.loads(render(deployment, {"predict": make.package("predict")}).template)["Resources"]
    assert "ProvisionedConcurrencyConfig" not in resources["PredictAlias"]["Properties"]
    assert "PredictWarmCapacity" not in resources
