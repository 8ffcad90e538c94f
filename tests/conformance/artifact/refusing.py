"""Converts what is refused, and gives the error."""

from __future__ import annotations

from typing import Any

import pytest

from sls_ml.artifact import build
from sls_ml.errors import SlsMlError


def refusal(kind: type[SlsMlError], code: str, *args: Any, **options: Any) -> SlsMlError:
    with pytest.raises(kind) as caught:
        build(*args, name="m", **options)
    assert caught.value.code == code
    return caught.value
