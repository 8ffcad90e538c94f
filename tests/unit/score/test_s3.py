"""Input and results in S3, against a real server over HTTP."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from sls_ml_runtime import score as module
from sls_ml_runtime.aws_objects import S3Input, S3Results
from sls_ml_runtime.score import Source, Superseded, score_object
from sls_ml_runtime.scorer import Scorer

SHA_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def client(endpoint: str) -> Any:
    httpx.post(f"{endpoint}/moto-api/reset")
    made = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(s3={"addressing_style": "path"}),
    )
    made.create_bucket(Bucket="data", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return made


def arrive(client: Any, key: str, content: bytes) -> Source:
    etag = client.put_object(Bucket="data", Key=key, Body=content)["ETag"].strip('"')
    return Source("data", key, etag, None, len(content))


def test_results_are_created_once(client: Any) -> None:
    # GIVEN a result with its facts
    results = S3Results(client, "s3://data/out/")
    assert results.get("a.csv") is None
    assert results.facts("a.csv") is None
    assert results.create("a.csv", io.BytesIO(b"abc"), {"sha256": SHA_OF_ABC, "made-by": "x"})
    # WHEN it is created again with other bytes
    again = results.create("a.csv", io.BytesIO(b"abcd"), {"sha256": "88d4266fd4e6338d13b845fcf289579d" * 2})
    # THEN that fails, and the first is still there, with its facts
    assert not again
    assert results.get("a.csv") == b"abc"
    assert results.facts("a.csv") == {"sha256": SHA_OF_ABC, "made-by": "x"}
    assert client.head_object(Bucket="data", Key="out/a.csv")["ContentType"] == "text/csv"


def test_the_object_of_the_event_is_read_and_no_other(client: Any) -> None:
    # GIVEN an object that was replaced after its event
    old = arrive(client, "in/a.csv", b"old")
    new = arrive(client, "in/a.csv", b"newer")
    read = S3Input(client)
    # WHEN both are read
    # THEN the new one is, from where asked, and the old one is told to be superseded
    assert read(new, 0).read(100) == b"newer"
    assert read(new, 2).read(100) == b"wer"
    with pytest.raises(Superseded):
        read(old, 0)


def test_reading_on_behind_the_end_gives_nothing(client: Any) -> None:
    made = arrive(client, "in/a.csv", b"abc")
    assert S3Input(client)(made, 3).read(100) == b""


def test_an_object_that_is_gone_is_superseded(client: Any) -> None:
    gone = Source("data", "in/gone.csv", "e" * 32, None, 3)
    with pytest.raises(Superseded):
        S3Input(client)(gone, 0)


class Forbidding:
    """A client that answers 403 to every GET of an object, as S3 does where a key is gone or forbidden."""

    def __init__(self, client: Any) -> None:
        self.exceptions, self.get_paginator = client.exceptions, client.get_paginator

    def get_object(self, **_: Any) -> None:
        """Refuse every object."""
        raise self.exceptions.ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject")


def test_an_object_that_is_gone_is_told_from_a_forbidden_one_where_keys_may_be_listed(client: Any) -> None:
    # GIVEN a key that is there, one that is not, and neighbours that sort before and behind
    there, neighbour = arrive(client, "in/a b+c%.csv", b"abc"), arrive(client, "in/a b+c%.cst", b"abc")
    arrive(client, "in/z.csv", b"abc")
    client.delete_object(Bucket="data", Key=neighbour.key)
    refused = Forbidding(client)
    # WHEN S3 says 403 for both
    # THEN the one that is not listed is superseded, and the other stays forbidden
    with pytest.raises(Superseded, match=r"in/a b\+c%\.cst was deleted"):
        S3Input(refused, "s3://data/in/")(neighbour, 0)
    with pytest.raises(client.exceptions.ClientError):
        S3Input(refused, "s3://data/in/")(there, 0)
    # AND so do both where nothing, or another place, may be listed
    for listed in (None, "s3://data/other/", "s3://else/in/"):
        with pytest.raises(client.exceptions.ClientError):
            S3Input(refused, listed)(neighbour, 0)


@pytest.mark.parametrize(("conflicts", "created"), [(2, True), (3, None)])
def test_a_result_that_another_call_is_writing_is_tried_again(
    client: Any, monkeypatch: pytest.MonkeyPatch, conflicts: int, created: bool | None
) -> None:
    # GIVEN S3 that has read the body, and answers that another call writes the same key
    left, put = [conflicts], client.put_object

    def busy(**asked: Any) -> Any:
        if left[0]:
            left[0] -= 1
            asked["Body"].read()
            raise client.exceptions.ClientError(
                {"Error": {"Code": "ConditionalRequestConflict"}}, "PutObject"
            )
        return put(**asked)

    monkeypatch.setattr(client, "put_object", busy)
    results = S3Results(client, "s3://data/out/")
    # WHEN the result is created THEN it is whole after a few, and an error after too many
    if created:
        assert results.create("a.csv", io.BytesIO(b"abc"), {"sha256": SHA_OF_ABC})
        assert results.get("a.csv") == b"abc"
        return
    with pytest.raises(OSError, match=r"a\.csv is being written by another call; tried 3 times"):
        results.create("a.csv", io.BytesIO(b"abc"), {"sha256": SHA_OF_ABC})


def test_an_old_version_is_read_when_the_bucket_keeps_it(client: Any) -> None:
    # GIVEN a versioned bucket where an object was replaced
    client.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
    first = client.put_object(Bucket="data", Key="in/a.csv", Body=b"old")
    client.put_object(Bucket="data", Key="in/a.csv", Body=b"new")
    # WHEN the first one's event is worked on
    source = Source("data", "in/a.csv", first["ETag"].strip('"'), first["VersionId"], 3)
    # THEN its own bytes are read
    assert S3Input(client)(source, 0).read(100) == b"old"


def test_an_object_becomes_scored_objects(
    client: Any, scorer: Callable[..., Scorer], monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an object of five rows, one of them bad, a key with a blank and an umlaut, and parts of two rows
    monkeypatch.setattr(module, "PART_ROWS", 2)
    content = "id,age,children,city\nä,30,0,Bern\nb,50,0,Bern\nc,,0,Bern\nd,45,0,Bern\ne,20,0,Bern\n".encode()
    source = arrive(client, "in/a täglich.csv", content)
    chosen = scorer(max_rejected=1)
    results = S3Results(client, "s3://data/out/")
    # WHEN it is scored twice
    first = score_object(chosen, S3Input(client), results, source)
    second = score_object(chosen, S3Input(client), results, source)
    # THEN the results lie under the object's key, its etag and the model's digest
    folder = f"out/in/a täglich.csv/{source.etag}-{chosen.digest[:12]}"
    keys = [entry["Key"] for entry in client.list_objects_v2(Bucket="data", Prefix="out/")["Contents"]]
    assert keys == [
        f"{folder}/manifest.json",
        f"{folder}/part-00000.csv",
        f"{folder}/part-00001.csv",
        f"{folder}/part-00002.csv",
        f"{folder}/rejected/part-00001.jsonl",
    ]
    manifest = json.loads(client.get_object(Bucket="data", Key=keys[0])["Body"].read())
    assert manifest == first.manifest == second.manifest
    assert (first.replayed, second.replayed) == (False, True)
