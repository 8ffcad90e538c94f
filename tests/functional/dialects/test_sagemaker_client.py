"""AWS's own client of SageMaker's runtime against an endpoint of ours: only its address is another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sls_ml_runtime.artifact import Artifact


@pytest.fixture(scope="module", params=[False, True], ids=["straight", "through Lambda"])
def client(built: SimpleNamespace, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A client of a function with two models."""
    with built.served(built.service_of("tumour", "species"), as_event=request.param) as address:
        client = boto3.client(
            "sagemaker-runtime",
            endpoint_url=f"http://{address}",
            region_name="eu-west-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",
            config=Config(retries={"max_attempts": 0}),
        )
        yield client
        client.close()


def lists(artifact: Artifact) -> list[list[Any]]:
    """The example rows of a model as values in its order."""
    names = [field["name"] for field in artifact.manifest["inputs"]]
    return [[row[name] for name in names] for row in artifact.manifest["example"]]


def test_sends_csv_without_a_header(client: Any, built: SimpleNamespace) -> None:
    # GIVEN rows of CSV as SageMaker's serializers write them
    rows = lists(built.sample("tumour"))
    body = "\n".join(",".join(map(str, row)) for row in rows)

    # WHEN an endpoint of the model's name is invoked
    answer = client.invoke_endpoint(
        EndpointName="tumour", Body=body, ContentType="text/csv", Accept="text/csv"
    )

    # THEN there is a line for each row
    assert answer["ContentType"] == "text/csv; charset=utf-8"
    lines = answer["Body"].read().decode().splitlines()
    assert [line.partition(",")[0] in {"benign", "malignant"} for line in lines] == [True] * len(rows)


@pytest.mark.parametrize("accept", ["application/json", "application/jsonlines"])
def test_sends_json_lines(client: Any, built: SimpleNamespace, accept: str) -> None:
    # GIVEN an object on each line, as SageMaker's algorithms read it
    body = "\n".join(json.dumps({"features": row}) for row in lists(built.sample("species")))

    # WHEN it is sent THEN the answer is of the kind asked for
    answer = client.invoke_endpoint(
        EndpointName="species", Body=body, ContentType="application/jsonlines", Accept=accept
    )
    assert answer["ContentType"] == accept
    assert answer["Body"].read().count(b"Adelie") >= 1


def test_reads_a_refusal(client: Any) -> None:
    # GIVEN rows that the model does not take WHEN they are sent
    with pytest.raises(ClientError) as caught:
        client.invoke_endpoint(EndpointName="tumour", Body=b"1,2,3", ContentType="text/csv")

    # THEN the client's own error has code and message
    error = caught.value.response
    assert (error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Code"]) == (400, "cell-count")
    assert error["Error"]["Message"] == "the row has 3 cells, the model 30"


def test_an_endpoint_that_is_not_there_is_a_404(client: Any) -> None:
    # GIVEN no model of a name WHEN its endpoint is invoked THEN there is none
    with pytest.raises(ClientError) as caught:
        client.invoke_endpoint(EndpointName="other", Body=b"1", ContentType="text/csv")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
