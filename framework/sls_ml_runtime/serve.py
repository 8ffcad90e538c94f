"""Answer requests with predictions: routes, limits, checks, hooks; knows nothing of a provider.

    service = Service(config, artifacts, engines, hooks)
    reply = service.respond("POST", "/predict", {"content-type": "application/json"}, b'{"rows":[{...}]}')
    status, headers, body = reply

A request takes this way: path, method and media type find a `Route`; the body is inflated within its limit;
the route's dialect reads rows from it; `Call.predict` runs hooks, signature and engine; the dialect writes.
"""

from __future__ import annotations

from time import perf_counter

from sls_ml_runtime.answer import answer
from sls_ml_runtime.dialects import rows as plain
from sls_ml_runtime.dialects.table import ROUTES, load
from sls_ml_runtime.errors import HookError, Refusal
from sls_ml_runtime.signature import Signature, row_count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import ModuleType
    from typing import Any

    from sls_ml_runtime.artifact import Artifact
    from sls_ml_runtime.dialects.table import Operation, WriteRefusal
    from sls_ml_runtime.engines.table import InferenceEngine
    from sls_ml_runtime.signature import Columns

    Rows = Sequence[Mapping[str, Any]]
    Table = Mapping[str, Sequence[Any]]
    Headers = Mapping[str, str]

NO_LIMIT = 1 << 62


class Model:
    """A loaded model.

    Attributes:
        artifact: Its artifact.
        engine: The engine that runs it.
        signature: Its inputs, prepared for checking.
    """

    __slots__ = ("artifact", "engine", "signature")

    def __init__(self, artifact: Artifact, engine: InferenceEngine) -> None:
        self.artifact = artifact
        self.engine = engine
        self.signature = Signature(artifact.manifest)

    def predict(self, columns: Columns) -> dict[str, Any]:
        """The plain answer for checked columns."""
        artifact = self.artifact
        return answer(artifact.manifest, artifact.digest, self.engine.run(columns))

    def columns(self, given: Rows | Table) -> Columns:
        """Check rows, or a table, and turn them into columns.

        Raises:
            Refusal: 422, something is outside of the model's domain.
        """
        if isinstance(given, list):
            return self.signature.columns_from_rows(given)
        return self.signature.columns_from_table(given)  # type: ignore[arg-type]


class Call:
    """One request on its way to a model, as a dialect sees it.

    Attributes:
        model: The model that the path names.
        path: The path, with single slashes.
        headers: Headers with lower-case names.
        body: The body, inflated.
        rows: Rows of the request, known after `predict`.
    """

    __slots__ = ("_service", "body", "headers", "model", "path", "rows")

    def __init__(self, service: Service, model: Model, path: str, headers: Headers, body: bytes) -> None:
        self._service = service
        self.model = model
        self.path = path
        self.headers = headers
        self.body = body
        self.rows = 0

    def predict(self, given: list[dict[str, Any]] | dict[str, list[Any]]) -> dict[str, Any]:
        """Run the user's hooks and the model.

        Args:
            given: A list of rows, or a table: a dict of lists.

        Returns:
            The plain answer.

        Raises:
            Refusal: 413 or 422.
        """
        service = self._service
        self.rows = _count(given)
        if self.rows > service.max_rows:
            message = f"{self.rows} rows in one request; this function takes {service.max_rows}"
            raise Refusal(413, "too-many-rows", message)
        if service.before is not None:
            given = service.before(given if isinstance(given, list) else _rows_of(given, self.rows))
            if not isinstance(given, list):
                raise HookError("before(rows) must return the rows")
        columns = self.model.columns(given)
        self.rows = row_count(columns)
        result = self.model.predict(columns)
        return result if service.after is None else service.after(result)


class Reply:
    """The answer to one request, and what is worth counting about it.

    Unpacks into ``status, headers, body``.

    Attributes:
        status: HTTP status.
        headers: Response headers with lower-case names.
        body: Response body.
        method: The request's method.
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


class Route:
    """What answers one method and path: an operation of a dialect, for one model."""

    __slots__ = ("media", "model", "operation", "refusal")

    def __init__(self, media: tuple[str, ...] | None, operation: str, model: Model) -> None:
        self.media = media
        self.operation: str | Operation = operation
        self.refusal: WriteRefusal = plain.refusal
        self.model = model

    def load(self) -> Operation:
        """The operation's function, its dialect imported at the first call."""
        if isinstance(self.operation, str):
            self.operation, self.refusal = load(self.operation)
        return self.operation


