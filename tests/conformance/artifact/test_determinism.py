"""The same model gives the same bytes, again and elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sls_ml.artifact import build

FRESH = """
from sls_ml.artifact import build
for model in ("credit", "forest", "boosting"):
    print(build(f"{model}.joblib", "people.csv", name="m", trust=True).digest)
print(build("texts.joblib", "texts.csv", name="m", trust=True).digest)
"""


@pytest.fixture(scope="module")
def models(credit: Any, people: pd.DataFrame, texts: list[str]) -> dict[str, Any]:
    numbers = people[["age", "income"]].fillna(0.0)
    return {
        "credit": credit,
        "forest": RandomForestClassifier(5, random_state=0).fit(numbers, people["target"]),
        "boosting": HistGradientBoostingClassifier(max_iter=5).fit(numbers, people["target"]),
        "texts": make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(
            texts, ["ok" in text for text in texts]
        ),
    }


def test_a_fresh_process_gives_the_same_digest(
    models: dict[str, Any], people: pd.DataFrame, texts: list[str], tmp_path: Path
) -> None:
    # GIVEN models and samples in files, and their digests here
    sample = people.assign(income=people["income"].fillna(0.0))
    sample.to_csv(tmp_path / "people.csv", index=False)
    pd.DataFrame({"text": texts}).to_csv(tmp_path / "texts.csv", index=False)
    here = []
    for name, model in models.items():
        joblib.dump(model, tmp_path / f"{name}.joblib")
        data = tmp_path / ("texts.csv" if name == "texts" else "people.csv")
        here.append(build(model, data, name="m").digest)
    # WHEN another process, with other hashes of texts, converts them
    environment = {**os.environ, "PYTHONPATH": "framework", "PYTHONHASHSEED": "77"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[3] / "framework")
    done = subprocess.run(
        [sys.executable, "-c", FRESH],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    # THEN it comes to the same digests
    assert done.stdout.split() == here


def test_the_graph_says_nothing_of_its_maker(credit: Any, people: pd.DataFrame) -> None:
    # GIVEN a converted model
    import onnx

    graph = onnx.load_from_string(build(credit, people, name="m").files["model.onnx"])
    # WHEN its description is read
    # THEN there is none, its name is fixed, and each opset is named once
    assert (graph.producer_name, graph.producer_version, graph.doc_string) == ("", "", "")
    assert graph.graph.name == "model"
    domains = [opset.domain for opset in graph.opset_import]
    assert len(domains) == len(set(domains))
    onnx.checker.check_model(graph)


def test_importing_the_room_loads_no_library() -> None:
    # GIVEN a fresh interpreter
    code = "import sys, sls_ml.artifact; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "framework")}
    # WHEN the room is imported
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    # THEN nothing heavy comes along
    heavy = {
        "sklearn",
        "onnx",
        "onnxruntime",
        "skl2onnx",
        "pandas",
        "numpy",
        "scipy",
        "joblib",
        "skops",
        "obstore",
    }
    assert heavy.isdisjoint(done.stdout.split())
