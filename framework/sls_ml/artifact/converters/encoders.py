"""Encoders of categories, of numbers and of text: one-hot, ordinal, by target."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, OrdinalEncoder, TargetEncoder

from sls_ml.artifact.converters.categories import positions, split_columns
from sls_ml.artifact.converters.curves import below
from sls_ml.artifact.converters.graph import Graph, Tensor
from sls_ml.artifact.converters.registry import converter

NOWHERE = -1
"""The column of a category that has none: dropped, or unknown."""


def one_hot(graph: Graph, place: Tensor, width: int) -> Tensor:
    """1.0 in the column that each row names, ``[N, width]``; nothing for `NOWHERE`.

    Args:
        graph: The graph to add to.
        place: Column numbers, int64 ``[N, 1]``.
        width: Number of columns.
    """
    hit = graph.equal(place, np.arange(width).reshape(1, -1)).cast("float64")
    hit.width = width
    return hit


@converter(OneHotEncoder, columns=True)
def one_hot_encoder(model: OneHotEncoder, inputs: list[Tensor], graph: Graph) -> Tensor:
    """Dropped, infrequent and unknown categories go where scikit-learn puts them."""
    found = []
    for at, column in enumerate(split_columns(inputs)):
        places, width = _one_hot_places(model, at)
        if not width:
            continue
        place = positions(graph, column, model.categories_[at], places)
        hit = graph.equal(place, np.arange(width).reshape(1, -1))
        hit.width = width
        found.append(hit)
    return graph.concat(found).cast("float64")


def _one_hot_places(model: Any, at: int) -> tuple[npt.NDArray[np.int64], int]:
    """The output column of each category of a feature, last of an unknown one; and their number."""
    place, infrequent = _grouped(model, at)
    width = int(place.max()) + 1
    unknown = NOWHERE
    if infrequent is not None and model.handle_unknown in {"infrequent_if_exist", "warn"}:
        unknown = int(place[infrequent])
    place = np.append(place, unknown)
    dropped = None if model._drop_idx_after_grouping is None else model._drop_idx_after_grouping[at]
    if dropped is not None:
        place = np.where(place == dropped, NOWHERE, place - (place > dropped))
        width -= 1
    return place, width


def _grouped(model: Any, at: int) -> tuple[npt.NDArray[np.int64], int | None]:
    """The number of each category of a feature with the rare ones as one, and a rare one's position."""
    count = len(model.categories_[at])
    mapping = model._default_to_infrequent_mappings[at] if model._infrequent_enabled else None
    if mapping is None:
        return np.arange(count), None
    return np.asarray(mapping, dtype=np.int64), int(model._infrequent_indices[at][0])


@converter(OrdinalEncoder, columns=True)
def ordinal_encoder(model: OrdinalEncoder, inputs: list[Tensor], graph: Graph) -> Tensor:
    """The number of each category; missing and unknown ones as the encoder was told."""
    columns = split_columns(inputs)
    codes = [_codes(model, at) for at in range(len(columns))]
    every = np.concatenate(codes)
    known = every[~np.isnan(every)]
    if (known % 1).any():  # encoded_missing_value may be any number
        places = map(partial(positions, graph), columns, model.categories_)
        return graph.concat([graph.pick(each, place) for each, place in zip(codes, places, strict=True)])
    nan = int(known.min(initial=0.0)) - 1  # a whole number stands for it
    place = graph.concat(
        [
            positions(graph, column, categories, np.where(np.isnan(each), nan, each))
            for column, categories, each in zip(columns, model.categories_, codes, strict=True)
        ]
    )
    found = place.cast("float64")
    return (
        found if len(known) == len(every) else graph.where(graph.equal(place, np.asarray(nan)), np.nan, found)
    )


def _codes(model: Any, at: int) -> npt.NDArray[np.float64]:
    """The code of each category of a feature, last of an unknown one: whole numbers or NaN."""
    categories = model.categories_[at]
    grouped, infrequent = _grouped(model, at)
    codes = np.full(len(categories) + 1, model.encoded_missing_value, dtype=np.float64)
    codes[: len(grouped)] = grouped  # NaN, the last category, has no place among grouped ones
    if at in model._missing_indices:
        codes[model._missing_indices[at]] = model.encoded_missing_value
    codes[-1] = np.nan
    if model.handle_unknown == "use_encoded_value":
        codes[-1] = model.unknown_value
    elif infrequent is not None:
        codes[-1] = grouped[infrequent]
    return codes


@converter(TargetEncoder, columns=True)
def target_encoder(model: TargetEncoder, inputs: list[Tensor], graph: Graph) -> Tensor:
    """The mean of the target for each category; the overall mean for an unknown one."""
    means = np.asarray(model.target_mean_, dtype=np.float64).ravel()
    found = []
    for at, column in enumerate(split_columns(inputs)):
        position = positions(graph, column, model.categories_[at])
        for number, mean in enumerate(means):
            table = model.encodings_[at * len(means) + number]
            found.append(graph.pick(np.append(table, mean), position))
    return graph.concat(found)


@converter(KBinsDiscretizer)
def k_bins_discretizer(model: KBinsDiscretizer, x: Tensor, graph: Graph) -> Tensor:
    """The number of each value's bin, or one column for each bin."""
    found = []
    for at, edges in enumerate(model.bin_edges_):
        column = x.columns([at])
        inner = edges[1:-1]
        place = (
            below(graph, column, inner, equal=True)
            if len(inner)
            else graph.repeated([0], column).cast("int64")
        )
        if model.encode == "ordinal":
            found.append(place.cast("float64"))
        else:
            found.append(one_hot(graph, place, len(edges) - 1))
    return graph.concat(found)
