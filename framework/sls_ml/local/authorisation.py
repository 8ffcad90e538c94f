"""Who calls, and may they: SigV4 checked by botocore's own signer, policies judged as IAM judges them."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from moto.iam.access_control import CreateAccessKeyFailure, IAMPolicy, create_access_key

CLOCK_SKEW_SECONDS = 300
_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/(\d{8})/([^/,\s]+)/([^/,\s]+)/aws4_request")


class DeniedError(Exception):
    """The request is not signed as it should be, or its caller may not do this."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Request:
    """What was signed. `target` is path and query as they came; header names are lower-case."""

    method: str
    host: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Caller:
    """An authenticated principal and the statements of its own policies."""

    arn: str
    account: str
    access_key: str
    statements: tuple[Mapping[str, Any], ...]


def authenticate(request: Request, *, account: str, service: str) -> Caller:
    """Check the signature of a request.

    Raises:
        DeniedError: There is none, it is of another service or of another time, or it does not match.
    """
    authorization = request.headers.get("authorization", "")
    scope = _CREDENTIAL.search(authorization)
    signed = re.search(r"SignedHeaders=([^,\s]+)", authorization)
    signature = re.search(r"Signature=([0-9a-f]+)", authorization)
    if not authorization.startswith("AWS4-HMAC-SHA256") or not (scope and signed and signature):
        raise DeniedError("MissingAuthenticationToken", "Missing Authentication Token")
    access_key, _, region, signed_service = scope.groups()
    if signed_service != service:
        raise DeniedError(
            "SignatureDoesNotMatch", f"Credential should be scoped to correct service: '{service}'."
        )
    names = {"X-Amz-Security-Token": "x-amz-security-token"}
    key_headers = {k: request.headers[v] for k, v in names.items() if v in request.headers}
    try:
        key = create_access_key(account, "aws", access_key, key_headers)
    except CreateAccessKeyFailure as error:
        raise DeniedError(
            "InvalidClientTokenId", "The security token included in the request is invalid."
        ) from error
    stamp = request.headers.get("x-amz-date", "")
    try:
        at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise DeniedError("IncompleteSignature", "Date must be in ISO-8601 'basic format'.") from error
    if abs((datetime.now(UTC) - at).total_seconds()) > CLOCK_SKEW_SECONDS:
        raise DeniedError("SignatureDoesNotMatch", f"Signature expired: {stamp}")
    stated = request.headers.get("x-amz-content-sha256")
    if stated is not None and stated != hashlib.sha256(request.body).hexdigest():
        raise DeniedError("SignatureDoesNotMatch", "The body does not match its stated digest.")
    if "host" not in signed[1].split(";"):
        raise DeniedError(
            "SignatureDoesNotMatch", "'Host' must be a 'SignedHeader' in the AWS Authorization."
        )
    expected = _signature(request, signed[1].split(";"), stamp, key.create_credentials(), service, region)
    if not hmac.compare_digest(expected, signature[1]):
        raise DeniedError(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
        )
    statements = tuple(s for policy in key.collect_policies() for s in _statements(document_of(policy)))
    return Caller(key.arn, account, access_key, statements)


def _signature(
    request: Request, names: list[str], stamp: str, credentials: Any, service: str, region: str
) -> str:
    headers = {name: request.headers[name] for name in names if name in request.headers}
    signed = AWSRequest(
        method=request.method,
        url=f"http://{request.host}{request.target}",
        data=request.body,
        headers=headers,
    )
    signed.context["timestamp"] = stamp
    signer = SigV4Auth(credentials, service, region)
    return str(signer.signature(signer.string_to_sign(signed, signer.canonical_request(signed)), signed))


def document_of(policy: Any) -> Any:
    """The document of a policy as moto keeps it: inline, or managed with versions."""
    return IAMPolicy(policy)._policy_json


def _statements(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    statements = document.get("Statement") or []
    return statements if isinstance(statements, list) else [statements]


def statements_of(document: str | Mapping[str, Any] | None) -> tuple[Mapping[str, Any], ...]:
    """The statements of a policy document, given as JSON text or as a value."""
    if not document:
        return ()
    return tuple(_statements(json.loads(document) if isinstance(document, str) else document))


def allows(
    action: str,
    resource: str,
    *,
    identity: Iterable[Mapping[str, Any]] = (),
    resource_policy: Iterable[Mapping[str, Any]] = (),
    principal: str | None = None,
    service: str | None = None,
    context: Mapping[str, str] | None = None,
) -> bool:
    """Whether a call in one account is allowed: an Allow on either side, and no Deny on any.

    Args:
        action: Such as ``sqs:SendMessage``.
        resource: The ARN it is about.
        identity: Statements of the caller's own policies.
        resource_policy: Statements of the resource's policy.
        principal: The caller's ARN; None for nobody in particular.
        service: The calling service, such as ``events.amazonaws.com``.
        context: Values of condition keys.
    """
    known = {key.lower(): value for key, value in (context or {}).items()}
    hits = [s for s in identity if _covers(s, action, resource, known)]
    hits += [
        s
        for s in resource_policy
        if _covers(s, action, resource, known) and _names(s.get("Principal"), principal, service)
    ]
    effects = {s.get("Effect") for s in hits}
    return "Allow" in effects and "Deny" not in effects


def _covers(statement: Mapping[str, Any], action: str, resource: str, context: Mapping[str, str]) -> bool:
    if "NotAction" in statement:
        acts = not _any(statement["NotAction"], action, fold=True)
    else:
        acts = _any(statement.get("Action"), action, fold=True)
    if "NotResource" in statement:
        lies = not _any(statement["NotResource"], resource)
    else:
        lies = _any(statement.get("Resource", "*"), resource)
    return acts and lies and _holds(statement, context)


def _holds(statement: Mapping[str, Any], context: Mapping[str, str]) -> bool:
    for operator, pairs in (statement.get("Condition") or {}).items():
        base = operator.removesuffix("IfExists")
        for key, wanted in pairs.items():
            value = context.get(key.lower())
            values = [str(w) for w in (wanted if isinstance(wanted, list) else [wanted])]
            if value is None:
                if base == operator and not base.startswith(("StringNot", "ArnNot")):
                    return False
                continue
            match base:
                case "StringEquals":
                    met = value in values
                case "StringNotEquals":
                    met = value not in values
                case "Bool":
                    met = value.lower() in [v.lower() for v in values]
                case "StringLike" | "ArnLike" | "ArnEquals":
                    met = _any(values, value)
                case _:  # an operator not known here: an Allow does not count, a Deny does
                    met = statement.get("Effect") == "Deny"
            if not met:
                return False
    return True


def _names(principal: Any, arn: str | None, service: str | None) -> bool:
    if principal == "*" or (isinstance(principal, dict) and principal.get("AWS") == "*"):
        return True
    if not isinstance(principal, dict):
        return False
    if service is not None:
        return _any(principal.get("Service"), service)
    if arn is None:
        return False
    account = arn.split(":")[4]
    named = principal.get("AWS") or []
    accepted = {arn, account, f"arn:aws:iam::{account}:root"}
    return bool(accepted & set(named if isinstance(named, list) else [named]))


def _any(patterns: Any, value: str, *, fold: bool = False) -> bool:
    flags = re.IGNORECASE if fold else 0
    return any(
        re.fullmatch(re.escape(p).replace(r"\*", ".*").replace(r"\?", "."), value, flags | re.DOTALL)
        for p in (patterns if isinstance(patterns, list) else [patterns] if patterns else [])
    )
