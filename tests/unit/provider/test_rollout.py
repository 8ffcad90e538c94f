"""A canary rollout: how traffic moves, what takes it back, and the check before it.

The check's code is run as rendered, against stubs of botocore: they hold what is sent, and the recorded
answers, to the shapes of AWS's own API.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from botocore.response import StreamingBody
from botocore.stub import Stubber

from sls_ml.intent.model import Place
from sls_ml.provider.aws import render, rollback
from sls_ml.spec.model import Alarms, Canary, Follow, Rollout
from sls_ml_runtime.aws import object_events

VERSION = "arn:aws:lambda:eu-west-1:123456789012:function:sls-ml-credit-risk-dev-predict:3"
EVENT = {"DeploymentId": "d-1A2B3C4D5", "LifecycleEventHookExecutionId": "eyJlbmNyeXB0ZWREYXRhIjoi"}
READY = {"status": "ready", "models": {"credit": "abababababab"}}
ANSWERS = {"label": ["no", "yes"], "probability": [[0.7, 0.2, 0.1], [0.4, 0.400001, 0.199999]]}
ANSWER = {"model": "credit", "digest": "abababababab", "classes": ["no", "yes", "?"], **ANSWERS}


def resources(make: Any, *functions: Any, **canary: Any) -> dict[str, Any]:
    steps = {"percent": 10, "minutes": 5, **canary}
    deployment = make.deployment(*functions, rollout=Rollout(canary=Canary(**steps)))
    packages = {function.name: make.package(function.name) for function in functions}
    found: dict[str, Any] = json.loads(render(deployment, packages).template)["Resources"]
    return found


@pytest.mark.parametrize(
    ("percent", "minutes", "steps"),
    [
        (10, 5, "CodeDeployDefault.LambdaCanary10Percent5Minutes"),
        (10, 30, "CodeDeployDefault.LambdaCanary10Percent30Minutes"),
        (10, 6, {"Ref": "RolloutSteps"}),
        (25, 5, {"Ref": "RolloutSteps"}),
    ],
)
def test_steps_are_codedeploys_own_where_it_has_them(
    make: Any, percent: int, minutes: int, steps: Any
) -> None:
    # GIVEN a canary
    # WHEN it is rendered
    found = resources(make, make.function(), percent=percent, minutes=minutes)
    # THEN its steps are those that CodeDeploy knows by name, or ones of the stack
    assert found["PredictShift"]["Properties"]["DeploymentConfigName"] == steps
    if isinstance(steps, str):
        assert "RolloutSteps" not in found
    else:
        routing = found["RolloutSteps"]["Properties"]["TrafficRoutingConfig"]
        assert routing["TimeBasedCanary"] == {"CanaryInterval": minutes, "CanaryPercentage": percent}


def test_only_alarms_that_a_release_can_raise_take_it_back(make: Any) -> None:
    # GIVEN an endpoint with all its alarms
    found = resources(make, make.function(alarms=Alarms(p99=200)))
    # THEN those about callers and capacity do not stand in the way of a release
    group = found["PredictShift"]["Properties"]
    assert [each["Name"]["Ref"] for each in group["AlarmConfiguration"]["Alarms"]] == [
        "PredictFailedAlarm",
        "PredictLatencyAlarm",
        "PredictFailedStartsAlarm",
    ]
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]


def test_the_check_and_the_shift_may_do_no_more_than_that(make: Any) -> None:
    # GIVEN a canary
    found = resources(make, make.function())
    # WHEN the policies of both roles are read
    allowed = {
        name: [
            action
            for each in body["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
            for action in each["Action"]
        ]
        for name, body in found.items()
        if body["Type"] == "AWS::IAM::Role"
    }
    # THEN the one calls versions and tells its verdict, the other moves the alias
    assert allowed["PredictCheckAccess"] == [
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "lambda:InvokeFunction",
        "codedeploy:PutLifecycleEventHookExecutionStatus",
    ]
    assert allowed["PredictShiftAccess"] == [
        "lambda:GetAlias",
        "lambda:GetProvisionedConcurrencyConfig",
        "lambda:UpdateAlias",
        "lambda:InvokeFunction",
        "cloudwatch:DescribeAlarms",
    ]


def test_a_rollback_waits_for_no_canary(make: Any) -> None:
    # GIVEN two releases of a function whose traffic moves step by step
    past = {"Resources": resources(make, make.function()), "Outputs": {}}
    current = {"Resources": resources(make, make.function(memory=1024)), "Outputs": {}}
    # WHEN the function goes back to the first
    template = rollback.taken_back(current, past, "predict")
    # THEN the alias moves at once
    assert "UpdatePolicy" in current["Resources"]["PredictAlias"]
    assert "UpdatePolicy" not in template["Resources"]["PredictAlias"]


@pytest.fixture
def run(make: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Runs the check of a function as rendered, on recorded answers, with the verdict that is expected."""

    def check(function: Any, answers: list[Mapping[str, Any]], verdict: str, **canary: Any) -> dict[str, Any]:
        found = resources(make, function, **canary)
        (code,) = [
            body["Properties"]["Code"]["ZipFile"]
            for body in found.values()
            if body["Type"] == "AWS::Lambda::Function" and "ZipFile" in body["Properties"]["Code"]
        ]
        monkeypatch.setenv("VERSION", VERSION)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", boto3.Session("AKIAIOSFODNN7EXAMPLE", "none"))
        module: dict[str, Any] = {"__name__": "index"}
        exec(compile(code, "index.py", "exec"), module)  # noqa: S102 - the code under test
        functions, codedeploy = Stubber(module["LAMBDA"]), Stubber(module["CODEDEPLOY"])
        for each, answer in zip(module["CHECKS"], answers, strict=False):
            body = io.BytesIO(json.dumps(answer["result"]).encode())
            response = {"StatusCode": 200, "Payload": StreamingBody(body, len(body.getvalue()))}
            if "error" in answer:
                response["FunctionError"] = answer["error"]
            sent = {"FunctionName": VERSION, "Payload": json.dumps(each["event"])}
            functions.add_response("invoke", response, sent)
        codedeploy.add_response(
            "put_lifecycle_event_hook_execution_status",
            {"lifecycleEventHookExecutionId": EVENT["LifecycleEventHookExecutionId"]},
            {
                "deploymentId": EVENT["DeploymentId"],
                "lifecycleEventHookExecutionId": EVENT["LifecycleEventHookExecutionId"],
                "status": verdict,
            },
        )
        with functions, codedeploy:
            result: dict[str, Any] = module["handler"](EVENT, None)
            codedeploy.assert_no_pending_responses()
        return result

    return check


