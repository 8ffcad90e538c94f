"""Functions run as on Lambda: environment, limits, errors, concurrency, logs and metrics."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sls_ml.local import managed_runtime

Make = Callable[..., dict[str, Any]]

ENVIRONMENT = """
import os
def handler(event, context):
    return {"environment": dict(os.environ), "arn": context.invoked_function_arn, "cwd": os.getcwd()}
"""


def test_the_environment_is_that_of_lambda(
    cloud: Any, function: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a function with a variable of its own
    stack = cloud.deploy(
        function(ENVIRONMENT, Environment={"Variables": {"SLS_ML_STAGE": "local"}}), Name={"Ref": "Function"}
    )
    name = stack.outputs["Name"]
    # WHEN its alias is called
    answer = cloud.invoke(f"{name}:live")
    environment = answer["Payload"]["environment"]
    # THEN it sees what Lambda sets, its own variable, credentials of its role, and nothing of this process
    assert answer["ExecutedVersion"] == "1"
    assert answer["Payload"]["arn"].endswith(f":function:{name}:live")
    assert environment["SLS_ML_STAGE"] == "local"
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == name
    assert environment["AWS_LAMBDA_FUNCTION_VERSION"] == "1"
    assert environment["AWS_LAMBDA_LOG_GROUP_NAME"] == f"/aws/lambda/{name}"
    assert environment["AWS_ENDPOINT_URL"] == cloud.endpoint.url
    assert environment["AWS_ACCESS_KEY_ID"] != cloud.endpoint.access_key
    assert environment["_HANDLER"] == "handler.handler"
    assert environment["LAMBDA_TASK_ROOT"] == answer["Payload"]["cwd"]
    assert not set(environment) & {"HOME", "USER", "VIRTUAL_ENV", "PYTEST_CURRENT_TEST"}


FOREIGN = """
import boto3
def handler(event, context):
    s3 = boto3.client("s3")
    s3.put_object(Bucket=event["bucket"], Key="own/x", Body=b"x")
    s3.put_object(Bucket=event["bucket"], Key="foreign/x", Body=b"x")
"""


def test_a_role_reaches_its_own_prefix_only(cloud: Any, function: Make) -> None:
    # GIVEN a function whose role may write under one prefix
    resources = function(
        FOREIGN,
        policies=[{"Action": "s3:PutObject", "Resource": {"Fn::Sub": "${Bucket.Arn}/own/*"}}],
        Timeout=30,
    )
    stack = cloud.deploy(
        {**resources, "Bucket": {"Type": "AWS::S3::Bucket"}},
        Name={"Ref": "Function"},
        Bucket={"Ref": "Bucket"},
    )
    bucket = stack.outputs["Bucket"]
    # WHEN it writes there and beside it
    answer = cloud.invoke(stack.outputs["Name"], {"bucket": bucket})
    # THEN the first object is written and the second refused
    keys = [o["Key"] for o in cloud.client("s3").list_objects_v2(Bucket=bucket)["Contents"]]
    assert keys == ["own/x"]
    assert answer["FunctionError"] == "Unhandled"
    assert "AccessDenied" in answer["Payload"]["errorMessage"]


LIMITS = """
import json, sys, time
def handler(event, context):
    match event:
        case {"sleep": seconds}:
            time.sleep(seconds)
        case {"bytes": count}:
            return "x" * count
        case {"memory": megabytes}:
            kept = bytearray(megabytes << 20)
            time.sleep(50)
        case {"exit": code}:
            sys.exit(code)
        case {"raise": text}:
            raise ValueError(text)
    return "well"
