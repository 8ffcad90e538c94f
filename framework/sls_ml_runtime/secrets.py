"""Put the values of secrets where the environment names them: ``secret://name``, from Secrets Manager.

``secret://name#field`` is one field of a secret that holds a JSON object. Values go into ``os.environ`` and
nowhere else: no error and no log line has one.
"""

from __future__ import annotations

import json
import os
import time

from sls_ml_runtime import signing
from sls_ml_runtime.errors import SecretError
from sls_ml_runtime.wire import Connection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

PREFIX = "secret://"
ATTEMPTS = 5
FIRST_DELAY = 0.05
TIMEOUT = 3
"""Seconds. Lambda gives a start 10 seconds, and a restored environment as many."""
THROTTLED = {"ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"}


def resolve() -> None:
    """Put the values into the environment, and with SnapStart again whenever it is restored.

    A snapshot may be restored days later, when a value has been rotated.

    Raises:
        SecretError: A secret cannot be read; the message says what to grant or mend.
        CredentialsError: There are no credentials to ask with.
    """
    wanted = {
        variable: value.removeprefix(PREFIX)
        for variable, value in os.environ.items()
        if value.startswith(PREFIX)
    }
    fill(wanted)
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        from snapshot_restore_py import register_after_restore

        register_after_restore(fill, wanted)


def fill(wanted: Mapping[str, str]) -> None:
    """Read secrets, each once, and set variables to their values.

    Args:
        wanted: Variable to ``name`` or ``name#field``.

    Raises:
        SecretError: As `resolve`.
        CredentialsError: As `resolve`.
    """
    names = dict.fromkeys(each.partition("#")[0] for each in wanted.values())
    reader = _Reader()
    try:
        texts = {name: reader.read(name) for name in names}
    finally:
        reader.close()
    for variable, each in wanted.items():
        name, _, field = each.partition("#")
        os.environ[variable] = _field(texts[name], name, field) if field else texts[name]


def _field(text: str, name: str, field: str) -> str:
    """A field of a JSON object: a string as it is, anything else as JSON."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or field not in found:  # outside of except: its error holds the text
        raise SecretError(f"the secret {name} is no JSON object with a field {field}")
    value = found[field]
    return value if isinstance(value, str) else json.dumps(value)


class _Reader:
    """Secrets Manager's GetSecretValue over one connection."""

    def __init__(self) -> None:
        self._region = signing.region()
        self._root = signing.endpoint("SECRETS_MANAGER") or (
            f"https://secretsmanager.{self._region}.amazonaws.com"
        )
        self._credentials = signing.credentials()
        self._connection = Connection(self._root, TIMEOUT)

    def close(self) -> None:
        self._connection.close()

    def read(self, name: str) -> str:
        """The text of a secret as it is now.

        Raises:
            SecretError: It cannot be read.
        """
        failure = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(FIRST_DELAY * 2**attempt)
            try:
                status, answer = self._ask(name)
            except TimeoutError:
                raise SecretError(
                    f"{self._root} does not answer in {TIMEOUT} s: a function in a VPC needs a NAT gateway, "
                    "or an interface endpoint for Secrets Manager"
                ) from None
            except OSError as error:
                failure = f"{type(error).__name__}: {error}"
                continue
            code = str(answer.get("__type", "")).rpartition("#")[2]
            if status == 200:
                if "SecretString" not in answer:
                    raise SecretError(f"the secret {name} holds bytes: keep a text in it")
                text: str = answer["SecretString"]
                return text
            if status not in signing.TRANSIENT and code not in THROTTLED:
                raise self._refused(name, status, code)
            failure = code or f"status {status}"
        raise SecretError(f"the secret {name}: {failure}, {ATTEMPTS} times")

    def _ask(self, name: str) -> tuple[int, dict[str, Any]]:
        body = json.dumps({"SecretId": name, "VersionStage": "AWSCURRENT"}).encode()
        headers = {
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": "secretsmanager.GetSecretValue",
        }
        signed = signing.sign(
            "POST",
            self._connection.host,
            "/",
            headers,
            body,
            service="secretsmanager",
            region=self._region,
            credentials=self._credentials,
            now=time.gmtime(),
        )
        status, _, answered = self._connection.request("POST", "/", signed, body)
        try:
            answer = json.loads(answered)
        except ValueError:
            answer = None
        return status, answer if isinstance(answer, dict) else {}

    def _refused(self, name: str, status: int, code: str) -> SecretError:
        """An error that says what to grant or mend."""
        arn = f"arn:aws:secretsmanager:{self._region}:*:secret:{name}-??????"
        match status, code:
            case (_, "AccessDeniedException") | (403, ""):
                return SecretError(
                    f"access to the secret {name} is denied: the function's role needs "
                    f"secretsmanager:GetSecretValue on {arn} "
                    "(and kms:Decrypt on its key, where the secret is encrypted with one of yours); "
                    f"AWS says the same where {self._region} has no such secret"
                )
            case (_, "ResourceNotFoundException"):
                return SecretError(
                    f"there is no secret {name} with a value in {self._region} ({arn}): create it there with "
                    f"aws secretsmanager create-secret --name {name} --secret-string file://FILE"
                )
            case _:
                return SecretError(f"the secret {name} ({arn}): Secrets Manager answered {status} {code}")
