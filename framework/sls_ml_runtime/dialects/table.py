"""The routes of a function: which method and path is answered by which dialect.

A new dialect is one module beside this one, its rows here and its lines in `load`. An operation is a function
``(call: Call) -> tuple[content_type, body]``; it takes the rows out of ``call.body``, asks
``call.predict(rows_or_table)`` for the plain answer, and writes that in its own shape. A `Refusal` raised
inside is written by the dialect's ``refusal``.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sls_ml_runtime.errors import Refusal
    from sls_ml_runtime.serve import Call

    Operation = Callable[[Call], tuple[str, bytes]]
    WriteRefusal = Callable[[Refusal], tuple[str, bytes]]

JSON = ("application/json",)

ROUTES: tuple[tuple[str, str, tuple[str, ...] | None, str], ...] = (
    # method, path ("*" is a model's name; without it the function must have one model), media types of the
    # body (None: no body, or any), operation
    ("POST", "/predict", JSON, "rows.predict"),
    ("POST", "/", JSON, "rows.predict"),
    ("POST", "/models/*/predict", JSON, "rows.predict"),
)


def load(operation: str) -> tuple[Operation, WriteRefusal]:
    """The functions of an operation: the one that answers, and the one that writes its refusals."""
    match operation:
        case "rows.predict":
            from sls_ml_runtime.dialects import rows

            return rows.predict, rows.refusal
        case _:
            raise ValueError(operation)
