"""A loaded model: checks rows against its signature, runs its engine, gives the plain answer."""

from __future__ import annotations

from sls_ml_runtime.answer import answer
from sls_ml_runtime.dialects import rows as plain
from sls_ml_runtime.signature import Signature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from sls_ml_runtime.artifact import Artifact
    from sls_ml_runtime.engines.table import InferenceEngine
    from sls_ml_runtime.signature import Columns

    Rows = Sequence[Mapping[str, Any]]
    Table = Mapping[str, Sequence[Any]]
    Seen = tuple[Columns, Sequence[Any]]


class Model:
    """A loaded model.

    Attributes:
        artifact: Its artifact.
        engine: The engine that runs it.
        signature: Its inputs, prepared for checking.
        seen: Columns and predictions that are not yet counted; None of a model that is not watched for drift.
    """

    __slots__ = ("artifact", "engine", "seen", "signature")

    def __init__(self, artifact: Artifact, engine: InferenceEngine, *, watched: bool = False) -> None:
        self.artifact = artifact
        self.engine = engine
        self.signature = Signature(artifact.manifest)
        self.seen: list[Seen] | None = [] if watched else None

    def predict(self, columns: Columns) -> dict[str, Any]:
        """The plain answer for checked columns."""
        artifact = self.artifact
        return answer(artifact.manifest, artifact.digest, self.engine.run(columns))

    def columns(self, given: Rows | Table) -> Columns:
        """Check rows, or a table, and turn them into columns.

        Raises:
            Refusal: 422, something is outside of the model's domain.
        """
        if isinstance(given, list):
            return self.signature.columns_from_rows(given)
        return self.signature.columns_from_table(given)  # type: ignore[arg-type]

    def warm(self) -> None:
        """Predict an example row, without hooks, so that the first request is warm.

        Raises:
            Refusal: The example does not fit its own signature.
            EngineError: The engine fails on it.
        """
        example = plain.parse_json(plain.write_json(self.artifact.manifest["example"][:1]))
        if example:
            plain.write_json(self.predict(self.columns(example)))
