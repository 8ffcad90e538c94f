"""Answer requests with predictions: routes, limits, checks, hooks; knows nothing of a provider.

    service = Service(config, artifacts, engines, hooks)
    reply = service.respond("POST", "/predict", {"content-type": "application/json"}, b'{"rows":[{...}]}')
    status, headers, body = reply

A request takes this way: path, method and media type find a `Route`; the body is inflated within its limit;
the route's dialect reads rows from it; `Call.predict` runs hooks, signature and engine; the dialect writes.
What the common request does not need (compression, dialects but rows) is imported when first asked for.
"""

from __future__ import annotations

from time import perf_counter, time

from sls_ml_runtime.call import Call, Reply
from sls_ml_runtime.dialects.rows import CONTENT_TYPE
from sls_ml_runtime.dialects.table import PAGE, ROUTES, load, refusal_at
from sls_ml_runtime.errors import Refusal
from sls_ml_runtime.model import Model
from sls_ml_runtime.signature import row_count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType
    from typing import Any

    from sls_ml_runtime.artifact import Artifact
    from sls_ml_runtime.dialects.table import Operation, WriteRefusal
    from sls_ml_runtime.engines.table import InferenceEngine
    from sls_ml_runtime.follow import Follower
    from sls_ml_runtime.signature import Columns

    Headers = Mapping[str, str]
    Routes = dict[str, dict[str, list["Route"]]]

NO_LIMIT = 1 << 62
RAW = "raw"
"""The method that asks a model without hooks, at ``/<name>``. Methods of HTTP are upper case: it is none."""
_METHODS = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", RAW}
COMPRESSED_FROM = 1024
"""Answers of more bytes are compressed for clients that accept it."""
LARGE = 1 << 20
"""Answers of more bytes may be too large for a provider."""

COUNTED_ROWS = 100
COUNTED_SECONDS = 60
"""Answered rows are counted for the drift watch when there are so many, or after so long a time; of one
request no more than that are."""


