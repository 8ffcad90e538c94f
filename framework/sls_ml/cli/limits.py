"""What a spec allows of requests, answers and memory, and will not go well."""

from __future__ import annotations

from collections.abc import Iterator

from sls_ml.intent.answers import largest_answer
from sls_ml.intent.figures import needed_mb
from sls_ml.intent.model import Function
from sls_ml.provider.base import Limits


def too_large(function: Function, limits: Limits) -> Iterator[str]:
    """A warning for each size that the spec of an endpoint allows and its provider does not."""
    if function.http is None:
        return
    request, response = limits["request_bytes"].value, limits["response_bytes"].value
    if function.http.max_body > request:
        yield f"http.max_body is {function.http.max_body:,} bytes, and no more than {request:,} arrive"
    answer = largest_answer(function)
    if answer > response:
        yield (
            f"an answer to {function.http.max_rows:,} rows (http.max_rows) takes about {answer:,} bytes, and "
            f"no more than {response:,} are sent: callers must accept gzip, or send fewer rows"
        )


def too_small(function: Function) -> Iterator[str]:
    """A warning where the models will hardly fit into the function's memory."""
    needed = needed_mb(function.models)
    if needed > function.memory:
        yield (
            f"its models may take some {needed:,} MB, and memory is {function.memory}: "
            f"sls-ml bench memory {function.name} measures how much they need"
        )
