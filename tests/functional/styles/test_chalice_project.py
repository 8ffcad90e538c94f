"""The project that `sls-ml package --chalice` writes is one that Chalice 1.34 takes as it is."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from boto3 import Session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from chalice.test import Client
from tests.functional.styles.conftest import ROW, deployment, forget_modules, function, generate

from sls_ml.errors import UnsupportedError, UsageError
from sls_ml.intent.model import Deployment, Function, ReadModel, WriteLogs
from sls_ml.local import control
from sls_ml.local.files import Endpoint
from sls_ml.package.model import Package
from sls_ml.provider.aws import chalice
from sls_ml.spec.model import Concurrency, Domain, Http, Secret, Throttle

DOMAIN = Domain(
    name="risk.example.org",
    certificate="arn:aws:acm:eu-west-1:123456789012:certificate/1234abcd-12ab-34cd-56ef-1234567890ab",
)

CHALICE = Path(sys.executable).with_name("chalice")
PREDICTION = json.dumps({"rows": [ROW]})
JSON = {"content-type": "application/json"}


def package(root: Path, **changed: Any) -> Package:
    """The package of a generated function, without the bytecode and wheels of a real one."""
    import sls_ml_runtime

    zipped = root.with_suffix(".zip")
    runtime = Path(sls_ml_runtime.__path__[0])
    with zipfile.ZipFile(zipped, "w") as archive:
        for base, folder in ((root, root), (runtime.parent, runtime)):
            for file in sorted(folder.rglob("*")):
                if file.is_file() and file.suffix != ".pyc":
                    archive.write(file, file.relative_to(base).as_posix())
        archive.writestr("chalice/app.py", "the one that Chalice brings must win")
    values: dict[str, Any] = {"function": "predict", "kind": "zip", "path": zipped, "sha256": "0" * 64}
    values |= {"bytes": zipped.stat().st_size, "unpacked_bytes": 0, "python": "3.13"}
    values |= {"architecture": "x86_64", "platform": "x86_64-manylinux_2_34", "glibc": None, "bytecode": None}
    values |= {"files": (), "pruned": (), "warnings": ()}
    return Package(**(values | changed))


def write(
    folder: Path, what: Function, stage: str = "dev", deployed: Deployment | None = None, **changed: Any
) -> Path:
    """Generate a function, and write its project below the folder."""
    root = generate(what, folder / f"generated-{stage}")
    project = folder / "project"
    deployed = deployed or deployment(what, stage=stage)
    chalice.write_project(deployed, what, package(root, **changed), source=root, folder=project)
    return project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    what = function(style="chalice", http=Http(auth="public"), environment={"GREETING": "hello"})
    return write(tmp_path_factory.mktemp("chalice"), what)


def run(project: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.run(
        [sys.executable, CHALICE, *words],
        cwd=project,
        env=environment | {"AWS_DEFAULT_REGION": "eu-west-1"} | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def lint(template: Path) -> str:
    done = subprocess.run(
        [sys.executable, Path(sys.executable).with_name("cfn-lint"), "-r", "eu-west-1", "-t", template],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout + done.stderr


def test_chalices_test_client_gets_predictions(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN the app of the project, with what vendor/ holds on the path as in Lambda
    forget_modules()
    monkeypatch.syspath_prepend(project / "vendor")
    monkeypatch.syspath_prepend(project)
    from app import app  # type: ignore[import-not-found]

    with Client(app, stage_name="dev", project_dir=str(project)) as client:
        # WHEN it is asked
        predicted = client.http.post("/predict", headers=JSON, body=PREDICTION.encode())
        refused = client.http.post("/predict", headers=JSON, body=b'{"rows": [{"age": "old"}]}')
        unknown = client.http.get("/nothing/here")
    # THEN it answers as the function does
    assert (predicted.status_code, predicted.json_body["model"]) == (200, "linear-1")
    assert len(predicted.json_body["label"]) == 1
    assert (refused.status_code, refused.json_body["error"]["field"]) == (422, "age")
    assert unknown.status_code == 404
    forget_modules()


@pytest.fixture
def local_server(project: Path) -> Iterator[str]:
    """The address of `chalice local`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    process = subprocess.Popen(
        [sys.executable, "-u", CHALICE, "local", "--stage", "dev", "--no-autoreload", "--port", port],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        told = ""
        for line in process.stdout:
            told += line
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                yield found[0]
                break
        else:
            pytest.fail(told)
    finally:
        process.terminate()
        process.communicate()


def test_chalice_local_serves_it(local_server: str) -> None:
    # WHEN `chalice local` is asked over HTTP
    answer = httpx.post(f"{local_server}/predict", content=PREDICTION, headers=JSON, timeout=30)
    # THEN it predicts
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["model"] == "linear-1"


def test_chalice_package_gives_a_template_that_holds_what_the_spec_says(project: Path) -> None:
    # WHEN the project is packaged with the template to merge
    done = run(project, "package", "--stage", "dev", "--merge-template", ".chalice/merge-dev.json", "out")
    assert done.returncode == 0, done.stderr
    # THEN cfn-lint has nothing to say
    assert lint(project / "out" / "sam.json") == ""
    # AND the function has the settings, the name and the role of the spec, and no more
    resources = json.loads((project / "out" / "sam.json").read_text("utf-8"))["Resources"]
    handler = resources["APIHandler"]["Properties"]
    assert (handler["MemorySize"], handler["Timeout"], handler["Architectures"]) == (512, 10, ["x86_64"])
    assert (handler["Handler"], handler["FunctionName"]) == ("app.app", "risk-predict-dev")
    assert handler["Environment"]["Variables"]["GREETING"] == "hello"
    (document,) = resources["ApiHandlerRole"]["Properties"]["Policies"]
    assert document["PolicyDocument"] == json.loads((project / ".chalice" / "policy-dev.json").read_text())
    # AND the zip has the model, the runtime, and Chalice's own runtime once
    names = zipfile.ZipFile(project / "out" / "deployment.zip").namelist()
    assert len(names) == len(set(names))
    assert {"app.py", "chalicelib/model.py", "hooks.py", "config.json", "chalice/app.py"} <= set(names)
    assert any(name.startswith("artifacts/linear-1/") for name in names)
    assert "sls_ml_runtime/serve.py" in names
    assert "handler.py" not in names


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Endpoint]:
    """An embedded cloud of one test."""
    try:
        yield control.up(tmp_path)
    finally:
        control.down(tmp_path)


