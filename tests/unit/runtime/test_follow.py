"""A function follows an alias in a real S3 server, and serves nothing that it should not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import onnx
import pytest
from moto.server import ThreadedMotoServer

from sls_ml_runtime import aws, follow
from sls_ml_runtime.serve import Service

BUCKET = "aliases-of-models"
KEY = "_aliases/credit/champion"
ROWS = b'{"rows":[{"age":41,"income":3}]}'


class Place:
    """A store in an S3 server, and a function's folder that was deployed with the first model."""

    def __init__(self, client: Any, folder: Path, runtime: Any) -> None:
        self.client = client
        self.folder = folder
        numbers = {"edges": [40.0], "counts": [60, 40], "nulls": 0}
        labels = {"top": ["no", "yes"], "counts": [50, 50], "rest": 0, "nulls": 0}
        drift = {"rows": 100, "features": [numbers, numbers], "prediction": labels}
        again = {"library": "scikit-learn", "estimator": "trained again"}
        self.first = runtime.write(drift=drift)
        self.second = runtime.write(source=again, drift=drift)
        self.bare = runtime.write(source=again)
        self.other = runtime.write(classes=["never", "always"])
        self.unproven = runtime.write(engines=["lite"])
        for stored in (self.first, self.second, self.bare, self.other, self.unproven):
            for file in stored.folder.iterdir():
                key = f"credit/{stored.digest}/{file.name}"
                client.put_object(Bucket=BUCKET, Key=key, Body=file.read_bytes())
        packaged = folder / "artifacts" / "credit" / self.first.digest
        packaged.parent.mkdir(parents=True)
        self.first.folder.rename(packaged)
        signatures = {"credit": follow.signature(self.first.manifest)}
        followed = {"alias": "champion", "seconds": 30, "signatures": signatures}
        config = runtime.config(self.first) | {"follow": followed}
        (folder / "config.json").write_text(json.dumps(config))

    def point(self, body: str | bytes) -> None:
        """Let the alias hold a digest, or other bytes."""
        text = json.dumps({"digest": body}).encode() if isinstance(body, str) else body
        self.client.put_object(Bucket=BUCKET, Key=KEY, Body=text)

    def boot(self) -> Service:
        """Start the function."""
        return aws.boot(str(self.folder))


def connect(server: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=server,
        region_name="eu-west-1",
        aws_access_key_id="AKIAEXAMPLE",
        aws_secret_access_key="secret",
    )


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    address = f"http://{host}:{port}"
    connect(address).create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    yield address
    running.stop()


@pytest.fixture
def place(server: str, tmp_path: Path, runtime: Any, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "SLS_ML_STAGE": "dev",
        "SLS_ML_STORE": f"s3://{BUCKET}",
        "TMPDIR": str(tmp_path / "tmp"),
    }.items():
        monkeypatch.setenv(name, value)
    client = connect(server)
    client.delete_object(Bucket=BUCKET, Key=KEY)
    return Place(client, tmp_path / "task", runtime)


def answering(service: Service) -> str:
    """The digest of the model that answers a request, 12 digits."""
    reply = service.respond("POST", "/predict", {}, ROWS)
    assert reply.status == 200, reply.body
    digest: str = json.loads(reply.body)["digest"]
    return digest


def test_a_start_serves_what_the_alias_points_to(place: Place) -> None:
    # GIVEN an alias that was moved since the deploy WHEN an environment starts THEN it serves that one
    place.point(place.second.digest)
    assert answering(place.boot()) == place.second.digest[:12]
    # GIVEN one that points to what was deployed THEN the package's own is served, and nothing fetched
    place.point(place.first.digest)
    assert answering(place.boot()) == place.first.digest[:12]


def test_a_moved_alias_is_followed_and_back(place: Place, tmp_path: Path) -> None:
    # GIVEN a service that was started with the first model
    place.point(place.first.digest)
    service = place.boot()
    assert service.follower is not None
    # WHEN the alias moves, and it is looked at
    place.point(place.second.digest)
    service.follower.look()
    # THEN every route knows the other model
    assert answering(service) == place.second.digest[:12]
    ready = json.loads(service.respond("GET", "/ready", {}, b"").body)
    assert ready["models"] == {"credit": place.second.digest[:12]}
    assert (
        service.respond("GET", f"/v2/models/credit/versions/{place.second.digest[:12]}", {}, b"").status
        == 200
    )
    # WHEN it moves back THEN the package's own answers, and what was fetched is gone
    fetched = tmp_path / "tmp" / "artifacts" / "credit" / place.second.digest
    assert fetched.is_dir()
    place.point(place.first.digest)
    service.follower.look()
    assert answering(service) == place.first.digest[:12]
    assert not fetched.exists()


