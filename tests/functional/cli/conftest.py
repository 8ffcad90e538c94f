"""Small models to go wrong with, and a project to put them in."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import Isomap
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from command_line import Done

SPEC = """\
project: fruit
region: eu-west-1
vendor: false
models:
  ripe: {source: model.skops, sample: sample.csv}
functions:
  predict:
    model: ripe
    http: {auth: iam}
  score:
    model: ripe
    objects: {join: [id]}
"""

Compare = Callable[[str, str], None]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small model as .skops and .joblib, one that does not convert, and their sample."""
    folder = tmp_path_factory.mktemp("models")
    random = np.random.default_rng(7)
    rows = pd.DataFrame(random.normal(size=(40, 3)), columns=["weight", "colour", "sugar"])
    ripe = rows["sugar"] > rows["weight"]
    model = Pipeline([("scale", StandardScaler()), ("decide", LogisticRegression())]).fit(rows, ripe)
    skops.io.dump(model, folder / "model.skops")
    joblib.dump(model, folder / "model.joblib")
    steps: list[tuple[str, Any]] = [("unfold", Isomap(n_components=2)), ("decide", LogisticRegression())]
    joblib.dump(Pipeline(steps).fit(rows, ripe), folder / "unfolds.joblib")
    rows.round(4).rename_axis("id").to_csv(folder / "sample.csv")
    return folder


@pytest.fixture(scope="session")
def spec() -> str:
    """The text of a spec that is right."""
    return SPEC


@pytest.fixture
def project(tmp_path: Path, models: Path) -> Path:
    """A project whose model converts, with an endpoint and a batch function."""
    folder = tmp_path / "fruit"
    folder.mkdir()
    for file in ("model.skops", "sample.csv"):
        (folder / file).write_bytes((models / file).read_bytes())
    (folder / "sls-ml.yaml").write_text(SPEC)
    return folder


@pytest.fixture
def message(golden: Compare, tmp_path: Path) -> Callable[[str, Done], None]:
    """Compare what a failed command said with the golden text, without what differs between machines."""

    def compare(name: str, done: Done) -> None:
        assert "Traceback" not in done.err, done.err
        _, mark, error = done.err.partition("error [")  # what went well before it is not the message
        text = f"exit code {done.code}\n{done.out}{mark + error if mark else done.err}"
        text = text.replace(str(tmp_path), "<tmp>")
        text = re.sub(r"\b[0-9a-f]{12,64}\b", "<hex>", text)
        text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:<port>", text)
        golden(f"messages/{name}.txt", text)

    return compare