def here(cloud: Endpoint) -> dict[str, str]:
    """The environment in which an SDK finds the embedded cloud."""
    return {
        "AWS_ACCESS_KEY_ID": cloud.access_key,
        "AWS_SECRET_ACCESS_KEY": cloud.secret_key,
        "AWS_DEFAULT_REGION": cloud.region,
        "AWS_ENDPOINT_URL": cloud.url,
        "AWS_MAX_ATTEMPTS": "1",
    }


def ask(cloud: Endpoint, address: str, body: str, **more: Any) -> httpx.Response:
    """Ask the REST API that Chalice names an address of, at its name in the embedded cloud."""
    host, path = re.fullmatch(r"https://([^/]+)\.eu-west-1\.amazonaws\.com(/.*)", address).groups()  # type: ignore[union-attr]
    headers = {**JSON, "host": f"{host}.localhost:{cloud.url.rpartition(':')[2]}", **more.pop("headers", {})}
    return httpx.post(f"{cloud.url}{path}", content=body, headers=headers, timeout=60, **more)


def address(told: str) -> str:
    """The address of the REST API in what `chalice deploy` prints."""
    found = re.search(r"Rest API URL: (\S+)", told)
    assert found, told
    return found[1]


def test_chalice_deploys_changes_and_deletes_it(project: Path, cloud: Endpoint) -> None:
    # GIVEN an embedded cloud WHEN the project is deployed, and its REST API asked
    done = run(project, "deploy", "--stage", "dev", **here(cloud))
    assert done.returncode == 0, done.stdout + done.stderr
    url = address(done.stdout)
    answer = ask(cloud, f"{url}predict", PREDICTION)
    refused = ask(cloud, f"{url}predict", '{"rows": [{"age": "old"}]}')
    # THEN it predicts, and says what is wrong
    assert (answer.status_code, answer.json()["model"]) == (200, "linear-1"), answer.text
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "age")
    # AND knows nothing beside its routes and stages
    assert ask(cloud, f"{url}a/b/c/d/e/f/g", PREDICTION).json()["message"] == "Missing Authentication Token"
    assert ask(cloud, url.replace("/api/", "/other/"), PREDICTION).status_code == 403
    # AND the function has the settings of the spec, and a role with exactly its policy
    session = Session(cloud.access_key, cloud.secret_key, region_name=cloud.region)
    made = session.client("lambda", endpoint_url=cloud.url)
    settings = made.get_function_configuration(FunctionName="risk-predict-dev")
    assert (settings["Handler"], settings["MemorySize"], settings["Timeout"]) == ("app.app", 512, 10)
    assert settings["Environment"]["Variables"]["GREETING"] == "hello"
    granted = session.client("iam", endpoint_url=cloud.url).get_role_policy(
        RoleName=settings["Role"].rpartition("/")[2], PolicyName="risk-predict-dev-api_handler"
    )
    written = json.loads((project / ".chalice" / "policy-dev.json").read_text("utf-8"))
    assert granted["PolicyDocument"] == written
    # AND it can be deployed again, at the same address
    again = run(project, "deploy", "--stage", "dev", **here(cloud))
    assert again.returncode == 0, again.stdout + again.stderr
    assert address(again.stdout) == url
    assert ask(cloud, f"{url}predict", PREDICTION).status_code == 200
    # WHEN it is deleted THEN nothing answers, and nothing is left
    gone = run(project, "delete", "--stage", "dev", **here(cloud))
    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert ask(cloud, f"{url}predict", PREDICTION).status_code == 403
    assert made.list_functions()["Functions"] == []


