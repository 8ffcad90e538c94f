"""Warm capacity on the alias, and what lets it follow the traffic."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sls_ml.provider.aws import render
from sls_ml.spec.model import Concurrency, Period


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


DAY, NIGHT = "cron(0 7 ? * MON-FRI *)", "cron(0 19 ? * MON-FRI *)"


@pytest.mark.parametrize(
    ("reserved", "most", "bounds", "follows"),
    [
        (None, None, [(5, 5), (0, 0)], False),
        (20, None, [(5, 20), (0, 0)], True),
        (20, 8, [(5, 8), (0, 0)], True),
        (20, 5, [(5, 5), (0, 0)], False),
        (None, 8, [(5, 8), (0, 0)], True),
    ],
)
def test_a_schedule_sets_the_bounds_at_its_times(
    make: Any, reserved: int | None, most: int | None, bounds: list[tuple[int, int]], follows: bool
) -> None:
    # GIVEN five that wait by day and none at night
    concurrency = Concurrency(
        reserved=reserved,
        schedule=(
            Period(at=DAY, provisioned=5, max=most, timezone="Europe/Zurich"),
            Period(at=NIGHT, provisioned=0, timezone="Europe/Zurich"),
        ),
    )
    deployment = make.deployment(make.function(start="provisioned", concurrency=concurrency))
    # WHEN it is rendered
    resources = json.loads(render(deployment, {"predict": make.package("predict")}).template)["Resources"]
    # THEN none waits before the first time, and each time sets the bounds, where the clock shows it
    assert "ProvisionedConcurrencyConfig" not in resources["PredictAlias"]["Properties"]
    target = resources["PredictWarmCapacity"]["Properties"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (0, 0)
    actions = target["ScheduledActions"]
    assert [(each["Schedule"], each["Timezone"]) for each in actions] == [
        (DAY, "Europe/Zurich"),
        (NIGHT, "Europe/Zurich"),
    ]
    found = [each["ScalableTargetAction"] for each in actions]
    assert [(each["MinCapacity"], each["MaxCapacity"]) for each in found] == bounds
    # THEN it follows the traffic only where one of them leaves room
    assert ("PredictWarmCapacityTarget" in resources) is follows
