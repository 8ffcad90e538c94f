"""Token patterns that have a form in ONNX, and texts that are hard on counts of letters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from sls_ml.artifact import build
from sls_ml.artifact.converters.words import pattern_of
from sls_ml.errors import ModelError

TEXTS = [
    "a well-made  plan",
    "Éclair\u3000\u3000and naïve\n\n日本",
    "x",
    "a b",
    "stop the plan now",
    " lead and trail ",
    "tab\tonce, twice\t\t",
    "🙂 don't # ##",
    "plan the stop",
]
FRESH = ["", " ", "\t\n", "stop stop plan", "the the plan", "é日\u2003\u2003x", "#", "unknownwords", "ab  ba"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"analyzer": "char", "ngram_range": (1, 3)},
        {"analyzer": "char", "lowercase": False, "binary": True},
        {"analyzer": "char_wb", "ngram_range": (1, 2)},
        {"analyzer": "char_wb", "ngram_range": (4, 6)},
        {"stop_words": ["the", "and"], "ngram_range": (1, 2)},
        {"stop_words": "english", "ngram_range": (2, 2)},
        {"token_pattern": r"(?u)\b\w+\b", "ngram_range": (1, 2)},
        {"token_pattern": r"[^\s,]+", "ngram_range": (1, 2)},
        {"token_pattern": r"[a-z]{2,3}"},
        {"max_features": 2, "ngram_range": (1, 3)},
    ],
    ids=str,
)
@pytest.mark.parametrize("cls", [CountVectorizer, TfidfVectorizer])
def test_counts_are_the_originals(cls: Any, arguments: dict[str, Any]) -> None:
    # GIVEN a vectorizer
    model = cls(**arguments).fit(TEXTS)

    # WHEN it is converted, and asked for hard texts, alone and together
    artifact = build(model, TEXTS, name="texts")
    together = artifact.predict(FRESH)["transformed"]
    alone = [artifact.predict([text])["transformed"][0] for text in FRESH]

    # THEN the counts are the original's
    expected = model.transform(FRESH).toarray()
    np.testing.assert_allclose(together, expected, atol=1e-12)
    np.testing.assert_allclose(alone, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("pattern", "form"),
    [
        (r"\d+", r"[\p{Nd}]{1,}"),
        (r"(?u)\b\w+\b", r"[\p{L}\p{N}_]{1,}"),
        (r"[a-c]{2,3}x?", r"[\x{61}-\x{63}]{2,3}[\x{78}]{0,1}"),
        (r"\b[a-z]+\b", None),  # Python's boundary looks at digits too
        (r"\b\w{2,4}\b", None),  # a longer word has no such part
        (r"\w+\b", None),
        (r"(\w)\w+", None),  # the group is the token
        (r"a|b", r"[\x{61}\x{62}]"),
        (r"ab|c", None),
        (r"\w+?x", None),
        (r"(?i)[a-z]+", None),
        (r"(", None),
    ],
)
def test_patterns(pattern: str, form: str | None) -> None:
    # GIVEN a pattern of Python
    # WHEN it is translated
    # THEN it has the form of RE2, or none
    assert pattern_of(pattern) == form


def test_a_pattern_without_a_form_is_refused() -> None:
    # GIVEN a vectorizer with a pattern that has no form
    model = CountVectorizer(token_pattern=r"\b[a-z]+\b").fit(TEXTS)

    # WHEN it is converted
    with pytest.raises(ModelError) as caught:
        build(model, TEXTS, name="texts")

    # THEN it is refused by name, with the way out
    assert "token_pattern" in caught.value.what
    assert "such as the default" in (caught.value.mend or "")
