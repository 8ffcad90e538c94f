"""What a project needs, decided without any provider."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from sls_ml.errors import ModelError, SpecError, UnsupportedError
from sls_ml.intent import build
from sls_ml.intent.model import (
    Alarm,
    ListObjects,
    Place,
    ReadAlias,
    ReadModel,
    ReadObjects,
    ReadSecret,
    ReceiveMessages,
    SendMessages,
    WriteLogs,
    WriteObjects,
)
from sls_ml.spec.model import Project, Schedule


def manifest(size: int = 1000) -> tuple[str, Mapping[str, Any]]:
    files = {"model.onnx": {"sha256": "0" * 64, "bytes": size}}
    return "a" * 64, {
        "engines": ["ort_capi", "ort_python"],
        "files": files,
        "classes": ["no", "yes"],
        "outputs": [{"key": "label", "columns": None}, {"key": "probability", "columns": 2}],
    }


def project(functions: Mapping[str, Any], **keys: Any) -> Project:
    models = {"credit": {"source": "m.skops", "sample": "s.csv", **keys.pop("model", {})}}
    return Project.model_validate(
        {"project": "credit-risk", "models": models, "functions": functions, "folder": Path(), "stage": "dev"}
        | keys
    )


def test_http_function_gets_logs_and_its_model_only() -> None:
    # GIVEN a project with one endpoint
    asked = project({"predict": {"model": "credit", "http": {}}})
    # WHEN it is built
    (function,) = build(asked, {"credit": manifest()}).functions
    # THEN it is granted no more than its own logs and its model
    assert function.grants == (WriteLogs(), ReadModel("credit"))
    assert function.models[0].engine == "ort_capi"
    assert (function.timeout, function.observability) == (10, "native")


def test_batch_function_gets_its_places_in_the_own_bucket() -> None:
    # GIVEN a batch function that names no buckets
    asked = project({"score": {"model": "credit", "objects": {}}})
    # WHEN it is built
    (function,) = build(asked, {"credit": manifest()}).functions
    # THEN it reads and writes below its own name in the stack's bucket
    source, target = Place(None, "score/in/"), Place(None, "score/out/")
    assert function.grants[2:] == (
        ReceiveMessages(),
        ReadObjects(source),
        WriteObjects(target),
        SendMessages(),
    )
    assert (function.timeout, function.observability) == (300, "powertools")


def test_large_artifacts_are_fetched() -> None:
    asked = project({"predict": {"model": "credit", "http": {}}})
    small = build(asked, {"credit": manifest(size=1 << 20)}).functions[0].models[0]
    large = build(asked, {"credit": manifest(size=1 << 30)}).functions[0].models[0]
    assert (small.bundled, large.bundled) == (True, False)


def test_batches_run_on_the_engine_with_the_throughput() -> None:
    # GIVEN a model that both engines run, behind an endpoint and in batches
    functions = {"predict": {"model": "credit", "http": {}}, "score": {"model": "credit", "objects": {}}}
    digest, contents = manifest()
    proven = digest, {**contents, "engines": ["lite", "ort_capi", "ort_python"]}
    # WHEN they are built
    predict, score = build(project(functions), {"credit": proven}).functions
    # THEN the endpoint starts fast, and the batch has the throughput
    assert (predict.models[0].engine, score.models[0].engine) == ("lite", "ort_capi")


def test_an_engine_that_failed_parity_is_refused() -> None:
    asked = project({"predict": {"model": "credit", "http": {}}}, model={"engine": "lite"})
    with pytest.raises(ModelError, match="lite does not run the model credit"):
        build(asked, {"credit": manifest()})


@pytest.mark.parametrize(
    ("source", "target", "loops"),
    [
        ("s3://data/in/", "s3://data/in/scored/", True),
        ("s3://data/in/", "s3://data/", True),
        ("s3://data", "s3://data/out", True),
        ("s3://data/in/", "s3://data/out/", False),
        ("s3://data/in/", "s3://other/in/", False),
        ("auto", "auto", False),
    ],
)
def test_results_must_not_come_back_as_input(source: str, target: str, loops: bool) -> None:
    asked = project({"score": {"model": "credit", "objects": {"from": source, "to": target}}})
    if loops:
        with pytest.raises(SpecError, match="come back as its input"):
            build(asked, {"credit": manifest()})
    else:
        build(asked, {"credit": manifest()})


def test_functions_must_not_feed_a_circle() -> None:
    # GIVEN two functions, each of which reads what the other writes
    asked = project(
        {
            "one": {"model": "credit", "objects": {"from": "s3://data/a/", "to": "s3://data/b/"}},
            "two": {"model": "credit", "objects": {"from": "s3://data/b/", "to": "s3://data/a/"}},
        }
    )
    # THEN the circle is named
    with pytest.raises(SpecError) as caught:
        build(asked, {"credit": manifest()})
    assert "one -> two -> one" in str(caught.value)


@pytest.mark.parametrize(
    ("functions", "keys", "named"),
    [
        ({"predict": {"model": "credit", "http": {}, "package": "image"}}, {}, "package: image"),
        ({"score": {"model": "credit", "objects": {}, "style": "chalice"}}, {}, "style: chalice of objects"),
        (
            {
                "predict": {
                    "model": "credit",
                    "http": {},
                    "style": "chalice",
                    "observability": "powertools",
                }
            },
            {},
            "observability: powertools with style: chalice",
        ),
        ({"score": {"model": "credit", "objects": {}, "observability": "native"}}, {}, "observability"),
        ({"score": {"model": "credit", "objects": {"format": "parquet"}}}, {}, "objects.format: parquet"),
        ({"predict": {"model": "credit", "http": {}}}, {"provider": "gcp"}, "provider: gcp"),
    ],
)
def test_keys_not_carried_out_are_refused_by_name(
    functions: dict[str, Any], keys: dict[str, Any], named: str
) -> None:
    with pytest.raises(UnsupportedError) as caught:
        build(project(functions, **keys), {"credit": manifest()})
    assert named in caught.value.what


@pytest.mark.parametrize("follow", ["champion", {"alias": "champion", "seconds": 60}])
def test_a_function_may_read_the_alias_that_it_follows(follow: Any) -> None:
    # GIVEN a function that follows an alias, in short or in full
    functions = {"predict": {"model": "credit", "http": {}, "follow": follow}}
    # WHEN the project is decided
    (function,) = build(project(functions), {"credit": manifest()}).functions
    # THEN it may read exactly that alias, and its alarms tell when it cannot be followed
    assert ReadAlias("credit", "champion") in function.grants
    assert "failed_follows" in {alarm.measure.signal for alarm in function.alarms}
    assert function.follow is not None
    assert function.follow.seconds == (30 if follow == "champion" else 60)


@pytest.mark.parametrize("schedule", ["rate(6 hours)", {"at": "rate(6 hours)", "timezone": "UTC"}])
def test_a_batch_function_may_send_itself_messages_and_with_a_schedule_list_its_input(schedule: Any) -> None:
    # GIVEN a batch function with a schedule, in short or in full, and one without
    functions = {
        "score": {"model": "credit", "objects": {}, "schedule": schedule},
        "other": {"model": "credit", "objects": {}},
    }
    # WHEN the project is decided
    score, other = build(project(functions), {"credit": manifest()}).functions
    # THEN the first alone may find what waits in its input, and both may put an object into their queue
    assert score.batch is not None
    assert score.batch.schedule == Schedule(at="rate(6 hours)")
    assert {ListObjects(score.batch.source), SendMessages()} <= set(score.grants)
    assert SendMessages() in other.grants
    assert ListObjects not in {type(grant) for grant in other.grants}


def test_a_function_may_read_the_secrets_that_it_names() -> None:
    # GIVEN variables for a whole secret, and for two fields of another
    names = {"TOKEN": "token", "USER": "credit/db#user", "PASSWORD": "credit/db#password"}
    environment = {variable: {"secret": name} for variable, name in names.items()}
    # WHEN the project is decided
    (function,) = build(
        project({"predict": {"model": "credit", "http": {}, "environment": environment}}),
        {"credit": manifest()},
    ).functions
    # THEN it is granted these two
    assert {each for each in function.grants if isinstance(each, ReadSecret)} == {
        ReadSecret("token"),
        ReadSecret("credit/db"),
    }


@pytest.mark.parametrize("name", ["", "a b", "${AWS::Region}", "arn:aws:secretsmanager:a:1:secret:b", "db#"])
def test_what_cannot_be_the_name_of_a_secret_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="such as credit/database"):
        project({"predict": {"model": "credit", "http": {}, "environment": {"A": {"secret": name}}}})


def signals(function: Mapping[str, Any], **keys: Any) -> dict[str, Alarm]:
    (built,) = build(
        project({"it": {"model": "credit", **function}}, **keys), {"credit": manifest()}
    ).functions
    return {alarm.measure.signal: alarm for alarm in built.alarms}


def test_an_endpoint_is_watched_by_what_fits_a_model() -> None:
    # GIVEN an endpoint without further wishes
    found = signals({"http": {}})
    # THEN its failures, refused input, refused calls and failed starts raise alarms
    assert set(found) == {"failed", "rejected", "throttles", "failed_starts"}
    assert found["failed"].threshold == 0.01
    # AND only those that a release can cause take it back
    assert {signal for signal, alarm in found.items() if alarm.release} == {"failed", "failed_starts"}


def test_latency_and_reserved_concurrency_are_watched_where_they_are_given() -> None:
    found = signals({"http": {}, "concurrency": {"reserved": 10}}, alarms={"p99": "200ms"})
    assert (found["latency"].threshold, found["latency"].measure.statistic) == (200, "p99")
    assert found["concurrency"].threshold == 8
    assert "concurrency" not in signals({"http": {}, "concurrency": {"reserved": 2}})


def test_a_batch_function_is_watched_by_its_queue() -> None:
    found = signals({"objects": {}, "timeout": "2m"})
    assert set(found) == {
        "failed",
        "dead_letters",
        "queue_age",
        "refused_objects",
        "throttles",
        "failed_starts",
    }
    assert found["queue_age"].threshold == 6 * 120
    # AND a silent queue keeps its dead letters
    assert {signal for signal, alarm in found.items() if alarm.missing == "unchanged"} == {"dead_letters"}


def test_whoever_is_told_has_a_mail_address() -> None:
    keys = {"alarms": {"notify": ["ops@example.org", "ops"]}}
    with pytest.raises(SpecError) as caught:
        build(project({"predict": {"model": "credit", "http": {}}}, **keys), {"credit": manifest()})
    assert str(caught.value) == (
        "alarms are sent by mail\n"
        "  alarms.notify (missing): 'ops' is not a mail address\n"
        "    such as ops@example.org"
    )


def test_keys_of_aws_are_refused_for_another_provider() -> None:
    keys = {"provider": "gcp", "aws": {"permissions_boundary": "arn:aws:iam::123456789012:policy/boundary"}}
    with pytest.raises(SpecError) as caught:
        build(project({"predict": {"model": "credit", "http": {}}}, **keys), {"credit": manifest()})
    assert [(each.key, each.what) for each in caught.value.problems] == [("aws", "the provider is gcp")]


@pytest.mark.parametrize(
    "keys",
    [
        {"kms": "arn:aws:kms:eu-west-1:123456789012:alias/mine"},
        {"vpc": {"subnets": [], "security_groups": ["sg-0a1b2c3d"]}},
        {"vpc": {"subnets": ["subnet-1"], "security_groups": ["sg-0a1b2c3d"]}},
        {"permissions_boundary": "boundary"},
    ],
)
def test_keys_of_aws_are_checked(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        project({"predict": {"model": "credit", "http": {}}}, aws=keys)


@pytest.mark.parametrize(("percent", "seen"), [(1, False), (2, True)])
def test_a_canary_must_be_able_to_raise_the_alarm(percent: int, seen: bool) -> None:
    # GIVEN a canary, and an error rate of 1 %
    keys = {"rollout": {"canary": {"percent": percent, "minutes": 10}}}
    asked = project({"predict": {"model": "credit", "http": {}}}, **keys)
    # WHEN the canary takes so little traffic that all of it may fail unnoticed
    # THEN it is refused
    if seen:
        build(asked, {"credit": manifest()})
    else:
        with pytest.raises(SpecError, match="cannot sing"):
            build(asked, {"credit": manifest()})


@pytest.mark.parametrize(
    ("http", "what"),
    [
        ({"auth": "jwt"}, "is needed with auth: jwt"),
        (
            {"auth": "key", "jwt": {"issuer": "https://login.example.org", "audience": ["risk"]}},
            "has no meaning with auth: key",
        ),
    ],
)
def test_tokens_need_an_issuer_and_nothing_else_does(http: dict[str, Any], what: str) -> None:
    with pytest.raises(SpecError) as caught:
        build(project({"predict": {"model": "credit", "http": http}}), {"credit": manifest()})
    assert [(each.key, each.what) for each in caught.value.problems] == [("functions.predict.http.jwt", what)]