class Service:
    """A function's models behind their routes.

    Args:
        config: The parsed config.json.
        artifacts: Model name to opened artifact.
        engines: Model name to loaded engine.
        hooks: The user's module. ``before(rows)`` gets a list of dicts and returns the rows to score,
            ``after(result)`` gets the plain answer and returns what is sent; either may be absent.

    Attributes:
        config: As given.
        models: Model name to `Model`.
        init: Milliseconds of the phases of the start, filled by `aws.boot`.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        artifacts: Mapping[str, Artifact],
        engines: Mapping[str, InferenceEngine],
        hooks: ModuleType | None = None,
    ) -> None:
        self.config = config
        self.models = {name: Model(artifacts[name], engines[name]) for name in config["models"]}
        self.init: dict[str, float] = {}
        http = config.get("http") or {}
        self.max_rows: int = http.get("max_rows", NO_LIMIT)
        self.max_body: int = http.get("max_body", NO_LIMIT)
        self.cors: list[str] = http.get("cors", [])
        self.before: Callable[[Any], Any] | None = getattr(hooks, "before", None)
        self.after: Callable[[Any], Any] | None = getattr(hooks, "after", None)
        self._pages: dict[str, Callable[[], dict[str, Any]]] = {
            "/health": self.health,
            "/ready": self.ready,
            "/metadata": self.metadata,
        }
        self._routes = self._expand()

    def _expand(self) -> dict[str, dict[str, list[Route]]]:
        """Path to method to routes, with the models' names in place of ``*``."""
        routes: dict[str, dict[str, list[Route]]] = {}
        single = len(self.models) == 1
        for method, pattern, media, operation in ROUTES:
            for name, model in self.models.items():
                if single or "*" in pattern:
                    methods = routes.setdefault(pattern.replace("*", name), {})
                    methods.setdefault(method, []).append(Route(media, operation, model))
        return routes

    def respond(self, method: str, path: str, headers: Headers, body: bytes) -> Reply:
        """Answer one request; raises nothing.

        Args:
            method: HTTP method, upper case.
            path: Path without the query.
            headers: Headers with lower-case names.
            body: The body as sent; ``content-encoding: gzip`` is understood.
        """
        started = perf_counter()
        while "//" in path:
            path = path.replace("//", "/")
        path = path.rstrip("/") or "/"
        reply = self._reply(method, path, headers, body)
        reply.method = method
        if self.cors:
            self._allow_origin(headers.get("origin"), reply.headers)
        reply.milliseconds = (perf_counter() - started) * 1000
        return reply

    def _reply(self, method: str, path: str, headers: Headers, body: bytes) -> Reply:
        route = call = None
        try:
            if method == "OPTIONS" and self.cors and (path in self._routes or path in self._pages):
                reply = Reply(204, {}, b"")
            elif path in self._pages and method in {"GET", "HEAD"}:
                content = plain.write_json(self._pages[path]())
                reply = Reply(200, {"content-type": plain.CONTENT_TYPE}, content)
            else:
                route = self._route(method, path, headers)
                call = Call(self, route.model, path, headers, self._inflate(headers, body))
                content_type, content = route.load()(call)
                reply = Reply(200, {"content-type": content_type}, content)
        except Refusal as refusal:
            content_type, content = (route.refusal if route else plain.refusal)(refusal)
            reply = Reply(refusal.status, {"content-type": content_type}, content)
            reply.refusal = refusal
            if refusal.status == 405:
                reply.headers["allow"] = ", ".join(self._methods(path))
        except Exception as error:  # noqa: BLE001 - whatever fails is a 500, told to the log without payload
            failed = Refusal(500, "internal-error", "the function failed; its log says where")
            content_type, content = (route.refusal if route else plain.refusal)(failed)
            reply = Reply(500, {"content-type": content_type}, content)
            reply.error = error
        reply.path = path if route or path in self._routes or path in self._pages else "(unknown)"
        reply.model = route.model if route else None
        reply.rows = call.rows if call else 0
        return reply

    def _methods(self, path: str) -> list[str]:
        return ["GET", "HEAD"] if path in self._pages else list(self._routes.get(path, ()))

    def _route(self, method: str, path: str, headers: Headers) -> Route:
        """Find the route of a request.

        Raises:
            Refusal: 404, 405, 406 or 415.
        """
        routes = self._routes.get(path, {}).get(method)
        if routes is None:
            if allowed := self._methods(path):
                raise Refusal(405, "wrong-method", f"{path} answers {', '.join(allowed)}")
            known = ", ".join(sorted(self._routes.keys() | self._pages.keys()))
            raise Refusal(404, "unknown-path", f"there is nothing here; this function answers {known}")
        accepted = headers.get("accept", "")
        if accepted and "*/*" not in accepted and "application/" not in accepted:
            raise Refusal(406, "not-acceptable", "the answer is application/json")
        kind, _, parameters = (headers.get("content-type") or plain.CONTENT_TYPE).lower().partition(";")
        for route in routes:
            if route.media is None or kind.strip() in route.media:
                if "charset" in parameters and "utf-8" not in parameters:
                    raise Refusal(415, "wrong-charset", "the body must be UTF-8")
                return route
        known = ", ".join(sorted({media for route in routes for media in route.media or ()}))
        raise Refusal(415, "wrong-media-type", f"the body must be {known}, as its content-type says")

    def _inflate(self, headers: Headers, body: bytes) -> bytes:
        """The body without its compression, within the limit.

        Raises:
            Refusal: 400, 413 or 415.
        """
        encoding = headers.get("content-encoding", "identity")
        if encoding == "gzip" and len(body) <= self.max_body:
            import zlib

            inflate = zlib.decompressobj(31)
            try:
                body = inflate.decompress(body, min(self.max_body + 1, NO_LIMIT))
            except zlib.error as error:
                raise Refusal(400, "bad-gzip", "the body is not the gzip that it says it is") from error
            if len(body) <= self.max_body and not inflate.eof:
                raise Refusal(400, "bad-gzip", "the compressed body is cut off")
        elif encoding not in {"gzip", "identity"}:
            raise Refusal(415, "wrong-encoding", "the body may be compressed with gzip, nothing else")
        if len(body) > self.max_body:
            raise Refusal(413, "too-large", f"this function takes bodies of {self.max_body} bytes")
        return body

    def _allow_origin(self, origin: str | None, headers: dict[str, str]) -> None:
        headers["vary"] = "origin"
        if origin is not None and ("*" in self.cors or origin in self.cors):
            headers["access-control-allow-origin"] = origin
            headers["access-control-allow-methods"] = "GET, POST"
            headers["access-control-allow-headers"] = "authorization, content-type, content-encoding"

    def warm(self) -> None:
        """Predict an example row with every model, without hooks, so that the first request is warm.

        Raises:
            Refusal: The example does not fit its own signature.
            EngineError: The engine fails on it.
        """
        for model in self.models.values():
            example = plain.parse_json(plain.write_json(model.artifact.manifest["example"][:1]))
            if example:
                plain.write_json(model.predict(model.columns(example)))

    def health(self) -> dict[str, Any]:
        """The body of GET /health."""
        return {"status": "ok"}

    def ready(self) -> dict[str, Any]:
        """The body of GET /ready: the models are loaded, or the function would not have started."""
        digests = {name: model.artifact.digest[:12] for name, model in self.models.items()}
        return {"status": "ready", "models": digests}

    def metadata(self) -> dict[str, Any]:
        """The body of GET /metadata: what each model is, takes and returns."""
        keys = ("kind", "inputs", "outputs", "classes", "example", "source")
        return {
            "function": self.config["function"],
            "models": {
                name: {"digest": model.artifact.digest, "engine": model.engine.name}
                | {key: model.artifact.manifest.get(key) for key in keys}
                for name, model in self.models.items()
            },
        }


def _count(given: list[dict[str, Any]] | dict[str, list[Any]]) -> int:
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
