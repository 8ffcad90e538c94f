"""MLflow's and KServe's own clients against a function URL of the embedded cloud, unchanged."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from command_line import ROOT, copy_sample, run
from environments import installed
from sls_ml_runtime.artifact import open_folder

HERE = Path(__file__).parent / "clients"
DIGEST = re.compile(r"\b[0-9a-f]{12}\b")


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    """What the model takes."""
    (folder,) = (Path(__file__).parents[2] / "artifacts" / "species").iterdir()
    return open_folder(folder, folder.name).manifest


@pytest.fixture(scope="module")
def labels(told: dict[str, Any]) -> list[str]:
    """What plain JSON answers for the rows that all clients send."""
    found: list[str] = told["plain"]["label"]
    return found


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The penguins' sample, deployed for all to call, and its endpoint."""
    sample = copy_sample("penguins", tmp_path_factory.mktemp("clients"))
    spec = sample / "sls-ml.yaml"
    spec.write_text(spec.read_text().replace("auth: iam", "auth: public"))
    try:
        deployed = run(sample, "deploy", "--stage", "local", "--json")
        assert deployed.code == 0, deployed.out + deployed.err
        address = deployed.document["functions"]["predict"]["endpoint"].rstrip("/")
        yield sample, address
    finally:
        run(sample, "local", "down")


@pytest.fixture(scope="module")
def told(endpoint: tuple[Path, str], manifest: dict[str, Any]) -> dict[str, Any]:
    """What each client was told."""
    sample, address = endpoint
    asked = {
        "address": address,
        "model": "species",
        "inputs": [[field["name"], field["dtype"]] for field in manifest["inputs"]],
        "rows": manifest["example"],
    }
    done = subprocess.run(
        [installed(HERE / "requirements.txt") / "bin" / "python", HERE / "ask.py"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "MLFLOW_DISABLE_TELEMETRY": "true"},
    )
    assert done.returncode == 0, done.stderr
    (sample / "rows.json").write_text(json.dumps(manifest["example"]))
    plain = run(sample, "invoke", "predict", "--stage", "local", "--json", "--rows", "@rows.json")
    assert plain.code == 0, plain.err
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers | {"plain": plain.document}


def test_mlflow_reads_predictions(told: dict[str, Any], labels: list[str]) -> None:
    # GIVEN a frame, an array and a frame with gaps WHEN MLflow's client sends them THEN it reads predictions
    answers = told["mlflow"]
    assert (answers["frame"], answers["array"]) == (labels, labels)
    assert len(answers["missing"]) == len(labels)
    # AND params choose another output
    assert answers["params"] == told["plain"]["probability"]


def test_mlflow_reads_a_refusal(told: dict[str, Any]) -> None:
    # GIVEN a column that the model does not have WHEN it is sent THEN the client's error names it
    assert "error code 400" in told["mlflow"]["refused"]
    assert "wing" in told["mlflow"]["refused"]


def test_mlflow_takes_it_for_sagemaker(told: dict[str, Any], labels: list[str]) -> None:
    # GIVEN MLflow's client of SageMaker, with another address WHEN it sends a frame THEN it is served
    assert told["mlflow"]["sagemaker"] == labels
    assert "wing" in told["mlflow"]["sagemaker refused"]


def test_kserve_is_served_in_its_first_protocol(told: dict[str, Any], labels: list[str]) -> None:
    # GIVEN KServe's client WHEN it looks around and predicts THEN all is as it wants it
    answers = told["kserve"]
    assert (answers["v1 live"], answers["v1 ready"]) == (True, True)
    assert answers["v1"] == labels
    assert "wing" in answers["v1 refused"]
    assert "400 Bad Request" in answers["v1 refused"]


@pytest.mark.parametrize("kind", ["json", "bytes"])
def test_kserve_is_served_in_its_second_protocol(told: dict[str, Any], labels: list[str], kind: str) -> None:
    # GIVEN KServe's client WHEN it looks around and sends tensors THEN all is as it wants it
    answers = told["kserve"]
    assert (answers["v2 live"], answers["v2 server ready"], answers["v2 ready"]) == (True, True, True)
    assert answers["v2 no model"] is False
    assert (answers[f"v2 {kind}"], answers[f"v2 {kind} id"]) == (labels, "7")
    assert answers[f"v2 {kind} shares"] == told["plain"]["probability"]
    assert "wing" in answers["v2 refused"]


def test_the_lines_of_the_docs_answer_as_they_say(endpoint: tuple[Path, str]) -> None:
    # GIVEN every line of curl in the page on protocols, and the answer below it
    page = dedent_items((ROOT / "docs" / "protocols.md").read_text())
    lines = re.findall(r"```sh\n(.*?)```\n```text\n(.*?)```", page, re.DOTALL)
    assert len(lines) >= 8

    # WHEN each is run as it stands
    for command, answer in lines:
        done = subprocess.run(
            ["bash", "-c", command.replace("curl ", "curl --silent --show-error ")],
            env={"PATH": os.environ["PATH"], "URL": endpoint[1]},
            capture_output=True,
            text=True,
            check=True,
        )
        # THEN its answer is that of the page; digests change with every model
        assert DIGEST.sub("-", done.stdout.strip()) == DIGEST.sub("-", answer.strip()), command


def dedent_items(page: str) -> str:
    """The page without the indent of what stands in its lists."""
    return re.sub("^  ", "", page, flags=re.MULTILINE)
