"""Every engine on ONNX's own node tests; the first dimension of their first input is taken as the rows."""

from __future__ import annotations

import os
import warnings
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.utils import all_estimators

from sls_ml.artifact.lite import NotCovered
from sls_ml.artifact.lite.graph import OPERATORS
from sls_ml_runtime.errors import EngineError

DOCS = Path(__file__).parents[3] / "docs"
PAGE = DOCS / "lite.md"
SWEEP = DOCS / "estimators.md"
BEGIN, END = "<!-- operators -->", "<!-- end of operators -->"
ENGINES = ("lite", "ort_capi", "ort_python")

ELEMENTS = (
    TensorProto.FLOAT,
    TensorProto.DOUBLE,
    TensorProto.INT64,
    TensorProto.BOOL,
    TensorProto.STRING,
)


def _by_rows(case: Any) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """The case's node with inputs made of [N, C] columns: the first, and those that have as many rows.

    Raises:
        NotCovered: The input has no rows, or a type that artifacts do not have.
    """
    node, inputs = case.model.graph.node[0], [np.asarray(values) for values in case.data_sets[0][0]]
    first = inputs[0]
    nodes, entries, constants, feeds = [], [], [], {}
    for place, (values, entry) in enumerate(zip(inputs, case.model.graph.input, strict=True)):
        element = entry.type.tensor_type.elem_type
        if element not in ELEMENTS or values.size == 0:
            raise NotCovered("case", "it has another type, or is empty")
        if place and (values.ndim != first.ndim or len(values) != len(first)):
            constants.append(numpy_helper.from_array(values, entry.name))
            continue
        if values.ndim == 0:
            raise NotCovered("case", "it has no rows")
        width = values.size // len(values)
        entries.append(helper.make_tensor_value_info(f"columns{place}", element, [None, width]))
        constants.append(numpy_helper.from_array(np.array([-1, *values.shape[1:]]), f"shape{place}"))
        nodes.append(helper.make_node("Reshape", [f"columns{place}", f"shape{place}"], [entry.name]))
        feeds[f"columns{place}"] = values.reshape(len(values), width)
    graph = helper.make_graph([*nodes, node], "case", entries, case.model.graph.output, constants)
    opsets = case.model.opset_import
    if not any(opset.domain == "" for opset in opsets):
        opsets = [*opsets, helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=case.model.ir_version), feeds


def _cases() -> list[Any]:
    """The cases of one node that has a lowering; ONNX computes them all while it collects them."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        cases = collect_testcases()
    return [
        case
        for case in cases
        for node in case.model.graph.node[:1]
        if len(case.model.graph.node) == 1
        and (node.domain, node.op_type) in OPERATORS
        and len(case.data_sets[0][0]) == len(node.input)
    ]


@pytest.fixture(scope="module")
def found(in_engine, alike) -> tuple[dict[str, Counter[str]], dict[str, str]]:
    """How many cases of each operator each engine runs, and those that it gets wrong."""
    ran: dict[str, Counter[str]] = defaultdict(Counter)
    wrong = {}
    for case in _cases():
        node = case.model.graph.node[0]
        try:
            model, feeds = _by_rows(case)
        except NotCovered:
            continue  # no engine can be asked for it with the columns of an artifact
        operator = f"{node.domain}.{node.op_type}".lstrip(".")
        ran[operator]["cases"] += 1
        expected = {
            output.name: np.asarray(values)
            for output, values in zip(case.model.graph.output, case.data_sets[0][1], strict=True)
        }
        for engine in ENGINES:
            try:
                got = in_engine(engine, model, feeds)
            except (NotCovered, EngineError):
                continue  # it works across rows, or with a type that the engine does not have there
            ran[operator][engine] += 1
            try:
                alike(got, expected, 1e-5)
            except AssertionError as error:
                wrong[f"{engine} {case.name}"] = str(error)
    return ran, wrong


def test_node_cases(found):
    # GIVEN the cases of ONNX for operators that have a lowering, their rows along the first dimension
    ran, wrong = found

    # WHEN the engines run them THEN each gives what ONNX expects, or says that it does not run it
    assert wrong == {}

    # AND no case was lost since this test was written
    assert sum(counts["lite"] for counts in ran.values()) >= 247


def test_the_page_has_the_operators(found):
    # GIVEN the table of operators in the documentation
    ran, _ = found
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    written, after = rest.split(END)

    # WHEN it is made again
    rows = [
        f"| {name} | {counts['cases']} | {' | '.join(str(counts[engine]) for engine in ENGINES)} |"
        for name, counts in sorted(ran.items())
    ]
    cased = {tuple(name.rpartition(".")[::2]) for name in ran}
    others = sorted(f"{domain}.{name}".lstrip(".") for domain, name in OPERATORS.keys() - cased)
    head = ["| operator | cases | lite | ort_capi | ort_python |", "|---|---|---|---|---|"]
    more = f"ONNX has no such cases for {', '.join(others)}; they are tested with graphs of exporters."
    made = "\n" + "\n".join([*head, *rows]) + f"\n\n{more}\n"
    if os.environ.get("SLS_ML_REGEN"):
        PAGE.write_text(before + BEGIN + made + END + after, encoding="utf-8")
        return

    # THEN it is the same
    assert written == made


def test_most_of_the_right_estimators_run_lite():
    # GIVEN what the sweep has written about each estimator that converts
    text = SWEEP.read_text(encoding="utf-8").partition("## Converted")[2].partition("\n## ")[0]
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")][1:]
    engines = {cells[0].removeprefix("| "): cells[2] for cells in rows}

    # WHEN classifiers and regressors are counted THEN three quarters of them at least run lite
    kinds = {name for kind in ("classifier", "regressor") for name, _ in all_estimators(kind)}
    right = engines.keys() & kinds
    lite = {name for name in right if "lite" in engines[name]}
    share = f"{len(lite)} of the {len(right)} classifiers and regressors that convert run lite"
    assert len(right) > 80
    assert len(lite) >= 0.75 * len(right)

    # AND the documentation has the count
    assert share in PAGE.read_text(encoding="utf-8"), share