class Route:
    """What answers one method and path: an operation of a dialect, for one model or for the whole service."""

    __slots__ = ("_loaded", "media", "model", "operation")

    def __init__(self, media: tuple[str, ...] | None, operation: str, model: Model | None) -> None:
        self.media = media
        self.operation = operation
        self.model = model
        self._loaded: tuple[Operation, WriteRefusal] | None = None

    def load(self) -> tuple[Operation, WriteRefusal]:
        """The function that answers, and the one that writes refusals; imported at the first call."""
        if self._loaded is None:
            self._loaded = load(self.operation)
        return self._loaded


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
        follower: Keeps the models at what an alias points to, where config.json says so.
        check_answer: Gets headers and body of large answers, and refuses those that the provider does not
            send; set by the module that knows the provider.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        artifacts: Mapping[str, Artifact],
        engines: Mapping[str, InferenceEngine],
        hooks: ModuleType | None = None,
    ) -> None:
        self.config = config
        self.models = {
            name: Model(artifacts[name], engines[name], watched=settings.get("watched", False))
            for name, settings in config["models"].items()
        }
        self._uncounted = 0
        self._counted_at = time()
        self.init: dict[str, float] = {}
        self.check_answer: Callable[[dict[str, str], bytes], None] | None = None
        http = config.get("http") or {}
        self.max_rows: int = http.get("max_rows", NO_LIMIT)
        self.max_body: int = http.get("max_body", NO_LIMIT)
        self.cors: list[str] = http.get("cors", [])
        self.before: Callable[[Any], Any] | None = getattr(hooks, "before", None)
        self.after: Callable[[Any], Any] | None = getattr(hooks, "after", None)
        self.follower: Follower | None = None
        self._table = (PAGE, *ROUTES) if http.get("page") else ROUTES
        self._routes = self._expand(self._table)

    @property
    def version(self) -> str:
        """The version of this runtime, as config.json pins it."""
        version: str = self.config["runtime"]["version"]
        return version

    def _expand(self, table: Sequence[tuple[str, str, tuple[str, ...] | None, str]]) -> Routes:
        """Path to method to routes, with names and versions of the models in place of the signs for them."""
        routes: Routes = {}
        for method, pattern, media, operation in table:
            if "*" in pattern:
                for name, model in self.models.items():
                    path = pattern.replace("*", name).replace("@", model.artifact.digest[:12])
                    methods = routes.setdefault(path, {})
                    methods.setdefault(method, []).append(Route(media, operation, model))
            elif media is None or len(self.models) == 1:
                only = None if media is None else next(iter(self.models.values()))
                routes.setdefault(pattern, {}).setdefault(method, []).append(Route(media, operation, only))
        return routes

    def respond(self, method: str, path: str, headers: Headers, body: bytes) -> Reply:
        """Answer one request; raises nothing.

        Args:
            method: HTTP method, upper case, or `RAW`; empty where what came was no request.
            path: Path without the query.
            headers: Headers with lower-case names.
            body: The body as sent; ``content-encoding: gzip`` is understood.
        """
        started = perf_counter()
        if self.follower is not None:
            self.follower.request()
        while "//" in path:
            path = path.replace("//", "/")
        path = path.rstrip("/") or "/"
        if "%" in path:
            path = _unquoted(path)
        reply = self._reply(method, path, headers, body)
        reply.method = method if method in _METHODS else "(unknown)"
        if self.cors:
            from sls_ml_runtime.content import allow_origin

            allow_origin(self.cors, method, headers.get("origin"), reply.headers)
        if self._uncounted and (
            self._uncounted >= COUNTED_ROWS or time() - self._counted_at >= COUNTED_SECONDS
        ):
            self.count()
        reply.milliseconds = (perf_counter() - started) * 1000
        return reply

    def keep(
        self, model: Model, columns: Columns, result: Mapping[str, Any], most: int = COUNTED_ROWS
    ) -> None:
        """Keep what was answered until it is counted, where the model is watched for drift.

        Args:
            model: The model that has answered.
            columns: What it was asked.
            result: Its answer.
            most: So many rows are kept at most, evenly spread; 0 for all.
        """
        if model.seen is not None and (rows := row_count(columns)):
            predictions = result.get("label") or result.get("value") or ()
            step = -(-rows // most) if most else 1
            if step > 1:
                from sls_ml_runtime import drift

                columns, predictions = drift.thinned(columns, predictions, step)
            elif self.after is not None:  # which may change the lists of the result
                predictions = [*predictions]
            model.seen.append((columns, predictions))
            self._uncounted += -(-rows // step)

    def count(self) -> None:
        """Count what was answered since the last time, and tell the log."""
        if not self._uncounted:
            return
        from sls_ml_runtime import drift

        drift.write(self.config["project"], self.config["function"], self.models.values())
        self._uncounted = 0
        self._counted_at = time()

    def _reply(self, method: str, path: str, headers: Headers, body: bytes) -> Reply:
        route = call = None
        try:
            if method == "OPTIONS" and path in self._routes:
                reply = Reply(204, {"allow": ", ".join(self._methods(path))}, b"")
            else:
                route = self._route(method, path, headers)
                operation, refusal = route.load()
                model = route.model or next(iter(self.models.values()))
                call = Call(self, model, headers, body, refusal)
                if len(body) > self.max_body or "content-encoding" in headers:
                    call.body = self._inflated(headers, body)
                reply = Reply(200, *operation(call))
                if len(reply.body) > COMPRESSED_FROM:
                    self._compress(headers, reply)
                    if self.check_answer is not None and len(reply.body) > LARGE:
                        self.check_answer(reply.headers, reply.body)
        except Refusal as refused:
            reply = Reply(*self._refusal_writer(path, call)(refused))
            reply.refusal = refused
            if refused.status == 405:
                reply.headers["allow"] = ", ".join(self._methods(path))
        except Exception as error:  # noqa: BLE001 - whatever fails is a 500, told to the log without payload
            failed = Refusal(500, "internal-error", "the function failed; its log says where")
            reply = Reply(*self._refusal_writer(path, call)(failed))
            reply.error = error
        reply.path = path if path in self._routes else "(unknown)"
        reply.model = route.model if route else None
        reply.rows = call.rows if call else 0
        return reply

    def _methods(self, path: str) -> list[str]:
        methods = sorted(self._routes.get(path, ()))
        return [*methods, *(["HEAD"] if "GET" in methods else []), "OPTIONS"] if methods else []

    def _refusal_writer(self, path: str, call: Call | None) -> WriteRefusal:
        if call is not None:
            return call.refusal
        for routes in self._routes.get(path, {}).values():
            return routes[0].load()[1]
        return refusal_at(path)

    def _route(self, method: str, path: str, headers: Headers) -> Route:
        """Find the route of a request.

        Raises:
            Refusal: 404, 405 or 415.
        """
        routes = self._routes.get(path, {}).get("GET" if method == "HEAD" else method)
        if routes is None:
            if method == RAW and path[1:] in self.models:
                return Route(None, "rows.raw", self.models[path[1:]])
            if not method:
                message = (
                    "the event is no request of a function URL, or of an HTTP API with payload format 2.0"
                )
                raise Refusal(400, "unknown-event", message)
            if allowed := self._methods(path):
                raise Refusal(405, "wrong-method", f"{path} answers {', '.join(allowed)}")
            message = "there is nothing here; GET /openapi.json tells what this function answers"
            raise Refusal(404, "unknown-path", message)
        if method != "POST":
            return routes[0]
        kind, _, parameters = (headers.get("content-type") or CONTENT_TYPE).lower().partition(";")
        for route in routes:
            if route.media is not None and kind.strip() in route.media:
                if "charset" in parameters and "utf-8" not in parameters and "utf8" not in parameters:
                    raise Refusal(415, "wrong-charset", "the body must be UTF-8")
                return route
        known = ", ".join(media for route in routes for media in route.media or ())
        raise Refusal(415, "wrong-media-type", f"the body must be {known}, as its content-type says")

    def _inflated(self, headers: Headers, body: bytes) -> bytes:
        from sls_ml_runtime.content import inflate

        return inflate(headers.get("content-encoding", "identity"), body, self.max_body)

    def _compress(self, headers: Headers, reply: Reply) -> None:
        reply.headers["vary"] = "accept-encoding"
        if accepted := headers.get("accept-encoding"):
            from sls_ml_runtime.content import accepts_gzip, gzipped

            if accepts_gzip(accepted):
                reply.body = gzipped(reply.body)
                reply.headers["content-encoding"] = "gzip"

    def warm(self) -> None:
        """Warm every model, as `Model.warm`."""
        for model in self.models.values():
            model.warm()

    def replace(self, name: str, model: Model) -> None:
        """Let another model answer from the next request on; requests under way keep theirs."""
        self.models = {**self.models, name: model}
        self._routes = self._expand(self._table)


def _unquoted(path: str) -> str:
    from urllib.parse import unquote

    return unquote(path)
