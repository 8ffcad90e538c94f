"""Releases with a check before traffic: what the provider renders, deployed to the embedded cloud.

Steps and alarms of a canary are not emulated: traffic moves all at once when the check has passed.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sls_ml.errors import ApplyError
from sls_ml.intent import alarms
from sls_ml.intent.model import Deployment, Function, ModelRef, ReadModel, WriteLogs
from sls_ml.package.model import Package
from sls_ml.provider.aws import connect, render
from sls_ml.provider.aws.deployer import AwsDeployer
from sls_ml.provider.base import Target
from sls_ml.spec.model import Alarms, Canary, Concurrency, Http, Rollout

DIGEST = "ab" * 32
ROWS = [{"age": 41}, {"age": 27}]
HANDLER = """
import json

def handler(event, context):
    if event.get("rawPath") == "/ready":
        body = {{"status": "ready", "models": {{"credit": "{digest}"}}}}
    else:
        rows = event["rows"] if "sls-ml-check" in event else json.loads(event["body"])["rows"]
        body = {{"digest": "{digest}", "value": [{value} for _ in rows]}}
    return {{"statusCode": 200, "headers": {{}}, "body": json.dumps(body), "isBase64Encoded": False}}
"""


def package(folder: Path, value: str, digest: str = DIGEST[:12]) -> Package:
    """A package whose function answers `value` for each row."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("handler.py", HANDLER.format(digest=digest, value=value))
    sha256 = hashlib.sha256(buffer.getvalue()).hexdigest()
    path = folder / f"{sha256}.zip"
    path.write_bytes(buffer.getvalue())
    facts: Mapping[str, Any] = {"glibc": None, "bytecode": None, "files": (), "pruned": (), "warnings": ()}
    size = path.stat().st_size
    return Package("predict", "zip", path, sha256, size, size, "3.11", "x86_64", "any", **facts)


def deployment() -> Deployment:
    model = ModelRef("credit", DIGEST, {"model.onnx": 1}, "ort_capi", True, {"example": ROWS})
    function = Function(
        name="predict",
        models=(model,),
        http=Http(),
        batch=None,
        memory=256,
        timeout=10,
        python="3.11",
        architecture="x86_64",
        start="plain",
        concurrency=Concurrency(),
        observability="native",
        style="function",
        environment={},
        grants=(WriteLogs(), ReadModel("credit")),
        log_retention=30,
        alarms=tuple(alarms.http_alarms(Alarms(), Concurrency())),
        charts=alarms.charts(None),
    )
    canary = Rollout(canary=Canary(percent=10, minutes=10))
    return Deployment("checked", "dev", "aws", "eu-west-1", "auto", True, (function,), canary)


def deploy(deployer: AwsDeployer, built: Package) -> None:
    rendered = render(deployment(), {"predict": built})
    for _ in deployer.upload(deployer.uploads(rendered)):
        pass
    for _ in deployer.apply(deployer.changes(rendered)):
        pass


def answer(cloud: Any) -> Any:
    event = {"rawPath": "/predict", "body": json.dumps({"rows": ROWS})}
    answered = cloud.invoke("sls-ml-checked-dev-predict:live", event)
    return json.loads(answered["Payload"]["body"])["value"]


def test_a_release_that_fails_its_check_never_sees_a_request(cloud: Any, tmp_path: Path) -> None:
    # GIVEN a first release
    at = cloud.endpoint
    target = Target("eu-west-1", "dev", at.url, at.access_key, at.secret_key)
    deployer = connect(target).at("checked", "dev")
    for _ in deployer.bootstrap():
        pass
    try:
        deploy(deployer, package(tmp_path, "1"))
        assert answer(cloud) == [1, 1]
        # WHEN the second fails on the model's example rows, and the third serves another model
        # THEN each is taken back, with the check named, and the first still answers
        for bad in (package(tmp_path, "1 / 0"), package(tmp_path, "2", digest="cd" * 6)):
            with pytest.raises(ApplyError) as caught:
                deploy(deployer, bad)
            assert "BeforeAllowTraffic" in str(caught.value)
            assert "said Failed" in str(caught.value)
            assert answer(cloud) == [1, 1]
        # AND the fourth, which passes, goes live
        deploy(deployer, package(tmp_path, "4"))
        assert answer(cloud) == [4, 4]
        # WHEN the traffic goes back to the first
        first = deployer.releases()[-1]
        for _ in deployer.rollback(first):
            pass
        # THEN it answers again, and the next deploy of the fourth is a change
        assert answer(cloud) == [1, 1]
        assert not deployer.changes(render(deployment(), {"predict": package(tmp_path, "4")})).empty
    finally:
        for _ in deployer.destroy():
            pass
