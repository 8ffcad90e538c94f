"""An artifact as a value: kept in a store, loaded back whole or refused, and asked for predictions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sls_ml.artifact import manifest as manifests
from sls_ml.artifact import serving
from sls_ml.errors import ArtifactError, UsageError
from sls_ml.spec.model import Engine
from sls_ml.store import Store, open_store

_Bytes = bytes  # the class below has an attribute of that name
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True)
class Artifact:
    """A converted model.

    Attributes:
        manifest: The manifest, as manifest.json holds it.
        files: The bytes of every hashed file, by name.
        report: What the parity gate measured, with versions and timings; not part of the digest.
    """

    manifest: dict[str, Any]
    files: Mapping[str, bytes]
    report: dict[str, Any]

    @property
    def name(self) -> str:
        """The model's name in the spec."""
        return str(self.manifest["name"])

    @cached_property
    def digest(self) -> str:
        """The address of the content: sha256 of manifest.json, 64 hexadecimal digits."""
        return manifests.digest_of(manifests.canonical(self.manifest))

    @property
    def bytes(self) -> int:
        """The size of all hashed files."""
        return sum(map(len, self.files.values()))

    def save(self, store: Store | str | Path) -> str:
        """Put the artifact into a store, manifest.json last; what is there already is left as it is.

        Args:
            store: A store, or the path or URI of one.

        Returns:
            The address, ``<store>/<name>/<digest>``.

        Raises:
            ExternalError: The store cannot be reached or refuses.
            ArtifactError: The store holds other bytes under this digest.
        """
        place = open_store(store) if isinstance(store, (str, Path)) else store
        prefix = f"{self.name}/{self.digest}"
        report = json.dumps(self.report, indent=2, sort_keys=True).encode() + b"\n"
        for file, data in self.files.items():
            self._put(place, f"{prefix}/{file}", data)
        place.put(f"{prefix}/{manifests.REPORT}", report, mode="create")
        self._put(place, f"{prefix}/{manifests.MANIFEST}", manifests.canonical(self.manifest))
        return f"{place.uri}/{prefix}"

    @staticmethod
    def _put(place: Store, path: str, data: _Bytes) -> None:
        if place.put(path, data, mode="create"):
            return
        there = place.get(path)
        if there is not None and there != data:
            raise manifests.corrupt(
                "The store holds other bytes under this digest.",
                where=f"{place.uri}/{path}",
                why=f"{len(there)} bytes there, {len(data)} in the artifact: not what was saved first",
                mend="delete that object and save again",
            )

    def predict(self, rows: object, *, engine: Engine = "auto") -> dict[str, Any]:
        """Predict as the deployed function does, through the same code.

        Args:
            rows: A DataFrame (columns that are no inputs are left out), a 2-D array, a list of dicts, or a
                list of texts.
            engine: The engine to use; ``auto`` takes the first of the manifest that is available here.

        Returns:
            The plain answer: ``model``, ``digest``, and by the model's kind ``classes``, ``label``,
            ``probability``, ``value``, ``score`` or ``transformed``.

        Raises:
            ModelError: A row is outside the model's domain; `where` names row and column.
            ExternalError: No engine is available.
        """
        return self._served.predict(serving.plain_of(self.manifest, rows), engine)

    @cached_property
    def _served(self) -> serving.Served:
        return serving.Served(self.manifest, self.files)


def load(address: str | Path) -> Artifact:
    """Load an artifact and verify every byte.

    Args:
        address: ``<store>/<name>/<digest>``, as `Artifact.save` gives it.

    Raises:
        ArtifactError: The artifact is incomplete, corrupt, tampered with, or of an unknown format.
        ExternalError: The store cannot be reached.
    """
    text = str(address).rstrip("/")
    root, prefix = _split(text)
    store = open_store(root)
    stored = store.get(f"{prefix}/{manifests.MANIFEST}")
    if stored is None:
        raise ArtifactError(
            "There is no artifact at this address.",
            code="artifact-missing",
            where=text,
            mend="check the address; it ends in <model>/<digest>",
        )
    digest = prefix.rpartition("/")[2]
    manifest = manifests.parse(stored, digest, where=f"{text}/{manifests.MANIFEST}")
    files = {name: _file(store, text, prefix, name, entry) for name, entry in manifest["files"].items()}
    return Artifact(manifest=manifest, files=files, report=_report(store, prefix))


def _split(address: str) -> tuple[str, str]:
    """Split an address into the store's URI and ``<name>/<digest>``."""
    head, _, digest = address.rpartition("/")
    root, _, name = head.rpartition("/")
    if len(digest) != 64 or not _HEX.issuperset(digest) or not name:
        raise UsageError(
            f"{address!r} is not the address of an artifact.",
            code="artifact-address",
            mend="an address ends in <model>/<digest>, the digest in 64 hexadecimal digits",
        )
    return root or ("/" if address.startswith("/") else "."), f"{name}/{digest}"


def _file(store: Store, address: str, prefix: str, name: str, listed: Mapping[str, Any]) -> bytes:
    where = f"{address}/{name}"
    data = store.get(f"{prefix}/{name}")
    if data is None:
        raise manifests.lacking(name, where=where)
    manifests.check_size(name, len(data), listed, where=where)
    manifests.check(name, manifests.digest_of(data), listed["sha256"], where=where)
    return data


def _report(store: Store, prefix: str) -> dict[str, Any]:
    """Read the report, which is not hashed: what cannot be read is no report."""
    data = store.get(f"{prefix}/{manifests.REPORT}")
    try:
        report = json.loads(data) if data is not None else {}
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}
