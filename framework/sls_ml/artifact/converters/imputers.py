"""Imputers that fill in constants, and missing-value indicators, for numbers and for strings."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.impute import MissingIndicator, SimpleImputer

from sls_ml.artifact.converters.categories import is_nan, missing, spelt
from sls_ml.artifact.converters.graph import Graph, Tensor
from sls_ml.artifact.converters.registry import converter
from sls_ml.errors import ModelError


def joined(model: Any, inputs: list[Tensor], graph: Graph) -> Tensor:
    """All columns in one tensor, ``[N, features]``: strings, or else float64."""
    kinds = {tensor.kind for tensor in inputs}
    flat = [tensor.reshape(-1, 1) if tensor.width is None else tensor for tensor in inputs]
    if kinds == {"string"}:
        return graph.concat(flat)
    if "string" in kinds:
        raise ModelError(
            f"{type(model).__name__} is fed strings and numbers together",
            code="mixed-columns",
            where=type(model).__name__,
            mend="give text columns and numeric columns their own step in a ColumnTransformer",
        )
    return graph.concat([tensor.cast("float64") for tensor in flat])


@converter(SimpleImputer, output="same", columns=True)
def simple_imputer(model: SimpleImputer, inputs: list[Tensor], graph: Graph) -> Tensor:
    """Statistics in place of missing values; columns that were empty in training are dropped as there."""
    x = joined(model, inputs, graph)
    statistics = model.statistics_
    kept = list(range(len(statistics)))
    if not model.keep_empty_features:
        kept = [at for at in kept if not is_nan(statistics[at])]
    gone = missing(graph, x, model.missing_values)
    indicator = None
    if model.add_indicator:
        if x.kind == "string":
            raise ModelError(
                "SimpleImputer(add_indicator=True) on text columns mixes texts and truth values",
                code="mixed-columns",
                where="SimpleImputer",
                mend="use add_indicator=False, with a MissingIndicator beside it in a FeatureUnion",
            )
        indicator = gone.columns(model.indicator_.features_.tolist()).cast("float64")
    fill = statistics[kept].reshape(1, -1)
    fill = np.vectorize(spelt, otypes=[object])(fill) if x.kind == "string" else fill.astype(np.float64)
    filled = graph.where(gone.columns(kept), fill, x.columns(kept))
    filled.width = len(kept)
    if indicator is None or indicator.width == 0:
        return filled
    return graph.concat([filled, indicator])


@converter(MissingIndicator, output="bool", columns=True)
def missing_indicator(model: MissingIndicator, inputs: list[Tensor], graph: Graph) -> Tensor:
    """True where a value is missing, for the features that the indicator watches."""
    gone = missing(graph, joined(model, inputs, graph), model.missing_values)
    return gone.columns(model.features_.tolist())