def known(make: Any, **changed: Any) -> Any:
    """A function whose model's answers are known, the second label but for a hair."""
    return make.function(models=(replace(make.model(), answers=ANSWERS),), **changed)


def http(body: Any, status: int = 200) -> dict[str, Any]:
    return {
        "result": {"statusCode": status, "headers": {}, "body": json.dumps(body), "isBase64Encoded": False}
    }


def test_a_version_that_answers_its_example_rows_passes(make: Any, run: Callable[..., Any]) -> None:
    # GIVEN a new version that is ready with the model of the release, and answers
    # WHEN CodeDeploy asks the check
    # THEN the verdict is that traffic may move
    assert run(known(make), [http(READY), http(ANSWER), http(ANSWER)], "Succeeded") == {"wrong": []}


@pytest.mark.parametrize(
    ("answers", "wrong"),
    [
        (
            [
                {"result": {"errorType": "ArtifactRefused", "errorMessage": "..."}, "error": "Unhandled"},
                http(ANSWER),
                http(ANSWER),
            ],
            ["ready: ArtifactRefused"],
        ),
        ([http({"models": {"credit": "cd" * 6}}), http(ANSWER), http(ANSWER)], ["ready: wrong models"]),
        ([http(READY), http({**ANSWER, "digest": "cd" * 6}), http(ANSWER)], ["credit: wrong digest"]),
        ([http(READY), http(ANSWER), http({}, 500)], ["/predict: status 500"]),
        ([http(READY), http(ANSWER), http({"digest": "cd" * 6})], ["/predict: wrong digest"]),
        (
            [http(READY), http({**ANSWER, "label": ["no"]}), http(ANSWER)],
            ["credit: not one answer for each row"],
        ),
        (
            [http(READY), http({**ANSWER, "label": ["yes", "yes"]}), http(ANSWER)],
            ["credit: wrong label of example row 0"],
        ),
        (
            [
                http(READY),
                http({**ANSWER, "probability": [[0.7, 0.2, 0.1], [0.4, 0.4000012, 0.2]]}),
                http({}),
            ],
            [],
        ),
        (
            [http(READY), http({**ANSWER, "probability": [[0.7, 0.2, 0.1], [0.4, 0.41, 0.19]]}), http({})],
            ["credit: wrong probability of example row 1"],
        ),
        (
            [http(READY), http({**ANSWER, "probability": [[0.7, 0.2], [0.4, None, 0.2]]}), http({})],
            ["credit: wrong probability of example row 0", "credit: wrong probability of example row 1"],
        ),
        ([http(READY), http({**ANSWER, "label": ["no", "no"]}), http({"hooks": "said this"})], []),
        ([http(READY)], None),
    ],
)
def test_a_version_that_does_not_is_refused_within_tolerance_and_ties(
    make: Any, run: Callable[..., Any], answers: list[Any], wrong: list[str] | None
) -> None:
    # GIVEN a new version that fails to start, serves another model, answers otherwise or not, or cannot be
    # called; or whose answers are as good as the right ones, whatever hooks make of them
    # WHEN CodeDeploy asks the check
    result = run(known(make), answers, "Succeeded" if wrong == [] else "Failed")
    # THEN there is a verdict, with the reason
    assert result["wrong"] if wrong is None else result["wrong"] == wrong


