"""Serve what an alias in the store points to: at the start, and soon after it is moved.

An alias is an object ``<store>/_aliases/<model>/<alias>`` that holds ``{"digest": "<64 hex digits>"}``. It is
read when the function starts, when a snapshot is restored, and from then on beside the requests, at most
once in an interval. What it points to is fetched, verified and warm before it answers its first request.
Whatever is wrong with it (the alias, the artifact, a signature that is not the deployed one) is counted and
told to the log, and the model that was there goes on answering.

Imported only by functions that follow an alias.
"""

# pathlib costs milliseconds of a cold start.
# ruff: noqa: PTH118

from __future__ import annotations

import json
import os
from hashlib import sha256
from threading import Thread
from time import time

from sls_ml_runtime import engines
from sls_ml_runtime.artifact import open_folder
from sls_ml_runtime.errors import ArtifactRefused, MemoryTooSmall, StoreError
from sls_ml_runtime.fetch import fetch
from sls_ml_runtime.metrics import write_failed_follow
from sls_ml_runtime.model import Model
from sls_ml_runtime.s3 import Bucket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from sls_ml_runtime.serve import Service

ALIASES = "_aliases"
"""The folder of the store with the aliases; no model's name begins with an underscore."""

PATIENCE = 300
"""Seconds after which a look that has not ended is waited for."""

GRACE = 0.25
"""Seconds that one request then waits for it."""

_HEX = set("0123456789abcdef")


def alias_key(model: str, alias: str) -> str:
    """Where an alias of a model lies in the store."""
    return f"{ALIASES}/{model}/{alias}"


def digest_in(text: bytes) -> str:
    """The digest that an alias points to.

    Raises:
        ArtifactRefused: The object is no alias.
    """
    try:
        digest = json.loads(text)["digest"]
    except (ValueError, KeyError, TypeError):
        digest = None
    if not isinstance(digest, str) or len(digest) != 64 or not _HEX.issuperset(digest):
        raise ArtifactRefused("the alias holds no digest: point it again with sls-ml promote")
    return digest


def signature(manifest: Mapping[str, Any]) -> str:
    """A digest of the form of a model's requests and answers: models with the same one can take turns."""
    form = {
        "classes": manifest["classes"],
        "inputs": [[each["name"], each["dtype"]] for each in manifest["inputs"]],
        "kind": manifest["kind"],
        "outputs": [[each["key"], each["columns"]] for each in manifest["outputs"]],
    }
    return sha256(json.dumps(form, sort_keys=True).encode()).hexdigest()


