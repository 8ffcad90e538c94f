"""The life of a stack in the embedded cloud: deploy, update, fail, go back, destroy."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sls_ml.errors import ApplyError
from sls_ml.intent.model import (
    Batch,
    Deployment,
    Function,
    Grant,
    Place,
    ReadObjects,
    ReceiveMessages,
    WriteLogs,
)
from sls_ml.local import control
from sls_ml.package.model import Package
from sls_ml.provider.aws import connect, operate, render
from sls_ml.provider.aws.client import MissingError
from sls_ml.provider.aws.deployer import AwsDeployer
from sls_ml.provider.base import Rendered, Target
from sls_ml.spec.model import Concurrency, Http, PythonVersion, Rollout

PYTHON: PythonVersion = (
    "3.13" if sys.version_info >= (3, 13) else "3.12" if sys.version_info >= (3, 12) else "3.11"
)
INPUT = Place(None, "score/in/")
ANSWERS = "def handler(event, context):\n    return {{'statusCode': 200, 'body': '{0}'}}\n"
SCORES = "def handler(event, context):\n    print('took', len(event['Records']))\n    return {}\n"
BREAKS = "raise RuntimeError('no model')\n"


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """An embedded cloud of its own."""
    folder = tmp_path_factory.mktemp("cloud")
    endpoint = control.up(folder)
    yield Target(
        region=endpoint.region,
        stage="local",
        endpoint_url=endpoint.url,
        access_key=endpoint.access_key,
        secret_key=endpoint.secret_key,
    )
    control.down(folder)


@pytest.fixture
def deployer(target: Target) -> Iterator[AwsDeployer]:
    """A deployer whose stack is gone at the end."""
    deployer = connect(target)
    list(deployer.bootstrap())
    yield deployer
    list(deployer.at("credit-risk", "local").destroy())


def function(name: str, *, batch: Batch | None = None) -> Function:
    grants: list[Grant] = [WriteLogs()]
    if batch:
        grants += [ReceiveMessages(), ReadObjects(batch.source)]
    return Function(
        name=name,
        models=(),
        http=None if batch else Http(),
        batch=batch,
        memory=256,
        timeout=10,
        python=PYTHON,
        architecture="x86_64",
        start="plain",
        concurrency=Concurrency(),
        observability="native",
        style="function",
        environment={},
        grants=tuple(grants),
        log_retention=30,
    )


BATCH = Batch(
    source=INPUT, target=Place(None, "score/out/"), format="csv", output="csv", join=(), max_rejected=0.05
)
DEPLOYMENT = Deployment(
    project="credit-risk",
    stage="local",
    provider="aws",
    region=control.DEFAULT_REGION,
    store="auto",
    vendor=True,
    functions=(function("predict"), function("approve"), function("score", batch=BATCH)),
    rollout=Rollout(),
)


def package(folder: Path, name: str, code: str) -> Package:
    path = folder / f"{name}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo("handler.py"), code)
    content = path.read_bytes()
    return Package(
        function=name,
        kind="zip",
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        unpacked_bytes=len(code),
        python=PYTHON,
        architecture="x86_64",
        platform="x86_64-manylinux_2_34",
        glibc=None,
        bytecode=None,
        files=(),
        pruned=(),
        warnings=(),
    )


def deploy(deployer: AwsDeployer, folder: Path, word: str) -> Rendered:
    """Deploy a release whose endpoints answer with a word."""
    codes = {"predict": ANSWERS.format(word), "approve": ANSWERS.format(word), "score": SCORES}
    rendered = render(DEPLOYMENT, {name: package(folder, name, code) for name, code in codes.items()})
    list(deployer.upload(deployer.uploads(rendered)))
    list(deployer.apply(deployer.changes(rendered)))
    return rendered


def ask(target: Target, deployer: AwsDeployer, name: str, *, signed: bool = True) -> tuple[int, str]:
    endpoint = deployer.outputs().functions[name].endpoint
    assert endpoint
    http = Http() if signed else Http(auth="public")
    answer = operate(target, "credit-risk", "local").invoke(endpoint, "/predict", http, body=b"{}")
    return answer.status, answer.body.decode()


def test_a_deploy_serves_whoever_signs(target: Target, deployer: AwsDeployer, tmp_path: Path) -> None:
    # GIVEN a deployed stack
    rendered = deploy(deployer, tmp_path, "one")
    # WHEN its endpoint is called with and without a signature
    # THEN only the signed call is answered, and deploying the same again changes nothing
    assert ask(target, deployer, "predict") == (200, "one")
    assert ask(target, deployer, "predict", signed=False)[0] == 403
    assert deployer.changes(rendered).empty


def test_an_object_reaches_its_function(target: Target, deployer: AwsDeployer, tmp_path: Path) -> None:
    # GIVEN a deployed batch function
    deploy(deployer, tmp_path, "one")
    operations = operate(target, "credit-risk", "local")
    place = deployer.outputs().functions["score"].input
    assert place
    # WHEN an object arrives
    operations.put_object(place + "a.csv", b"age\n41\n")
    # THEN its function takes the event
    events = operations.logs("score", since=0, follow=True)
    assert next(event for event in events if "took" in event.message).message.strip() == "took 1"


def test_a_rollback_takes_one_function_back(target: Target, deployer: AwsDeployer, tmp_path: Path) -> None:
    # GIVEN two releases of two endpoints
    deploy(deployer, tmp_path, "one")
    second = deploy(deployer, tmp_path, "two")
    # WHEN one of them is rolled back
    (past,) = [each for each in deployer.releases() if each.function == "predict" and not each.live]
    list(deployer.rollback(past))
    # THEN it answers as before, the other as it did, and the next deploy brings both to the second again
    assert ask(target, deployer, "predict") == (200, "one")
    assert ask(target, deployer, "approve") == (200, "two")
    assert [
        each.resource for each in deployer.changes(second).items if each.type == "AWS::Lambda::Alias"
    ] == ["PredictAlias"]


def test_a_failed_update_leaves_the_release_before_it(
    target: Target, deployer: AwsDeployer, tmp_path: Path
) -> None:
    # GIVEN a deployed stack, and a release whose package was never uploaded
    deploy(deployer, tmp_path, "one")
    packages = {each.name: package(tmp_path, each.name, BREAKS) for each in DEPLOYMENT.functions}
    changes = deployer.changes(render(DEPLOYMENT, packages))
    # WHEN it is deployed
    with pytest.raises(ApplyError) as caught:
        list(deployer.apply(changes))
    # THEN the error names a function, and the release before it answers
    assert caught.value.what.endswith("Function failed; the previous release is back in place")
    assert ask(target, deployer, "predict") == (200, "one")


def test_nothing_is_left_of_a_stack_but_its_bucket(
    target: Target, deployer: AwsDeployer, tmp_path: Path
) -> None:
    # GIVEN a deployed stack with an object in its bucket
    deploy(deployer, tmp_path, "one")
    place = deployer.outputs().functions["score"].input
    assert place
    operations = operate(target, "credit-risk", "local")
    operations.put_object(place + "a.csv", b"age\n41\n")
    # WHEN it is destroyed
    progress = list(deployer.destroy())
    # THEN the functions are gone, and the bucket with its object is named and there
    bucket = place.removesuffix("/score/in/")
    assert bucket in [each.subject for each in progress if each.status == "skipped"]
    assert operations.read_object(place + "a.csv") == b"age\n41\n"
    with pytest.raises(MissingError):
        deployer.outputs()