def test_what_chalice_deploys_wants_a_signature(tmp_path: Path, cloud: Endpoint) -> None:
    # GIVEN a function that is not public, deployed by Chalice
    project = write(tmp_path, function(style="chalice"))
    done = run(project, "deploy", "--stage", "dev", **here(cloud))
    assert done.returncode == 0, done.stdout + done.stderr
    url = f"{address(done.stdout)}predict"
    # WHEN it is asked without a signature, and with one
    plain = ask(cloud, url, PREDICTION)
    host = (
        f"{url.removeprefix('https://').partition('.eu-west-1')[0]}.localhost:{cloud.url.rpartition(':')[2]}"
    )
    path = url.partition(".amazonaws.com")[2]
    signing = AWSRequest("POST", f"http://{host}{path}", JSON, PREDICTION)
    SigV4Auth(Credentials(cloud.access_key, cloud.secret_key), "execute-api", cloud.region).add_auth(signing)
    signed = ask(cloud, url, PREDICTION, headers=dict(signing.headers.items()))
    # THEN only the second is answered
    assert (plain.status_code, signed.status_code) == (403, 200), (plain.text, signed.text)


def test_routes_want_a_signature_unless_the_spec_says_public(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a function that is not public, and lets a page of another origin ask
    what = function(style="chalice", http=Http(cors=("https://example.org",)))
    project = write(tmp_path, what)
    # WHEN it is packaged
    done = run(project, "package", "--stage", "dev", "out")
    assert done.returncode == 0, done.stderr
    # THEN every method but a browser's question of what it may ask wants one
    template = json.loads((project / "out" / "sam.json").read_text("utf-8"))
    paths = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]["paths"]
    signed = {
        method for methods in paths.values() for method, entry in methods.items() if "security" in entry
    }
    open_ = {method for methods in paths.values() for method, entry in methods.items()} - signed
    assert (signed, open_) == ({"get", "head", "post"}, {"options"})
    assert lint(project / "out" / "sam.json") == ""


