"""What cannot be used is refused with a reason and a remedy, before anything is served."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import ClassifierChain
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from conformance.artifact.refusing import refusal
from sls_ml.artifact import build, load
from sls_ml.artifact.converters import Graph, Tensor, converter
from sls_ml.errors import ModelError, ParityError, UsageError

Matrix = np.ndarray[Any, Any]


class Both(LogisticRegression):
    """A classifier that gives two labels and says the classes of one."""

    def predict(self, rows: Matrix) -> Matrix:
        """Give the same label twice."""
        return np.column_stack([super().predict(rows)] * 2)


class Doubled(TransformerMixin, BaseEstimator):
    """A transformer that nobody has a converter for."""

    def fit(self, rows: Matrix, _target: object = None) -> Doubled:
        """Learn the width."""
        self.n_features_in_ = rows.shape[1]
        return self

    def transform(self, rows: Matrix) -> Matrix:
        """Double each number."""
        return np.asarray(rows * 2)


class Wrong(Doubled):
    """The same, with a converter that is wrong."""


class Mixed(Doubled):
    """The same, with a converter that mixes types."""


def test_a_converter_that_mixes_types(numbers: Matrix) -> None:
    # GIVEN a transformer whose converter adds integers to doubles
    @converter(Mixed)
    def mixed(_: Mixed, x: Tensor, __: Graph) -> Tensor:
        return x + x.cast("int64")

    model = make_pipeline(Mixed(), LogisticRegression()).fit(numbers, numbers[:, 0] > 0)
    # WHEN it is converted
    error = refusal(ModelError, "model-unsupported", model, numbers)
    # THEN the operator, the types and the way out are named
    assert error.what == "The operator Add of the converted graph is fed with double and int64 at once."
    assert ".cast('float64')" in str(error.mend)


def test_an_estimator_that_is_not_fitted(numbers: Matrix) -> None:
    # GIVEN an estimator without fit
    # WHEN it is converted
    # THEN the error says so
    refusal(ModelError, "model-not-fitted", LogisticRegression(), numbers)


def test_a_sample_without_a_column(credit: Any, people: pd.DataFrame) -> None:
    # GIVEN a sample in which a column has another name
    sample = people.rename(columns={"income": "incomes"})
    # WHEN the model is converted
    error = refusal(ModelError, "sample-columns", credit, sample)
    # THEN the missing column, the spare one and the guess are named
    assert "'income'" in error.what
    assert "did you mean 'incomes'?" in str(error.mend)


def test_a_matrix_that_is_too_narrow(linear: Any, numbers: Matrix) -> None:
    # GIVEN three columns for a model of four
    # WHEN it is converted
    # THEN both numbers are named
    assert (
        "takes 4 columns; the sample has 3"
        in refusal(ModelError, "sample-columns", linear, numbers[:, :3]).what
    )


def test_columns_too_many_for_a_model_without_names(linear: Any, numbers: Matrix) -> None:
    # GIVEN a model that was trained on a matrix, and a sample with its index as a first column
    sample = pd.DataFrame(numbers, columns=list("abcd")).reset_index(names="Unnamed: 0")
    # WHEN the model is converted
    error = refusal(ModelError, "sample-columns", linear, sample)
    # THEN no columns are guessed, and the index is named
    assert "takes 4 columns; the sample has 5" in error.what
    assert "leave 'Unnamed: 0' out" in str(error.mend)


@pytest.mark.parametrize("sample", [[], pd.DataFrame({"a": []}), 7, np.zeros(3), {"a": [1]}])
def test_a_sample_that_is_no_table(sample: Any, linear: Any) -> None:
    # GIVEN something that holds no rows
    # WHEN the model is converted
    # THEN it is refused as a sample
    with pytest.raises(ModelError) as caught:
        build(linear, sample, name="m")
    assert caught.value.code.startswith("sample-")


def test_a_sample_on_which_the_model_raises(linear: Any, numbers: Matrix) -> None:
    # GIVEN a sample of missing values for a model that takes none
    # WHEN it is converted
    # THEN the model's own words are given
    assert "NaN" in str(refusal(ModelError, "sample-refused", linear, np.full((3, 4), np.nan)).why)


def test_mixed_texts_and_numbers_in_one_column(credit: Any, people: pd.DataFrame) -> None:
    # GIVEN a column that holds both
    sample = people.assign(city=pd.Series(["Bern", 3] * (len(people) // 2), dtype=object))
    # WHEN the model is converted
    # THEN the column is named
    assert "'city'" in refusal(ModelError, "sample-type", credit, sample).what


def test_several_labels_per_row(numbers: Matrix) -> None:
    # GIVEN a classifier of the user's own that gives two labels and says the classes of one
    model = Both().fit(numbers, numbers[:, 0] > 0)
    # WHEN it is converted
    # THEN it is refused, with the way out
    assert "MultiOutputClassifier" in str(refusal(ModelError, "model-multi-output", model, numbers).mend)


def test_several_labels_that_have_no_converter(numbers: Matrix) -> None:
    # GIVEN a stack of classifiers for two labels
    labels = (numbers[:, :2] > 0).astype(int)
    parts = [("near", KNeighborsClassifier()), ("trees", RandomForestClassifier(3))]
    model = StackingClassifier(parts, KNeighborsClassifier(), cv=2).fit(numbers, labels)
    # WHEN it is converted
    # THEN it is refused by name, with the way out
    error = refusal(ModelError, "model-unsupported", model, numbers)
    assert "StackingClassifier cannot be converted to ONNX: it predicts several labels" in error.what
    assert "MultiOutputClassifier" in str(error.mend)


def test_a_chain_over_logarithms(numbers: Matrix) -> None:
    # GIVEN a chain whose classifiers see the logarithms of each other's probabilities
    labels = (numbers[:, :2] > 0).astype(int)
    model = ClassifierChain(LogisticRegression(), chain_method="predict_log_proba").fit(numbers, labels)
    # WHEN it is converted
    # THEN it is refused before it is tried, with the way out
    error = refusal(ModelError, "model-unsupported", model, numbers)
    assert error.mend == "use chain_method='predict_proba'"


def test_a_step_without_a_converter_is_named(numbers: Matrix) -> None:
    # GIVEN a pipeline with a transformer of the user's own
    model = make_pipeline(Doubled(), LogisticRegression()).fit(numbers, numbers[:, 0] > 0)
    # WHEN it is converted
    error = refusal(ModelError, "model-unsupported", model, numbers)
    # THEN the step is in it
    assert error.where == "step 'doubled' (Doubled)"


def test_a_wrong_conversion_is_refused_with_row_and_step(numbers: Matrix) -> None:
    # GIVEN a transformer whose converter is right for small numbers only

    @converter(Wrong)
    def wrong(_model: Wrong, rows: Tensor, graph: Graph) -> Tensor:
        return graph.where(rows < 2.0, rows * 2.0, rows * 2.5)

    model = make_pipeline(StandardScaler(), Wrong(), LogisticRegression()).fit(numbers, numbers[:, 0] > 0)
    # WHEN it is converted
    error = refusal(ParityError, "parity-failed", model, numbers)
    # THEN the first step that differs, a row, both answers and the tolerance are named
    assert error.where == "step 'wrong' (Wrong)"
    assert "row x0=" in str(error.why)
    assert "should be" in str(error.why)
    assert "tolerance" in str(error.mend)


@pytest.mark.parametrize("around", ["ColumnTransformer", "FeatureUnion", "Pipeline in a ColumnTransformer"])
def test_a_wrong_conversion_in_a_branch_is_named(numbers: Matrix, around: str) -> None:
    # GIVEN a transformer whose converter is wrong, in one of the branches of another

    @converter(Wrong)
    def wrong(_model: Wrong, rows: Tensor, graph: Graph) -> Tensor:
        return graph.where(rows < 2.0, rows * 2.0, rows * 2.5)

    match around:
        case "ColumnTransformer":
            outer: Any = ColumnTransformer([("right", StandardScaler(), [0, 1]), ("bad", Wrong(), [2, 3])])
            name = "outer.bad"
        case "FeatureUnion":
            outer, name = FeatureUnion([("right", StandardScaler()), ("bad", Wrong())]), "outer.bad"
        case _:
            inner = Pipeline([("scale", StandardScaler()), ("bad", Wrong()), ("again", StandardScaler())])
            outer = ColumnTransformer([("right", "passthrough", [0]), ("rest", inner, [1, 2, 3])])
            name = "outer.rest.bad"
    model = Pipeline([("scale", StandardScaler()), ("outer", outer), ("last", LogisticRegression())])
    # WHEN it is converted
    error = refusal(
        ParityError, "parity-failed", model.fit(numbers, numbers[:, 0] + numbers[:, 2] > 0), numbers
    )
    # THEN the step within the branch is named
    assert error.where == f"step {name!r} (Wrong)"


def test_an_unknown_engine(linear: Any, numbers: Matrix) -> None:
    # GIVEN an engine that does not exist
    # WHEN it is asked for
    # THEN the known ones are listed
    assert "ort_capi" in str(refusal(UsageError, "engine-unknown", linear, numbers, engine="turbo").mend)


def test_an_engine_that_does_not_cover_the_graph(numbers: Matrix, tmp_path: Path) -> None:
    # GIVEN a graph with an operator that only ONNX Runtime runs
    nodes = [onnx.helper.make_node("Celu", ["x"], ["y"], alpha=1.0)]
    ends = [onnx.helper.make_tensor_value_info(name, 1, ["n", 4]) for name in "xy"]
    graph = onnx.helper.make_graph(nodes, "g", ends[:1], ends[1:])
    sets = [onnx.helper.make_opsetid("", 18)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=sets, ir_version=9), tmp_path / "model.onnx")
    # WHEN the lite engine is asked for
    error = refusal(ModelError, "engine-unfit", tmp_path / "model.onnx", numbers + 1, engine="lite")
    # THEN the engines that can are named
    assert "ort_python" in str(error.mend)


def test_rows_outside_the_domain_are_refused(
    credit: Any, people: pd.DataFrame, linear: Any, numbers: Matrix
) -> None:
    # GIVEN an artifact of a model that takes no missing values
    artifact = build(linear, numbers, name="m")
    # WHEN a row has one
    with pytest.raises(ModelError, match="x1 is missing") as caught:
        artifact.predict([{"x0": 1.0, "x1": None, "x2": 1.0, "x3": 1.0}])
    # THEN the column is named
    assert caught.value.where == "column 'x1'"


def test_warnings_of_libraries_do_not_escape(linear: Any, numbers: Matrix) -> None:
    # GIVEN warnings turned into errors
    # WHEN a model is converted
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        artifact = build(linear, numbers, name="m")
    # THEN none is raised
    assert artifact.manifest["kind"] == "classifier"


def test_an_address_that_is_none() -> None:
    # GIVEN a text that ends in no digest
    # WHEN it is loaded
    # THEN the form of an address is given
    with pytest.raises(UsageError, match="not the address of an artifact"):
        load("store/credit/latest")


@pytest.mark.parametrize("name", ["../elsewhere", "a/b", "", "Credit", "x" * 33])
def test_a_name_that_is_no_name(name: str, linear: Any, numbers: Matrix) -> None:
    # GIVEN a name that would lead out of the store, or that the spec does not take
    # WHEN the model is converted
    # THEN it is refused
    with pytest.raises(UsageError, match="cannot be the name"):
        build(linear, numbers, name=name)
