"""Texts: split, counted and scored as scikit-learn does it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sls_ml.artifact import build
from sls_ml.artifact.lite import NotCovered
from sls_ml_runtime.engines.lite import Engine

TEXTS = [
    "The cat sat on the mat",
    "A dog ate my home-work 42 times",
    "cats and DOGS, dogs and cats",
    "Über die Brücke gehen: ÜBER die brücke!",
    "naïve café, déjà vu x",
    "日本語 のテキスト 日本語",
    "smile 😀 smile 😀😀 smile",
    "tab\tand\nnew lines\r\nand   spaces",
    "under_score and 3.14 and ½ ²",
    "",
]
ANSWERS = np.array([0, 1, 1, 0, 0, 1, 0, 1, 1, 0] * 3)


@pytest.mark.parametrize(
    "vectorizer",
    [
        TfidfVectorizer(),
        TfidfVectorizer(sublinear_tf=True, stop_words=["the", "and"]),
        TfidfVectorizer(lowercase=False, norm="l1", use_idf=False),
        CountVectorizer(ngram_range=(1, 2)),
        CountVectorizer(ngram_range=(2, 3), min_df=2),
        CountVectorizer(max_features=5),
    ],
    ids=["tfidf", "sublinear", "cased", "pairs", "runs", "few"],
)
def test_answers_as_scikit_learn(vectorizer):
    # GIVEN a classifier of texts in several scripts
    model = make_pipeline(vectorizer, LogisticRegression(C=5)).fit(TEXTS * 3, ANSWERS)
    artifact = build(model, TEXTS * 3, name="texts")
    assert artifact.manifest["engines"][0] == "lite"
    # WHEN the lite engine reads texts that it has not seen
    unseen = [f"{one} {other}" for one, other in zip(TEXTS, TEXTS[3:] + TEXTS[:3], strict=True)]
    arrays = Engine.of(artifact.files["model.lite"]).run([("string", unseen)])
    # THEN it answers as scikit-learn does
    _, shape, values = arrays[
        next(o["tensor"] for o in artifact.manifest["outputs"] if o["key"] == "probability")
    ]
    np.testing.assert_allclose(
        np.array(values).reshape(shape), model.predict_proba(unseen), rtol=1e-6, atol=1e-6
    )


def _counting(mode: str, **attributes: object) -> onnx.ModelProto:
    """A graph that counts the words of a text."""
    pool = {
        "pool_strings": ["cat", "dog", "cat", "dog", "dog", "cat"],
        "ngram_counts": [0, 2],
        "ngram_indexes": [0, 1, 2, 3],
        "min_gram_length": 1,
        "max_gram_length": 2,
        "max_skip_count": 0,
        "weights": [1.0, 2.0, 3.0, 4.0],
    }
    words = {"mark": 0, "mincharnum": 1, "pad_value": "#", "tokenexp": "[a-zA-Z0-9_]+"}
    graph = helper.make_graph(
        [
            helper.make_node("Tokenizer", ["x"], ["words"], domain="com.microsoft", **words),
            helper.make_node("TfIdfVectorizer", ["words"], ["y"], mode=mode, **(pool | attributes)),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.STRING, [None])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 4])],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


@pytest.mark.parametrize("mode", ["TF", "IDF", "TFIDF"])
@pytest.mark.parametrize("shortest", [1, 2])
def test_counts_as_onnx_runtime(in_lite, in_ort, alike, mode, shortest):
    # GIVEN a count of words and pairs of words, weighted or not
    model = _counting(mode, min_gram_length=shortest)
    # WHEN both engines run
    feeds = {"x": np.array(["cat dog cat", "dog", "bird cat", "cat cat dog cat dog"], object)}
    # THEN they answer alike
    alike(in_lite(model, feeds), in_ort(model, feeds))


@pytest.mark.parametrize(
    "attributes", [{"max_skip_count": 1}, {"pool_strings": ["#", "dog", "cat", "dog", "dog", "cat"]}]
)
def test_refuses_other_counts(in_lite, attributes):
    # GIVEN a count that skips words, or one whose vocabulary holds the word that pads rows
    model = _counting("TF", **attributes)
    # WHEN it is compiled THEN it is refused
    with pytest.raises(NotCovered):
        in_lite(model, {"x": np.array(["cat"], object)})
