"""Input and results of a batch in S3, through a client that the handler brings."""

from __future__ import annotations

import base64
import io

from sls_ml_runtime.score import Superseded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
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
        return _Whole(self._open, source, position)

    def _open(self, source: Source, position: int) -> Stream:
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
            if _is_denied(code):
                if self._is_gone(source):
                    raise Superseded(f"s3://{source.bucket}/{source.key} was deleted") from error
                raise _denied(error, source.bucket, source.key, "s3:GetObject", "kms:Decrypt") from error
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


class _Whole:
    """The bytes of an object to their end: where a connection breaks, another goes on behind what came.

    S3 ends connections that take long, and scoring takes long between two reads.
    """

    __slots__ = ("_again", "_open", "_position", "_source", "_stream")

    def __init__(self, open_: Callable[[Source, int], Stream], source: Source, position: int) -> None:
        self._open = open_
        self._source = source
        self._position = position
        self._again = 0
        self._stream = open_(source, position)

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, empty at the end.

        Raises:
            Superseded: The object was replaced since it was opened, and the connection broke.
        """
        while True:
            try:
                content = self._stream.read(size)
            except Exception:  # the SDK's own, which this module does not know, and the network's
                self._again += 1
                if self._again > _TRIES:
                    raise
                self._stream = self._open(self._source, self._position)
            else:
                self._position += len(content)
                self._again = 0
                return content


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
            if _is_denied(_code(error)):
                needed = "s3:PutObject", "kms:GenerateDataKey"
                raise _denied(error, self._bucket, self._prefix + key, *needed) from error
            raise
        return True

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + key}


def _is_denied(code: str) -> bool:
    return code in {"403", "AccessDenied", "AllAccessDisabled"} or code.startswith("KMS.")


def _denied(error: Any, bucket: str, key: str, action: str, key_action: str) -> PermissionError:
    """What S3 says, and what the role needs."""
    said = f"{_code(error)}: {error.response['Error'].get('Message', '')}"
    gone = "; or it was deleted" if action == "s3:GetObject" else ""
    return PermissionError(
        f"s3://{bucket}/{key}: {said}. The function's role needs {action} on it, which the bucket's policy "
        f"must not deny, and {key_action} on the key of KMS that encrypts it{gone}"
    )


def _code(error: Any) -> str:
    code: str = error.response["Error"]["Code"]
    return code
