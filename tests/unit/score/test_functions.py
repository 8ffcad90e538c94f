"""The generated functions, in this process, on recorded events."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

import sls_ml_runtime
from sls_ml import codegen
from sls_ml.intent.model import Batch, Deployment, Function, ModelRef, Place
from sls_ml.provider import aws
from sls_ml.spec.model import Concurrency, Http, Rollout

EVENTS = Path(__file__).parents[2] / "events"
RUNTIME = Path(sls_ml_runtime.__path__[0])
CONTENT = b"id,age,children,city\n1,30,0,Bern\n2,,0,Bern\n3,50,1,Bern\n"

CONTEXT = SimpleNamespace(
    function_name="risk-dev-score",
    function_version="7",
    invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:risk-dev-score:live",
    memory_limit_in_mb=512,
    aws_request_id="0b9f6c2e-4d83-4a6e-9d6b-6f7a1c2d3e4f",
    get_remaining_time_in_millis=lambda: 10_000,
)


def event(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text("utf-8"))
    return loaded


@pytest.fixture
def start(
    artifact_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Http | Batch], ModuleType]]:
    """Generate a function, lay its package out as Lambda would find it, and run its init phase."""

    def run(kind: Http | Batch) -> ModuleType:
        files = {file.name: file.stat().st_size for file in artifact_folder.iterdir()}
        function = Function(
            name="score",
            models=(ModelRef("credit", artifact_folder.name, files, "ort_capi", True, {}),),
            http=kind if isinstance(kind, Http) else None,
            batch=kind if isinstance(kind, Batch) else None,
            memory=512,
            timeout=10,
            python="3.13",
            architecture="x86_64",
            start="plain",
            concurrency=Concurrency(),
            observability="native",
            style="function",
            environment={},
            grants=(),
            log_retention=30,
        )
        what = Deployment(
            "risk",
            "dev",
            "aws",
            "eu-west-1",
            "s3://store",
            vendor=False,
            functions=(function,),
            rollout=Rollout(),
        )
        generated = codegen.generate(
            what, aws.sources(what), requirements=aws.requirements(what), runtime_root=RUNTIME
        )
        codegen.write(generated, tmp_path)
        root = tmp_path / "risk" / "aws" / "score"
        shutil.copytree(artifact_folder, root / "artifacts" / "credit" / artifact_folder.name)
        monkeypatch.setenv("LAMBDA_TASK_ROOT", str(root))
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", "7")
        monkeypatch.syspath_prepend(root)
        found = importlib.util.spec_from_file_location("generated_handler", root / "handler.py")
        assert found is not None
        assert found.loader is not None
        module = importlib.util.module_from_spec(found)
        found.loader.exec_module(module)
        return module

    yield run
    sys.modules.pop("hooks", None)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A server for S3, named in the environment as Lambda names it, with the object of the events."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    httpx.post(f"http://{host}:{port}/moto-api/reset")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("SLS_ML_TO", "s3://risk-data/score/out/")
    client = boto3.client("s3")
    client.create_bucket(Bucket="risk-data", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    client.put_object(Bucket="risk-data", Key="score/in/täglich 2026-11-24+a.csv", Body=CONTENT)
    yield client
    server.stop()


def arrived(name: str) -> dict[str, Any]:
    """A recorded event about the very object in the bucket, which keeps no versions."""
    loaded = event(name)
    etag = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    body = loaded["Records"][0]["body"].replace("b1946ac92492d2347c6235b4d2611184", etag)
    loaded["Records"][0]["body"] = body.replace('"version-id": "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e", ', "")
    return loaded


def batch() -> Batch:
    return Batch(Place(None, "score/in/"), Place(None, "score/out/"), "csv", "csv", ("id",), 0.05)


def emf(output: str) -> dict[str, Any]:
    (document,) = (json.loads(line) for line in output.splitlines() if line.startswith('{"_aws"'))
    return document


@pytest.mark.parametrize("name", ["sqs-eventbridge", "sqs-s3-notification"])
def test_an_object_that_arrives_is_scored_and_counted(
    start: Callable[..., ModuleType], s3: Any, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    # GIVEN a started batch function
    module = start(batch())
    # WHEN the event of an object arrives, of either sort
    answer = module.handler(arrived(name), CONTEXT)
    # THEN the object is scored
    assert answer == {"batchItemFailures": []}
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket="risk-data", Prefix="score/out/")["Contents"]]
    assert [key.rsplit("/", 1)[1] for key in keys] == ["manifest.json", "part-00000.csv", "part-00000.jsonl"]
    # AND counted under the function and its alias, in the stage's namespace
    document = emf(capsys.readouterr().out)
    directive = document["_aws"]["CloudWatchMetrics"][0]
    assert directive["Namespace"] == "sls-ml/risk/dev"
    assert directive["Dimensions"] == [["function", "alias"]]
    assert (document["function"], document["alias"]) == ("score", "live")
    assert (document["objects"], document["rows"], document["rejected_rows"]) == ([1.0], [3.0], [1.0])
    assert document["too_many_rejected"] == [1.0]


def test_one_bad_message_is_tried_again_and_the_others_are_done(
    start: Callable[..., ModuleType], s3: Any, caplog: pytest.LogCaptureFixture
) -> None:
    # GIVEN a batch of a good message and one that nobody can read
    module = start(batch())
    both = arrived("sqs-eventbridge")
    both["Records"].append(both["Records"][0] | {"messageId": "bad", "body": "nonsense"})
    # WHEN it is delivered twice
    first, second = module.handler(both, CONTEXT), module.handler(both, CONTEXT)
    # THEN the bad one alone is to be tried again, and the log tells which and why
    assert first == second == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    said = [
        (record.message, vars(record).get("message_id"))
        for record in caplog.records
        if record.name == "score"
    ]
    assert [message for message in said if message[0] == "failed"] == [("failed", "bad")] * 2
    # AND the good one was a replay the second time
    assert [message for message, _ in said if message != "failed"] == ["too-many-rejected", "replayed"]


def test_an_object_without_time_for_its_next_part_goes_back_into_the_queue(
    start: Callable[..., ModuleType],
    s3: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # GIVEN parts of two rows, and a clock that leaves time for one
    monkeypatch.setattr("sls_ml_runtime.score.PART_ROWS", 2)
    module = start(batch())
    sqs = boto3.client("sqs")
    queue = sqs.create_queue(QueueName="score")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    left = iter((10_000, 4_000, 3_999))
    event = arrived("sqs-eventbridge")
    event["Records"][0]["eventSourceARN"] = arn
    context = SimpleNamespace(**vars(CONTEXT) | {"get_remaining_time_in_millis": lambda: next(left)})
    # WHEN the event of an object comes
    assert module.handler(event, context) == {"batchItemFailures": []}
    # THEN a message asks for the rest of it
    assert emf(capsys.readouterr().out)["continued"] == [1.0]
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    event["Records"][0]["body"] = message["Body"]
    # WHEN that comes THEN the object is done
    module.handler(event, CONTEXT)
    (key,) = [
        each["Key"]
        for each in s3.list_objects_v2(Bucket="risk-data", Prefix="score/out/")["Contents"]
        if each["Key"].endswith("manifest.json")
    ]
    manifest = json.loads(s3.get_object(Bucket="risk-data", Key=key)["Body"].read())
    assert (manifest["rows_in"], len(manifest["parts"])) == (3, 2)


def test_an_object_that_was_replaced_is_left_to_its_successors_event(
    start: Callable[..., ModuleType], s3: Any
) -> None:
    # GIVEN an object that was replaced after its event
    module = start(batch())
    s3.put_object(Bucket="risk-data", Key="score/in/täglich 2026-11-24+a.csv", Body=b"newer")
    # WHEN the old event is delivered
    answer = module.handler(arrived("sqs-eventbridge"), CONTEXT)
    # THEN it is done with, and nothing is written
    assert answer == {"batchItemFailures": []}
    assert "Contents" not in s3.list_objects_v2(Bucket="risk-data", Prefix="score/out/")


@pytest.mark.filterwarnings("ignore:No application metrics")
def test_the_test_message_of_s3_is_taken_in_silence(start: Callable[..., ModuleType], s3: Any) -> None:
    module = start(batch())
    assert module.handler(event("sqs-s3-test"), CONTEXT) == {"batchItemFailures": []}


@pytest.mark.parametrize(("name", "status"), [("url-get", 200), ("url-post", 422), ("url-post-base64", 422)])
def test_requests_to_the_function_url_are_answered(
    start: Callable[..., ModuleType], capsys: pytest.CaptureFixture[str], name: str, status: int
) -> None:
    # GIVEN a started HTTP function whose model has other inputs than the recorded request
    module = start(Http())
    # WHEN a recorded request comes
    answer = module.handler(event(name), CONTEXT)
    # THEN it is answered, and counted
    assert answer["statusCode"] == status
    assert answer["headers"]["content-type"] == "application/json"
    assert emf(capsys.readouterr().out)["requests"] == [1.0]


def test_a_prediction_over_http_is_that_of_the_model(start: Callable[..., ModuleType]) -> None:
    # GIVEN a request with the model's own inputs
    module = start(Http())
    request = event("url-post") | {"body": '{"rows":[{"age":50,"children":1,"city":"Bern"}]}'}
    # WHEN it is answered
    answer = json.loads(module.handler(request, CONTEXT)["body"])
    # THEN it is the plain answer
    assert answer["label"] == ["yes"]


def test_the_check_before_a_release_gets_the_models_own_answers(
    start: Callable[..., ModuleType], s3: Any
) -> None:
    # GIVEN a started batch function
    module = start(batch())
    row = {"age": 30.0, "children": 0, "city": "Bern"}
    # WHEN the check asks for an answer, which no message of a queue can
    answer = module.handler({module.aws.CHECK: "credit", "rows": [row]}, CONTEXT)
    # THEN it is the model's
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["model"] == "credit"
