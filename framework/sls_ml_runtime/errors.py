"""The errors of the runtime: a refused request, a refused artifact, an engine or a store that fails.

    Refusal            the caller's fault: a 4xx answer, or a rejected row of a batch
    ArtifactRefused    the artifact's bytes are not what its digest says, or its format is unknown
    StoreError         the artifact could not be fetched: permission, address, region, disk
    SecretError        a secret that the environment names could not be read
    CredentialsError   there is nothing to sign requests with
    EngineError        the engine cannot load the model or failed to run it
    MemoryTooSmall     the function's memory does not hold its models
    HookError          the user's hooks.py does not keep to its contract

A caller's mistake is answered; the others end the start of a function, or make an answer a 500.
"""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818 - an answer to the caller, not a failure of ours
    """A request, or one row of it, that gets no prediction.

    Args:
        status: HTTP status, 4xx.
        code: A stable kebab-case word for this very problem.
        message: One sentence for the caller; never holds more of the payload than a short value.
        field: The input concerned.
        row: Position of the row in the request, from 0.
    """

    def __init__(
        self, status: int, code: str, message: str, field: str | None = None, row: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.row = row


class ArtifactRefused(Exception):  # noqa: N818
    """An artifact that must not be served; `reason` says why in one sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class StoreError(Exception):
    """An artifact that could not be fetched; the message says what to grant or to mend."""


class SecretError(Exception):
    """A secret that could not be read; the message says what to grant or to mend, and has no value."""


class CredentialsError(Exception):
    """The role's credentials could not be had."""


class EngineError(Exception):
    """An engine that is not available here, cannot load the model, or failed to run it."""


class MemoryTooSmall(Exception):  # noqa: N818
    """A function whose memory does not hold its models; the message says what to raise."""


class HookError(Exception):
    """The user's hooks.py returned something else than its contract says."""