def test_answers_that_are_not_known_are_counted_alone(
    make: Any, run: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    # GIVEN an artifact of an earlier version; and a function that follows an alias to another artifact
    other = {**ANSWER, "digest": "cd" * 6, "label": ["yes", "no"]}
    following = known(make, follow=Follow(alias="champion"))
    # WHEN their answers are checked
    # THEN they pass where there is one for each row, and the log says that they were not compared
    for function, answer in ((make.function(), ANSWER), (following, other)):
        answers = [http(READY), http(answer), http(answer)]
        assert run(function, answers, "Succeeded") == {"wrong": []}
        assert f"the right answers of {answer['digest']} are not known here" in caplog.text
        caplog.clear()
    # AND an alias that points to what is deployed has its answers compared
    wrong = run(following, [http(READY), http({**ANSWER, "label": ["?", "?"]}), http(ANSWER)], "Failed")
    assert wrong == {"wrong": ["credit: wrong label of example row 0"]}


@pytest.mark.parametrize(
    ("wanted", "got", "right"),
    [
        ({"value": [1000.0]}, {"value": [1000.0009]}, True),
        ({"value": [1000.0]}, {"value": [1000.002]}, False),
        ({"label": [-1], "score": [1e-7]}, {"label": [1], "score": [-1e-7]}, True),
        ({"label": ["b"], "score": [[0.5, 0.9]]}, {"label": ["a"], "score": [[0.5, 0.9]]}, False),
        ({"label": [7]}, {"label": [8]}, False),
        ({"transformed": [[0.5] * 100]}, {"transformed": [[0.5] * 64 + [9.0] * 36]}, True),
        ({"transformed": [["a", None]]}, {"transformed": [["b", None]]}, False),
    ],
)
def test_every_kind_of_answer_has_its_tolerance(
    make: Any, run: Callable[..., Any], wanted: Any, got: Any, right: bool
) -> None:
    # GIVEN a model whose answer to its one example row is known
    model = replace(make.model(example=[{"age": 41}]), answers=wanted)
    # WHEN a version gives another
    answers = [http(READY), http({"model": "credit", "digest": "abababababab", **got}), http({})]
    result = run(make.function(models=(model,)), answers, "Succeeded" if right else "Failed")
    # THEN it passes within tolerance; labels must be the same but for ties; long rows are compared in part
    assert (result["wrong"] == []) == right


def test_only_the_start_is_checked_where_hooks_take_other_rows(make: Any, run: Callable[..., Any]) -> None:
    assert run(known(make), [http(READY), http(ANSWER)], "Succeeded", check="start") == {"wrong": []}
    wrong = run(known(make), [http(READY), http({**ANSWER, "digest": "cd" * 6})], "Failed", check="start")
    assert wrong == {"wrong": ["credit: wrong digest"]}


def checks(found: Mapping[str, Any], check: str) -> list[dict[str, Any]]:
    """The checks in the code of a rendered check."""
    code = found[check]["Properties"]["Code"]["ZipFile"]
    parsed: list[dict[str, Any]] = json.loads(code.partition('r"""')[2].partition('"""')[0])
    return parsed


def test_a_batch_function_takes_the_message_of_its_check(make: Any) -> None:
    # GIVEN the check of a batch function
    function = make.function("score", batch=make.scoring(Place(None, "in/"), Place(None, "out/")))
    check, _ = checks(resources(make, function), "ScoreCheck")
    # WHEN Powertools and the runtime, as in the generated handler, take its message
    objects: list[Any] = []
    result = process_partial_response(
        event=check["event"],
        record_handler=lambda record: objects.extend(object_events(record.raw_event)),
        processor=BatchProcessor(event_type=EventType.SQS),
        context=None,
    )
    # THEN it tells of no object, and the answer is the expected one
    assert (objects, result) == ([], check["result"])


def test_a_batch_function_that_does_not_take_it_is_refused(make: Any, run: Callable[..., Any]) -> None:
    # GIVEN a batch function
    batch = make.scoring(Place(None, "in/"), Place(None, "out/"))
    # WHEN its new version gives back no message, or something else
    # THEN it passes, or not
    function = make.function("score", batch=batch)
    taken = {"result": {"batchItemFailures": []}}
    assert run(function, [taken, http(ANSWER)], "Succeeded") == {"wrong": []}
    wrong = run(function, [{"result": None}, http(ANSWER)], "Failed")
    assert wrong == {"wrong": ["start: not the expected result"]}


def test_rows_that_are_too_large_are_left_out(make: Any) -> None:
    # GIVEN a model whose example rows are very wide
    wide = [{f"c{column}": float(row) for column in range(1500)} for row in range(3)]
    model = make.model(example=wide)
    # WHEN the check is rendered
    found = resources(make, make.function(models=(model,)))
    # THEN one of them is sent
    assert [check["rows"] for check in checks(found, "PredictCheck") if "rows" in check] == [1]
