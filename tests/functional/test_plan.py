"""What `plan` says beyond the changes: costs of choices, and memory that is far off."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from command_line import Done


def test_plan_says_what_each_choice_costs(sls_ml: Callable[..., Done]) -> None:
    # GIVEN a deployed project WHEN it is planned
    costs = sls_ml("plan", "--stage", "local", "--json").document["functions"]["predict"]["costs"]
    # THEN the month is priced by kind of start, and a start by the way it is written
    assert (costs["requests"], costs["expected"]) == (1_000_000, False)
    assert costs["month"].keys() == {"plain", "snapstart", "provisioned"}
    assert costs["start_ms"].keys() == {"native", "powertools", "chalice"}
    # THEN people read the same
    done = sls_ml("plan", "--stage", "local")
    assert "a month by kind of start (USD, list prices of eu-west-1" in done.out
    assert f"{costs['month']['snapstart']:,.2f}" in done.out
    assert "a plain start in ms, logged and written otherwise (docs/benchmarks.md" in done.out


def test_plan_mentions_memory_that_is_far_off(
    sls_ml: Callable[..., Done], deployed: tuple[Path, dict[str, Any]]
) -> None:
    # GIVEN a measurement of the very package, as if it had advised four times the spec's 512 MB
    measured = sls_ml("bench", "memory", "--json").document
    record = deployed[0] / ".sls-ml/bench/memory-predict.json"
    record.write_text(json.dumps(measured | {"recommended_mb": 2048}))
    # WHEN it is planned THEN that is a word
    done = sls_ml("plan", "--stage", "local")
    assert "predict has 512 MB; `sls-ml bench memory` advised 2048" in done.err
    # GIVEN a measurement that needs more than there is THEN that is a warning
    record.write_text(json.dumps(measured | {"needs_mb": 600}))
    assert "predict needs 600 MB, and the spec has 512" in sls_ml("plan", "--stage", "local").err
    # GIVEN a measurement of another package THEN it says nothing
    record.write_text(json.dumps(measured | {"needs_mb": 600, "package_sha256": "0" * 64}))
    assert "600 MB" not in sls_ml("plan", "--stage", "local").err