"""


@pytest.fixture(scope="session")
def limited(cloud: Any, make_function: Make) -> str:
    """Name of a function that reaches each limit when asked."""
    stack = cloud.deploy(make_function(LIMITS, Timeout=60, MemorySize=128), Name={"Ref": "Function"})
    return str(stack.outputs["Name"])


@pytest.mark.parametrize(
    ("event", "kind", "message"),
    [
        ({"bytes": 6_291_557}, "Function.ResponseSizeTooLarge", "6291556 bytes"),
        ({"memory": 300}, "Runtime.OutOfMemory", "signal: killed"),
        ({"exit": 3}, "Runtime.ExitError", "exit status 3"),
        ({"raise": "no such row"}, "ValueError", "no such row"),
    ],
)
def test_an_error_is_told_and_the_next_call_is_well(
    cloud: Any, limited: str, event: Any, kind: str, message: str
) -> None:
    # GIVEN a function with 128 MB
    # WHEN a call goes beyond, and another one follows
    answer = cloud.invoke(limited, event)
    after = cloud.invoke(limited)
    # THEN the first is told as Lambda tells it, and the second runs
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"]["errorType"] == kind
    assert message in answer["Payload"]["errorMessage"]
    assert after["Payload"] == "well"


def test_a_function_that_takes_too_long_is_ended(cloud: Any, function: Make) -> None:
    # GIVEN a function with a second
    stack = cloud.deploy(function(LIMITS, Timeout=1), Name={"Ref": "Function"})
    # WHEN a call takes longer
    answer = cloud.invoke(stack.outputs["Name"], {"sleep": 60})
    # THEN it is told as Lambda tells it
    assert answer["Payload"]["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 1.00 seconds" in answer["Payload"]["errorMessage"]


def test_a_request_beyond_six_megabytes_is_refused(cloud: Any, limited: str) -> None:
    # GIVEN a payload one byte too large
    payload = b'"' + b"x" * 6_291_455 + b'"'
    # WHEN it is sent
    with pytest.raises(ClientError) as caught:
        cloud.invoke(limited, payload)
    # THEN Lambda refuses it
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_a_call_for_later_may_have_a_megabyte(cloud: Any, limited: str) -> None:
    # GIVEN an event of a megabyte, and one with a byte more
    most = b'"' + b"x" * 1_048_574 + b'"'
    # WHEN they are sent to be worked on later
    taken = cloud.invoke(limited, most, InvocationType="Event")
    with pytest.raises(ClientError) as caught:
        cloud.invoke(limited, most + b" ", InvocationType="Event")
    # THEN Lambda takes the first, and refuses the other
    assert taken["StatusCode"] == 202
    refused = caught.value.response
    assert refused["Error"]["Code"] == "RequestTooLargeException"
    assert refused["ResponseMetadata"]["HTTPStatusCode"] == 413


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("import no_such_module\ndef handler(event, context): ...", "Runtime.ImportModuleError"),
        ("def other(event, context): ...", "Runtime.HandlerNotFound"),
        ("raise RuntimeError('at import')", "RuntimeError"),
    ],
)
def test_an_error_of_initialising_is_told(cloud: Any, function: Make, code: str, kind: str) -> None:
    # GIVEN a function that cannot start
    stack = cloud.deploy(function(code), Name={"Ref": "Function"})
    # WHEN it is called
    answer = cloud.invoke(stack.outputs["Name"])
    # THEN the error is that of the runtime
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"]["errorType"] == kind


MEETING = """
import boto3, os
def handler(event, context):
    sqs = boto3.client("sqs")
    queue = os.environ["QUEUE"]
    sqs.send_message(QueueUrl=queue, MessageBody="here")
    while not sqs.receive_message(QueueUrl=os.environ["GO"], WaitTimeSeconds=1).get("Messages"):
        pass
    return os.getpid()
"""


def test_calls_beyond_the_reserved_concurrency_are_throttled(cloud: Any, function: Make) -> None:
    # GIVEN a function with a reserved concurrency of two, whose calls wait for a word
    queues = {name: {"Type": "AWS::SQS::Queue"} for name in ("Here", "Go")}
    resources = function(
        MEETING,
        policies=[{"Action": "sqs:*", "Resource": {"Fn::GetAtt": [name, "Arn"]}} for name in queues],
        Environment={"Variables": {"QUEUE": {"Ref": "Here"}, "GO": {"Ref": "Go"}}},
        ReservedConcurrentExecutions=2,
        Timeout=30,
    )
    stack = cloud.deploy(
        {**resources, **queues}, Name={"Ref": "Function"}, Here={"Ref": "Here"}, Go={"Ref": "Go"}
    )
    sqs = cloud.client("sqs")
    with ThreadPoolExecutor(2) as pool:
        # WHEN two calls are under way
        calls = [pool.submit(cloud.invoke, stack.outputs["Name"]) for _ in range(2)]
        arrived = 0
        while arrived < 2:
            answer = sqs.receive_message(QueueUrl=stack.outputs["Here"], WaitTimeSeconds=1)
            arrived += len(answer.get("Messages", []))
        # THEN a third is throttled
        with pytest.raises(ClientError) as caught:
            cloud.invoke(stack.outputs["Name"])
        assert caught.value.response["Error"]["Code"] == "TooManyRequestsException"
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
        for _ in calls:
            sqs.send_message(QueueUrl=stack.outputs["Go"], MessageBody="go")
        # AND the two ran in an environment each
        assert len({call.result()["Payload"] for call in calls}) == 2


TALKING = """
import json, time
print("starting")
def handler(event, context):
    print("a line\\nand another")
    print(json.dumps({
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [{
            "Namespace": "SlsMl", "Dimensions": [["function"]],
            "Metrics": [{"Name": "Rows", "Unit": "Count"}]}]},
        "function": "talking", "Rows": 3}))
