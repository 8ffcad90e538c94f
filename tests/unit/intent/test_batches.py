"""Batch functions whose results could not be written are refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sls_ml import intent
from sls_ml.errors import SpecError
from sls_ml.spec.model import Project

MANIFEST: Mapping[str, Any] = {
    "engines": ["ort_capi"],
    "files": {"model.onnx": {"sha256": "0" * 64, "bytes": 1000}},
    "classes": ["no", "yes"],
    "outputs": [{"key": "label", "columns": None}, {"key": "probability", "columns": 2}],
}


def project(function: Mapping[str, Any]) -> Project:
    models = {name: {"source": "m.skops", "sample": "s.csv"} for name in ("credit", "fraud")}
    return Project.model_validate(
        {
            "project": "credit-risk",
            "models": models,
            "functions": {"score": function},
            "folder": Path(),
            "stage": "dev",
        }
    )


def build(function: Mapping[str, Any]) -> None:
    intent.build(project(function), dict.fromkeys(("credit", "fraud"), ("a" * 64, MANIFEST)))


@pytest.mark.parametrize("column", ["label", "probability_yes"])
def test_a_joined_column_must_not_be_called_like_a_result(column: str) -> None:
    # GIVEN a join column with the name of a column of the results
    # WHEN it is decided what must exist
    with pytest.raises(SpecError) as caught:
        build({"model": "credit", "objects": {"join": ["id", column]}})
    # THEN the key and the column are named
    (problem,) = caught.value.problems
    assert (caught.value.code, problem.key) == ("join-taken", "functions.score.objects.join")
    assert column in problem.what


def test_other_columns_are_joined() -> None:
    # GIVEN columns that no result is called like; THEN nothing is refused
    build({"model": "credit", "objects": {"join": ["id", "value", "score"]}})


def test_a_file_is_scored_by_one_model() -> None:
    # GIVEN a batch function of two models
    # WHEN it is decided what must exist
    with pytest.raises(SpecError) as caught:
        build({"models": ["credit", "fraud"], "objects": {}})
    # THEN it is refused with a way out
    assert caught.value.code == "batch-models"
    assert "a function for each model" in (caught.value.problems[0].mend or "")
