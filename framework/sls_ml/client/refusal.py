"""The errors that answers become."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from sls_ml.errors import ExternalError, SlsMlError

BUSY = frozenset({429, 502, 503})
"""Answers of Lambda for a function that is busy or cannot start: worth another try."""


class RequestRefused(SlsMlError):  # noqa: N818 - what the function says, not a failure of ours
    """The function refuses what was asked, and says why.

    Attributes:
        status: HTTP status, 4xx.
        field: The input that is wrong, where it is one.
        row: Position of the row in what was given to `Client.predict`, from 0, where it is one.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, what: str, *, code: str, status: int, field: str | None, row: int | None) -> None:
        place = [f"row {row}"] if row is not None else []
        place += [f"field {field}"] if field is not None else []
        super().__init__(what, code=code, where=", ".join(place) or None)
        self.status = status
        self.field = field
        self.row = row

    def moved(self, first: int) -> RequestRefused:
        """The same refusal, where its first row is the one at this position."""
        row = None if self.row is None else self.row + first
        return RequestRefused(self.what, code=self.code, status=self.status, field=self.field, row=row)


def refusal_or_failure(status: int, document: Any, said: str, where: str) -> SlsMlError:
    """What an answer that is no success becomes.

    Args:
        status: HTTP status.
        document: The parsed body, None where it is no JSON.
        said: The beginning of the body.
        where: Method and URL.
    """
    error = document.get("error") if isinstance(document, Mapping) else None
    if 400 <= status < 500 and isinstance(error, Mapping):
        return RequestRefused(
            error["message"],
            code=error["code"],
            status=status,
            field=error.get("field"),
            row=error.get("row"),
        )
    if status in {401, 403}:
        return ExternalError(
            "the endpoint refuses the caller",
            code="endpoint-denied",
            where=where,
            why=said,
            mend="bring what its http.auth asks for: credentials that may call it, a Key or a Token",
        )
    if status == 413:
        return RequestRefused("the request is too large", code="too-large", status=413, field=None, row=None)
    if status in BUSY:
        return ExternalError(
            "the function is busy, or fails to start",
            code="endpoint-busy",
            where=where,
            why=f"{status} {said}",
            mend="try again later, and look at: sls-ml logs",
        )
    return ExternalError(
        "the function failed", code="endpoint-failed", where=where, why=f"{status} {said}", mend="sls-ml logs"
    )
