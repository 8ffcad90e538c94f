"""Lowerings of text: normalised, split into words, and counted.

The words of a row are as many as they are, so they are no tensor with a known shape: `Words` goes from the
tokenizer to the counts. In a batch ONNX pads the rows with a word that no vocabulary of words has.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from sls_ml.artifact.lite.node import Lowering, Node, Value, Words
from sls_ml.artifact.lite.program import Live

_PATTERNS = {r"[\p{L}\p{N}_]{2,}": r"\w{2,}", "[a-zA-Z0-9_]+": "[a-zA-Z0-9_]+"}
"""Patterns for words of RE2, and the same for Python."""
_COST_OF_WORDS = 60.0
"""Microseconds for the words of a text of some hundred letters, and to look each of them up."""


def _normalizer(node: Node) -> Sequence[Value]:
    value = node.live()
    if node.attributes.get("stopwords"):
        raise node.refuse("it leaves words out")
    match node.attributes.get("case_change_action", "NONE"):
        case "NONE":
            return [value]
        case "LOWER" | "UPPER" as action:
            upper = action == "UPPER"
            cost = 0.3 + 0.2 * value.size
            return [
                node.program.step("texts.case", [value], "string", value.shape, value.axis, upper, cost=cost)
            ]
        case other:
            raise node.refuse(f"it changes case by {other}")


def _tokenizer(node: Node) -> Sequence[Value]:
    value = node.live()
    pattern = _PATTERNS.get(node.attributes.get("tokenexp", ""))
    if pattern is None or node.attributes.get("mark", 0):
        raise node.refuse("it splits texts by a pattern that is not known")
    if value.size != 1:
        raise node.refuse("it splits several texts")
    shortest = int(node.attributes.get("mincharnum", 1))
    words = node.program.step(
        "texts.words", [value], "string", (1, 1), 0, pattern, shortest, cost=_COST_OF_WORDS
    )
    return [Words(words, node.attributes.get("pad_value", ""))]


def _vectorizer(node: Node) -> Sequence[Value]:
    words = node.inputs[0]
    attributes = node.attributes
    texts = [str(text) for text in attributes.get("pool_strings", [])]
    if not isinstance(words, Words) or not texts:
        raise node.refuse("it counts something else than the words of a text")
    if attributes.get("max_skip_count", 0):
        raise node.refuse("it skips words")
    if words.padding in texts:
        raise node.refuse("the word that pads rows is in the vocabulary")
    mode = attributes["mode"]
    columns = np.array(attributes["ngram_indexes"], np.int32)
    pools, wanted = _pools(
        texts,
        list(attributes["ngram_counts"]),
        range(int(attributes["min_gram_length"]), int(attributes["max_gram_length"]) + 1),
    )
    weights = None
    if mode != "TF" and "weights" in attributes:
        weights = node.program.array(np.array(attributes["weights"], np.float32)[wanted])
    width = int(columns.max()) + 1
    return [_counted(node, words.value, pools, columns[wanted], width, mode == "IDF", weights)]


def _counted(
    node: Node,
    words: Live,
    pools: Sequence[tuple[int, Sequence[str]]],
    columns: np.typing.NDArray[np.int32],
    width: int,
    present: bool,
    weights: int | None,
) -> Live:
    return node.program.step(
        "texts.counts",
        [words],
        "float32",
        (1, width),
        0,
        pools,
        node.program.array(columns),
        width,
        present,
        weights,
        cost=_COST_OF_WORDS + 0.02 * width,
    )


def _pools(
    texts: Sequence[str], starts: list[int], lengths: Sequence[int]
) -> tuple[list[tuple[int, Sequence[str]]], list[int]]:
    """The runs of each length that are counted, and their positions among all runs."""
    pools: list[tuple[int, Sequence[str]]] = []
    wanted: list[int] = []
    before = 0
    for length, (start, stop) in enumerate(pairwise([*starts, len(texts)]), 1):
        count = (stop - start) // length
        if length in lengths and count:
            pools.append((length, texts[start:stop]))
            wanted += range(before, before + count)
        before += count
    return pools, wanted


LOWERINGS: dict[tuple[str, str], Lowering] = {
    ("", "StringNormalizer"): _normalizer,
    ("", "TfIdfVectorizer"): _vectorizer,
    ("com.microsoft", "Tokenizer"): _tokenizer,
}
