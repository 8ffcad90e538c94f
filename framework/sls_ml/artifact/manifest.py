"""The manifest: its canonical bytes, its digest, and what makes it and the files that it lists readable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sls_ml.artifact.form import fault
from sls_ml.errors import ArtifactError

FORMAT = 1
"""The manifest format that this version writes, and the newest that it reads."""

MANIFEST = "manifest.json"
REPORT = "report.json"
GRAPH = "model.onnx"

Manifest = dict[str, Any]

FETCH = "fetch the artifact again, or convert the model again"
"""How to mend an artifact at an address."""


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


def parse(data: bytes, digest: str, *, where: str, mend: str = FETCH) -> Manifest:
    """Hold a manifest's bytes to their digest, then read them.

    Args:
        data: The bytes of manifest.json.
        digest: What their sha256 must be, 64 hexadecimal digits.
        where: The address of the file, for errors.
        mend: What the user can do about an artifact that is not whole.

    Raises:
        ArtifactError: The bytes are not what the digest says, no manifest, or one of a format that this
            version does not read.
    """
    check(MANIFEST, digest_of(data), digest, where=where, mend=mend)
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise corrupt("manifest.json is not JSON.", where=where, why=str(error), mend=mend) from error
    if not isinstance(value, dict):
        raise corrupt("manifest.json does not hold a manifest.", where=where, mend=mend)
    number = value.get("format")
    if number != FORMAT:
        raise ArtifactError(
            f"manifest.json has the format {number!r}; this version reads format {FORMAT}.",
            code="artifact-format",
            where=where,
            mend="install the version of sls-ml that wrote the artifact, or convert the model again",
        )
    if wrong := fault(value):
        raise corrupt("manifest.json is not the manifest of an artifact.", where=where, why=wrong, mend=mend)
    return value


def check(file: str, found: str, wanted: str, *, where: str, mend: str = FETCH) -> None:
    """Compare a file's sha256 with what it must be.

    Raises:
        ArtifactError: It is another.
    """
    if found != wanted:
        raise ArtifactError(
            f"{file} is not what its digest says.",
            code="artifact-digest",
            where=where,
            why=f"its sha256 is {found[:12]}…, expected {wanted[:12]}…: it was changed after it was written",
            mend=mend,
        )


def check_size(file: str, found: int, listed: Mapping[str, Any], *, where: str, mend: str = FETCH) -> None:
    """Compare a file's size with its entry in the manifest.

    Raises:
        ArtifactError: It is another.
    """
    if found != listed["bytes"]:
        what = f"{file} has {found} bytes, its manifest says {listed['bytes']}."
        raise corrupt(what, where=where, mend=mend)


def lacking(file: str, *, where: str, mend: str = FETCH) -> ArtifactError:
    """Give the error of an artifact without one of its files."""
    what = f"The artifact lacks {file}."
    return ArtifactError(what, code="artifact-incomplete", where=where, mend=mend)


def corrupt(what: str, *, where: str, mend: str, why: str | None = None) -> ArtifactError:
    """Give the error of an artifact that holds what none has."""
    return ArtifactError(what, code="artifact-corrupt", where=where, why=why, mend=mend)
