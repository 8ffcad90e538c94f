"""The commands on deployed stages: an account's, and the embedded cloud's, whatever happens to it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from command_line import Done, environment, run

Message = Callable[[str, Done], None]
Copy = Callable[[str], Path]
LOCAL = ("--stage", "local")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, models: Path, spec: str) -> Path:
    """A project whose functions are packaged for this machine."""
    folder = tmp_path_factory.mktemp("built") / "fruit"
    folder.mkdir()
    for file in ("model.skops", "sample.csv"):
        shutil.copy(models / file, folder)
    (folder / "sls-ml.yaml").write_text(spec)
    done = run(folder, "package", *LOCAL)
    assert done.code == 0, done.err
    return folder


@pytest.fixture
def copy(built: Path, tmp_path: Path) -> Iterator[Copy]:
    """Copies of that project, each with a cloud of its own, ended with the test."""
    made = []

    def copied(name: str) -> Path:
        folder = tmp_path / name
        shutil.copytree(built, folder)
        made.append(folder)
        return folder

    yield copied
    for folder in made:
        run(folder, "local", "down")


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    """Begin a command."""
    return subprocess.Popen(
        [sys.executable, "-m", "sls_ml", *words],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answered(folder: Path) -> bool:
    """Whether the endpoint answers."""
    done = run(folder, "invoke", "predict", "--sample", "1", *LOCAL, "--json")
    return done.code == 0 and len(done.document["label"]) == 1


def test_an_interrupted_deploy_is_ended_by_the_next(copy: Copy) -> None:
    # GIVEN a deploy that is interrupted while resources are made
    folder = copy("interrupted")
    first = start(folder, "deploy", *LOCAL)
    assert first.stderr is not None
    for line in first.stderr:
        if "uploads in" in line:
            break
    first.send_signal(signal.SIGINT)
    said = first.communicate(timeout=60)[1]
    # THEN it says so, and has the exit code of an interruption
    assert first.returncode == 130, said
    assert "run the same command again to go on" in said
    assert "Traceback" not in said
    # WHEN the same command is run again
    again = run(folder, "deploy", *LOCAL)
    # THEN everything is there
    assert again.code == 0, again.err
    assert answered(folder)
    assert "nothing has changed" in run(folder, "deploy", *LOCAL).out


def test_two_deploys_at_once_end_in_one_deployment(copy: Copy) -> None:
    # GIVEN a running cloud, and two deploys that begin together
    folder = copy("twice")
    assert run(folder, "local", "up").code == 0
    both = [start(folder, "deploy", *LOCAL) for _ in range(2)]
    said = [one.communicate(timeout=120) for one in both]
    # THEN at least one goes through, and the other does too or says in one message why not
    codes = [one.returncode for one in both]
    assert 0 in codes, said
    for code, (_, err) in zip(codes, said, strict=True):
        assert code in {0, 6}, err
        assert code == 0 or re.search(r"error \[(deploy-running|plan-stale|aws-refused)\]", err), err
    # THEN a further deploy finds everything in place
    again = run(folder, "deploy", *LOCAL)
    assert again.code == 0, again.err
    assert answered(folder)


def test_a_killed_cloud_is_made_again_by_a_deploy(copy: Copy) -> None:
    # GIVEN a deployed project whose cloud is killed
    folder = copy("killed")
    assert run(folder, "deploy", *LOCAL).code == 0
    pid = run(folder, "local", "up", "--json").document["pid"]
    os.kill(pid, signal.SIGKILL)
    # THEN a command says that nothing is deployed
    done = run(folder, "invoke", "predict", "--sample", "1", *LOCAL)
    assert (done.code, "sls-ml deploy" in done.err) == (8, True)
    # WHEN it is deployed again
    done = run(folder, "deploy", *LOCAL, "--json")
    # THEN it is there again, without a conversion
    assert (done.code, done.document["changed"]) == (0, True)
    assert answered(folder)


def test_a_cloud_without_room_says_so_and_a_new_one_goes_on(copy: Copy) -> None:
    # GIVEN a cloud that cannot write files of more than 100 kB, as on a full disk
    folder = copy("full")
    command = ["-m", "sls_ml", "deploy", *LOCAL]
    limited = (
        "import os, resource, sys; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); "
        f"os.execv(sys.executable, [sys.executable, *{command!r}])"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    # THEN the deploy fails and says why
    assert done.returncode == 6, done.stderr
    assert "the embedded cloud cannot go on: [Errno 27] File too large" in done.stderr
    # WHEN there is room again
    assert run(folder, "local", "down").code == 0
    # THEN the same command goes through
    done = run(folder, "deploy", *LOCAL)
    assert done.code == 0, done.err
    assert answered(folder)


def test_two_projects_and_a_copied_one_stand_side_by_side(copy: Copy) -> None:
    # GIVEN a deployed project, and a copy of its folder with the running cloud's files
    one = copy("one")
    first = run(one, "deploy", *LOCAL, "--json").document
    other = one.with_name("other")
    shutil.copytree(one, other, ignore=shutil.ignore_patterns("tmp"))
    try:
        # WHEN the copy is deployed
        second = run(other, "deploy", *LOCAL, "--json").document
        # THEN it has a cloud of its own, and both answer
        endpoints = [each["functions"]["predict"]["endpoint"] for each in (first, second)]
        assert len(set(endpoints)) == 2
        assert answered(one)
        assert answered(other)
    finally:
        # WHEN the copy's cloud ends
        assert run(other, "local", "down", "--json").document == {"stopped": True}
    # THEN the first goes on
    assert answered(one)


def test_the_commands_of_the_embedded_cloud(copy: Copy) -> None:
    # GIVEN a project without a running cloud
    folder = copy("commands")
    assert run(folder, "local", "status", "--json").document == {"running": False}
    done = run(folder, "local", "env")
    assert (done.code, "sls-ml local up" in done.err) == (8, True)
    # WHEN it is started
    up = run(folder, "local", "up", "--json").document
    # THEN status, environment and log tell of it
    assert run(folder, "local", "status", "--json").document == {"running": True, **up}
    exported = run(folder, "local", "env").out.splitlines()
    assert f"export AWS_ENDPOINT_URL={up['endpoint_url']}" in exported
    assert f"ready at {up['endpoint_url']}" in run(folder, "local", "logs").out
    # WHEN it is ended
    assert "has stopped" in run(folder, "local", "down").out
    # THEN nothing is left
    assert "does not run" in run(folder, "local", "down").out


def test_a_release_is_taken_back(copy: Copy) -> None:
    # GIVEN two releases of a function
    folder = copy("releases")
    assert run(folder, "deploy", *LOCAL).code == 0
    hooks = folder / "handlers" / "fruit" / "aws" / "predict" / "hooks.py"
    hooks.write_text(hooks.read_text() + "\n\ndef after(result):\n    return result | {'late': True}\n")
    assert run(folder, "deploy", *LOCAL).code == 0
    assert "late" in run(folder, "invoke", "predict", "--sample", "1", *LOCAL, "--json").document
    before = run(folder, "releases", "predict", *LOCAL, "--json").document["releases"]
    assert [each["live"] for each in before] == [True, False]
    # WHEN the newer is taken back
    done = run(folder, "rollback", "predict", *LOCAL, "--json")
    # THEN the older answers, under the number that its package has now
    after = run(folder, "releases", "predict", *LOCAL, "--json").document["releases"]
    assert done.document == {
        "function": "predict",
        "version": before[1]["version"],
        "from": before[0]["version"],
        "live": next(each["version"] for each in after if each["live"]),
    }
    assert "late" not in run(folder, "invoke", "predict", "--sample", "1", *LOCAL, "--json").document
    # THEN one version is live and is what the stack says, though another has the same code
    assert [(each["version"], each["deployed"]) for each in after if each["live"] or each["deployed"]] == [
        (after[0]["version"], True)
    ]
    # THEN what it did can be seen
    numbers = run(folder, "metrics", "predict", *LOCAL, "--json").document["metrics"]
    assert numbers["calls"] >= 2
    assert numbers["errors"] == 0
    # THEN a version that never was is refused
    done = run(folder, "rollback", "predict", "99", *LOCAL)
    assert (done.code, "release-unknown" in done.err) == (2, True)


def test_golden_a_batch_function_that_fails_is_told_at_once(copy: Copy, message: Message) -> None:
    # GIVEN a batch function whose hook raises
    folder = copy("failing")
    assert run(folder, "generate").code == 0
    hooks = folder / "handlers" / "fruit" / "aws" / "score" / "hooks.py"
    hooks.write_text("def before(rows):\n    raise RuntimeError('the ripeness service is away')\n")
    assert run(folder, "deploy", *LOCAL).code == 0
    # WHEN a file is scored
    done = run(folder, "score", "score", "sample.csv", *LOCAL)
    # THEN the failure is said, long before the time is up
    assert done.code == 8
    done = Done(done.code, done.out, re.sub(r"databucket-\w+", "databucket-<id>", done.err))
    message("score-failed", done)


def test_hooks_may_have_packages_of_their_own(copy: Copy) -> None:
    # GIVEN hooks that import a package, which the spec names
    folder = copy("hooked")
    spec = folder / "sls-ml.yaml"
    spec.write_text(spec.read_text().replace("http: {", 'requirements: ["six>=1.17"]\n    http: {'))
    assert run(folder, "generate").code == 0
    hooks = folder / "handlers" / "fruit" / "aws" / "predict" / "hooks.py"
    hooks.write_text("import six\n\n\ndef after(result):\n    return result | {'label': [six.__version__]}\n")
    # WHEN it is deployed from what is checked in
    assert run(folder, "generate", "--check").code == 0
    done = run(folder, "deploy", "--frozen", *LOCAL)
    assert done.code == 0, done.err
    # THEN the package runs in the function
    answer = run(folder, "invoke", "predict", "--sample", "1", *LOCAL, "--json").document
    assert answer["label"][0].startswith("1.")
    # THEN its weight and its import are told
    told = run(folder, "package", "predict", "--explain", *LOCAL, "--json").document["packages"]["predict"]
    assert any(origin.startswith("six ") for origin in told["origins"])
    assert set(told["hook_imports"]) == {"six"}
    # WHEN the wish is changed
    spec.write_text(spec.read_text().replace("six>=1.17", "six>=1.16"))
    # THEN what is checked in is stale
    assert run(folder, "generate", "--check").code == 5


def test_buckets_that_a_spec_names_are_made_in_the_embedded_cloud(copy: Copy) -> None:
    # GIVEN a batch function between two buckets that exist on AWS
    folder = copy("buckets")
    spec = folder / "sls-ml.yaml"
    places = "{from: s3://orchard/incoming/, to: s3://harvest/scored/, join: [id]}"
    spec.write_text(spec.read_text().replace("{join: [id]}", places))
    # WHEN it is deployed to the embedded cloud
    done = run(folder, "deploy", *LOCAL, "--json")
    # THEN both are there, and files are scored from one to the other
    assert done.code == 0, done.err
    score = done.document["functions"]["score"]
    assert (score["input"], score["output"]) == ("s3://orchard/incoming/", "s3://harvest/scored/")
    done = run(folder, "score", "score", "sample.csv", *LOCAL, "--json")
    assert done.code == 0, done.err
    assert done.document["manifest"]["rows_scored"] == 40


def account(folder: Path) -> dict[str, str]:
    """The variables that make a project's embedded cloud look like an account."""
    done = run(folder, "local", "up")
    assert done.code == 0, done.err
    return run(folder, "local", "env", "--json").document  # type: ignore[no-any-return]


