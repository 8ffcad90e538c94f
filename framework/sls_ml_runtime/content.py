"""What HTTP headers say about bodies: their compression, the kinds of answer accepted, who may read them.

Imported by the first request that needs it.
"""

from __future__ import annotations

import zlib

from sls_ml_runtime.errors import Refusal

_UNLIMITED = 1 << 62
_EITHER = 32 + zlib.MAX_WBITS
"""zlib's sign for gzip or zlib, whichever the first bytes say."""

_CORS_HEADERS = (
    "authorization, content-type, content-encoding, inference-header-content-length, "
    "x-amz-content-sha256, x-amz-date, x-amz-security-token"
)
_GZIP = 16 + zlib.MAX_WBITS


def inflate(encoding: str, body: bytes, limit: int) -> bytes:
    """The body without its compression; never more than `limit` bytes of it are made.

    Args:
        encoding: The header ``content-encoding``: ``gzip``, ``deflate`` or ``identity``.
        body: The body as sent.
        limit: Largest size in bytes, compressed or not.

    Raises:
        Refusal: 400, 413 or 415.
    """
    encoding = encoding.strip().lower()
    if encoding not in {"gzip", "deflate", "identity"}:
        raise Refusal(415, "wrong-encoding", "the body may be compressed with gzip or deflate, nothing else")
    if encoding != "identity" and len(body) <= limit:
        decompressor = zlib.decompressobj(_EITHER)
        try:
            body = decompressor.decompress(body, min(limit + 1, _UNLIMITED))
        except zlib.error as error:
            message = f"the body is not the {encoding} that it says it is"
            raise Refusal(400, f"bad-{encoding}", message) from error
        if len(body) <= limit and not decompressor.eof:
            raise Refusal(400, f"bad-{encoding}", "the compressed body is cut off")
    if len(body) > limit:
        raise Refusal(413, "too-large", f"this function takes bodies of {limit} bytes")
    return body


def gzipped(body: bytes) -> bytes:
    """The body compressed; fast, because the function's time is paid for."""
    compressor = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
    return compressor.compress(body) + compressor.flush()


def accepts_gzip(accepted: str) -> bool:
    """Whether a header ``accept-encoding`` allows gzip."""
    weights = _weights(accepted)
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def choose(accepted: str, offers: tuple[str, ...]) -> str | None:
    """The media type of `offers` that a header ``accept`` likes best; the first of equals, None of none."""
    weights = _weights(accepted)

    def weight(offer: str) -> float:
        kind = offer.partition("/")[0]
        return weights.get(offer, weights.get(f"{kind}/*", weights.get("*/*", 0.0)))

    best = max(offers, key=weight)
    return best if weight(best) > 0 else None


def allow_origin(allowed: list[str], method: str, origin: str | None, headers: dict[str, str]) -> None:
    """Add the headers that let pages of an allowed origin read an answer.

    Args:
        allowed: Origins of the spec; ``*`` is any.
        method: The request's method; OPTIONS asks before another request is sent.
        origin: The request's header ``origin``.
        headers: The answer's headers, added to.
    """
    headers["vary"] = f"{headers['vary']}, origin" if "vary" in headers else "origin"
    if origin is None or not ("*" in allowed or origin in allowed):
        return
    headers["access-control-allow-origin"] = "*" if "*" in allowed else origin
    if method == "OPTIONS":
        headers["access-control-allow-methods"] = "GET, HEAD, POST"
        headers["access-control-allow-headers"] = _CORS_HEADERS
        headers["access-control-max-age"] = "3600"
    else:
        headers["access-control-expose-headers"] = "inference-header-content-length"


def _weights(header: str) -> dict[str, float]:
    """The entries of an ``accept`` header, lower-case and without parameters, with their quality."""
    weights = {}
    for entry in header.lower().split(","):
        name, *parameters = [part.strip() for part in entry.split(";")]
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        weights[name] = quality
    return weights
