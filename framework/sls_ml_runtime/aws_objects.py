"""Input and results of a batch in S3, through a client that the handler brings."""

from __future__ import annotations

import base64
import io

from sls_ml_runtime.score import Superseded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, BinaryIO

    from sls_ml_runtime.dialects.csv_rows import Stream
    from sls_ml_runtime.score import Source

_ABSENT = {"403", "404", "AccessDenied", "NoSuchKey", "NotFound"}
"""S3 answers 403 for a key that does not exist to whoever may not list the bucket, as our roles may not."""

_TRIES = 3

_CONTENT_TYPES = {"csv": "text/csv", "json": "application/json", "jsonl": "application/jsonl"}


class S3Input:
    """Opens exactly the object that an event tells of; a `sls_ml_runtime.score.Read`.

    Args:
        client: An S3 client.
        listed: Bucket and prefix that the role may list, ``s3://bucket/prefix/``, if it may. S3 says 403 for
            a key that is gone, as for one that may not be read, where leave to list depends on the prefix.
    """

    __slots__ = ("_client", "_listed")

    def __init__(self, client: Any, listed: str | None = None) -> None:
        self._client = client
        self._listed = listed

    def __call__(self, source: Source, position: int, /) -> Stream:
        """The bytes of this version of the object from `position` on.

        Raises:
            Superseded: It was replaced, or deleted (where the role may list: else S3's 403 is all we know).
        """
        asked = {"Bucket": source.bucket, "Key": source.key, "IfMatch": f'"{source.etag}"'}
        if source.version:
            asked["VersionId"] = source.version
        if position:
            asked["Range"] = f"bytes={position}-"
        try:
            body: Stream = self._client.get_object(**asked)["Body"]
        except self._client.exceptions.ClientError as error:
            code = _code(error)
            if code == "InvalidRange":  # the last part ended where the object ends
                return io.BytesIO()
            if code in {"PreconditionFailed", "412", "NoSuchKey", "NoSuchVersion"}:
                raise Superseded(f"s3://{source.bucket}/{source.key} has no version {source.etag}") from error
            if code in {"403", "AccessDenied"} and self._is_gone(source):
                raise Superseded(f"s3://{source.bucket}/{source.key} was deleted") from error
            raise
        return body

    def _is_gone(self, source: Source) -> bool:
        """Whether the keys that may be listed show that there is no such object."""
        bucket, _, prefix = (self._listed or "").removeprefix("s3://").partition("/")
        if source.bucket != bucket or not source.key.startswith(prefix):
            return False
        asked = {"Bucket": bucket, "Prefix": prefix}  # leave to list is given for exactly this prefix
        if len(source.key) > 1:
            asked["StartAfter"] = source.key[:-1]
        for page in self._client.get_paginator("list_objects_v2").paginate(**asked):
            keys = [each["Key"] for each in page.get("Contents", [])]
            if source.key in keys:
                return False
            if keys and keys[-1] > source.key:
                break
        return True


class S3Results:
    """Creates results under a prefix, never replacing one; a `sls_ml_runtime.score.Results`.

    Args:
        client: An S3 client.
        uri: Bucket and prefix, ``s3://bucket/prefix/``.
    """

    __slots__ = ("_bucket", "_client", "_prefix")

    def __init__(self, client: Any, uri: str) -> None:
        self._client = client
        self._bucket, _, self._prefix = uri.removeprefix("s3://").partition("/")

    def get(self, key: str) -> bytes | None:
        """The bytes of an object, None where there is none."""
        try:
            content: bytes = self._client.get_object(**self._at(key))["Body"].read()
        except self._client.exceptions.ClientError as error:
            if _code(error) in _ABSENT:
                return None
            raise
        return content

    def facts(self, key: str) -> Mapping[str, str] | None:
        """The object's metadata, None where there is no object."""
        try:
            metadata: dict[str, str] = self._client.head_object(**self._at(key))["Metadata"]
        except self._client.exceptions.ClientError as error:
            if _code(error) in _ABSENT:
                return None
            raise
        return metadata

    def create(self, key: str, body: BinaryIO, facts: Mapping[str, str]) -> bool:
        """Create an object with its sha256 checked by S3 and `facts` as metadata; False when it exists."""
        for _ in range(_TRIES):
            created = self._try_to_create(key, body, facts)
            if created is not None:
                return created
            body.seek(0)
        raise OSError(f"{key} is being written by another call; tried {_TRIES} times")

    def _try_to_create(self, key: str, body: BinaryIO, facts: Mapping[str, str]) -> bool | None:
        """None where another call writes it at this very moment: S3 then asks to try again."""
        try:
            self._client.put_object(
                **self._at(key),
                Body=body,
                ChecksumSHA256=base64.b64encode(bytes.fromhex(facts["sha256"])).decode(),
                ContentType=_CONTENT_TYPES[key.rpartition(".")[2]],
                IfNoneMatch="*",
                Metadata=dict(facts),
            )
        except self._client.exceptions.ClientError as error:
            if _code(error) in {"PreconditionFailed", "412"}:
                return False
            if _code(error) == "ConditionalRequestConflict":
                return None
            raise
        return True

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + key}


def _code(error: Any) -> str:
    code: str = error.response["Error"]["Code"]
    return code
