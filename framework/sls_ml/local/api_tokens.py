"""Tokens of an issuer (RFC 7519), verified as an HTTP API does: by the keys that the issuer publishes.

The rules are those of API Gateway's page "Control access to HTTP APIs with JWT authorizers".
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Sequence
from typing import Any

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import KeySet

ALGORITHMS = ("RS256", "RS384", "RS512")
KEYS_SECONDS = 7200
"""How long an issuer's keys are kept; a token that names another key has them fetched again."""

FETCH_SECONDS = 1.5
"""How long an issuer may take to answer."""


class TokenRefusedError(Exception):
    """A token does not let its bearer in; the message says why."""


class Issuers:
    """Verifies tokens, and remembers the keys of their issuers."""

    def __init__(self) -> None:
        self._keys: dict[str, tuple[float, KeySet]] = {}

    def claims(self, value: str, issuer: str, audience: Sequence[str]) -> dict[str, str]:
        """The claims of a good token, as texts.

        Args:
            value: The header, with or without ``Bearer``.
            issuer: Who must have signed it.
            audience: Whom it must be meant for: one of these.

        Raises:
            TokenRefusedError: It is not good.
        """
        token = value.strip()
        if token[:7].lower() == "bearer ":
            token = token[7:].strip()
        claims = self._decoded(token, issuer)
        if claims.get("iss") != issuer:
            raise TokenRefusedError("the token has an issuer that is not expected")
        meant = claims.get("aud", claims.get("client_id"))
        if not set(meant if isinstance(meant, list) else [meant]) & set(audience):
            raise TokenRefusedError("the token does not have a valid audience")
        try:
            jwt.JWTClaimsRegistry(exp={"essential": True}).validate(claims)
        except ExpiredTokenError as error:
            raise TokenRefusedError("the token has expired") from error
        except JoseError as error:
            raise TokenRefusedError(error.description) from error
        return {name: _text(claim) for name, claim in claims.items()}

    def _decoded(self, token: str, issuer: str) -> dict[str, Any]:
        until, keys = self._keys.get(issuer, (0.0, None))
        if keys is not None and time.monotonic() < until:
            try:
                return _claims(token, keys)
            except TokenRefusedError:
                pass  # the issuer may have other keys by now
        return _claims(token, self._fetch(issuer))

    def _fetch(self, issuer: str) -> KeySet:
        try:
            found = _document(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            keys = KeySet.import_key_set(_document(found["jwks_uri"]))
        except (OSError, ValueError, KeyError, JoseError) as error:
            raise TokenRefusedError("OIDC discovery endpoint communication error") from error
        self._keys[issuer] = (time.monotonic() + KEYS_SECONDS, keys)
        return keys


def _claims(token: str, keys: KeySet) -> dict[str, Any]:
    """The claims of a token that one of the keys has signed, which its header names."""
    try:
        decoded = jwt.decode(token, keys, algorithms=ALGORITHMS)
    except (JoseError, ValueError) as error:
        raise TokenRefusedError(getattr(error, "description", "") or str(error)) from error
    if "kid" not in decoded.header:
        raise TokenRefusedError("the token names no key")
    return decoded.claims


def _document(url: str) -> Any:
    """A JSON document of the issuer."""
    if not url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise ValueError(url)
    with urllib.request.urlopen(url, timeout=FETCH_SECONDS) as answer:  # noqa: S310 - the schemes are checked
        return json.load(answer)


def _text(claim: Any) -> str:
    """A claim as it stands in an event, where all are texts."""
    if isinstance(claim, list):
        return f"[{' '.join(map(_text, claim))}]"
    return claim if isinstance(claim, str) else json.dumps(claim)