class Follower:
    """Keeps the models of a service at what their aliases point to.

    Looks run in a thread of their own, so that no request waits. Lambda freezes a function between requests:
    where these are so rare and short that no look ends in `PATIENCE`, one request waits up to `GRACE` for it.

    Args:
        config: The parsed config.json.
        folder: The function's task root, with the artifacts that ride in its package.
        threads: Threads for one prediction.
        within: ``within(function, size, load)`` gives what `load` does for models of so many bytes, and
            refuses what the function's memory does not hold.

    Attributes:
        service: The service to keep; set by `keep`.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        folder: str,
        threads: int,
        within: Callable[[str, int, Callable[[], Model]], Model],
    ) -> None:
        followed = config["follow"]
        self._alias: str = followed["alias"]
        self._seconds: int = followed["seconds"]
        self._signatures: Mapping[str, str] = followed["signatures"]
        self._config = config
        self._folder = folder
        self._threads = threads
        self._within = within
        self._etags: dict[str, str] = {}
        self._refused: dict[str, Exception] = {}
        self._due = 0.0
        self._begun = 0.0
        self._looking: Thread | None = None
        self.service: Service | None = None

    def first(self) -> dict[str, Model]:
        """What the aliases point to now, by model; those are left out that the package itself has."""
        found: dict[str, Model] = {}
        self._look(found)
        return found

    def keep(self, service: Service) -> None:
        """Keep a service up to date from now on, and again whenever a snapshot of it is restored."""
        self.service = service
        service.follower = self
        if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
            from snapshot_restore_py import register_after_restore

            register_after_restore(self.look)

    def request(self) -> None:
        """Begin to look, beside the request that comes, when it is time."""
        now = time()
        if now < self._due:
            return
        if self._looking is None or not self._looking.is_alive():
            self._due, self._begun = now + self._seconds, now
            self._looking = Thread(target=self.look, daemon=True)
            self._looking.start()
        elif now >= self._begun + PATIENCE:
            self._looking.join(GRACE)

    def object(self) -> None:
        """Look when it is time, and wait: before long work, which one model does from beginning to end."""
        if time() >= self._due:
            self.look()

    def look(self) -> None:
        """Look once, and take over what the aliases point to; raises nothing."""
        found: dict[str, Model] = {}
        self._look(found)
        if self.service is not None:
            for model in found.values():
                self._replace(self.service, model)

    def _look(self, found: dict[str, Model]) -> None:
        self._due = time() + self._seconds
        for name in self._config["models"]:
            try:
                model = self._changed(name)
            except Exception as error:  # noqa: BLE001 - whatever is wrong: the model that is there answers
                config = self._config
                write_failed_follow(config["project"], config["function"], name, self._alias, error)
            else:
                if model is not None:
                    found[name] = model

    def _changed(self, name: str) -> Model | None:
        """The model that an alias points to, where that is not the one that serves.

        Raises:
            StoreError: The alias or the artifact cannot be had; it is tried again at the next look.
            ArtifactRefused: They cannot be used, and will not be before the alias is moved.
            MemoryTooSmall: Nor if the function has not the memory for this model beside the one that serves.
        """
        key = alias_key(name, self._alias)
        answer = _read(key, self._etags.get(name))
        if answer is None:
            if name in self._refused:
                raise self._refused[name]
            return None
        etag, text = answer
        self._refused.pop(name, None)
        try:
            digest = digest_in(text)
            model = None if digest == self._serving(name) else self._load(name, digest)
        except (ArtifactRefused, MemoryTooSmall) as error:
            self._etags[name], self._refused[name] = etag, error
            raise
        self._etags[name] = etag
        return model

    def _serving(self, name: str) -> str:
        """The digest of the model that answers, or is about to."""
        if self.service is not None:
            return self.service.models[name].artifact.digest
        pinned: str = self._config["models"][name]["digest"]
        return pinned

    def _load(self, name: str, digest: str) -> Model:
        """A model, fetched where it is not in the package, verified and warm."""
        pinned = self._config["models"][name]
        if digest == pinned["digest"] and pinned["bundled"]:
            path = os.path.join(self._folder, "artifacts", name, digest)
        else:
            files = ("model.lite",) if pinned["engine"] == "lite" else None
            path = fetch(os.environ["SLS_ML_STORE"], name, digest, _fetched(), files)
        try:
            return self._opened(name, path, digest)
        except Exception:
            _remove(path)
            raise

    def _opened(self, name: str, path: str, digest: str) -> Model:
        pinned = self._config["models"][name]
        artifact = open_folder(path, digest, verify=False)
        if signature(artifact.manifest) != self._signatures[name]:
            raise ArtifactRefused(
                f"{name} {digest[:12]} has another signature than what is deployed: deploy it"
            )
        if pinned["engine"] not in artifact.manifest["engines"]:
            raise ArtifactRefused(f"{name} {digest[:12]} is not proven for {pinned['engine']}: deploy it")

        def load() -> Model:
            engine = engines.load(artifact, engine=pinned["engine"], threads=self._threads)
            watched = pinned.get("watched", False) and "drift" in artifact.manifest
            model = Model(artifact, engine, watched=watched)
            model.warm()
            return model

        size = sum(facts["bytes"] for facts in artifact.manifest["files"].values())
        return self._within(self._config["function"], size, load)

    def _replace(self, service: Service, model: Model) -> None:
        """Let a model answer from the next request on; count and remove what is left of the one before."""
        name = model.artifact.name
        before = service.models[name]
        service.replace(name, model)
        if before.seen:
            from sls_ml_runtime import drift

            drift.write(self._config["project"], self._config["function"], [before])
        _remove(before.artifact.folder)


def _remove(folder: str) -> None:
    """Remove an artifact's folder, unless it rides in the package."""
    if folder.startswith(_fetched()):
        from shutil import rmtree

        rmtree(folder, ignore_errors=True)


def _fetched() -> str:
    return os.path.join(os.environ.get("TMPDIR", "/tmp"), "artifacts")  # noqa: S108 - the function's own


def _read(key: str, etag: str | None) -> tuple[str, bytes] | None:
    """ETag and bytes of an alias; None where it still has this ETag.

    Raises:
        StoreError: It cannot be read.
    """
    scheme, _, rest = os.environ["SLS_ML_STORE"].rstrip("/").partition("://")
    if scheme != "s3":
        raise StoreError(f"an alias cannot be followed in a store at {scheme}://: it takes s3://")
    name, _, prefix = rest.partition("/")
    bucket = Bucket(name, prefix)  # a new one for each look: credentials are renewed, connections grow old
    try:
        return bucket.read_if_changed(key, etag)
    finally:
        bucket.close()
