"""Run an artifact on this machine through the very code that serves it."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sls_ml.artifact import manifest as manifests
from sls_ml.artifact.extras import need
from sls_ml.errors import ExternalError, ModelError

if TYPE_CHECKING:
    from sls_ml_runtime.answer import Arrays
    from sls_ml_runtime.engines.table import InferenceEngine
    from sls_ml_runtime.signature import Columns

Rows = Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]]
"""Plain rows, or plain columns by name."""

_CHUNK = 256
"""Rows per call: a text model makes a dense matrix of each call's rows."""


class Served:
    """An artifact laid out in a folder of its own, as a function finds it, with the engines loaded so far.

    The folder goes with the object.
    """

    def __init__(self, manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
        from sls_ml_runtime import artifact
        from sls_ml_runtime.signature import Signature

        root = Path(tempfile.mkdtemp(prefix="sls-ml-"))
        weakref.finalize(self, shutil.rmtree, root, ignore_errors=True)
        text = manifests.canonical(manifest)
        for name, data in {**files, manifests.MANIFEST: text}.items():
            (root / name).write_bytes(data)
        self._artifact = artifact.open_folder(root, manifests.digest_of(text))
        self._signature = Signature(self._artifact.manifest)
        self._engines: dict[str, InferenceEngine] = {}

    def columns(self, rows: Rows) -> Columns:
        """Give rows, or a table of columns, as the engines take them.

        Raises:
            sls_ml_runtime.errors.Refusal: A value is outside the domain.
        """
        if isinstance(rows, Mapping):
            return self._signature.columns_from_table(rows)
        return self._signature.columns_from_rows(rows)

    def run(self, engine: str, columns: Columns) -> Iterator[Arrays]:
        """Give the graph's output tensors, some hundred rows at a time.

        Raises:
            sls_ml_runtime.errors.EngineError: The engine is not available here, or failed.
        """
        loaded = self._engine(engine)
        for start in range(0, max(len(columns[0][1]), 1), _CHUNK):
            yield loaded.run([(dtype, values[start : start + _CHUNK]) for dtype, values in columns])

    def predict(self, rows: Rows, engine: str) -> dict[str, Any]:
        """Give the plain answer.

        Raises:
            ModelError: A value is outside the domain.
            ExternalError: The engine is not available here, or failed.
        """
        from sls_ml_runtime.answer import answer
        from sls_ml_runtime.errors import EngineError, Refusal

        manifest, digest = self._artifact.manifest, self._artifact.digest
        merged: dict[str, Any] = {}
        try:
            for arrays in self.run(engine, self.columns(rows)):
                part = answer(manifest, digest, arrays)
                for output in manifest["outputs"]:
                    part[output["key"]] = merged.get(output["key"], []) + part[output["key"]]
                merged = part
        except Refusal as refusal:
            raise ModelError(
                f"Row {refusal.row or 0} cannot be predicted: {refusal.message}.",
                code=refusal.code,
                where=f"column {refusal.field!r}" if refusal.field else None,
            ) from refusal
        except EngineError as error:
            raise ExternalError(
                "The artifact cannot be run here.",
                code="engine-unavailable",
                why=str(error),
                mend="pip install 'sls-ml[onnx]'",
            ) from error
        return merged

    def _engine(self, name: str) -> InferenceEngine:
        from sls_ml_runtime.engines import table

        if name not in self._engines:
            self._engines[name] = table.load(self._artifact, engine=name)
        return self._engines[name]


def plain_of(manifest: Mapping[str, Any], rows: object) -> Rows:
    """Bring rows in any form that a user has into plain values for this manifest.

    Columns of a DataFrame that are no inputs are left out; rows that are dicts already stay as they are, so
    that an unknown name is refused as the endpoint refuses it.

    Raises:
        ModelError: The rows do not fit the model's inputs.
    """
    inputs = manifest["inputs"]
    names = [entry["name"] for entry in inputs]
    if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
        return [{str(key): _bare(value) for key, value in row.items()} for row in rows]
    if isinstance(rows, list) and all(isinstance(row, str) for row in rows) and len(names) == 1:
        return [{names[0]: row} for row in rows]
    need("pandas")
    from sls_ml.artifact.signature import plain_table
    from sls_ml.artifact.table import read_table, select

    frame, named = read_table(rows)
    if not named:
        if frame.shape[1] != len(names):
            raise ModelError(
                f"The model has {len(names)} inputs; the rows have {frame.shape[1]} columns.",
                code="sample-columns",
                mend=f"give the columns {', '.join(names[:20])} in this order, or rows with names",
            )
        frame = frame.set_axis(names, axis=1)
    return plain_table(select(frame, names), [entry["dtype"] for entry in inputs])


def _bare(value: Any) -> Any:
    """Give a Python value for one of numpy's."""
    return value.item() if hasattr(value, "item") and not isinstance(value, (list, dict)) else value
