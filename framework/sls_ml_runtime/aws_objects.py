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

_CONTENT_TYPES = {"csv": "text/csv", "json": "application/json", "jsonl": "application/jsonl"}


class S3Input:
    """Opens exactly the object that an event tells of; a `sls_ml_runtime.score.Read`."""

    __slots__ = ("_client",)

    def __init__(self, client: Any) -> None:
        self._client = client

    def __call__(self, source: Source, position: int, /) -> Stream:
        """The bytes of this version of the object from `position` on.

        Raises:
            Superseded: It was replaced, or deleted (and the role may list the bucket: else S3 says 403).
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
            raise
        return body


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
            raise
        return True

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + key}


def _code(error: Any) -> str:
    code: str = error.response["Error"]["Code"]
    return code