def storage(variables: dict[str, str]) -> Any:
    """S3 of that account."""
    return boto3.client(
        "s3",
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        region_name=variables["AWS_DEFAULT_REGION"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )


def test_golden_the_first_deploy_to_an_account(copy: Copy, message: Message) -> None:
    # GIVEN an account, and a project that takes objects from an existing bucket
    folder = copy("account")
    variables = account(folder)
    spec = folder / "sls-ml.yaml"
    spec.write_text(spec.read_text().replace("{join: [id]}", "{from: s3://orchard/incoming/, join: [id]}"))

    # THEN without a bucket of that name, the deploy says so
    done = run(folder, "deploy", "--yes", variables=variables)
    assert done.code == 8
    message("bucket-missing", done)

    # GIVEN the bucket, which tells nobody of its objects
    s3 = storage(variables)
    s3.create_bucket(Bucket="orchard", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    # THEN plan warns, and deploy refuses with the command that mends it
    assert "sls-ml announce s3://orchard" in run(folder, "plan", variables=variables).err
    done = run(folder, "deploy", "--yes", variables=variables)
    assert done.code == 8
    message("bucket-silent", done)
    # WHEN it is switched on
    done = run(folder, "announce", "s3://orchard", variables=variables)
    assert done.code == 2  # nobody is here to ask
    done = run(folder, "announce", "s3://orchard", "--yes", "--json", variables=variables)
    assert done.document == {"bucket": "orchard", "announces": True, "changed": True}

    # THEN without the buckets of bootstrap, the deploy says which command makes them
    done = run(folder, "deploy", "--yes", variables=variables)
    assert done.code == 8
    message("bootstrap-missing", Done(done.code, "", done.err))
    assert run(folder, "bootstrap", variables=variables).code == 0

    # THEN nothing is deployed unasked
    done = run(folder, "deploy", "--json", variables=variables)
    assert (done.code, done.document["error"]["code"]) == (2, "not-confirmed")
    # WHEN it is confirmed
    done = run(folder, "deploy", "--yes", "--json", variables=variables)
    # THEN it is deployed, and takes from that bucket
    assert done.code == 0, done.err
    assert done.document["functions"]["score"]["input"] == "s3://orchard/incoming/"
    checked = run(folder, "doctor", "--json", variables=variables).document["findings"]
    assert {each["state"] for each in checked if each["subject"] in {"AWS", "bootstrap"}} == {"ok"}
    # WHEN it is destroyed
    done = run(folder, "destroy", "--yes", variables=variables)
    # THEN what is kept is named
    assert done.code == 0
    assert "kept" in done.err


def test_two_stages_of_an_account_stand_side_by_side(copy: Copy) -> None:
    # GIVEN an account, and a project with two stages
    folder = copy("stages")
    variables = account(folder)
    spec = folder / "sls-ml.yaml"
    stages = "stages: {dev: {}, prod: {functions: {predict: {memory: 1024}}}}"
    spec.write_text(f"{spec.read_text().rstrip()}\n{stages}\n")
    assert run(folder, "bootstrap", "--stage", "dev", variables=variables).code == 0
    # WHEN both are deployed
    deployed = {
        stage: run(folder, "deploy", "--stage", stage, "--yes", "--json", variables=variables)
        for stage in ("dev", "prod")
    }
    assert [done.code for done in deployed.values()] == [0, 0], [done.err for done in deployed.values()]
    # THEN each has an endpoint of its own, and the second leaves the first as it is
    endpoints = {done.document["functions"]["predict"]["endpoint"] for done in deployed.values()}
    assert len(endpoints) == 2
    again = run(folder, "plan", "--stage", "dev", "--json", variables=variables)
    assert (again.code, again.document["changes"]) == (0, []), again.out
    # WHEN one is destroyed
    assert run(folder, "destroy", "--stage", "dev", "--yes", variables=variables).code == 0
    # THEN the other answers
    asked = run(
        folder, "invoke", "predict", "--sample", "1", "--stage", "prod", "--json", variables=variables
    )
    assert (asked.code, len(asked.document["label"])) == (0, 1), asked.err
