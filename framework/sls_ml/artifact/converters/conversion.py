"""The options of skl2onnx for each part of a model."""

from __future__ import annotations

from typing import Any

from skl2onnx._supported_operators import sklearn_operator_name_map
from skl2onnx.common._registration import _converter_pool
from sklearn.feature_extraction.text import CountVectorizer

_WORDS = {"locale": "C.UTF-8", "tokenexp": r"[\p{L}\p{N}_]{2,}"}
"""The default token pattern as ONNX Runtime's tokenizer spells it, and a locale that is always there."""


def options(part: Any) -> dict[str, Any]:
    """The options for one estimator; key them by its `id` for `convert_sklearn`."""
    alias = sklearn_operator_name_map.get(type(part))
    allowed = _converter_pool[alias].get_allowed_options() if alias in _converter_pool else None
    chosen: dict[str, Any] = {"zipmap": False} if allowed and "zipmap" in allowed else {}
    if isinstance(part, CountVectorizer) and part.analyzer == "word":
        chosen |= _WORDS
    return chosen


def check(estimator: Any) -> None:
    """TODO."""
