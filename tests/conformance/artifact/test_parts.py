"""Large forests stand in several nodes of the graph, and answer as the original all the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import xgboost
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    RandomTreesEmbedding,
)

from sls_ml.artifact import Artifact, build
from sls_ml.artifact.lite.joined import runs

TREES = 300


def value(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return rows[:, 0] * 1e5 + np.sin(rows[:, 1])


def three(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.digitize(rows[:, 0] + rows[:, 1], [-0.5, 0.5])


CASES = {
    "sum": (RandomForestRegressor(TREES, max_depth=4, random_state=0), value),
    "rows of shares": (RandomForestClassifier(TREES, max_depth=4, random_state=0), three),
    "a target for each class": (GradientBoostingClassifier(n_estimators=TREES // 3, max_depth=2), three),
    "membership": (HistGradientBoostingRegressor(max_iter=TREES, categorical_features=[2]), value),
    "no split at all": (RandomForestRegressor(TREES, min_samples_leaf=200, random_state=0), value),
    "leaf of each tree": (RandomTreesEmbedding(TREES, max_depth=2, random_state=0), None),
}


def ensembles(artifact: Artifact) -> int:
    graph = onnx.load_from_string(artifact.files["model.onnx"]).graph
    return sum(node.op_type == "TreeEnsemble" for node in graph.node)


@pytest.mark.parametrize("case", CASES)
def test_forest_in_parts_answers_as_the_original_on_every_engine(
    numbers: np.ndarray[Any, Any], case: str
) -> None:
    # GIVEN a forest of more trees than one node holds
    model, target = CASES[case]
    rows = np.column_stack([numbers[:, :2], np.abs(numbers[:, 2]).round()])
    model.fit(rows, None if target is None else target(rows))
    # WHEN it is converted, which compares the engines with it
    artifact = build(model, rows, name="forest")
    # THEN it stands in three nodes, and all engines gave the original's answers
    assert ensembles(artifact) == 3
    assert set(artifact.manifest["engines"]) >= {"lite", "ort_capi"}


def test_lite_puts_the_parts_together_again(numbers: np.ndarray[Any, Any]) -> None:
    # GIVEN a graph with a forest in parts
    model = RandomForestRegressor(TREES, max_depth=2, random_state=0).fit(numbers, value(numbers))
    artifact = build(model, numbers, name="forest")
    graph = onnx.load_from_string(artifact.files["model.onnx"]).graph
    # WHEN the lite compiler looks for runs of ensembles
    [run] = runs(graph.node, [output.name for output in graph.output]).values()
    # THEN they are one run, and the program walks through one forest
    assert (len(run.nodes), run.side_by_side) == (3, False)
    assert artifact.files["model.lite"].count(b'"trees.') == 1


def test_ensembles_that_something_else_reads_are_no_run() -> None:
    # GIVEN a sum of two ensembles, one of which is an output too
    nodes = [
        *(onnx.NodeProto(op_type="TreeEnsemble", input=["x"], output=[name]) for name in "ab"),
        onnx.NodeProto(op_type="Sum", input=["a", "b"], output=["c"]),
    ]
    # WHEN the runs are looked for
    # THEN there is one only where the sum alone is asked for
    assert runs(nodes, ["c"]).keys() == {"c"}
    assert not runs(nodes, ["c", "a"])


def test_trees_that_add_in_single_precision_stay_together(numbers: np.ndarray[Any, Any]) -> None:
    # GIVEN a booster that adds up float32 numbers, tree after tree
    model = xgboost.XGBRegressor(n_estimators=TREES, max_depth=2, n_jobs=1).fit(numbers, value(numbers))
    # WHEN it is converted
    artifact = build(model, numbers, name="booster")
    # THEN its trees are in one node, where they add up in the same order
    assert ensembles(artifact) == 1
