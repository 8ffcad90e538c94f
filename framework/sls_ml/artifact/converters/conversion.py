"""The options of skl2onnx for each part of a model."""

from __future__ import annotations

from typing import Any

from skl2onnx._supported_operators import sklearn_operator_name_map
from skl2onnx.common._registration import _converter_pool
from sklearn.feature_extraction.text import CountVectorizer

WORD_PATTERN = r"(?u)\b\w\w+\b"
_WORDS = r"[\p{L}\p{N}_]{2,}"
"""scikit-learn's default token pattern as ONNX Runtime's tokenizer spells it."""


def options(part: Any) -> dict[str, Any]:
    """The options for one estimator; key them by its `id` for `convert_sklearn`."""
    alias = sklearn_operator_name_map.get(type(part))
    allowed = _converter_pool[alias].get_allowed_options() if alias in _converter_pool else None
    chosen: dict[str, Any] = {"zipmap": False} if allowed and "zipmap" in allowed else {}
    if allowed and "locale" in allowed and isinstance(part, CountVectorizer):
        chosen["locale"] = "C.UTF-8"
        if part.analyzer == "word" and part.token_pattern == WORD_PATTERN:
            chosen["tokenexp"] = _WORDS
    return chosen
