"""One model behind functions of each style, deployed to the embedded cloud, asked by the Python client."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from botocore.session import Session

from command_line import copy_sample, run
from sls_ml.artifact import load
from sls_ml.client import Client, RequestRefused
from sls_ml.errors import ExternalError

SPEC = """
project: styles
artifacts: ../../artifacts
handlers: ../../handlers
vendor: true
models:
  tumour: {source: model.skops, sample: sample.csv}
functions:
  native: {model: tumour, http: {}}
  powertools: {model: tumour, http: {}, observability: powertools}
  chalice: {model: tumour, http: {}, style: chalice}
  open: {model: tumour, http: {auth: public}, style: chalice}
"""
STYLES = ("native", "powertools", "chalice")

Ask = Callable[[str], Client]


@pytest.fixture(scope="module")
def deployed_styles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    sample = copy_sample("breast-cancer", tmp_path_factory.mktemp("styles"))
    (sample / "sls-ml.yaml").write_text(SPEC)
    try:
        done = run(sample, "deploy", "--stage", "local", "--json")
        assert done.code == 0, done.out + done.err
        yield sample, done.document
    finally:
        run(sample, "local", "down")


@pytest.fixture(scope="module")
def ask(deployed_styles: tuple[Path, dict[str, Any]]) -> Iterator[Ask]:
    """A client of a function, with the credentials that the embedded cloud hands out."""
    sample, document = deployed_styles
    keys = json.loads(run(sample, "local", "env", "--json").out)
    session = Session()
    session.set_credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])
    clients = {
        name: Client(function["endpoint"], region=keys["AWS_REGION"], session=session)
        for name, function in document["functions"].items()
    }
    yield clients.__getitem__
    for client in clients.values():
        client.close()


@pytest.fixture(scope="module")
def rows(deployed_styles: tuple[Path, dict[str, Any]]) -> pd.DataFrame:
    return pd.read_csv(deployed_styles[0] / "sample.csv", index_col="id")


def test_every_style_predicts_what_the_artifact_predicts(
    deployed_styles: tuple[Path, dict[str, Any]], ask: Ask, rows: pd.DataFrame
) -> None:
    # GIVEN the artifact itself
    expected = load(deployed_styles[1]["artifacts"]["tumour"]["address"]).predict(rows)
    # WHEN a function of each style is asked, signed
    first, *others = [ask(style).predict(rows) for style in STYLES]
    # THEN all say the same, to the last digit
    assert others == [first, first]
    # AND what the artifact says here, to the last digits of another Python
    assert first.label == expected["label"]
    np.testing.assert_allclose(first.probability, expected["probability"], rtol=1e-12)


def test_every_style_refuses_with_field_and_row(ask: Ask, rows: pd.DataFrame) -> None:
    broken = rows.head(3).copy()
    broken.loc[broken.index[2], "mean radius"] = float("inf")
    refusals = []
    for style in STYLES:
        with pytest.raises(RequestRefused) as caught:
            ask(style).predict(broken)
        refusals.append(str(caught.value))
        assert (caught.value.field, caught.value.row) == ("mean radius", 2)
    assert len(set(refusals)) == 1


def test_a_caller_without_a_signature_is_denied_by_every_style_but_public(
    deployed_styles: tuple[Path, dict[str, Any]],
) -> None:
    for name, function in deployed_styles[1]["functions"].items():
        with Client(function["endpoint"], auth="public") as client:
            if name == "open":
                assert client.health() == {"status": "ok"}
                continue
            with pytest.raises(ExternalError) as caught:
                client.health()
            assert caught.value.code == "endpoint-denied"


def test_the_function_of_powertools_logs_with_its_fields(
    deployed_styles: tuple[Path, dict[str, Any]], ask: Ask
) -> None:
    # GIVEN a request
    ask("powertools").health()
    # WHEN its log is read
    done = run(deployed_styles[0], "logs", "powertools", "--stage", "local", "--json")
    # THEN it has the fields of Powertools' Logger
    assert done.code == 0, done.err
    assert "function_request_id" in done.out


def test_the_package_of_a_chalice_function_is_a_project_of_chalice(
    deployed_styles: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    sample = deployed_styles[0]
    # WHEN it is written
    done = run(sample, "package", "chalice", "--stage", "local", "--chalice", str(tmp_path / "build"))
    assert done.code == 0, done.out + done.err
    # THEN what Chalice brings by itself is not there twice, and the rest is
    project = tmp_path / "build" / "chalice"
    vendor = {path.name for path in (project / "vendor").iterdir()}
    assert {"artifacts", "config.json", "hooks.py", "sls_ml_runtime"} <= vendor
    assert vendor.isdisjoint({"app.py", "chalice", "chalicelib", "handler.py"})
    # AND a function of another style is none
    other = run(sample, "package", "native", "--stage", "local", "--chalice", str(tmp_path / "other"))
    assert other.code == 2
    assert "style: chalice" in other.err
