"""AWS Lambda's events and responses, and the start of a function there; the only code that knows Lambda.

A handler is::

    aws.secrets()

    import hooks

    SERVICE = aws.boot(HERE, hooks)
    METRICS = Metrics(SERVICE)

    def handler(event, context):
        reply = SERVICE.respond(*aws.request(event))
        METRICS.write(reply, alias=aws.alias(context), request_id=context.aws_request_id)
        return aws.response(*reply)
"""

# pathlib costs milliseconds of a cold start.
# ruff: noqa: PTH118, PTH123

from __future__ import annotations

import json
import os
from json.encoder import encode_basestring, encode_basestring_ascii
from time import perf_counter

from sls_ml_runtime import engines
from sls_ml_runtime.artifact import open_folder
from sls_ml_runtime.errors import Refusal, SecretError
from sls_ml_runtime.metrics import write_failed_init
from sls_ml_runtime.serve import RAW, Service

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any, TypeVar

    from sls_ml_runtime.artifact import Artifact
    from sls_ml_runtime.follow import Follower
    from sls_ml_runtime.model import Model

    T = TypeVar("T")
    ObjectEvent = tuple[str, str, str, str | None, int]

MB_PER_CPU = 1769
"""Lambda gives one vCPU for so much memory."""

MB = 1 << 20
ALWAYS_FITS_MB = 64
MEMORY_PER_BYTE = 12
"""Models surely fit into memory of so many MB, and of so many bytes for each of their files beyond that:
measured were 11 for a forest and 2 for a network on `ort_capi`, and 1 on `lite`."""

CHECK = "sls-ml-check"
"""The key by which an event asks for a model's own answers, as only a call of the function itself can."""

MAX_RESPONSE = (6 << 20) - (64 << 10)
"""Lambda's limit of a buffered response in bytes of its JSON, less what headers may take."""


def secrets() -> None:
    """Put the values of secrets into the environment, where it names them: ``secret://name``.

    Comes before hooks are imported, which find the values. Without secrets it costs a look at the
    environment.

    Raises:
        SecretError: A secret cannot be read; the message says what to grant or mend.
    """
    if any(value.startswith("secret://") for value in os.environ.values()):
        try:
            _resolve_secrets()
        except Exception as error:
            with open(os.path.join(os.environ["LAMBDA_TASK_ROOT"], "config.json"), encoding="utf-8") as file:
                config = json.load(file)
            write_failed_init(config["project"], config["function"], error)
            raise


def _resolve_secrets() -> None:
    try:
        from sls_ml_runtime.secrets import resolve
    except ImportError:
        raise SecretError(
            "this package reads no secrets: name them in sls-ml.yaml, and deploy again"
        ) from None
    resolve()


def boot(folder: str, hooks: ModuleType | None = None) -> Service:
    """Load everything that a function's config.json pins, and make a first prediction with each model.

    Bundled artifacts are in ``<folder>/artifacts/<model>/<digest>``, covered by Lambda's digest of the
    package; the others are fetched from the environment's ``SLS_ML_STORE`` into the temp folder, and
    verified.

    Args:
        folder: Where config.json is, the function's task root.
        hooks: The user's module.

    Returns:
        A service with warm models; `Service.init` holds the milliseconds of `open`, `load` and `first`.

    Raises:
        ArtifactRefused: An artifact's bytes are not what the digest says.
        StoreError: An artifact could not be fetched; the message says what to grant or mend.
        EngineError: No engine here can run a model.
        MemoryTooSmall: The function's memory does not hold the models.
    """
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    size = sum(sum(model["files"].values()) for model in config["models"].values())
    try:
        return _within_memory(config["function"], size, lambda: _boot(folder, config, hooks))
    except Exception as error:
        write_failed_init(config["project"], config["function"], error)
        raise