def test_each_model_counts_what_it_answered(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN a watched function that has answered two rows with the first model
    config = json.loads((place.folder / "config.json").read_text())
    config["models"]["credit"]["watched"] = True
    (place.folder / "config.json").write_text(json.dumps(config))
    place.point(place.first.digest)
    service = place.boot()
    assert service.follower is not None
    answering(service)
    answering(service)
    # WHEN the alias moves, and a row is answered by the second
    place.point(place.second.digest)
    service.follower.look()
    answering(service)
    service.count()
    # THEN each has a line of its own, by the whole digest, and no row is lost
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    counted = [(line["digest"], line["rows"]) for line in lines if line.get("type") == "sls-ml.drift"]
    assert counted == [(place.first.digest, 2), (place.second.digest, 1)]
    # WHEN an artifact has no reference THEN it is served, and not counted
    place.point(place.bare.digest)
    service.follower.look()
    assert answering(service) == place.bare.digest[:12]
    service.count()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (lambda place: b"champion", "holds no digest"),
        (lambda place: b'{"digest": "../../secrets"}', "holds no digest"),
        (lambda place: "ef" * 32, "does not exist"),
        (lambda place: place.other.digest, "another signature"),
        (lambda place: place.unproven.digest, "not proven for ort_capi"),
    ],
)
def test_whatever_is_wrong_the_model_in_place_answers(
    place: Place, capsys: pytest.CaptureFixture[str], wrong: Callable[[Place], str | bytes], reason: str
) -> None:
    # GIVEN a service that was started with the first model
    place.point(place.first.digest)
    service = place.boot()
    assert service.follower is not None
    # WHEN its alias points to what it cannot serve, and is looked at twice
    place.point(wrong(place))
    capsys.readouterr()
    service.follower.look()
    service.follower.look()
    # THEN each look counts it and says why, and the model in place answers
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["message"] for line in lines if "message" in line] == ["the alias cannot be followed"] * 2
    assert [line["follow_failed"] for line in lines if "_aws" in line] == [[1.0], [1.0]]
    assert all(reason in line["reason"] for line in lines)
    assert {"function"} == set(lines[1]["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0])
    assert answering(service) == place.first.digest[:12]
    # AND so it does in a new environment
    assert answering(place.boot()) == place.first.digest[:12]
    # WHEN the alias is mended THEN it is followed again
    place.point(place.second.digest)
    service.follower.look()
    assert answering(service) == place.second.digest[:12]


def test_an_artifact_that_was_changed_is_never_served(place: Place) -> None:
    # GIVEN an artifact in the store, of which a byte was changed
    key = f"credit/{place.second.digest}/model.onnx"
    size = len((place.second.folder / "model.onnx").read_bytes())
    place.client.put_object(Bucket=BUCKET, Key=key, Body=b"0" * size)
    # WHEN the alias points to it THEN the package's own model answers
    place.point(place.second.digest)
    assert answering(place.boot()) == place.first.digest[:12]


FOLLOWER = """
import sys
sys.path[:0] = {path!r}
from sls_ml_runtime import aws
service = aws.boot({folder!r})
print("started", flush=True)
sys.stdin.readline()
service.follower.look()
service.follower.look()
status, _, body = service.respond("POST", "/predict", {{}}, {rows!r})
print(body.decode())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not limit a process's memory")
def test_a_model_that_is_too_large_for_the_memory_is_not_taken_over(
    place: Place, model: bytes, runtime: Any, tmp_path: Path
) -> None:
    # GIVEN a function of 64 MB that has started with a small model, and a model of 60 MB
    graph = onnx.load_from_string(model)
    graph.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(7_500_000), "weights"))
    large = graph.SerializeToString()
    stored = runtime.write(files={"model.onnx": {"sha256": sha256(large).hexdigest(), "bytes": len(large)}})
    for name, body in (
        ("manifest.json", (stored.folder / "manifest.json").read_bytes()),
        ("model.onnx", large),
    ):
        place.client.put_object(Bucket=BUCKET, Key=f"credit/{stored.digest}/{name}", Body=body)
    place.point(place.first.digest)
    program = FOLLOWER.format(path=[*sys.path], folder=str(place.folder), rows=ROWS)
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "64"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        assert running.stdout.readline() == "started\n"

        # WHEN the alias is moved to it, and looked at twice
        place.point(stored.digest)
        said = running.communicate("\n", timeout=60)[0]

    # THEN each look says what to raise, the model in place answers, and nothing stays on the disk
    *lines, answer = [json.loads(line) for line in said.splitlines()]
    reasons = [line["reason"] for line in lines if "message" in line]
    assert len(reasons) == 2
    assert all(
        "more than the 64 MB of the function: raise functions.predict.memory" in each for each in reasons
    )
    assert answer["digest"] == place.first.digest[:12]
    assert not (tmp_path / "tmp" / "artifacts" / "credit" / stored.digest).exists()


def test_requests_look_once_in_an_interval_and_wait_only_for_what_is_long_overdue(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a service whose clock and looks are in our hands
    place.point(place.first.digest)
    clock = [1000.0]
    monkeypatch.setattr(follow, "time", lambda: clock[0])
    service = place.boot()
    looks: list[float] = []
    go = threading.Event()

    def look() -> None:
        looks.append(clock[0])
        go.wait(10)

    assert service.follower is not None
    monkeypatch.setattr(service.follower, "look", look)
    # WHEN requests come within the interval THEN nobody looks
    answering(service)
    assert looks == []
    # WHEN the next one comes after it THEN it is looked at beside it, once
    clock[0] = 1031
    answering(service)
    answering(service)
    clock[0] = 1200
    answering(service)
    assert looks == [1031]
    # WHEN the look has not ended after five minutes, and ends while a request waits for it
    waited: list[float] = []
    monkeypatch.setattr(threading.Thread, "join", lambda _, timeout: waited.append(timeout))
    clock[0] = 1331
    answering(service)
    # THEN that request waited no longer than it may
    assert waited == [follow.GRACE]
    go.set()


def test_a_store_that_is_no_bucket_is_named(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    # GIVEN a function whose store is a folder WHEN it starts THEN its log says that there is no following
    monkeypatch.setenv("SLS_ML_STORE", "file:///models")
    assert answering(place.boot()) == place.first.digest[:12]
    assert "file://: it takes s3://" in capsys.readouterr().out
