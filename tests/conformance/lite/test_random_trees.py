"""Random tree ensembles give in the lite engine what they give in ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from sls_ml.artifact.lite import NotCovered

GRID = np.array([-1.5, -1.0, -0.0, 0.0, 0.1, 0.5, 1.0, 2.0, 3.0], np.float32)
"""Thresholds and values, few enough to tie often."""
MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]

settings.register_profile("lite", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
settings.load_profile("lite")


def rows(rng: np.random.Generator, width: int) -> np.ndarray:
    """Rows of grid values, of other values, of NaN and of infinities."""
    values = rng.choice(GRID, (60, width))
    values[:20] = rng.normal(size=(20, width))
    values[rng.random(values.shape) < 0.1] = np.nan
    values[rng.random(values.shape) < 0.02] = np.inf
    return values.astype(np.float32)


class Trees:
    """Trees that grow at random, in the attributes of the operators of ONNX-ML 1 to 4."""

    def __init__(self, rng: np.random.Generator, width: int, modes: list[str], *, missing: bool) -> None:
        self.rng, self.width, self.modes, self.missing = rng, width, modes, missing
        self.nodes: dict[str, list[Any]] = {
            name: []
            for name in (
                "nodes_treeids",
                "nodes_nodeids",
                "nodes_featureids",
                "nodes_modes",
                "nodes_values",
                "nodes_truenodeids",
                "nodes_falsenodeids",
                "nodes_missing_value_tracks_true",
            )
        }
        self.leaves: list[tuple[int, int]] = []

    def _add(self, *values: Any) -> None:
        for items, value in zip(self.nodes.values(), values, strict=True):
            items.append(value)

    def grow(self, tree: int, depth: int) -> None:
        """Add a tree."""
        self._grow(tree, depth, iter(range(1 << 20)))

    def _grow(self, tree: int, depth: int, names: Any) -> int:
        own = next(names)
        if depth == 0 or (own and self.rng.random() < 0.2):
            self._add(tree, own, 0, "LEAF", 0.0, 0, 0, 0)
            self.leaves.append((tree, own))
            return own
        place = len(self.nodes["nodes_modes"])
        self._add(
            tree,
            own,
            int(self.rng.integers(self.width)),
            str(self.rng.choice(self.modes)),
            float(self.rng.choice(GRID)),
            0,
            0,
            int(self.missing and self.rng.random() < 0.5),
        )
        self.nodes["nodes_truenodeids"][place] = self._grow(tree, depth - 1, names)
        self.nodes["nodes_falsenodeids"][place] = self._grow(tree, depth - 1, names)
        return own

    def weights(self, prefix: str, targets: list[list[int]]) -> dict[str, list[Any]]:
        """Weights for the leaves, each for one of the sets of targets."""
        entries = [
            (tree, own, target, float(np.float32(self.rng.normal())))
            for tree, own in self.leaves
            for target in targets[tree % len(targets)]
        ]
        names = (f"{prefix}_treeids", f"{prefix}_nodeids", f"{prefix}_ids", f"{prefix}_weights")
        return dict(zip(names, map(list, zip(*entries, strict=True)), strict=True))


def model_of(
    operator: str, width: int, outputs: dict[str, tuple[int, list[Any]]], version: int, **attributes: Any
):
    """A model of one node of ONNX-ML."""
    node = helper.make_node(operator, ["X"], list(outputs), domain="ai.onnx.ml", **attributes)
    kind = attributes.get("nodes_splits")
    element = kind.data_type if kind is not None else TensorProto.FLOAT
    graph = helper.make_graph(
        [node],
        "trees",
        [helper.make_tensor_value_info("X", element, [None, width])],
        [helper.make_tensor_value_info(name, *typed) for name, typed in outputs.items()],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", version)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    modes=st.lists(st.sampled_from(MODES), min_size=1, max_size=3, unique=True),
    missing=st.booleans(),
    targets=st.sampled_from([[[0]], [[0], [1], [2]], [[0, 1, 2]], [[0, 2], [1]]]),
    aggregate=st.sampled_from(["SUM", "AVERAGE"]),
)
def test_regressor(in_lite, in_ort, alike, seed, modes, missing, targets, aggregate):
    # GIVEN trees of any mode whose leaves count for one or several targets
    rng = np.random.default_rng(seed)
    trees = Trees(rng, 3, modes, missing=missing)
    for tree in range(5):
        trees.grow(tree, int(rng.integers(1, 5)))
    count = 1 + max(target for leaf in targets for target in leaf)
    model = model_of(
        "TreeEnsembleRegressor",
        3,
        {"y": (TensorProto.FLOAT, [None, count])},
        3,
        n_targets=count,
        aggregate_function=aggregate,
        base_values=[0.25] * count,
        **trees.nodes,
        **trees.weights("target", targets),
    )
    # WHEN both engines run on rows with ties, NaN and infinities
    feeds = {"X": rows(rng, 3)}
    # THEN they answer alike
    alike(in_lite(model, feeds), in_ort(model, feeds))


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    classes=st.sampled_from([2, 3]),
    spread=st.booleans(),
    transform=st.sampled_from(["NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"]),
    texts=st.booleans(),
    base=st.booleans(),
)
def test_classifier(in_lite, in_ort, alike, seed, classes, spread, transform, texts, base):
    # GIVEN trees that score one class per tree, or all classes in each leaf
    rng = np.random.default_rng(seed)
    trees = Trees(rng, 3, ["BRANCH_LEQ"], missing=True)
    for tree in range(6):
        trees.grow(tree, 3)
    targets = [[0]] if classes == 2 else [list(range(classes))] if spread else [[i] for i in range(classes)]
    labels = (
        {"classlabels_strings": ["a", "b", "c"][:classes]}
        if texts
        else {"classlabels_int64s": [10, 20, 30][:classes]}
    )
    starts = {"base_values": [0.5] * (1 if classes == 2 else classes)} if base else {}
    model = model_of(
        "TreeEnsembleClassifier",
        3,
        {
            "label": (TensorProto.STRING if texts else TensorProto.INT64, [None]),
            "probabilities": (TensorProto.FLOAT, [None, classes]),
        },
        3,
        post_transform=transform,
        **labels,
        **starts,
        **trees.nodes,
        **trees.weights("class", targets),
    )
    # WHEN both engines run
    feeds = {"X": rows(rng, 3)}
    # THEN they answer alike
    alike(in_lite(model, feeds), in_ort(model, feeds))


def ensemble(rng: np.random.Generator, dtype: Any, modes: list[int], targets: int) -> onnx.ModelProto:
    """A TreeEnsemble of ONNX-ML 5: full trees of depth 3."""
    inner, leaves, count = 7, 8, 4
    truth, truth_leaf, lie, lie_leaf = [], [], [], []
    for tree in range(count):
        for node in range(inner):
            below = [2 * node + 1, 2 * node + 2]
            is_leaf = below[0] >= inner
            first = [tree * leaves + b - inner if is_leaf else tree * inner + b for b in below]
            truth.append(first[0])
            lie.append(first[1])
            truth_leaf.append(int(is_leaf))
            lie_leaf.append(int(is_leaf))
    nodes = inner * count
    mode = rng.choice(modes, nodes).astype(np.uint8)
    sets = [
        [float(m) for m in rng.choice([-1, 0, 1, 2, 3, 40], 2, replace=False)]
        for _ in range((mode == 6).sum())
    ]
    members = [value for s in sets for value in (*s, np.nan)]
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    extra = {}
    if members:
        extra["membership_values"] = helper.make_tensor("m", element, [len(members)], members)
    return model_of(
        "TreeEnsemble",
        3,
        {"y": (element, [None, targets])},
        5,
        tree_roots=[tree * inner for tree in range(count)],
        n_targets=targets,
        aggregate_function=1,
        nodes_featureids=rng.integers(3, size=nodes).tolist(),
        nodes_splits=helper.make_tensor("s", element, [nodes], rng.choice(GRID, nodes).astype(dtype)),
        nodes_modes=helper.make_tensor("o", TensorProto.UINT8, [nodes], mode),
        nodes_truenodeids=truth,
        nodes_trueleafs=truth_leaf,
        nodes_falsenodeids=lie,
        nodes_falseleafs=lie_leaf,
        nodes_missing_value_tracks_true=rng.integers(2, size=nodes).tolist(),
        leaf_targetids=rng.integers(targets, size=leaves * count).tolist(),
        leaf_weights=helper.make_tensor(
            "w", element, [leaves * count], rng.normal(size=leaves * count).astype(dtype)
        ),
        **extra,
    )


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    modes=st.sampled_from([[0], [1], [0, 6], [4, 5], [2, 3, 6], [6]]),
    targets=st.sampled_from([1, 3]),
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ensemble_of_version_5(in_lite, in_ort, alike, dtype, seed, modes, targets):
    # GIVEN a TreeEnsemble, membership in sets among its modes
    rng = np.random.default_rng(seed)
    model = ensemble(rng, dtype, modes, targets)
    # WHEN both engines run; with sets on whole numbers, since ONNX Runtime 1.32 takes 2.5 for 2 in {-1, 2}
    values = rows(rng, 3)
    feeds = {"X": (np.floor(values) if 6 in modes else values).astype(dtype)}
    # THEN they answer alike
    alike(in_lite(model, feeds), in_ort(model, feeds))


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), modes=st.sampled_from([[0], [1], [2, 4], [0, 6]]))
def test_thresholds_in_double_precision_for_float32_numbers(in_lite, in_ort, alike, seed, modes):
    # GIVEN a TreeEnsemble with float64 thresholds, many of them next to float32 numbers, on cast features
    rng = np.random.default_rng(seed)
    model = ensemble(rng, "float64", modes, 1)
    (node,) = model.graph.node
    splits = next(entry for entry in node.attribute if entry.name == "nodes_splits")
    bounds = numpy_helper.to_array(splits.t)
    moved = bounds * (1 + rng.choice([-1e-12, 0.0, 1e-12, 1e-5], bounds.size))
    splits.t.CopyFrom(numpy_helper.from_array(moved, "s"))
    node.input[0] = "cast"
    model.graph.node.insert(0, helper.make_node("Cast", ["X"], ["cast"], to=TensorProto.DOUBLE))
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT
    # WHEN both engines run
    values = rows(rng, 3)
    feeds = {"X": np.floor(values) if 6 in modes else values}
    # THEN they answer alike
    alike(in_lite(model, feeds), in_ort(model, feeds))


def _stump(**changes: Any) -> onnx.ModelProto:
    """A regressor of one tree: a node and two leaves."""
    attributes: dict[str, Any] = {
        "nodes_treeids": [0, 0, 0],
        "nodes_nodeids": [0, 1, 2],
        "nodes_featureids": [0, 0, 0],
        "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
        "nodes_values": [0.0, 0.0, 0.0],
        "nodes_truenodeids": [1, 0, 0],
        "nodes_falsenodeids": [2, 0, 0],
        "target_treeids": [0, 0],
        "target_nodeids": [1, 2],
        "target_ids": [0, 0],
        "target_weights": [1.0, 2.0],
    }
    outputs = {"y": (TensorProto.FLOAT, [None, 1])}
    return model_of("TreeEnsembleRegressor", 2, outputs, 3, n_targets=1, **(attributes | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"nodes_truenodeids": [0, 0, 0]},
        {"nodes_falsenodeids": [7, 0, 0]},
        {"nodes_featureids": [2, 0, 0]},
        {"nodes_modes": ["BRANCH_MAYBE", "LEAF", "LEAF"]},
        {"target_nodeids": [0, 2]},
        {"nodes_modes": ["BRANCH_LT", "LEAF", "LEAF"], "nodes_values": [-np.inf, 0.0, 0.0]},
        {"aggregate_function": "MAX"},
        {"post_transform": "PROBIT"},
    ],
    ids=["loop", "no such node", "no such column", "mode", "weight inside", "infinite", "maximum", "probit"],
)
def test_refuses_trees_that_it_cannot_walk(in_lite, changes):
    # GIVEN a tree that is broken, or asks for what is not covered
    model = _stump(**changes)
    # WHEN it is compiled THEN it is refused, before any walk without end
    with pytest.raises(NotCovered):
        in_lite(model, {"X": np.zeros((1, 2), np.float32)})
