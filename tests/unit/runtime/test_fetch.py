"""Artifacts are fetched whole and verified, from a folder and a real S3 server, or an error says why not."""

from __future__ import annotations

import http.client
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from sls_ml_runtime import s3
from sls_ml_runtime.errors import ArtifactRefused, StoreError
from sls_ml_runtime.fetch import fetch

BUCKET = "store-of-models"


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def control(endpoint: str, path: str, body: str = "") -> None:
    connection = http.client.HTTPConnection(endpoint.removeprefix("http://"))
    connection.request("POST", f"/moto-api/{path}", body)
    connection.getresponse().read()
    connection.close()


@pytest.fixture
def endpoint(moto: str, monkeypatch: Any) -> Iterator[str]:
    """A fresh S3 server with a bucket, and an environment that points there."""
    control(moto, "reset")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    for name, value in {
        "AWS_ENDPOINT_URL": moto,
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }.items():
        monkeypatch.setenv(name, value)
    client(moto).create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    yield moto
    control(moto, "reset-auth", "1000000")


def client(endpoint: str, service: str = "s3") -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="eu-west-1",
        aws_access_key_id="AKIAEXAMPLE",
        aws_secret_access_key="secret",
    )


def upload(endpoint: str, stored: Any, prefix: str = "") -> None:
    bucket = client(endpoint)
    for file in stored.folder.iterdir():
        key = f"{prefix}{stored.name}/{stored.digest}/{file.name}"
        bucket.put_object(Bucket=BUCKET, Key=key, Body=file.read_bytes())


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[Any], None]], str]]:
    """Serve GET requests with a function of the request handler; gives the server's URL."""
    servers = []

    def start(answer: Callable[[Any], None]) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                answer(self)

            def log_message(self, *arguments: Any) -> None:
                """Be quiet."""

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join(30)
        server.server_close()


