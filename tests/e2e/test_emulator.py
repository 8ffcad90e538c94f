"""The generated function under AWS's own Runtime Interface Emulator."""

from __future__ import annotations

import json
import os
import subprocess
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
import skops.io

from sls_ml.local import managed_runtime

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "samples" / "breast-cancer"


@pytest.fixture
def emulated(package: Path, emulator: Path, free_ports: tuple[int, int], tmp_path: Path) -> Iterator[str]:
    """The endpoint of the emulator, with the package of the sample's function unpacked and running in it."""
    task = tmp_path / "task"
    zipfile.ZipFile(package).extractall(task)
    runtime = managed_runtime.find("python3.13")
    invoke_port, api_port = free_ports
    process = subprocess.Popen(
        [
            *(emulator, "--runtime-interface-emulator-address", f"127.0.0.1:{invoke_port}"),
            *("--runtime-api-address", f"127.0.0.1:{api_port}"),
            *(runtime.executable, "-S", "-m", "awslambdaric", "handler.handler"),
        ],
        cwd=task,
        env={
            "AWS_LAMBDA_FUNCTION_NAME": "predict",
            "AWS_LAMBDA_FUNCTION_TIMEOUT": "10",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_REGION": "eu-west-1",
            "SLS_ML_STAGE": "local",
            "LAMBDA_TASK_ROOT": str(task),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{task}:{runtime.libraries}",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield f"http://127.0.0.1:{invoke_port}/2015-03-31/functions/function/invocations"
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def ask(endpoint: str, event: dict[str, Any]) -> dict[str, Any]:
    """Invoke the function; the emulator needs a moment to listen."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return httpx.post(endpoint, json=event, timeout=20).json()
        except httpx.ConnectError:
            assert time.monotonic() < deadline, "the emulator does not listen"
            time.sleep(0.05)


def test_the_packaged_function_answers_as_scikit_learn(emulated: str) -> None:
    # GIVEN the deployed package under AWS's emulator, and rows that the sample does not hold
    rows = pd.read_csv(SAMPLE / "incoming.csv", index_col="id").apply(pd.to_numeric, errors="coerce").dropna()
    event = json.loads((ROOT / "tests" / "events" / "url-post.json").read_text())
    event["rawPath"] = event["requestContext"]["http"]["path"] = "/predict"
    event["isBase64Encoded"] = False
    event["body"] = json.dumps({"rows": rows.to_dict("records")})
    # WHEN it is invoked
    answer = ask(emulated, event)
    # THEN it gives scikit-learn's labels and probabilities
    assert answer["statusCode"] == 200
    body = json.loads(answer["body"])
    model = skops.io.load(SAMPLE / "model.skops")
    assert body["label"] == list(model.predict(rows))
    assert abs(model.predict_proba(rows) - body["probability"]).max() < 1e-9


def test_a_bad_row_is_a_4xx_and_no_failure(emulated: str) -> None:
    event = json.loads((ROOT / "tests" / "events" / "url-post.json").read_text())
    event["isBase64Encoded"] = False
    event["body"] = '{"rows": [{"mean radius": null}]}'
    answer = ask(emulated, event)
    assert answer["statusCode"] == 422
    assert "mean" in answer["body"]
