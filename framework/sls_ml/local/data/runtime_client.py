"""What the native module of awslambdaric does, in plain Python: AWS builds that for Linux alone."""

# ruff: noqa: ARG001 - the native module takes the same

from __future__ import annotations

import http.client
import os

_agent = ""


def initialize_client(user_agent: str) -> None:
    """Take the name that requests carry."""
    global _agent  # noqa: PLW0603 - the native module keeps it like this
    _agent = user_agent


def next() -> tuple[bytes, dict[str, str]]:  # noqa: A001 - the native module's name
    """Wait for an event: its body and its headers."""
    return _call("GET", "next", None, {})


def post_invocation_result(
    invoke_id: str, result_data: bytes, content_type: str, invocation_id: str | None = None
) -> None:
    """Hand the answer to an event over."""
    _call("POST", f"{invoke_id}/response", result_data, {"Content-Type": content_type})


def post_error(
    invoke_id: str, error_response_data: str, xray_fault: str, invocation_id: str | None = None
) -> None:
    """Say that an event could not be answered."""
    _call("POST", f"{invoke_id}/error", error_response_data.encode(), {"Content-Type": "application/json"})


def _call(
    method: str, path: str, body: bytes | None, headers: dict[str, str]
) -> tuple[bytes, dict[str, str]]:
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        connection.request(
            method, f"/2018-06-01/runtime/invocation/{path}", body, headers | {"User-Agent": _agent}
        )
        response = connection.getresponse()
        return response.read(), dict(response.getheaders())
    finally:
        connection.close()
