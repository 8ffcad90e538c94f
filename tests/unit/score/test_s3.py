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
from botocore.exceptions import ResponseStreamingError
from moto.server import ThreadedMotoServer

from sls_ml_runtime import score as module
from sls_ml_runtime.aws_objects import S3Input, S3Results
from sls_ml_runtime.score import Source, Superseded, results_folder, score_object
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
    with pytest.raises(PermissionError):
        S3Input(refused, "s3://data/in/")(there, 0)
    # AND so do both where nothing, or another place, may be listed
    for listed in (None, "s3://data/other/", "s3://else/in/"):
        with pytest.raises(PermissionError):
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


class Breaking:
    """A stream that breaks off behind so many bytes."""

    def __init__(self, stream: Any, after: int) -> None:
        self.stream, self.after = stream, after

    def read(self, size: int) -> bytes:
        """Up to so many bytes, or an error of the SDK."""
        if self.after <= 0:
            raise ResponseStreamingError(error="connection reset")
        content: bytes = self.stream.read(min(size, self.after))
        self.after -= len(content)
        return content


def breaking(client: Any, monkeypatch: pytest.MonkeyPatch, after: int) -> list[str | None]:
    """Let each connection end behind so many bytes; which ranges were asked for."""
    ranges: list[str | None] = []
    get = client.get_object

    def broken(**asked: Any) -> Any:
        ranges.append(asked.get("Range"))
        answer = get(**asked)
        return answer | {"Body": Breaking(answer["Body"], after)}

    monkeypatch.setattr(client, "get_object", broken)
    return ranges


def test_a_connection_that_breaks_is_made_again_behind_what_came(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an object of seven bytes, and connections that end after three
    made = arrive(client, "in/a.csv", b"abcdefg")
    ranges = breaking(client, monkeypatch, 3)
    stream = S3Input(client)(made, 1)
    # WHEN it is read to its end THEN it is whole
    assert b"".join(iter(lambda: stream.read(2), b"")) == b"bcdefg"
    assert ranges == ["bytes=1-", "bytes=4-", "bytes=7-"]


def test_a_connection_that_brings_nothing_is_given_up(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN connections that end at once
    made = arrive(client, "in/a.csv", b"abcdefg")
    ranges = breaking(client, monkeypatch, 0)
    stream = S3Input(client)(made, 0)
    # WHEN it is read THEN it is tried again a few times, and then an error, which the queue tries again
    with pytest.raises(ResponseStreamingError):
        stream.read(2)
    assert len(ranges) == 4


def test_an_object_that_is_replaced_where_a_connection_breaks_is_superseded(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an object that is replaced while it is read
    made = arrive(client, "in/a.csv", b"abcdefg")
    breaking(client, monkeypatch, 3)
    stream = S3Input(client)(made, 0)
    assert stream.read(9) == b"abc"
    arrive(client, "in/a.csv", b"zyxwvut")
    # WHEN the connection breaks THEN its bytes are not those of two objects
    with pytest.raises(Superseded):
        stream.read(9)


@pytest.mark.parametrize("code", ["AccessDenied", "KMS.DisabledException"])
def test_what_is_forbidden_says_what_the_role_needs(
    client: Any, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    # GIVEN S3 that lets nothing be read or written
    def refuse(**_: Any) -> None:
        raise client.exceptions.ClientError({"Error": {"Code": code, "Message": "No"}}, "PutObject")

    monkeypatch.setattr(client, "get_object", refuse)
    monkeypatch.setattr(client, "put_object", refuse)
    # WHEN an object is read, or a result created THEN the error names the object, the action and the key's
    with pytest.raises(
        PermissionError, match=rf"s3://data/in/a\.csv: {code}: No\. .*s3:GetObject.*kms:Decrypt"
    ):
        S3Input(client)(Source("data", "in/a.csv", "e", None, 3), 0)
    with pytest.raises(
        PermissionError, match=rf"s3://data/out/a\.csv: {code}.*s3:PutObject.*kms:GenerateData"
    ):
        S3Results(client, "s3://data/out/").create("a.csv", io.BytesIO(b"abc"), {"sha256": SHA_OF_ABC})


@pytest.mark.parametrize(
    "key",
    [
        "in/../out/a.csv",
        "in/./a.csv",
        "in//a.csv",
        "in/a%2Bb%20c.csv",
        "in/a+b c&d=e?f#g;h.csv",
        "in/naïve/日本語/\U0001f600.csv",
        "in/folder/",
        "in/" + "k" * 1017 + ".csv",
    ],
)
def test_an_object_of_any_key_is_scored_once(client: Any, scorer: Callable[..., Scorer], key: str) -> None:
    # GIVEN an object with a key that others would read otherwise
    source = arrive(client, key, b"id,age,children,city\na,30,0,Bern\n")
    results = S3Results(client, "s3://data/out/")
    # WHEN it is scored, and once more
    first = score_object(scorer(), S3Input(client), results, source)
    again = score_object(scorer(), S3Input(client), results, source)
    # THEN it has results below the output, under its own key
    assert (first.manifest["rows_scored"], first.replayed, again.replayed) == (1, False, True)
    assert first.manifest["source"]["key"] == key
    keys = [each["Key"] for each in client.list_objects_v2(Bucket="data")["Contents"]]
    assert sorted({*keys} - {key}) == [
        f"out/{results_folder(source, first.manifest['digest'])}/{name}"
        for name in ("manifest.json", "part-00000.csv")
    ]


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
