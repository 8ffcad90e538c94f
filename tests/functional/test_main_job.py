"""The main job: a trained pipeline becomes an endpoint and a batch scorer on the embedded cloud."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
import skops.io
from sklearn.pipeline import Pipeline

from sls_ml.artifact import load

Deployed = tuple[Path, dict[str, Any]]
BROKEN_ROWS = 2


@pytest.fixture(scope="session")
def model() -> Pipeline:
    return skops.io.load(Path(__file__).parents[2] / "samples" / "breast-cancer" / "model.skops")


@pytest.fixture(scope="session")
def held_out() -> pd.DataFrame:
    """Rows that neither the training nor the sample holds, without those that are broken on purpose."""
    file = Path(__file__).parents[2] / "samples" / "breast-cancer" / "incoming.csv"
    rows = pd.read_csv(file, index_col="id").apply(pd.to_numeric, errors="coerce")
    return rows.dropna()


def test_deploy_says_where_everything_is(deployed: Deployed) -> None:
    # GIVEN a deployed sample
    sample, document = deployed
    # THEN its document names endpoint, places, packages and artifacts
    predict, score = document["functions"]["predict"], document["functions"]["score"]
    assert (document["stage"], document["provider"]) == ("local", "aws")
    assert predict["endpoint"].startswith("http://127.0.0.1:")
    assert (predict["input"], predict["output"]) == (None, None)
    assert score["endpoint"] is None
    assert score["input"].startswith("s3://")
    assert score["output"].startswith("s3://")
    for function in (predict, score):
        package = Path(function["package"])
        assert package.stat().st_size == function["package_bytes"]
    # THEN what the embedded cloud leaves out is said: it has no TLS
    assert {entry["type"] for entry in document["not_emulated"]} == {
        "AWS::S3::BucketPolicy.PolicyDocument aws:SecureTransport",
    }
    # THEN the artifact can be loaded from its address and weighs what was said
    artifact = document["artifacts"]["tumour"]
    loaded = load(artifact["address"])
    assert (loaded.digest, loaded.bytes) == (artifact["digest"], artifact["bytes"])
    assert sample.exists()


def test_answers_equal_scikit_learn_on_unseen_rows(
    sls_ml: Callable[..., Any], model: Pipeline, held_out: pd.DataFrame
) -> None:
    # GIVEN rows that the sample does not hold
    rows = held_out.to_dict("records")
    # WHEN the endpoint is asked
    done = sls_ml("invoke", "predict", "--stage", "local", "--json", "--rows", "-", stdin=json.dumps(rows))
    # THEN labels are the same and probabilities equal within the parity tolerance
    answer = done.document
    assert set(answer) == {"model", "digest", "classes", "label", "probability"}
    assert answer["classes"] == list(model.classes_)
    assert answer["label"] == list(model.predict(held_out))
    expected = model.predict_proba(held_out)
    worst = abs(expected - answer["probability"]).max()
    assert worst < 1e-9


def test_rows_outside_the_domain_are_refused_by_field_and_row(sls_ml: Callable[..., Any]) -> None:
    # GIVEN a row with nothing but a text where a number belongs
    done = sls_ml("invoke", "predict", "--stage", "local", "--rows", '[{"mean radius": "large"}]')
    # THEN the request is refused, and field and row are named
    assert done.code == 2
    assert "row 0, field mean texture: " in done.err


def test_unsigned_requests_are_forbidden(deployed: Deployed) -> None:
    # GIVEN an endpoint with auth: iam
    endpoint = deployed[1]["functions"]["predict"]["endpoint"]
    # WHEN it is asked without a signature
    answer = httpx.post(f"{endpoint.rstrip('/')}/predict", json={"rows": []})
    # THEN Lambda's own refusal comes back
    assert (answer.status_code, answer.json()) == (403, {"Message": "Forbidden"})


def test_a_file_is_scored_and_broken_rows_are_set_aside(
    sls_ml: Callable[..., Any], deployed: Deployed, model: Pipeline, held_out: pd.DataFrame, tmp_path: Path
) -> None:
    # GIVEN a file with two broken rows
    # WHEN it is scored
    done = sls_ml("score", "score", "incoming.csv", "--stage", "local", "--out", str(tmp_path), "--json")
    # THEN every row is accounted for
    manifest = done.document["manifest"]
    assert manifest["rows_in"] == manifest["rows_scored"] + manifest["rows_rejected"]
    assert manifest["rows_rejected"] == BROKEN_ROWS
    # THEN the scored rows carry the joined column, in order, and scikit-learn's numbers
    scored = list(csv.DictReader(io.StringIO((tmp_path / "part-00000.csv").read_text())))
    assert [row["id"] for row in scored] == list(held_out.index)
    assert [row["label"] for row in scored] == list(model.predict(held_out))
    expected = model.predict_proba(held_out)[:, list(model.classes_).index("malignant")]
    got = [float(row["probability_malignant"]) for row in scored]
    assert max(abs(expected - got)) < 1e-9
    # THEN the rejected rows name field and reason
    rejected = [
        json.loads(line) for line in (tmp_path / "rejected" / "part-00000.jsonl").read_text().splitlines()
    ]
    assert [entry["field"] for entry in rejected] == ["mean area", "mean radius"]


def test_an_unchanged_deploy_changes_nothing(sls_ml: Callable[..., Any]) -> None:
    done = sls_ml("deploy", "--stage", "local", "--json")
    assert done.document["changed"] is False
    assert "nothing has changed" in sls_ml("deploy", "--stage", "local").out


def test_a_frozen_deploy_needs_no_model_file(sls_ml: Callable[..., Any], deployed: Deployed) -> None:
    # GIVEN a checkout without the model file
    source = deployed[0] / "model.skops"
    aside = source.rename(source.with_suffix(".aside"))
    try:
        # WHEN it is deployed frozen
        done = sls_ml("deploy", "--stage", "local", "--frozen", "--json")
    finally:
        aside.rename(source)
    # THEN what is checked in is enough
    assert (done.code, done.document["changed"]) == (0, False)


def test_status_names_the_live_version(sls_ml: Callable[..., Any]) -> None:
    functions = sls_ml("status", "--stage", "local", "--json").document["functions"]
    assert functions["predict"]["version"] == "1"
    assert len(functions["predict"]["package_sha256"]) == 64


def test_logs_hold_one_line_a_request_and_no_payload(sls_ml: Callable[..., Any]) -> None:
    # GIVEN a request with a value that occurs nowhere else
    sls_ml("invoke", "predict", "--stage", "local", "--sample", "1")
    # WHEN the log is read
    done = sls_ml("logs", "predict", "--stage", "local")
    # THEN it tells of requests, one a line
    assert "INFO  POST /predict 200  " in done.out
    assert "_aws" not in done.out
    # WHEN all of it is read
    done = sls_ml("logs", "predict", "--stage", "local", "--raw")
    # THEN it holds the metrics too, and no feature
    assert '"_aws"' in done.out
    assert "mean radius" not in done.out
