"""Calls of functions in the name of API Gateway, which each function's own policy must allow."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from typing import Any

from sls_ml.local.authorisation import allows
from sls_ml.local.function_host import FunctionHost, Outcome
from sls_ml.local.functions import Functions, LambdaError
from sls_ml.local.payload import Answer

SERVICE = "apigateway.amazonaws.com"
_FUNCTION = re.compile(r"arn:aws:apigateway:[^:]*:lambda:path/2015-03-31/functions/(.+)/invocations")


def function_of(uri: str) -> str | None:
    """The ARN of the function that an integration or authorizer calls; None where it calls none."""
    found = _FUNCTION.fullmatch(uri)
    return found[1] if found else None


def within(seconds: float, call: Callable[[], Answer]) -> Answer | None:
    """What a call answers; None where it takes longer: it goes on, and nobody hears its answer."""
    answers: SimpleQueue[Answer] = SimpleQueue()
    threading.Thread(target=lambda: answers.put(call()), daemon=True).start()
    try:
        return answers.get(timeout=seconds)
    except Empty:
        return None


class FunctionCalls:
    """Runs functions for API Gateway.

    Args:
        account: Account number.
        functions: The functions.
        host: What runs them.
    """

    def __init__(self, *, account: str, functions: Functions, host: FunctionHost) -> None:
        self._account = account
        self._functions = functions
        self._host = host

    def call(self, name: str, event: Mapping[str, Any], *, source_arn: str, request_id: str) -> Outcome:
        """Run a function once.

        Args:
            name: Its ARN, perhaps with a qualifier.
            event: What it gets.
            source_arn: The route or authorizer that calls.
            request_id: Id of the request.

        Raises:
            LambdaError: The function is gone, full, does not let the API in, or the event is too large.
        """
        _, qualifier = self._functions.split(name)
        function = self._functions.get(name)
        arn = function.latest.function_arn + (f":{qualifier}" if qualifier else "")
        if not allows(
            "lambda:InvokeFunction",
            arn,
            resource_policy=[s for s in function.policy if s["Resource"] == arn],
            service=SERVICE,
            context={"aws:SourceArn": source_arn, "aws:SourceAccount": self._account},
        ):
            raise LambdaError("AccessDeniedException", f"{arn} does not let {source_arn} in")
        return self._host.invoke(
            function,
            function.version(qualifier),
            json.dumps(event).encode(),
            qualifier=qualifier,
            request_id=request_id,
        )
