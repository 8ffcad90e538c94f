"""The client of a deployed function."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self, assert_never
from urllib.parse import quote

from sls_ml.client.connection import Connection
from sls_ml.client.prediction import Prediction, joined
from sls_ml.client.refusal import RequestRefused, refusal_or_failure
from sls_ml.client.signing import Key, Service, Session, Sign, Token, signer
from sls_ml.client.table import Columns, Data, Rows, table
from sls_ml.errors import ExternalError, UsageError


class Client:
    """A deployed function.

    Args:
        endpoint: Its URL, as ``deploy`` and ``status`` print it.
        auth: ``iam`` signs every request; ``public`` sends it as it is; a `Key` or `Token` goes along.
        service: What requests are signed for: a function URL (``lambda``) or an HTTP API (``execute-api``).
            The URLs of AWS tell; a domain of your own and the embedded cloud's APIs do not.
        region: Where the endpoint is; told by the URLs of AWS and by ``AWS_REGION``.
        session: Of boto3 or botocore, for its credentials; by default those of the environment, of the
            profile or of the machine.
        headers: Sent with every request.
        max_rows: Rows of one request, as ``http.max_rows`` of the spec.
        max_body: Bytes of one request, as ``http.max_body`` of the spec; Lambda takes 6 MB at most.
        timeout: Seconds to wait for one answer.
        retries: How often a request is sent again to a busy function, with growing pauses.

    A client can be shared by threads; they take turns.

    Raises:
        UsageError: The endpoint is no URL, or nobody says in which region it is.
        ExternalError: Signing needs botocore, and credentials.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        auth: Literal["iam", "public"] | Key | Token = "iam",
        service: Service | None = None,
        region: str | None = None,
        session: Session | None = None,
        headers: Mapping[str, str] | None = None,
        max_rows: int = 1000,
        max_body: int = 4 << 20,
        timeout: float = 60.0,
        retries: int = 4,
    ) -> None:
        sign: Sign | None = None
        match auth:
            case "iam":
                sign = signer(endpoint, region, session, service)
            case "public":
                pass
            case Key() | Token():
                sign = auth.send_along
            case _:
                assert_never(auth)
        self._connection = Connection(
            endpoint, headers=dict(headers or {}), sign=sign, timeout=timeout, retries=retries
        )
        self._max_rows = max_rows
        self._max_body = max_body

    def predict(self, rows: Data, model: str | None = None) -> Prediction:
        """Predict rows, in as many requests as they need.

        Args:
            rows: A list of dicts, a DataFrame, a 2-D array or list of lists with the columns in the model's
                order, or a list of texts for a model with one input. Missing values are None, NaN or NA.
            model: Which model, where the function has several.

        Raises:
            RequestRefused: A value is outside of the model's domain; `field` and `row` say which.
            ExternalError: No answer, or a failure of the function.
        """
        given = table(rows, lambda: self._inputs(model))
        path = f"/models/{quote(model, safe='')}/predict" if model else "/predict"
        answers = list(self._ask(path, given, 0))
        if len({answer.get("digest") for answer in answers}) > 1:
            raise ExternalError(
                "the model was exchanged between the requests of one prediction",
                code="model-exchanged",
                where=self._connection.endpoint,
                mend="predict again",
            )
        return joined(answers)

    def health(self) -> dict[str, Any]:
        """What the function says of its health: ``{"status": "ok"}``."""
        return self._json("GET", "/health")

    def metadata(self) -> dict[str, Any]:
        """What the function's models are, take and return."""
        return self._json("GET", "/metadata")

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _inputs(self, model: str | None) -> list[str]:
        """Names of a model's inputs, in its order."""
        models = self.metadata()["models"]
        if model is None and len(models) == 1:
            (model,) = models
        if model not in models:
            raise UsageError(
                f"the function has no model {model!r}" if model else "the function has several models",
                code="model-unknown",
                mend=f"models: {', '.join(models)}",
            )
        return [entry["name"] for entry in models[model]["inputs"]]

    def _ask(self, path: str, given: Rows | Columns, first: int) -> Iterator[dict[str, Any]]:
        """The answers to a table, cut where it is too much for one request.

        What is too much the function knows best: what it refuses as too large is sent in halves.

        Args:
            path: Where to.
            given: The table.
            first: Position of its first row in all that was given.
        """
        if len(given) > self._max_rows:
            yield from self._parts(path, given, first, self._max_rows)
            return
        body = given.body()
        if len(body) <= self._max_body or len(given) < 2:
            try:
                yield self._json("POST", path, body)
                return
            except RequestRefused as refused:
                if refused.status != 413 or len(given) < 2:
                    raise refused.moved(first) from None
        yield from self._parts(path, given, first, -(-len(given) // 2))

    def _parts(self, path: str, given: Rows | Columns, first: int, size: int) -> Iterator[dict[str, Any]]:
        for start in range(0, len(given), size):
            yield from self._ask(path, given.part(start, start + size), first + start)

    def _json(self, method: str, path: str, body: bytes = b"") -> dict[str, Any]:
        """The document of a successful answer."""
        status, headers, content = self._connection.send(method, path, body)
        document: Any = None
        if headers.get("content-type", "").startswith("application/json"):
            document = json.loads(content)
        if status == 200 and isinstance(document, dict):
            return document
        said = content[:200].decode("utf-8", "replace")
        raise refusal_or_failure(status, document, said, f"{method} {self._connection.endpoint}{path}")