def test_the_known_defect_of_log_retention_is_still_there(tmp_path: Path) -> None:
    # GIVEN a project whose config asks Chalice for the retention, which sls-ml never writes
    project = write(tmp_path, function(style="chalice"))
    config = project / ".chalice" / "config.json"
    config.write_text(
        config.read_text().replace('"lambda_timeout"', '"log_retention_in_days": 30, "lambda_timeout"')
    )
    # WHEN it is packaged
    assert run(project, "package", "--stage", "dev", "out").returncode == 0
    # THEN the template refers to what is not there
    assert "ApiHandler" in lint(project / "out" / "sam.json")


def test_stages_meet_in_one_config_and_chalices_own_notes_stay(tmp_path: Path) -> None:
    # GIVEN a project that Chalice has deployed
    project = write(tmp_path, function(style="chalice"))
    deployed = project / ".chalice" / "deployed" / "dev.json"
    deployed.parent.mkdir()
    deployed.write_text("{}")
    (project / "vendor" / "leftover.py").touch()
    # WHEN it is written again for another stage, with other memory
    what = function(style="chalice", memory=1024, concurrency=Concurrency(reserved=5))
    write(tmp_path, what, stage="prod")
    # THEN both stages are there, each with its own
    stages = json.loads((project / ".chalice" / "config.json").read_text())["stages"]
    assert [stages[name]["lambda_memory_size"] for name in ("dev", "prod")] == [512, 1024]
    assert stages["prod"]["reserved_concurrency"] == 5
    assert stages["prod"]["iam_policy_file"] == "policy-prod.json"
    assert stages["prod"]["autogen_policy"] is False
    # AND what Chalice noted stays, what an older package had goes
    assert deployed.exists()
    assert not (project / "vendor" / "leftover.py").exists()


def test_a_folder_that_sls_ml_did_not_write_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "app.py").write_text("mine")
    with pytest.raises(UsageError) as caught:
        write(tmp_path, function(style="chalice"))
    assert caught.value.code == "chalice-folder-taken"
    assert (tmp_path / "project" / "app.py").read_text() == "mine"


def test_the_policy_grants_a_named_store_and_the_functions_own_logs(golden: Any) -> None:
    # GIVEN a function whose model is fetched from a store that the spec names
    what = function(style="chalice", grants=(WriteLogs(), ReadModel("linear-1")))
    deployed = deployment(what)
    named = Deployment(**{**vars(deployed), "store": "s3://models/prod"})
    # THEN these two are all, without a wildcard but the account in the log group's ARN
    golden("codegen/chalice-policy.json", json.dumps(chalice.policy(named, what), indent=2) + "\n")
    assert chalice.stage_settings(named, what)["environment_variables"]["SLS_ML_STORE"] == "s3://models/prod"
    # AND without a named store the model rides in the package, and only the logs are left
    assert [each["Sid"] for each in chalice.policy(deployed, what)["Statement"]] == ["WriteLogs"]


@pytest.mark.parametrize(
    ("changed", "bytes_", "named"),
    [
        ({"start": "snapstart"}, 1, "start: snapstart"),
        ({"http": Http(auth="key")}, 1, "http.auth: key"),
        ({"http": Http(throttle=Throttle(rate=1, burst=1))}, 1, "http.throttle"),
        ({"http": Http(domain=DOMAIN)}, 1, "http.domain"),
        ({}, 51 << 20, "50 MB"),
        ({"environment": {"KEY": Secret(secret="a")}}, 1, "secrets"),
    ],
)
def test_what_chalice_cannot_deploy_is_refused_by_name(
    tmp_path: Path, changed: dict[str, Any], bytes_: int, named: str
) -> None:
    with pytest.raises(UnsupportedError) as caught:
        write(tmp_path, function(style="chalice", **changed), bytes=bytes_)
    assert named in str(caught.value)
    assert not (tmp_path / "project").exists()
