"""What choices cost: kinds of start, ways to log and to write."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sls_ml import intent
from sls_ml.intent.figures import figures
from sls_ml.intent.model import Function
from sls_ml.measure import usage
from sls_ml.measure.choices import choices
from sls_ml.measure.pricing import prices
from sls_ml.spec.model import Project

CPU = usage.Cpu(start=40.0, request=0.5, row=0.02, log_bytes=900, answer_bytes=150, measured=True)
HAS = usage.Counted(alarms=4, dashboards=0.5, drift=1)
TABLE = prices("aws", "eu-west-1")
MANIFEST: dict[str, Any] = {
    "files": {"model.onnx": {"bytes": 2000}, "model.lite": {"bytes": 1000}},
    "engines": ["lite", "ort_capi"],
    "outputs": [{"key": "value", "columns": None}],
}


def function(**more: Any) -> Function:
    spec = {
        "project": "credit-risk",
        "models": {"credit": {"source": "model.skops", "sample": "sample.csv"}},
        "functions": {"predict": {"model": "credit", "http": {}, **more}},
        "folder": "/nowhere",
        "stage": "dev",
    }
    built = intent.build(Project.model_validate(spec), {"credit": ("a" * 64, MANIFEST)})
    return built.functions[0]


def test_a_month_of_the_expected_traffic_is_priced_by_kind_of_start() -> None:
    # GIVEN a function from which bursts of twenty are expected
    found = choices(function(traffic={"requests": "50k/day", "burst": 20}), CPU, HAS, TABLE)
    # THEN the month is that traffic, and twenty environments that wait are the dearest
    assert (found.expected, round(found.requests)) == (True, 1_520_833)
    assert found.month["plain"] < found.month["snapstart"] < found.month["provisioned"]
    assert found.month["provisioned"] > 20 * 0.5 * 730 * 3600 * TABLE.values["provisioned_x86_64"]


@pytest.mark.parametrize("more", [{}, {"traffic": 0}])
def test_without_traffic_a_million_is_assumed(more: dict[str, Any]) -> None:
    # GIVEN a function of which nothing is expected THEN a million requests are
    found = choices(function(**more), CPU, HAS, TABLE)
    assert (found.expected, found.requests) == (False, 1_000_000)
    # AND as many of them wait as `estimate --requests 1M/month` says
    estimated = usage.usage(function(), usage.Traffic(1e6), CPU, HAS)
    assert found.cold_share == estimated.cold_share
    assert 0 < found.cold_share < 0.01


def test_ways_to_log_and_to_write_are_told_in_milliseconds() -> None:
    # GIVEN a function with 512 MB
    found = choices(function(), CPU, HAS, TABLE)
    # THEN each way costs what was measured, on its share of a processor
    kept, slower = figures(), 1769 / 512
    assert found.start_ms["native"] == pytest.approx((kept.empty + kept.engine["lite"]) * slower)
    added = found.start_ms["powertools"] - found.start_ms["native"]
    assert added == pytest.approx(kept.observability["powertools"] * slower)
    assert found.start_ms["chalice"] < found.start_ms["powertools"]


def test_a_batch_function_has_no_such_ways() -> None:
    # GIVEN a batch function, for whose start nobody waits THEN only its month is priced
    found = choices(function(http=None, objects={}), CPU, HAS, TABLE)
    assert found.start_ms == {}
    assert found.month["plain"] > 0


def test_alarms_and_shared_dashboards_are_counted_in_the_template() -> None:
    # GIVEN a template with two functions, an alarm of each, and a dashboard, an alarm and a watched
    # model of both
    def alarm(**more: Any) -> dict[str, Any]:
        return {"Type": "AWS::CloudWatch::Alarm", "Properties": {}, **more}

    template = {
        "Resources": {
            "One": alarm(Metadata={"sls-ml:function": "one"}),
            "Two": alarm(Metadata={"sls-ml:function": "two"}),
            "Both": alarm(),
            "Drift": alarm() | {"Properties": {"MetricName": "drift"}},
            "Dashboard": {"Type": "AWS::CloudWatch::Dashboard", "Properties": {}},
        }
    }
    # THEN what is shared counts in halves
    assert usage.counted(json.dumps(template), "one") == usage.Counted(alarms=2, dashboards=0.5, drift=1)