def send(handler: Any, status: int, body: bytes = b"", **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.mark.parametrize("prefix", ["", "teams/a b/ë+"])
def test_fetches_from_s3(endpoint: str, stored: Any, tmp_path: Path, prefix: str) -> None:
    # GIVEN an artifact in a bucket, below a prefix that must be encoded
    upload(endpoint, stored, prefix and f"{prefix}/")

    # WHEN it is fetched
    folder = fetch(f"s3://{BUCKET}/{prefix}", stored.name, stored.digest, tmp_path / "temp")

    # THEN every file is there, byte for byte, and nothing else
    assert folder == str(tmp_path / "temp" / stored.name / stored.digest)
    found = {file.name: file.read_bytes() for file in Path(folder).iterdir()}
    assert found == {file.name: file.read_bytes() for file in stored.folder.iterdir()}
    assert [path.name for path in Path(folder).parent.iterdir()] == [stored.digest]


def test_fills_memory_in_ranges(endpoint: str, monkeypatch: Any) -> None:
    # GIVEN an object of many ranges and a rest
    monkeypatch.setattr(s3, "SMALL_RANGE", 1000)
    content = bytes(position % 251 for position in range(12_345))
    client(endpoint).put_object(Bucket=BUCKET, Key="k", Body=content)

    # WHEN memory is filled with it
    bucket = s3.Bucket(BUCKET)
    target = bytearray(len(content))
    ends = []
    for end in bucket.fill("k", memoryview(target)):
        ends.append(end)
        assert target[:end] == content[:end]
    bucket.close()

    # THEN what is told to be there was there, up to the end
    assert ends == [*range(1543, 12_345, 1543), 12_345]


@pytest.mark.parametrize(
    ("change", "least"), [(b"", 1 << 20), (b"", 100), (b"more", 1 << 20)], ids=["none", "no ranges", "more"]
)
def test_an_object_of_another_size_is_refused(
    endpoint: str, stored: Any, tmp_path: Path, monkeypatch: Any, change: bytes, least: int
) -> None:
    # GIVEN a file in the bucket that has another size than its manifest says
    monkeypatch.setattr(s3, "SMALL_RANGE", least)
    path = stored.folder / "model.onnx"
    path.write_bytes(path.read_bytes() + change if change else b"")
    upload(endpoint, stored)

    # WHEN it is fetched, from the bucket or from a folder THEN it is refused
    for store in (f"s3://{BUCKET}", f"file://{stored.store}"):
        with pytest.raises(ArtifactRefused, match=r"model\.onnx has another size"):
            fetch(store, stored.name, stored.digest, tmp_path / "temp")


def test_fetches_only_the_files_of_its_engine(stored: Any, tmp_path: Path) -> None:
    # GIVEN a function that needs no file of the manifest WHEN it fetches THEN only the manifest comes
    folder = fetch(f"file://{stored.store}", stored.name, stored.digest, tmp_path / "temp", files=())
    assert [file.name for file in Path(folder).iterdir()] == ["manifest.json"]


def test_uses_what_is_already_there(stored: Any, tmp_path: Path) -> None:
    # GIVEN an artifact fetched before, and a store that is gone since
    first = fetch(f"file://{stored.store}", stored.name, stored.digest, tmp_path / "temp")
    stored.store.rename(tmp_path / "gone")

    # WHEN it is fetched again THEN it is the same folder
    assert fetch(f"file://{stored.store}", stored.name, stored.digest, tmp_path / "temp") == first


@pytest.mark.parametrize("file", ["manifest.json", "model.onnx"])
def test_refuses_changed_bytes_and_leaves_nothing(
    endpoint: str, stored: Any, tmp_path: Path, file: str
) -> None:
    # GIVEN a file changed in the bucket, of the same size
    path = stored.folder / file
    path.write_bytes(path.read_bytes()[::-1])
    upload(endpoint, stored)

    # WHEN it is fetched THEN it is refused, and no folder is left that a later start would trust
    with pytest.raises(ArtifactRefused, match=f"{file} has digest"):
        fetch(f"s3://{BUCKET}", stored.name, stored.digest, tmp_path / "temp")
    assert list((tmp_path / "temp" / stored.name).iterdir()) == []


def test_a_missing_artifact_is_named(endpoint: str, stored: Any, tmp_path: Path) -> None:
    # GIVEN a bucket without the artifact WHEN it is fetched THEN the error has its address
    with pytest.raises(
        StoreError, match=rf"s3://{BUCKET}/credit/{stored.digest}/manifest\.json does not exist"
    ):
        fetch(f"s3://{BUCKET}", stored.name, stored.digest, tmp_path / "temp")


def test_a_missing_permission_is_named(endpoint: str, stored: Any, tmp_path: Path, monkeypatch: Any) -> None:
    # GIVEN a role that may do something else, on a server that enforces it
    upload(endpoint, stored)
    iam = client(endpoint, "iam")
    iam.create_role(RoleName="function", AssumeRolePolicyDocument="{}")
    statement = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    iam.put_role_policy(RoleName="function", PolicyName="p", PolicyDocument=json.dumps(policy))
    arn = "arn:aws:iam::123456789012:role/function"
    assumed = client(endpoint, "sts").assume_role(RoleArn=arn, RoleSessionName="session")["Credentials"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", assumed["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", assumed["SecretAccessKey"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", assumed["SessionToken"])
    address = (f"s3://{BUCKET}", stored.name, stored.digest, tmp_path / "temp")
    control(endpoint, "reset-auth", "0")

    # WHEN it fetches THEN the error names the permission and the ARN
    with pytest.raises(
        StoreError, match=rf"needs s3:GetObject on arn:aws:s3:::{BUCKET}/credit/{stored.digest}/"
    ):
        fetch(*address)

    # AND once it is granted, the same signed request is served
    control(endpoint, "reset-auth", "1000000")
    statement["Action"] = "s3:GetObject"
    iam.put_role_policy(RoleName="function", PolicyName="p", PolicyDocument=json.dumps(policy))
    control(endpoint, "reset-auth", "0")
    assert Path(fetch(*address), "model.onnx").is_file()


def test_a_wrong_region_is_named(
    endpoint: str, stored: Any, tmp_path: Path, serve: Any, monkeypatch: Any
) -> None:
    # GIVEN a server that answers as S3 does for a bucket of another region
    monkeypatch.setenv("AWS_ENDPOINT_URL", serve(lambda h: send(h, 301, x_amz_bucket_region="us-east-2")))

    # WHEN it is fetched THEN the error names both regions
    with pytest.raises(StoreError, match="is in us-east-2, the function in eu-west-1"):
        fetch(f"s3://{BUCKET}", stored.name, stored.digest, tmp_path / "temp")


def test_tries_again_after_a_passing_failure(
    endpoint: str, stored: Any, tmp_path: Path, serve: Any, monkeypatch: Any
) -> None:
    # GIVEN a server that is busy, then breaks off, and then answers, for each object
    seen: dict[str, int] = {}

    def answer(handler: Any) -> None:
        seen[handler.path] = seen.get(handler.path, 0) + 1
        if seen[handler.path] == 1:
            send(handler, 503)
        elif seen[handler.path] == 2:
            handler.close_connection = True
        else:
            send(handler, 200, (stored.folder / handler.path.rpartition("/")[2]).read_bytes())

    monkeypatch.setattr(s3, "FIRST_DELAY", 0.001)
    monkeypatch.setenv("AWS_ENDPOINT_URL", serve(answer))

    # WHEN it is fetched THEN the third try of each succeeds
    fetch(f"s3://{BUCKET}", stored.name, stored.digest, tmp_path / "temp")
    assert list(seen.values()) == [3, 3]


def test_gives_up_on_a_lasting_failure(
    endpoint: str, stored: Any, tmp_path: Path, serve: Any, monkeypatch: Any
) -> None:
    # GIVEN a server that is always busy
    monkeypatch.setattr(s3, "FIRST_DELAY", 0.001)
    monkeypatch.setenv("AWS_ENDPOINT_URL", serve(lambda h: send(h, 503)))

    # WHEN it is fetched THEN the error says what S3 answered, and how often
    with pytest.raises(StoreError, match="status 503, 5 times"):
        fetch(f"s3://{BUCKET}", stored.name, stored.digest, tmp_path / "temp")


def test_a_full_disk_is_named(stored: Any, tmp_path: Path, monkeypatch: Any) -> None:
    # GIVEN a temp folder on a device that is always full
    import os

    real = os.makedirs
    full = tmp_path / "temp"

    def link_to_the_full_device(path: str, **more: Any) -> None:
        real(path, **more)
        if not Path(path, "model.onnx").exists():
            Path(path, "manifest.json").symlink_to("/dev/full")

    monkeypatch.setattr("sls_ml_runtime.fetch.os.makedirs", link_to_the_full_device)

    # WHEN it is fetched THEN the error says what to do
    with pytest.raises(StoreError, match=r"no space .* deploy again, which gives the function room"):
        fetch(f"file://{stored.store}", stored.name, stored.digest, full)


@pytest.mark.parametrize("store", ["gs://bucket", "bucket", ""])
def test_another_kind_of_store_is_refused(store: str, tmp_path: Path) -> None:
    # GIVEN an address of another kind WHEN it is fetched from THEN the error names it
    with pytest.raises(StoreError, match="neither s3:// nor file://"):
        fetch(store, "credit", "0" * 64, tmp_path)
