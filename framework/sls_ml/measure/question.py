"""Questions to a function: rows of the model's sample as events, each with the right answer."""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sls_ml.artifact import Artifact
from sls_ml.artifact.serving import plain_of
from sls_ml.artifact.table import read_table
from sls_ml.errors import ParityError

_HOST = "abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-west-1.on.aws"


@dataclass(frozen=True)
class Question:
    """One request.

    Attributes:
        row: The row that it asks for.
        event: The event, as Lambda hands it over.
        expected: The plain answer of the artifact.
    """

    row: Mapping[str, Any]
    event: bytes
    expected: Mapping[str, Any]

    def check(self, response: Any, *, exactly: bool) -> None:
        """Hold a function's response to the artifact's answer.

        Args:
            response: What the handler returned.
            exactly: The body must be the plain answer; else a status of 200 is enough.

        Raises:
            ParityError: It is another.
        """
        right = isinstance(response, dict) and response.get("statusCode") == 200
        if right and exactly:
            right = _alike(json.loads(response["body"]), self.expected)
        if not right:
            raise ParityError(
                "a measured function did not answer what the artifact predicts",
                code="wrong-answer",
                where=json.dumps(self.row)[:500],
                why=f"expected {json.dumps(self.expected)[:500]}, got {json.dumps(response)[:1000]}",
            )


class Questions:
    """Random rows of a sample, asked of one model.

    Args:
        artifact: The model's artifact.
        engine: The engine that the function runs.
        sample: The file of the model's sample; None to ask for the artifact's own examples.
        path: Path of the endpoint.
        seed: Which rows are taken.
    """

    def __init__(
        self, artifact: Artifact, *, engine: str, sample: Path | None, path: str = "/predict", seed: int
    ) -> None:
        self._artifact = artifact
        self._engine = engine
        self._path = path
        self._frame = None if sample is None else read_table(sample)[0]
        self._random = random.Random(seed)  # noqa: S311 - rows, not secrets

    def next(self) -> Question:
        """Another row."""
        row = self._row()
        expected = self._artifact.predict([row], engine=self._engine)  # type: ignore[arg-type]
        body = json.dumps({"rows": [row]})
        return Question(row, event(self._path, body), json.loads(json.dumps(expected)))

    def body(self, rows: int) -> str:
        """The body of a request for so many rows."""
        return json.dumps({"rows": [self._row() for _ in range(rows)]})

    def event(self, body: str) -> bytes:
        """A request with a body, as Lambda hands it over."""
        return event(self._path, body)

    def _row(self) -> dict[str, Any]:
        manifest = self._artifact.manifest
        if self._frame is None:
            return dict(self._random.choice(manifest["example"]))
        position = self._random.randrange(len(self._frame))
        table = plain_of(manifest, self._frame.iloc[[position]])
        assert isinstance(table, Mapping)  # noqa: S101 - a frame becomes a table
        return {name: values[0] for name, values in table.items()}


def _alike(found: Any, expected: Any) -> bool:
    """Equal, but for the last digits of numbers: Python 3.12 sums more exactly than 3.11."""
    match expected:
        case dict():
            return (
                isinstance(found, dict)
                and found.keys() == expected.keys()
                and all(_alike(found[key], value) for key, value in expected.items())
            )
        case list():
            return (
                isinstance(found, list) and len(found) == len(expected) and all(map(_alike, found, expected))
            )
        case float():
            return isinstance(found, float) and math.isclose(found, expected, rel_tol=1e-6, abs_tol=1e-9)
        case _:
            return bool(found == expected)


def event(path: str, body: str) -> bytes:
    """The event of a POST to a function URL, payload format 2.0."""
    now = time.time()
    return json.dumps(
        {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": "",
            "headers": {
                "accept": "*/*",
                "content-length": str(len(body.encode())),
                "content-type": "application/json",
                "host": _HOST,
                "x-forwarded-for": "203.0.113.7",
                "x-forwarded-port": "443",
                "x-forwarded-proto": "https",
            },
            "requestContext": {
                "accountId": "anonymous",
                "apiId": _HOST.partition(".")[0],
                "domainName": _HOST,
                "domainPrefix": _HOST.partition(".")[0],
                "http": {
                    "method": "POST",
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "203.0.113.7",
                    "userAgent": "sls-ml",
                },
                "requestId": "00000000-0000-0000-0000-000000000000",
                "routeKey": "$default",
                "stage": "$default",
                "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
                "timeEpoch": int(now * 1000),
            },
            "body": body,
            "isBase64Encoded": False,
        }
    ).encode()
