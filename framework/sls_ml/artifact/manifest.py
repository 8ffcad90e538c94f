"""The manifest: its canonical bytes, its digest, and what makes one readable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sls_ml.errors import ArtifactError

FORMAT = 1
"""The manifest format that this version writes, and the newest that it reads."""

MANIFEST = "manifest.json"
REPORT = "report.json"
GRAPH = "model.onnx"

Manifest = dict[str, Any]

_REQUIRED: Mapping[str, type | tuple[type, ...]] = {
    "name": str,
    "kind": str,
    "inputs": list,
    "tensors": list,
    "outputs": list,
    "classes": (list, type(None)),
    "files": dict,
    "engines": list,
}


def canonical(value: object) -> bytes:
    """Give the one byte form of a JSON value: sorted keys, no spaces, UTF-8, no NaN.

    Raises:
        ValueError: `value` holds NaN, an infinity, or a lone surrogate.
        TypeError: `value` holds something that JSON has no form for.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def digest_of(data: bytes) -> str:
    """Give the sha256 of `data` as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def entry(data: bytes) -> dict[str, Any]:
    """Give the manifest's entry of a file with these bytes."""
    return {"sha256": digest_of(data), "bytes": len(data)}


def parse(data: bytes, *, where: str) -> Manifest:
    """Read a manifest's bytes.

    Args:
        data: The bytes of manifest.json.
        where: The address of the file, for errors.

    Raises:
        ArtifactError: The bytes are no manifest, or one of a format that this version does not read.
    """
    try:
        value = json.loads(data)
    except ValueError as error:
        raise ArtifactError(
            "manifest.json is not JSON.", code="artifact-corrupt", where=where, why=str(error), mend=_MEND
        ) from error
    if not isinstance(value, dict):
        raise ArtifactError(
            "manifest.json does not hold a manifest.", code="artifact-corrupt", where=where, mend=_MEND
        )
    number = value.get("format")
    if number != FORMAT:
        raise ArtifactError(
            f"manifest.json has the format {number!r}; this version reads format {FORMAT}.",
            code="artifact-format",
            where=where,
            mend="install the version of sls-ml that wrote the artifact, or convert the model again",
        )
    wrong = [key for key, kind in _REQUIRED.items() if not isinstance(value.get(key, _Absent), kind)]
    if wrong:
        raise ArtifactError(
            f"manifest.json lacks a usable {', '.join(wrong)}.",
            code="artifact-corrupt",
            where=where,
            mend=_MEND,
        )
    return value


class _Absent:
    """Stands for a key that is not there."""


_MEND = "fetch the artifact again, or convert the model again"
