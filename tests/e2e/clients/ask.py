"""Run by the clients' own Python: MLflow's and KServe's clients, as their users call them.

Reads ``{"address", "model", "inputs": [[name, dtype], ...], "rows": [...]}`` from standard input, and writes
what each call gave, ``{call: answer}``.
"""

import asyncio
import json
import os
import sys
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
from httpx import HTTPStatusError
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput
from mlflow.deployments import get_deploy_client
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

given = json.load(sys.stdin)
ADDRESS, MODEL = given["address"], given["model"]
TABLE = pd.DataFrame(given["rows"], columns=[name for name, _ in given["inputs"]])
os.environ |= {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"}
os.environ["AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"] = ADDRESS


def of_mlflow() -> dict:
    """MLflow's client of its own scoring server, and its client of SageMaker."""
    url = urlsplit(ADDRESS)
    client = ScoringServerClient(url.hostname, url.port)
    client.wait_server_ready(timeout=30)
    answers = {
        "version": client.get_version(),
        "frame": client.invoke(TABLE).get_predictions()[0].tolist(),
        "array": client.invoke(TABLE.to_numpy()).get_predictions("ndarray").tolist(),
        "params": client.invoke(TABLE, params={"output": "probability"})["predictions"],
        "missing": client.invoke(TABLE.assign(bill_length_mm=float("nan")))["predictions"],
    }
    try:
        client.invoke(TABLE.assign(wing=1.0))
    except Exception as error:  # noqa: BLE001 - it raises no other
        answers["refused"] = str(error)
    sagemaker = get_deploy_client("sagemaker:/eu-west-1")
    answers["sagemaker"] = sagemaker.predict(MODEL, TABLE)["predictions"]
    try:
        sagemaker.predict(MODEL, TABLE.assign(wing=1.0))
    except MlflowException as error:
        answers["sagemaker refused"] = str(error)
    return answers


async def of_kserve() -> dict:
    """KServe's client in both versions of its protocol, with tensors as JSON and as bytes."""
    answers = {}
    async with InferenceRESTClient(RESTConfig(protocol="v1")) as client:
        answers["v1 live"] = await client.is_server_live(ADDRESS)
        answers["v1 ready"] = await client.is_model_ready(ADDRESS, MODEL)
        document = {"instances": given["rows"]}
        answers["v1"] = (await client.infer(ADDRESS, document, MODEL))["predictions"]
        answers["v1 refused"] = await refused(client, {"instances": [{"wing": 1.0}]})
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
        answers["v2 live"] = await client.is_server_live(ADDRESS)
        answers["v2 server ready"] = await client.is_server_ready(ADDRESS)
        answers["v2 ready"] = await client.is_model_ready(ADDRESS, MODEL)
        answers["v2 no model"] = await client.is_model_ready(ADDRESS, "other")
        for binary in (False, True):
            answer = await client.infer(ADDRESS, tensors(binary=binary), MODEL)
            kind = "bytes" if binary else "json"
            outputs = {output.name: output.as_numpy() for output in answer.outputs}
            answers[f"v2 {kind}"] = list(map(text, outputs["label"]))
            answers[f"v2 {kind} shares"] = outputs["probability"].tolist()
            answers[f"v2 {kind} id"] = answer.id
        answers["v2 refused"] = await refused(client, tensors(binary=False, more={"wing": "float64"}))
    return answers


def tensors(*, binary: bool, more: dict[str, str] | None = None) -> InferRequest:
    """All columns as tensors, and more of them."""
    inputs = []
    for name, dtype in (dict(given["inputs"]) | (more or {})).items():
        values = TABLE[name].to_numpy() if name in TABLE else np.ones(len(TABLE))
        datatype = "BYTES" if dtype == "string" else "FP64"
        tensor = InferInput(name, [len(values)], datatype)
        array = values.astype(object) if dtype == "string" else values.astype(np.float64)
        tensor.set_data_from_numpy(array, binary_data=binary)
        inputs.append(tensor)
    wanted = [RequestedOutput(name, {"binary_data": binary}) for name in ("label", "probability")]
    return InferRequest(MODEL, inputs, request_id="7", request_outputs=wanted)


async def refused(client: InferenceRESTClient, request) -> str:
    """The client's error."""
    try:
        await client.infer(ADDRESS, request, MODEL)
    except HTTPStatusError as error:
        return str(error)
    return ""


def text(value) -> str:
    """A text of a tensor, which the client leaves as bytes where it came as bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)


json.dump({"mlflow": of_mlflow(), "kserve": asyncio.run(of_kserve())}, sys.stdout)
