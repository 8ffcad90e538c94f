"""The store keeps objects once, and says what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sls_ml.errors import ExternalError, UsageError
from sls_ml.store import ObjectStore, open_store


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """An S3 server on loopback."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ObjectStore:
    """A bucket of its own on that server."""
    import boto3

    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    bucket = "".join(letter for letter in tmp_path.name.lower() if letter.isalnum())
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=bucket)
    return open_store(f"s3://{bucket}/team")


@pytest.fixture(params=["path", "file", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """One store of each kind that runs without an account."""
    match request.param:
        case "path":
            return open_store(tmp_path / "store")
        case "file":
            return open_store(f"{tmp_path.as_uri()}/store/")
        case _:
            found: ObjectStore = request.getfixturevalue("s3")
            return found


def test_put_then_get_gives_the_same_bytes(store: ObjectStore) -> None:
    # GIVEN an object in a store
    store.put("credit/abc/model.onnx", b"\x00\x01")
    # WHEN it is read, described and listed
    data, meta = store.get("credit/abc/model.onnx"), store.head("credit/abc/model.onnx")
    # THEN all agree
    assert data == b"\x00\x01"
    assert meta == {"path": "credit/abc/model.onnx", "size": 2}
    assert list(store.list("credit")) == [meta]


def test_create_leaves_an_object_as_it_is(store: ObjectStore) -> None:
    # GIVEN an object
    assert store.put("a/b", b"first")
    # WHEN it is created again
    written = store.put("a/b", b"second", mode="create")
    # THEN nothing is written
    assert not written
    assert store.get("a/b") == b"first"


def test_overwrite_replaces(store: ObjectStore) -> None:
    # GIVEN an object
    store.put("a/b", b"first")
    # WHEN it is overwritten
    store.put("a/b", b"second", mode="overwrite")
    # THEN it has the new bytes
    assert store.get("a/b") == b"second"


def test_an_absent_object_is_none(store: ObjectStore) -> None:
    # GIVEN an empty store
    # WHEN something is asked of it
    # THEN there is nothing
    assert store.get("a/b") is None
    assert store.head("a/b") is None
    assert list(store.list("a")) == []


def test_list_is_sorted_and_takes_whole_segments(store: ObjectStore) -> None:
    # GIVEN objects below two prefixes that begin alike
    for path in ("credit/b", "credit/a", "credit-2/a"):
        store.put(path, b"x")
    # WHEN one prefix is listed
    found = [meta["path"] for meta in store.list("credit")]
    # THEN the other is not in it
    assert found == ["credit/a", "credit/b"]


def test_the_uri_has_no_trailing_slash(tmp_path: Path) -> None:
    # GIVEN a URI with a trailing slash
    # WHEN the store is opened
    store = open_store(f"{tmp_path.as_uri()}/x/")
    # THEN addresses can be joined to it
    assert store.uri == f"{tmp_path.as_uri()}/x"


@pytest.mark.parametrize("uri", ["ftp://host/x", "s3://", "http://bucket/prefix"])
def test_an_unknown_address_is_refused(uri: str) -> None:
    # GIVEN an address that names no kind of store
    # WHEN it is opened
    # THEN the error lists those that we know
    with pytest.raises(UsageError, match="not the address of a store") as caught:
        open_store(uri)
    assert "s3://bucket/prefix" in str(caught.value.mend)


def test_a_bucket_that_is_not_there_is_an_external_error(s3: ObjectStore) -> None:
    # GIVEN a store whose bucket does not exist
    store = open_store("s3://no-such-bucket/x")
    # WHEN something is written
    # THEN the error names the store, without the client's debug output
    with pytest.raises(ExternalError) as caught:
        store.put("a", b"x")
    assert caught.value.where == "s3://no-such-bucket/x"
    assert "Debug source" not in str(caught.value)


def test_plain_http_is_for_loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN an endpoint that is not on this machine, without TLS
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://192.0.2.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    store = open_store("s3://models/x")
    # WHEN something is read
    # THEN nothing is sent
    with pytest.raises(ExternalError):
        store.get("a")
