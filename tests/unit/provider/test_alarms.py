"""What alarms do when metric data comes in, judged by the documented semantics of CloudWatch."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import emitted
from alarm_judge import Data, judge
from sls_ml.intent.alarms import silent_seconds
from sls_ml.intent.model import Place
from sls_ml.provider.aws import render
from sls_ml.spec.model import Alarms, Concurrency, Follow, Traffic

ROOT = Path(__file__).parents[3]


@pytest.fixture
def alarms(make: Any) -> dict[str, dict[str, Any]]:
    """Properties of every alarm of an endpoint and a batch function, by logical id."""
    own = make.scoring(Place(None, "score/in/"), Place(None, "score/out/"))
    deployment = make.deployment(
        make.function(
            alarms=Alarms(p99=200),
            concurrency=Concurrency(reserved=10),
            models=(make.model(watched=True),),
            traffic=Traffic(requests=1_000_000),
            follow=Follow(alias="champion"),
        ),
        make.function("score", batch=own),
    )
    packages = {name: make.package(name) for name in ("predict", "score")}
    resources = json.loads(render(deployment, packages).template)["Resources"]
    return {
        name: body["Properties"]
        for name, body in resources.items()
        if body["Type"] == "AWS::CloudWatch::Alarm"
    }


def test_no_traffic_raises_nothing_but_where_it_is_expected(alarms: dict[str, dict[str, Any]]) -> None:
    # GIVEN all alarms, of functions of which one expects traffic
    # WHEN no data comes for a long time
    states = {name: judge(alarm, {}) for name, alarm in alarms.items()}
    # THEN all are as they were, but for that one's silence
    assert states.pop("PredictSilenceAlarm") == "ALARM"
    assert set(states.values()) == {"OK"}
    assert "ScoreSilenceAlarm" not in states


def test_healthy_traffic_raises_nothing(alarms: dict[str, dict[str, Any]]) -> None:
    # GIVEN all alarms
    # WHEN requests are answered
    data: Data = {
        "drift": [0.05] * 9,
        "requests": [100.0] * 9,
        "Invocations": [100.0] * 9,
        "Errors": [0.0] * 9,
        "failed": [0.0] * 9,
        "rejected": [3.0] * 9,
        "latency": [12.0] * 9,
        "ConcurrentExecutions": [4.0] * 9,
        "Throttles": [0.0] * 9,
        "ApproximateAgeOfOldestMessage": [30.0] * 9,
        "ApproximateNumberOfMessagesVisible": [0.0] * 9,
        "refused": [0.0] * 9,
        "too_many_rejected": [0.0] * 9,
    }
    # THEN nobody is told
    assert {judge(alarm, data) for alarm in alarms.values()} == {"OK"}


@pytest.mark.parametrize(
    ("data", "state"),
    [
        ({"Invocations": [100, 100, 100], "failed": [0, 5, 5]}, "ALARM"),
        ({"Invocations": [100, 100, 100], "Errors": [0, 5, 5]}, "ALARM"),
        ({"Invocations": [100, 100, 100], "failed": [0, 0, 50]}, "OK"),
        ({"Invocations": [1000, 1000, 1000], "failed": [9, 9, 9]}, "OK"),
        ({"Invocations": [1000, 1000, 1000], "failed": [6, 6, 6], "Errors": [6, 6, 6]}, "ALARM"),
        ({"Invocations": [1, None, 1], "failed": [1, None, 1]}, "ALARM"),
        ({"Invocations": [1, None, None, None, None, None], "failed": [1]}, "OK"),
    ],
)
def test_failed_calls(alarms: dict[str, dict[str, Any]], data: Data, state: str) -> None:
    # GIVEN the alarm of an endpoint about failed calls, at 1 %
    # WHEN calls fail, in the function (failed) or with it (Errors)
    # THEN it is raised where the share is too high in two of three minutes
    assert judge(alarms["PredictFailedAlarm"], data) == state


@pytest.mark.parametrize(
    ("alarm", "data", "state"),
    [
        ("PredictLatencyAlarm", {"latency": [250, 250, 250]}, "ALARM"),
        ("PredictLatencyAlarm", {"latency": [250, 90, 250, 90, 90]}, "OK"),
        ("PredictRejectedAlarm", {"requests": [200, 200], "rejected": [50, 50]}, "ALARM"),
        ("PredictRejectedAlarm", {"requests": [10, 10, 10], "rejected": [10, 10, 10]}, "OK"),
        ("PredictThrottlesAlarm", {"Throttles": [1, 2, 3]}, "ALARM"),
        ("PredictThrottlesAlarm", {"Throttles": [9, None, None, None, None]}, "OK"),
        ("PredictConcurrencyAlarm", {"ConcurrentExecutions": [9, 9, 10]}, "ALARM"),
        ("PredictConcurrencyAlarm", {"ConcurrentExecutions": [8, 8, 8]}, "OK"),
        ("PredictFailedStartsAlarm", {"init_failed": [1]}, "ALARM"),
        ("ScoreFailedStartsAlarm", {"init_failed": [1]}, "ALARM"),
        ("ScoreFailedAlarm", {"Invocations": [2, 2], "Errors": [1, 1]}, "ALARM"),
        ("ScoreFailedAlarm", {"Invocations": [2, 2], "failed": [1, 1]}, "OK"),
        ("ScoreQueueAgeAlarm", {"ApproximateAgeOfOldestMessage": [1900, 2200]}, "ALARM"),
        ("ScoreQueueAgeAlarm", {"ApproximateAgeOfOldestMessage": [600, 900]}, "OK"),
        ("ScoreRefusedObjectsAlarm", {"refused": [1]}, "ALARM"),
        ("ScoreRefusedObjectsAlarm", {"too_many_rejected": [1]}, "ALARM"),
        ("ScoreRefusedObjectsAlarm", {"refused": [0], "too_many_rejected": [0]}, "OK"),
        ("ScoreDeadLettersAlarm", {"ApproximateNumberOfMessagesVisible": [1]}, "ALARM"),
        ("CreditDriftAlarm", {"drift": [0.31]}, "ALARM"),
        ("CreditDriftAlarm", {"drift": [0.31, 0.11]}, "OK"),
        ("PredictSilenceAlarm", {"requests": [0] * 12}, "ALARM"),
        ("PredictSilenceAlarm", {"requests": [*[None] * 12, 1]}, "OK"),
        ("PredictSilenceAlarm", {"requests": [1, *[None] * 20]}, "ALARM"),
    ],
)
def test_other_signals(alarms: dict[str, dict[str, Any]], alarm: str, data: Data, state: str) -> None:
    assert judge(alarms[alarm], data) == state


def test_a_silent_queue_still_holds_its_dead_letters(alarms: dict[str, dict[str, Any]]) -> None:
    # GIVEN dead letters that somebody was told of
    alarm = alarms["ScoreDeadLettersAlarm"]
    visible = "ApproximateNumberOfMessagesVisible"
    # WHEN SQS stops to report on the queue, as it does after six idle hours
    # THEN the alarm stays, until the queue is said to be empty
    assert judge(alarm, {visible: [1, None, None, None]}, before="ALARM") == "ALARM"
    assert judge(alarm, {visible: [1, 0]}, before="ALARM") == "OK"


def test_too_few_rows_leave_the_drift_alarm_as_it_is(alarms: dict[str, dict[str, Any]]) -> None:
    # GIVEN a model that has drifted, and then is hardly asked, so that its index is not told
    # THEN the alarm stays, until rows say otherwise
    alarm = alarms["CreditDriftAlarm"]
    assert judge(alarm, {"drift": [None, None, None, None]}, before="ALARM") == "ALARM"
    assert judge(alarm, {"drift": [0.4, None, None, 0.1]}, before="ALARM") == "OK"


@pytest.mark.parametrize(
    ("traffic", "seconds"),
    [
        (Traffic(requests=1_000_000), 3600),
        (Traffic(requests=10_000, burst=1), 13_140),
        (Traffic(requests=10_000, burst=5), 65_700),
        (Traffic(requests=1000), None),
        (Traffic(requests=0), None),
        (Traffic(requests=1000, silence=50_400), 50_400),
        (Traffic(requests=1_000_000, silence=None), None),
    ],
)
def test_silence_is_a_time_in_which_many_requests_should_have_come(
    traffic: Traffic, seconds: int | None
) -> None:
    assert silent_seconds(traffic) == seconds


def test_metrics_are_those_that_functions_write(alarms: dict[str, dict[str, Any]]) -> None:
    # GIVEN what the runtime writes for a request and for a start that failed, and what a batch handler counts
    namespace = "sls-ml/credit-risk/dev"
    written = (
        emitted.by_endpoint("credit-risk", "predict")
        | emitted.by_any("credit-risk", "predict")
        | emitted.by_any("credit-risk", "score")
        | emitted.by_batch(namespace, "score")
        | emitted.by_watch(namespace, "credit")
    )
    # WHEN the alarms' own metrics are looked up
    wanted = set()
    for alarm in alarms.values():
        for metric in [q["MetricStat"]["Metric"] for q in alarm.get("Metrics", [])[:-1]] or [alarm]:
            if not metric["Namespace"].startswith("AWS/"):
                dimensions = tuple((each["Name"], each["Value"]) for each in metric["Dimensions"])
                wanted.add((metric["Namespace"], metric["MetricName"], dimensions))
    # THEN each of them is written
    assert wanted <= written


def test_each_alarm_says_what_to_do_and_where_to_read_on(alarms: dict[str, dict[str, Any]]) -> None:
    # GIVEN the sections of the runbook
    runbook = (ROOT / "docs/runbook.md").read_text()
    sections = {title.lower().replace(" ", "-") for title in re.findall(r"^## (.+)$", runbook, re.MULTILINE)}
    # WHEN an alarm's description is read
    for alarm in alarms.values():
        words, _, anchor = alarm["AlarmDescription"].rpartition(" docs/runbook.md#")
        # THEN it names a section that there is, after a sentence on what to do
        assert anchor in sections
        assert words.count(". ") >= 1
        assert len(alarm["AlarmDescription"]) <= 1024
    # AND the runbook has no section that no alarm leads to
    assert sections == {alarm["AlarmDescription"].rpartition("#")[2] for alarm in alarms.values()}


def test_alarms_tell_the_topic_only_where_somebody_listens(make: Any) -> None:
    # GIVEN a deployment with an address and one without
    packages = {"predict": make.package("predict")}
    with_address = make.deployment(make.function(), notify=("ops@example.org",))
    # WHEN both are rendered
    told = json.loads(render(with_address, packages).template)["Resources"]
    silent = json.loads(render(make.deployment(make.function()), packages).template)["Resources"]
    # THEN there is a topic, and each alarm sends its rise and its end to it, only in the first
    assert told["PredictFailedAlarm"]["Properties"]["AlarmActions"] == [{"Ref": "AlarmTopic"}]
    assert told["PredictFailedAlarm"]["Properties"]["OKActions"] == [{"Ref": "AlarmTopic"}]
    assert "AlarmTopic" not in silent
    assert "AlarmActions" not in silent["PredictFailedAlarm"]["Properties"]
