"""Weights of words: term frequency times inverse document frequency, in double precision."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer

from sls_ml.artifact.converters import words
from sls_ml.artifact.converters.features import unit_rows
from sls_ml.artifact.converters.graph import Graph, Tensor
from sls_ml.artifact.converters.registry import converter


@converter(TfidfTransformer)
def tfidf_transformer(model: TfidfTransformer, x: Tensor, graph: Graph) -> Tensor:
    """Weighs counts; skl2onnx takes the logarithm of one count too many when they are sublinear."""
    return _weighted(model, x, graph)


@converter(TfidfVectorizer, columns=True)
def tfidf_vectorizer(model: TfidfVectorizer, inputs: list[Tensor], graph: Graph) -> Tensor:
    """Counts words, and weighs them."""
    if words.needed(model):
        return _weighted(model, words.counts(model, inputs[0], graph), graph)
    counter = CountVectorizer()
    counter.set_params(**{name: getattr(model, name) for name in counter.get_params()})
    counter.vocabulary_ = model.vocabulary_
    counts = graph.apply(counter, inputs)[0].cast("float64")
    counts.width = len(model.vocabulary_)
    return _weighted(model, counts, graph)


@converter(CountVectorizer, columns=True, when=words.needed)
def count_vectorizer(model: CountVectorizer, inputs: list[Tensor], graph: Graph) -> Tensor:
    """Counts that skl2onnx has no form for."""
    return words.counts(model, inputs[0], graph)


def _weighted(model: Any, counts: Tensor, graph: Graph) -> Tensor:
    weights = counts
    if model.sublinear_tf:
        none = graph.equal(counts, 0.0)
        weights = graph.where(none, 0.0, graph.op("Log", graph.where(none, 1.0, counts)) + 1.0)
    if model.use_idf:
        weights = weights * np.asarray(model.idf_, dtype=np.float64).reshape(1, -1)
    return unit_rows(weights, model.norm, graph) if model.norm else weights