def _within_memory(function: str, size: int, load: Callable[[], T]) -> T:
    """What `load` gives; where models of so many bytes may be too large, within the function's memory."""
    memory = int(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "0"))
    if not memory or ALWAYS_FITS_MB * MB + size * MEMORY_PER_BYTE <= memory * MB:
        return load()
    from sls_ml_runtime.memory import within

    return within(memory, function, load)


def _boot(folder: str, config: dict[str, Any], hooks: ModuleType | None) -> Service:
    begun = perf_counter()
    follower, followed = _follow(folder, config)
    pinned = {name: model for name, model in config["models"].items() if name not in followed}
    artifacts = {name: model.artifact for name, model in followed.items()} | _open_all(folder, pinned)
    opened = perf_counter()
    loaded = {name: model.engine for name, model in followed.items()} | {
        name: engines.load(artifacts[name], engine=model["engine"], threads=threads())
        for name, model in pinned.items()
    }
    service = Service(config, artifacts, loaded, hooks)
    if follower is not None:
        follower.keep(service)
    service.check_answer = check_answer
    ready = perf_counter()
    service.warm()
    phases = {"open": opened - begun, "load": ready - opened, "first": perf_counter() - ready}
    service.init = {phase: round(seconds * 1000, 3) for phase, seconds in phases.items()}
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        from sls_ml_runtime.randomness import renew_when_restored

        renew_when_restored()
    return service


def _follow(folder: str, config: dict[str, Any]) -> tuple[Follower | None, dict[str, Model]]:
    """Who keeps the models at what an alias points to, where config.json names one, and what it found now."""
    if not config.get("follow"):
        return None, {}
    from sls_ml_runtime.follow import Follower

    follower = Follower(config, folder, threads(), _within_memory)
    return follower, follower.first()


def _open_all(folder: str, models: dict[str, Any]) -> dict[str, Artifact]:
    paths = {name: os.path.join(folder, "artifacts", name, model["digest"]) for name, model in models.items()}
    remote = {name: model for name, model in models.items() if not model["bundled"]}
    if remote:
        paths |= _fetch_all(remote)
    # A bundled artifact was verified when it was packaged, a fetched one while it arrived.
    return {name: open_folder(paths[name], model["digest"], verify=False) for name, model in models.items()}


def _fetch_all(models: dict[str, Any]) -> dict[str, str]:
    """Fetch artifacts, while the library of their engine loads; gives their folders."""
    from threading import Thread

    from sls_ml_runtime.fetch import fetch

    store = os.environ["SLS_ML_STORE"]
    into = os.path.join(os.environ.get("TMPDIR", "/tmp"), "artifacts")  # noqa: S108 - the function's own
    loading = Thread(target=engines.preload, args=([model["engine"] for model in models.values()],))
    loading.start()
    try:
        return {
            name: fetch(store, name, model["digest"], into, model["files"]) for name, model in models.items()
        }
    finally:
        loading.join()


def threads() -> int:
    """Whole vCPUs that the function's memory pays for, at least one."""
    return max(1, int(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "0")) // MB_PER_CPU)


def request(event: dict[str, Any]) -> tuple[str, str, dict[str, str], bytes]:
    """Method, path, headers and body of a function URL or HTTP API event (payload format 2.0).

    Of an event that is something else the method is empty, which a service refuses. But the check before a
    release sends ``{"sls-ml-check": model, "rows": [...]}``: nothing that comes over HTTP is such an event.
    """
    try:
        context = event["requestContext"]
        method: str = context["http"]["method"].upper()
        path: str = event["rawPath"].strip()
        stage = context.get("stage", "$default")
        if stage != "$default" and path.startswith(f"/{stage}/"):
            path = path[len(stage) + 1 :]
        headers = {name.lower(): f"{value}" for name, value in (event.get("headers") or {}).items()}
        text = event.get("body") or ""
        if event.get("isBase64Encoded"):
            from binascii import a2b_base64

            return method, path, headers, a2b_base64(text)
        # Half of a surrogate pair becomes broken UTF-8, which is refused as such.
        return method, path, headers, text.encode("utf-8", "surrogatepass")
    except (AttributeError, KeyError, TypeError, ValueError):
        if type(event) is dict and CHECK in event and "requestContext" not in event:
            return RAW, f"/{event[CHECK]}", {}, json.dumps(event.get("rows")).encode()
        return "", "(event)", {}, b""


