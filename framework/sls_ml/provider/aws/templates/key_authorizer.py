"""Lets those callers of `$function` in who bring its key in the header x-api-key.

The key is a secret of the stack. After a change the key before it stays good until the next change, so that
callers can move over one by one.
"""

from __future__ import annotations

import hmac
import os
import time
from typing import Any

import boto3

FRESH = 60
"""Seconds that keys are kept in memory."""

SECRETS = boto3.client("secretsmanager")
known: dict[str, Any] = {"keys": [], "until": 0.0}


def handler(event: dict[str, Any], _: Any) -> dict[str, bool]:
    """Say whether a request brings a good key (simple response of an HTTP API's authorizer)."""
    given = event["headers"].get("x-api-key", "").encode()
    return {"isAuthorized": any(hmac.compare_digest(given, key) for key in good_keys())}


def good_keys() -> list[bytes]:
    """The present key, and the one before if there was one."""
    if time.monotonic() >= known["until"]:
        known["keys"] = [key for stage in ("AWSCURRENT", "AWSPREVIOUS") if (key := read(stage))]
        known["until"] = time.monotonic() + FRESH
    keys: list[bytes] = known["keys"]
    return keys


def read(stage: str) -> bytes:
    """The key at one stage of the secret, empty where there is none."""
    try:
        answer = SECRETS.get_secret_value(SecretId=os.environ["SECRET"], VersionStage=stage)
    except SECRETS.exceptions.ResourceNotFoundException:
        return b""
    key: str = answer["SecretString"]
    return key.encode()
