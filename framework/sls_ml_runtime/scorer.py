"""Turn records of text into rows of results: the header's check, hooks, signature, engine, columns."""

from __future__ import annotations

import hashlib
import json

from sls_ml_runtime.dialects import csv_rows
from sls_ml_runtime.errors import HookError, Refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from sls_ml_runtime.dialects.csv_rows import Record
    from sls_ml_runtime.serve import Service


class Scorer:
    """The model and the settings of a batch function, ready to score objects.

    The user's hooks run here too: `before` gets each row with the model's inputs as values and all other
    columns as text, and returns as many rows; what `after` returns is written under the model's columns.

    Args:
        service: The function's service, with one model and config.json's ``objects``.
        release: Names the code that scores: parts that another release finished are scored again and
            compared, not trusted.

    Attributes:
        columns: Names of the output's columns.
        digest: Digest of the model.
        runtime: Version of this runtime.
        max_rejected: Share of the rows above which an object's status is ``too-many-rejected``.
        made_by: What decides about the results beside the input, as a digest.

    Raises:
        ValueError: There is not one model, or a joined column has the name of a result.
    """

    def __init__(self, service: Service, *, release: str) -> None:
        settings = service.config["objects"]
        self._service = service
        self._release = release
        self._join: list[str] = settings["join"]
        self.runtime: str = service.config["runtime"]["version"]
        self.max_rejected: float = settings["max_rejected"]
        self._take()

    def begin(self) -> None:
        """Settle the model for one object: where an alias is followed, what it points to now."""
        if self._service.follower is not None:
            self._service.follower.object()
            self._take()

    def _take(self) -> None:
        (self._model,) = self._service.models.values()
        self._inputs = [(field.name, field.dtype) for field in self._model.signature.inputs]
        self.name = self._model.artifact.name
        self.columns = self._join + csv_rows.output_columns(self._model.artifact.manifest)
        self.digest = self._model.artifact.digest
        made_by = [self._release, self.digest, self.columns, self._service.config["runtime"]["digest"]]
        self.made_by = hashlib.sha256(json.dumps(made_by).encode()).hexdigest()
        twice = {name for name in self.columns if self.columns.count(name) > 1}
        if twice:
            raise ValueError(f"join and the results share column names: {', '.join(sorted(twice))}")

    def check_header(self, names: Record) -> None:
        """See that an object has the columns that are needed; with a `before` hook only those to join.

        An input that may be missing in a row still needs its column: a misspelt header would otherwise be
        scored as nothing but missing values.

        Raises:
            Refusal: Columns are missing, or there twice.
        """
        needed = [] if self._service.before else [name for name, _ in self._inputs]
        missing = [name for name in needed + self._join if name not in names]
        if missing:
            found = ", ".join(names)[:200]
            message = (
                f"the header lacks {', '.join(missing)[:200]}; it has {found}; commas must separate them"
            )
            raise Refusal(422, "missing-column", message, missing[0])
        for name in needed + self._join:
            if names.count(name) > 1:
                raise Refusal(422, "duplicate-column", f"the header has {name} more than once", name)

    def score(self, names: Record, records: list[Record]) -> tuple[list[tuple[Any, ...]], dict[int, Refusal]]:
        """Score records of the right number of cells.

        Returns:
            The rows of the output, and position in `records` to refusal for the others.
        """
        if not records:
            return [], {}
        cells: dict[str, Sequence[str]] = dict(zip(names, zip(*records, strict=True), strict=True))
        columns, kept, refusals = self._model.signature.separate(self._table(cells, len(records)))
        refused = {refusal.row or 0: refusal for refusal in refusals}
        if not kept:
            return [], refused
        result = self._model.predict(columns)
        self._service.keep(self._model, columns, result, most=0)
        self._service.count()
        if self._service.after is not None:
            result = self._service.after(result)
        joined = [[cells[name][row] for row in kept] for name in self._join]
        scored = csv_rows.columns_of_answer(self._model.artifact.manifest, result)
        return list(zip(*joined, *scored, strict=True)), refused

    def _table(self, cells: dict[str, Sequence[str]], count: int) -> dict[str, Sequence[Any]]:
        table: dict[str, Sequence[Any]] = {
            name: csv_rows.values(dtype, cells[name]) for name, dtype in self._inputs if name in cells
        }
        if self._service.before is None:
            return table
        whole = cells | table
        rows = self._service.before(
            [dict(zip(whole, row, strict=True)) for row in zip(*whole.values(), strict=True)]
        )
        if not isinstance(rows, list) or len(rows) != count:
            raise HookError("before(rows) must return as many rows: in a batch each row is one of the file")
        return {name: [row.get(name) for row in rows] for name, _ in self._inputs}