def response(status: int, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """The result of a handler for a function URL or HTTP API (payload format 2.0); bytes travel as base64."""
    if _is_text(headers):
        text, encoded = body.decode(), False
    else:
        from binascii import b2a_base64

        text, encoded = b2a_base64(body, newline=False).decode(), True
    return {"statusCode": status, "headers": headers, "body": text, "isBase64Encoded": encoded}


def check_answer(headers: dict[str, str], body: bytes) -> None:
    """Refuse an answer that Lambda would not send.

    Raises:
        Refusal: 413.
    """
    size = _json_size(body.decode()) if _is_text(headers) else len(body) * 4 // 3
    if size > MAX_RESPONSE:
        message = "the answer is larger than Lambda sends: accept gzip, or send fewer rows in a request"
        raise Refusal(413, "answer-too-large", message)


def _json_size(text: str) -> int:
    """Bytes of a text in the JSON that the runtime client makes of a response.

    Up to Python 3.11 it writes ASCII alone, six bytes for most other characters: `lambda_runtime_marshaller`.
    """
    if os.environ.get("AWS_EXECUTION_ENV") == "AWS_Lambda_python3.11":
        return len(encode_basestring_ascii(text))
    return len(encode_basestring(text).encode())


def _is_text(headers: dict[str, str]) -> bool:
    kind = headers.get("content-type", "text/")
    return kind.startswith(("application/json", "text/")) and "content-encoding" not in headers


def alias(context: Any) -> str:
    """The alias or version that was called: the eighth part of the ARN, ``$LATEST`` when there is none."""
    parts = context.invoked_function_arn.split(":")
    return parts[7] if len(parts) > 7 else "$LATEST"


def pending(record: dict[str, Any]) -> dict[str, str] | None:
    """What an SQS record asks to be looked for, where it does (sls_ml_runtime/aws_pending.py); else None."""
    body = json.loads(record["body"])
    return body if isinstance(body, dict) and body.get("sls-ml") == "pending" else None


def object_events(record: dict[str, Any]) -> list[ObjectEvent]:
    """The created objects that one SQS record tells of.

    Args:
        record: A record of an SQS event whose body is an S3 notification, an EventBridge event of S3, or a
            message that one object is to be scored.

    Returns:
        ``(bucket, key, etag, version or None, bytes)`` per object; nothing for S3's test message and for
        events that create no object.

    Raises:
        ValueError: The body is neither.
    """
    body = json.loads(record["body"])
    if not isinstance(body, dict):
        raise ValueError("the message is not an event of S3")
    if body.get("Event") == "s3:TestEvent":
        return []
    if body.get("sls-ml") == "object":
        return [(body["bucket"], body["key"], body["etag"], body.get("version"), body["size"])]
    if body.get("source") == "aws.s3":
        if body["detail-type"] != "Object Created":
            return []
        made = body["detail"]["object"]
        bucket = body["detail"]["bucket"]["name"]
        return [(bucket, made["key"], made["etag"], made.get("version-id"), made["size"])]
    if "Records" not in body:
        raise ValueError("the message is not an event of S3")
    from urllib.parse import unquote_plus

    events: list[ObjectEvent] = []
    for entry in body["Records"]:
        if entry["eventName"].startswith("ObjectCreated:"):
            made = entry["s3"]["object"]
            key = unquote_plus(made["key"])
            bucket = entry["s3"]["bucket"]["name"]
            events.append((bucket, key, made["eTag"], made.get("versionId"), made["size"]))
    return events
