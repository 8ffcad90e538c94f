"""One request on its way to a model, as a dialect sees it, and the reply to it."""

from __future__ import annotations

from sls_ml_runtime.dialects.table import foreign, load
from sls_ml_runtime.errors import HookError, Refusal
from sls_ml_runtime.signature import row_count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from sls_ml_runtime.dialects.table import WriteRefusal
    from sls_ml_runtime.model import Model
    from sls_ml_runtime.serve import Service
    from sls_ml_runtime.signature import Columns


class Call:
    """One request on its way to a model, as a dialect sees it.

    Attributes:
        service: The service that was asked.
        model: The model that the path names; about a path that names none, the first.
        headers: Headers with lower-case names.
        body: The body, inflated.
        rows: Rows of the request, known after `predict`.
        refusal: Writes refusals in the dialect's form.
    """

    __slots__ = ("body", "headers", "model", "refusal", "rows", "service")

    def __init__(
        self, service: Service, model: Model, headers: Mapping[str, str], body: bytes, refusal: WriteRefusal
    ) -> None:
        self.service = service
        self.model = model
        self.headers = headers
        self.body = body
        self.rows = 0
        self.refusal = refusal

    def choose(self, *offers: str) -> str:
        """The one of these media types that the client likes best.

        Raises:
            Refusal: 406, it accepts none of them.
        """
        accepted = self.headers.get("accept")
        if not accepted or accepted == "*/*" or accepted == offers[0]:
            return offers[0]
        from sls_ml_runtime.content import choose

        chosen = choose(accepted, offers)
        if chosen is None:
            raise Refusal(406, "not-acceptable", f"the answer is {' or '.join(offers)}")
        return chosen

    def hand_over(self, document: dict[str, Any]) -> tuple[dict[str, str], bytes]:
        """Let the dialect answer that a document of another form is written in."""
        operation, self.refusal = load(foreign(document))
        return operation(self)

    def predict(self, given: list[dict[str, Any]] | dict[str, Any]) -> dict[str, Any]:
        """Run the user's hooks and the model.

        Args:
            given: A list of rows, or a table: a dict of lists or arrays.

        Returns:
            The plain answer.

        Raises:
            Refusal: 413 or 422.
        """
        service = self.service
        self.count(_count(given))
        if service.before is not None:
            given = service.before(given if isinstance(given, list) else _rows_of(given, self.rows))
            if not isinstance(given, list):
                raise HookError("before(rows) must return the rows")
        return self.predict_columns(self.model.columns(given))

    def count(self, rows: int) -> None:
        """Note how many rows were sent.

        Raises:
            Refusal: 413, there are more than the function takes.
        """
        self.rows = rows
        if rows > self.service.max_rows:
            message = f"{rows} rows in one request; this function takes {self.service.max_rows}"
            raise Refusal(413, "too-many-rows", message)

    def predict_columns(self, columns: Columns) -> dict[str, Any]:
        """Run the model on checked columns, and the user's hook after it; gives the plain answer."""
        self.rows = row_count(columns)
        result = self.model.predict(columns)
        self.service.keep(self.model, columns, result)
        after = self.service.after
        if after is None:
            return result
        result = after(result)
        if not isinstance(result, dict):
            raise HookError("after(result) must return a dict")
        return result


class Reply:
    """The answer to one request, and what is worth counting about it.

    Unpacks into ``status, headers, body``.

    Attributes:
        status: HTTP status.
        headers: Response headers with lower-case names.
        body: Response body; a server leaves it out when it answers HEAD.
        method: The request's method; of one that HTTP does not have only that it is unknown.
        path: The request's path with single slashes; of an unknown path only that it is unknown.
        model: The model asked, or None.
        rows: Rows of the request; 0 when it was refused before they were counted.
        milliseconds: Time from `Service.respond` to the finished body.
        refusal: Why there was no prediction, or None.
        error: What failed when status is 500, or None.
    """

    __slots__ = (
        "body",
        "error",
        "headers",
        "method",
        "milliseconds",
        "model",
        "path",
        "refusal",
        "rows",
        "status",
    )

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.method = self.path = ""
        self.model: Model | None = None
        self.rows = 0
        self.milliseconds = 0.0
        self.refusal: Refusal | None = None
        self.error: Exception | None = None

    def __iter__(self) -> Iterator[Any]:
        return iter((self.status, self.headers, self.body))


def _count(given: list[dict[str, Any]] | dict[str, Any]) -> int:
    if isinstance(given, list):
        return len(given)
    return max((len(values) for values in given.values()), default=0)


def _rows_of(table: Mapping[str, Sequence[Any]], count: int) -> list[dict[str, Any]]:
    """A table as rows, for hooks.

    Raises:
        Refusal: 422, the columns differ in length.
    """
    for name, values in table.items():
        if len(values) != count:
            message = f"{name} has {len(values)} values, another column {count}"
            raise Refusal(422, "ragged-columns", message, name)
    return [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]
