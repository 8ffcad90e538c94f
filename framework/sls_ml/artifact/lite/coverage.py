"""What the lite engine does not cover."""

from __future__ import annotations

from sls_ml.errors import UnsupportedError


class NotCovered(UnsupportedError):  # noqa: N818 - an answer that callers expect, not a failure
    """The graph cannot be compiled for the lite engine.

    Attributes:
        operator: The ONNX operator, or the part of the graph, concerned.
        reason: What about it is not covered.
    """

    def __init__(self, operator: str, reason: str) -> None:
        super().__init__(
            f"The lite engine does not cover {operator}: {reason}.",
            code="lite-not-covered",
            where=operator,
            mend="Leave the model's engine at auto; another engine serves it.",
        )
        self.operator = operator
        self.reason = reason
