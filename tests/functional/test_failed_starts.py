"""Endpoints that cannot start for their artifact: the user reads reason and cure, and the cure works."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pandas as pd
import pytest
import skops.io
from sklearn.neural_network import MLPClassifier

from command_line import Done, copy_sample, run

LOCAL = ("--stage", "local")
FIRST_MEMORY = 512


class Fetching:
    """A project on an embedded cloud of its own, whose model is too large to ride in a package."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.memory = FIRST_MEMORY
        sample = pd.read_csv(folder / "sample.csv", index_col="id")
        ill = sample["mean radius"] > sample["mean radius"].median()
        labels = ill.map({True: "malignant", False: "benign"}).astype(object)
        model = MLPClassifier((4000, 1900), solver="sgd", random_state=0)
        model.partial_fit(sample[:1], labels[:1], classes=["benign", "malignant"])
        del model._optimizer  # its momenta would double the file
        skops.io.dump(model, folder / "model.skops")
        deployed = self.deploy()
        self.digest: str = deployed["artifacts"]["tumour"]["digest"]
        cloud = run(folder, "local", "up", "--json").document
        access: dict[str, Any] = {
            "endpoint_url": cloud["endpoint_url"],
            "region_name": cloud["region"],
            "aws_access_key_id": cloud["access_key"],
            "aws_secret_access_key": cloud["secret_key"],
        }
        self.s3: Any = boto3.client("s3", **access)
        self.iam: Any = boto3.client("iam", **access)
        self.bucket = next(b["Name"] for b in self.s3.list_buckets()["Buckets"] if "-store-" in b["Name"])
        self.key = f"tumour/{self.digest}/model.onnx"

    def deploy(self) -> Any:
        """Deploy, and give what the command says of it."""
        done = run(self.folder, "deploy", *LOCAL, "--json")
        assert done.code == 0, done.out + done.err
        return done.document

    def cold(self, memory: int) -> None:
        """Deploy with another memory, in MB, so that no environment is warm."""
        spec = self.folder / "sls-ml.yaml"
        text = spec.read_text()
        assert f"memory: {self.memory}\n" in text
        spec.write_text(text.replace(f"memory: {self.memory}\n", f"memory: {memory}\n"))
        self.memory = memory
        self.deploy()

    def invoke(self) -> Done:
        """Send a row of the sample."""
        return run(self.folder, "invoke", "predict", "--sample", "1", *LOCAL)

    def fails(self, kind: str, *parts: str) -> None:
        """A call fails, and `invoke` and `logs` say why and how to mend it; `status` works as ever."""
        done = self.invoke()
        log = run(self.folder, "logs", "predict", *LOCAL)
        status = run(self.folder, "status", *LOCAL)
        assert (done.code, log.code, status.code) == (8, 0, 0), done.err + log.err + status.err
        assert "error [function-failed] the function answered 502" in done.err
        last = [line for line in log.out.splitlines() if f"ERROR {kind}: " in line][-1]
        for part in (kind, *parts):
            assert "".join(part.split()) in "".join(done.err.split())  # long lines are wrapped
            assert part in last
        for text in (done.err, log.out, status.out):
            assert "Traceback" not in text
            assert "LAMBDA_WARNING" not in text

    def answers(self) -> bool:
        """Whether the endpoint answers, by its model."""
        done = self.invoke()
        return done.code == 0 and f"tumour {self.digest[:12]}" in done.out


@pytest.fixture(scope="module")
def fetching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fetching]:
    folder = copy_sample("breast-cancer", tmp_path_factory.mktemp("fetching"))
    try:
        yield Fetching(folder)
    finally:
        run(folder, "local", "down")


def test_changed_and_missing_artifacts_are_put_back_by_a_deploy(fetching: Fetching) -> None:
    # GIVEN no warm environment, and an artifact in the store of which one byte was changed, or which was cut
    fetching.cold(513)
    body = bytearray(fetching.s3.get_object(Bucket=fetching.bucket, Key=fetching.key)["Body"].read())
    body[len(body) // 2] ^= 1
    for changed, reason in ((body, "it was changed"), (body[:1000], "another size than its manifest says")):
        fetching.s3.put_object(Bucket=fetching.bucket, Key=fetching.key, Body=bytes(changed))
        # WHEN the endpoint is asked THEN the file is named, and how to mend it
        fetching.fails("ArtifactRefused", reason, "delete it from its store, and sls-ml deploy puts it back")
    # WHEN it is deleted THEN it is said to be missing
    fetching.s3.delete_object(Bucket=fetching.bucket, Key=fetching.key)
    fetching.fails("StoreError", "does not exist: sls-ml deploy puts back a missing artifact")
    # WHEN it is deployed again THEN the endpoint answers
    fetching.deploy()
    assert fetching.answers()


def test_a_denied_artifact_names_permission_and_arn(fetching: Fetching) -> None:
    # GIVEN no warm environment, and a role that lost the right to read its model
    fetching.cold(514)
    role = "sls-ml-breast-cancer-local-predict-eu-west-1"
    (policy,) = fetching.iam.list_role_policies(RoleName=role)["PolicyNames"]
    whole = fetching.iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    less = [each for each in whole["Statement"] if each["Sid"] != "ReadModelTumour"]
    assert len(less) == len(whole["Statement"]) - 1

    def grant(statements: list[Any]) -> None:
        document = json.dumps(whole | {"Statement": statements})
        fetching.iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=document)

    grant(less)
    # WHEN the endpoint is asked THEN permission and ARN are named
    manifest = f"arn:aws:s3:::{fetching.bucket}/tumour/{fetching.digest}/manifest.json"
    fetching.fails("StoreError", f"the function's role needs s3:GetObject on {manifest}")
    # WHEN it is granted THEN the endpoint answers
    grant(whole["Statement"])
    assert fetching.answers()


def test_a_model_beyond_the_memory_names_the_setting(fetching: Fetching) -> None:
    # GIVEN a function with less memory than its model takes
    fetching.cold(128)
    # WHEN the endpoint is asked THEN the setting is named
    fetching.fails(
        "MemoryTooSmall",
        "more than the 128 MB of the function: raise functions.predict.memory in sls-ml.yaml",
    )
    # WHEN it is raised THEN the endpoint answers
    fetching.cold(FIRST_MEMORY)
    assert fetching.answers()
