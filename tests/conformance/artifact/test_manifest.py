"""The manifest has one byte form."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sls_ml.artifact import manifest as manifests
from sls_ml.errors import ArtifactError

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)


@settings(max_examples=40, deadline=None)
@given(JSON)
def test_canonical_is_read_back_equal(value: Any) -> None:
    # GIVEN any JSON value
    # WHEN its canonical bytes are read back
    # THEN it is the same, and so are the bytes of what was read
    back = json.loads(manifests.canonical(value))
    assert back == value
    assert manifests.canonical(back) == manifests.canonical(value)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(TEXT, JSON, min_size=2))
def test_the_order_of_keys_does_not_matter(value: dict[str, Any]) -> None:
    # GIVEN an object, and the same with its keys in another order
    turned = dict(reversed(value.items()))
    # WHEN both are written
    # THEN the bytes, and so the digests, are equal
    assert manifests.canonical(turned) == manifests.canonical(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [-float("inf")]}])
def test_what_json_cannot_say_is_an_error(value: Any) -> None:
    # GIVEN a number that JSON has no form for
    # WHEN it is written
    # THEN it is refused
    with pytest.raises(ValueError, match="JSON"):
        manifests.canonical(value)


@settings(max_examples=40, deadline=None)
@given(st.binary())
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    # GIVEN any bytes
    # WHEN they are parsed
    # THEN nothing but a refusal comes out
    with pytest.raises(ArtifactError):
        manifests.parse(data, manifests.digest_of(data), where="here")
