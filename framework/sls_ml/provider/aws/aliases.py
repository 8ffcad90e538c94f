"""The aliases of models in the store: read, and moved by one writer at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from sls_ml.errors import ApplyError, ArtifactError
from sls_ml.provider.aws.client import Client, MissingError, split_uri, translated
from sls_ml.provider.aws.cloudformation import FOLLOW_METADATA, FUNCTION_METADATA
from sls_ml.provider.base import Alias, Followed
from sls_ml_runtime.errors import ArtifactRefused
from sls_ml_runtime.follow import digest_in

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import PutObjectRequestTypeDef

_CONFLICTS = {"PreconditionFailed", "ConditionalRequestConflict", "412"}


class AwsAliases:
    """Reads and moves aliases, which are objects of a few bytes."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def find(self, uri: str) -> Alias | None:
        """An alias as it stands, or None.

        Raises:
            ArtifactError: The object is no alias.
        """
        try:
            body, etag = self._read(uri)
        except MissingError:
            return None
        try:
            digest = digest_in(body)
        except ArtifactRefused as error:
            raise ArtifactError(
                "the alias holds no digest",
                code="alias-broken",
                where=uri,
                mend="delete the object, then promote again; the bucket keeps its old versions",
            ) from error
        return Alias(digest, json.loads(body).get("previous"), etag)

    def move(self, uri: str, digest: str, *, before: Alias | None) -> None:
        """Point an alias to a digest, unless somebody moved it since it was looked at.

        Raises:
            ApplyError: It is no longer what it was `before`.
        """
        bucket, key = split_uri(uri)
        previous = None if before is None else before.digest
        body = json.dumps({"digest": digest, "previous": previous}, sort_keys=True) + "\n"
        request: PutObjectRequestTypeDef = {
            "Bucket": bucket,
            "Key": key,
            "Body": body.encode(),
            "ContentType": "application/json",
        }
        if before is None:
            request["IfNoneMatch"] = "*"
        else:
            request["IfMatch"] = before.etag
        with translated(f"moving the alias {uri}"):
            try:
                self._client.s3.put_object(**request)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") not in _CONFLICTS:
                    raise
                raise ApplyError(
                    "somebody else has moved the alias in the meantime",
                    code="alias-moved",
                    where=uri,
                    mend="`sls-ml status` shows where it points now: promote again if it is to be moved",
                ) from error

    def manifest(self, uri: str) -> bytes | None:
        """The bytes of a manifest in the store, or None."""
        try:
            return self._read(uri)[0]
        except MissingError:
            return None

    def _read(self, uri: str) -> tuple[bytes, str]:
        bucket, key = split_uri(uri)
        with translated(f"reading {uri}"):
            answer = self._client.s3.get_object(Bucket=bucket, Key=key)
            return answer["Body"].read(), answer["ETag"]


def followed(template: Mapping[str, Any]) -> Iterator[Followed]:
    """What the functions of a deployed template follow, and what is in their packages."""
    for _, resource in sorted(template["Resources"].items()):
        metadata = resource.get("Metadata", {})
        if (facts := metadata.get(FOLLOW_METADATA)) is None:
            continue
        for model, packaged in sorted(facts["models"].items()):
            yield Followed(
                function=metadata[FUNCTION_METADATA],
                model=model,
                alias=facts["alias"],
                digest=packaged["digest"],
                engine=packaged["engine"],
                seconds=facts["seconds"],
            )