"""


def test_logs_and_embedded_metrics_arrive(cloud: Any, function: Make) -> None:
    # GIVEN a function that prints lines and an embedded metric
    stack = cloud.deploy(function(TALKING), Name={"Ref": "Function"})
    name = stack.outputs["Name"]
    # WHEN it is called
    answer = cloud.invoke(name, LogType="Tail")
    # THEN its log group holds its lines between those of Lambda
    events = cloud.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    messages = [event["message"] for event in events]
    request = answer["ResponseMetadata"]["RequestId"]
    assert request
    stand_in = managed_runtime.find("python3.12").python  # where 3.12 is not installed
    assert messages[0].startswith(f"INIT_START Runtime Version: python:{stand_in}")
    assert messages[1] == "starting"
    assert messages[2].startswith("START RequestId: ")
    assert messages[3:5] == ["a line", "and another"]
    assert messages[6].startswith("END RequestId: ")
    assert "Init Duration:" in messages[7]
    assert "Max Memory Used:" in messages[7]
    assert "a line" in base64.b64decode(answer["LogResult"]).decode()
    # AND the metric is counted
    now = datetime.now(UTC)
    points = cloud.client("cloudwatch").get_metric_statistics(
        Namespace="SlsMl",
        MetricName="Rows",
        Dimensions=[{"Name": "function", "Value": "talking"}],
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=5),
        Period=600,
        Statistics=["Sum"],
    )["Datapoints"]
    assert [point["Sum"] for point in points] == [3.0]
    # AND the duration that Lambda counts is the one that its report tells, without the start
    durations = cloud.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="Duration",
        Dimensions=[{"Name": "FunctionName", "Value": name}],
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=5),
        Period=600,
        Statistics=["Sum"],
    )["Datapoints"]
    (told,) = re.findall(r"\tDuration: ([\d.]+) ms", messages[7])
    assert [point["Sum"] for point in durations] == [pytest.approx(float(told), abs=0.01)]


def test_json_logs_are_json_throughout(cloud: Any, function: Make) -> None:
    # GIVEN a function with JSON logs in a log group of another name
    code = "import logging\ndef handler(event, context):\n    logging.getLogger().warning('look')\n"
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 14}}
    resources = function(code, LoggingConfig={"LogFormat": "JSON", "LogGroup": {"Ref": "Group"}})
    stack = cloud.deploy({**resources, "Group": group}, Name={"Ref": "Function"}, Group={"Ref": "Group"})
    # WHEN it logs
    cloud.invoke(stack.outputs["Name"])
    # THEN each line is a document
    events = cloud.client("logs").filter_log_events(logGroupName=stack.outputs["Group"])["events"]
    documents = [json.loads(event["message"]) for event in events]
    assert [d["type"] for d in documents if "type" in d] == [
        "platform.initStart",
        "platform.start",
        "platform.report",
    ]
    assert [d["message"] for d in documents if "message" in d] == ["look"]


POLICY = {"Version": "2012-10-17"}


def test_callers_need_permission_and_a_true_signature(cloud: Any, limited: str, connect: Any) -> None:
    # GIVEN a user who may call another function only
    iam = cloud.client("iam")
    iam.create_user(UserName="visitor")
    statement = {
        "Effect": "Allow",
        "Action": "lambda:InvokeFunction",
        "Resource": "arn:aws:lambda:*:*:function:other",
    }
    iam.put_user_policy(
        UserName="visitor", PolicyName="own", PolicyDocument=json.dumps(POLICY | {"Statement": [statement]})
    )
    key = iam.create_access_key(UserName="visitor")["AccessKey"]
    for secret, expected in (
        (key["SecretAccessKey"], "AccessDeniedException"),
        ("not-the-secret", "SignatureDoesNotMatch"),
    ):
        # WHEN the user calls this one
        endpoint = type(cloud.endpoint)(
            **{
                **vars(cloud.endpoint),
                "access_key": key["AccessKeyId"],
                "secret_key": secret,
            }
        )
        with pytest.raises(ClientError) as caught:
            connect(endpoint, "lambda").invoke(FunctionName=limited)
        # THEN the call is refused
        assert caught.value.response["Error"]["Code"] == expected
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
